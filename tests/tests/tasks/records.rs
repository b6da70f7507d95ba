//! What becomes of the records that are kept on another database.

use std::fs;

use router_diesel::migrate::{Failure, FailureKind, LintCode};
use router_diesel::tasks::{Created, Dropped, Force, Removal, Report, TaskError};
use router_tests::TestDatabase;
use tempfile::TempDir;

use crate::world::{Engine, World, write};

crate::on_each_engine!(
    records_go_with_their_database,
    both_are_dropped_without_force,
    a_database_stays_where_its_records_cannot_be_reached,
    a_new_database_with_old_records_is_told,
    what_was_not_created_is_named,
    records_of_a_former_name_are_told,
    a_database_that_is_not_there_is_none_that_answers,
);

/// Two databases, of which the second is yet to be created and has its records on the first.
struct Kept {
    world: World,
    /// The second alone, without its records.
    alone: World,
    _default: TestDatabase,
    _folder: TempDir,
}

impl Kept {
    fn new(engine: Engine) -> Option<Self> {
        let default = engine.database("main")?;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        write(&folder.path().join("users/1_users/up.sql"), "CREATE TABLE users (id INTEGER);");
        write(&folder.path().join("blog/1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);");
        write(&folder.path().join("blog/2_comments/up.sql"), "CREATE TABLE comments (id INTEGER);");
        let apps = format!(
            "apps:
  users: {{ tables: [users], migrations: '{place}/users' }}
  blog: {{ tables: [posts, comments], migrations: '{place}/blog' }}"
        );
        let url = engine.absent(&default).replace('\'', "''");
        let world = World::new(&format!(
            "{apps}
databases:
  default: {{ url: '{}', apps: [users] }}
  blog_db: {{ url: '{url}', apps: [blog], migration_history: default }}",
            default.url()
        ));
        let alone =
            World::new(&format!("{apps}\ndatabases: {{ blog_db: {{ url: '{url}', apps: [users, blog] }} }}"));
        Some(Self { world, alone, _default: default, _folder: folder })
    }

    fn migrate(&self) -> usize {
        assert!(self.world.tasks().create().unwrap().is_success());
        self.world.databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}")).done()
    }

    /// Drops the second. A connection to PostgreSQL ends a moment after it was closed, and may be ended.
    fn drop(&self) -> Report<Dropped> {
        self.world.tasks().force(Force::Yes).databases(["blog_db"]).drop().unwrap()
    }
}

fn records_go_with_their_database(engine: Engine) {
    let Some(kept) = Kept::new(engine) else { return };
    assert_eq!(kept.migrate(), 3);
    let error = kept.world.tasks().databases(["default"]).drop().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`default` keeps the records of the migrations of `blog_db`, which would all count as pending; drop them \
         together, with `--database default --database blog_db`, or pass `--force`"
    );
    let report = kept.drop();
    let dropped = report.on("blog_db").unwrap();
    assert!(matches!(dropped.removal, Removal::Dropped(_)), "{report}");
    assert!(
        report.to_string().ends_with("; took 2 records of its migrations away from `default`\n"),
        "{report}"
    );
    assert_eq!(kept.world.count("default", "__dbrouter_migrations"), 1);
    // All of it runs again, and nothing of the other.
    assert_eq!(kept.migrate(), 2);
    assert_eq!(kept.world.count("default", "__dbrouter_migrations"), 3);

    // What was lost without the program's knowing is as if it had been dropped.
    assert!(kept.alone.tasks().force(Force::Yes).drop().unwrap().is_success());
    let report = kept.drop();
    let dropped = report.on("blog_db").unwrap();
    assert!(matches!(dropped.removal, Removal::NotThere(_)), "{report}");
    assert_eq!((dropped.records[0].from.as_str(), dropped.records[0].number), ("default", 2));
    assert!(kept.drop().on("blog_db").unwrap().records.is_empty());
}

/// The connection that took the records away is no reason to call the database that had them in use.
fn both_are_dropped_without_force(engine: Engine) {
    let Some(kept) = Kept::new(engine) else { return };
    for _ in 0..5 {
        kept.migrate();
        let report = kept.world.tasks().drop().unwrap();
        assert!(report.is_success(), "{report}");
        assert_eq!(report.on("blog_db").unwrap().records[0].number, 2);
    }
}

fn a_database_stays_where_its_records_cannot_be_reached(engine: Engine) {
    let Some(beside) = engine.database("main") else { return };
    let port = router_tests::free_port().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let away = match engine {
        // There, and no database.
        Engine::Sqlite => format!("sqlite://{}", folder.path().display()),
        Engine::Postgres => format!("postgres://u:hunter2@127.0.0.1:{port}/x"),
        Engine::MariaDb => format!("mysql://u:hunter2@127.0.0.1:{port}/x"),
    };
    let world = World::new(&format!(
        "databases:
  default: {{ url: '{away}' }}
  blog_db: {{ url: '{}', migration_history: default }}",
        engine.absent(&beside).replace('\'', "''")
    ));
    let blog = || world.tasks().databases(["blog_db"]);
    assert!(blog().create().unwrap().is_success());
    let report = blog().drop().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::RecordsUnreachable { .. }) && error.is_unreachable(), "{error}");
    assert!(error.to_string().starts_with("database `blog_db` was not dropped, as the records"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(matches!(blog().create().unwrap().on("blog_db"), Some(Created::AlreadyThere(_))));

    let report = blog().force(Force::Yes).drop().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::RecordsStay { .. }), "{error}");
    assert!(error.to_string().contains("; `dbrouter drop --database blog_db` takes them away"), "{error}");
    assert!(matches!(blog().create().unwrap().on("blog_db"), Some(Created::Created(_))));
    assert!(!blog().force(Force::Yes).drop().unwrap().is_success());
}

fn a_new_database_with_old_records_is_told(engine: Engine) {
    let Some(kept) = Kept::new(engine) else { return };
    kept.migrate();
    assert!(kept.alone.tasks().force(Force::Yes).drop().unwrap().is_success());
    let status = || kept.world.databases.migrator().database("blog_db").status().unwrap();
    let check = |how: &str| {
        let report = kept.world.tasks().create().unwrap();
        let error = report.failures().next().unwrap();
        assert!(
            matches!(error, TaskError::LeftRecords { alias, history, number: 2, .. } if *alias == "blog_db" && *history == "default"),
            "{report}"
        );
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("database `blog_db` {how}, but `default` has 2 records")),
            "{text}"
        );
        assert!(text.contains("`dbrouter reset --database blog_db`"), "{text}");
        assert_eq!(report.failures().count(), 1);
    };
    // Nothing is made by itself.
    check("is not there");
    check("is not there");
    let error = kept.world.databases.migrator().database("blog_db").migrate().unwrap_err();
    let failure = match engine {
        Engine::Sqlite => FailureKind::Refused,
        Engine::Postgres | Engine::MariaDb => FailureKind::Unreachable,
    };
    assert_eq!(error.kind(), failure, "{error}");
    assert_eq!(status().databases[0].failure.as_ref().unwrap().kind, failure);
    check("is not there");
    // Nor is anything run over what somebody else has made.
    assert!(kept.alone.tasks().create().unwrap().is_success());
    check("is there and empty");
    let refused = |failure: &Failure| {
        assert_eq!(failure.kind, FailureKind::Refused);
        assert_eq!(
            failure.message,
            "database `blog_db` is there and empty, but `default` has 2 records of its migrations, as if they had run"
        );
        assert!(failure.help.as_ref().unwrap().contains("`dbrouter reset --database blog_db`"));
    };
    refused(&kept.world.databases.migrator().migrate().unwrap_err().failed[0]);
    refused(status().databases[0].failure.as_ref().unwrap());
    refused(&kept.world.databases.migrator().database("blog_db").plan().unwrap().databases[0].failures[0]);
    // With a table it is the one that the records are about.
    kept.alone.execute("blog_db", "CREATE TABLE posts (id INTEGER)");
    assert!(kept.world.tasks().create().unwrap().is_success());
    assert_eq!(kept.drop().on("blog_db").unwrap().records[0].number, 2);
    assert_eq!(kept.migrate(), 2);
    assert!(kept.drop().is_success());
}

fn what_was_not_created_is_named(engine: Engine) {
    let Some(kept) = Kept::new(engine) else { return };
    let error = kept.world.databases.migrator().database("blog_db").migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Unreachable);
    let text = error.to_string();
    assert!(text.contains("`dbrouter create --database blog_db` makes it"), "{text}");
    let status = kept.world.databases.migrator().database("blog_db").status().unwrap();
    match &status.databases[0].failure {
        // Nothing keeps SQLite from saying that all is pending.
        None => assert_eq!(engine, Engine::Sqlite),
        Some(failure) => {
            assert!(
                failure.message.starts_with("database `blog_db` cannot be reached: there is no `"),
                "{failure}"
            );
            assert_eq!(failure.help.as_deref(), Some("`dbrouter create --database blog_db` makes it"));
        }
    }
}

fn records_of_a_former_name_are_told(engine: Engine) {
    let Some(kept) = Kept::new(engine) else { return };
    kept.migrate();
    let column = if engine == Engine::MariaDb { "`database`" } else { "\"database\"" };
    let rename = |old: &str, new: &str| {
        let sql = format!("UPDATE __dbrouter_migrations SET {column} = '{new}' WHERE {column} = '{old}'");
        kept.world.execute("default", &sql);
    };
    rename("blog_db", "blog_old");
    // Somebody else's, of an app that is not here.
    kept.world.execute(
        "default",
        "INSERT INTO __dbrouter_migrations SELECT 'other', 'other', version, name, checksum, state, applied_at, \
         duration_ms FROM __dbrouter_migrations WHERE app = 'users'",
    );
    let report = kept.drop();
    let dropped = report.on("blog_db").unwrap();
    assert!(dropped.records.is_empty(), "{report}");
    let [former] = &dropped.former_records[..] else { panic!("{report}") };
    assert_eq!((former.on.as_str(), former.name.as_str(), former.number), ("default", "blog_old", 2));
    assert!(
        report.to_string().contains("; `default` also has 2 records of its apps for `blog_old`, which"),
        "{report}"
    );
    // They are in nobody's way, and the statement is right.
    assert_eq!(kept.migrate(), 2);
    assert!(kept.drop().on("blog_db").unwrap().former_records.is_empty(), "those of its own name count");
    kept.world.execute("default", &former.clearing);
    assert_eq!(kept.world.count("default", "__dbrouter_migrations"), 2);
}

/// As an owner's URL with a typing error has it: nothing may be dropped by it.
fn a_database_that_is_not_there_is_none_that_answers(engine: Engine) {
    let Some(blog) = engine.database("blog") else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    write(&folder.path().join("blog/1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);");
    let world = World::new(&format!(
        "apps: {{ blog: {{ tables: [posts], migrations: '{place}/blog' }} }}
default: blog_db
databases:
  blog_db: {{ url: '{}', apps: [blog], migrate_to: blog_owner }}
  blog_owner: {{ url: '{}', operations: [migrate] }}",
        blog.url(),
        engine.absent(&blog).replace('\'', "''")
    ));
    let error = world.databases.migrator().lint_anew().unwrap_err();
    assert!(matches!(&error.lint[..], [problem] if problem.code == LintCode::ReadElsewhere), "{error}");
    // As a `main` prints it.
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_database_that_keeps_records_of_one_that_stays_stays_too() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let world = World::new(&format!(
        "databases:
  default: {{ url: 'sqlite://{place}/default.sqlite3' }}
  blog_db: {{ url: 'sqlite://{place}/blog.sqlite3', migration_history: default }}"
    ));
    assert!(world.tasks().create().unwrap().is_success());
    fs::write(folder.path().join("blog.sqlite3"), "my only copy of a novel").unwrap();
    let report = world.tasks().drop().unwrap();
    let errors: Vec<_> = report.failures().collect();
    assert!(
        matches!(errors[..], [TaskError::KeepsRecords { .. }, TaskError::NotADatabase { .. }]),
        "in file order: {report}"
    );
    assert!(folder.path().join("default.sqlite3").exists());
    fs::write(folder.path().join("blog.sqlite3"), "").unwrap();
    // Forced, what is lost is told.
    let report = world.tasks().force(Force::Yes).databases(["default"]).drop().unwrap();
    assert_eq!(report.on("default").unwrap().lost_records_of, ["blog_db"]);
    assert!(
        report
            .to_string()
            .contains("once `dbrouter create` has made it anew, `dbrouter fake --all --database blog_db`"),
        "{report}"
    );
    assert!(world.tasks().create().unwrap().is_success());
    let report = world.tasks().drop().unwrap();
    assert!(report.on("default").unwrap().lost_records_of.is_empty(), "{report}");
}

#[test]
fn all_whose_records_would_be_lost_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let world = World::new(&format!(
        "databases:
  default: {{ url: 'sqlite://{place}/default.sqlite3' }}
  blog_db: {{ url: 'sqlite://{place}/blog.sqlite3', migration_history: default }}
  shop_db: {{ url: 'sqlite://{place}/shop.sqlite3', migration_history: default }}"
    ));
    assert!(world.tasks().create().unwrap().is_success());
    let default = || world.tasks().databases(["default"]);
    assert_eq!(
        default().drop().unwrap_err().to_string(),
        "`default` keeps the records of the migrations of `blog_db`, `shop_db`, which would all count as pending; drop \
         them together, with `--database default --database blog_db --database shop_db`, or pass `--force`"
    );
    let report = default().force(Force::Yes).drop().unwrap();
    assert!(
        report.to_string().contains("`dbrouter fake --all --database blog_db --database shop_db`"),
        "{report}"
    );
}

#[test]
fn a_second_name_of_a_database_has_its_records_taken_too() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    for (app, table) in [("blog", "posts"), ("shop", "products")] {
        write(
            &folder.path().join(format!("{app}/1_{table}/up.sql")),
            &format!("CREATE TABLE {table} (id INTEGER);"),
        );
    }
    let world = World::new(&format!(
        "apps:
  blog: {{ tables: [posts], migrations: '{place}/blog' }}
  shop: {{ tables: [products], migrations: '{place}/shop' }}
databases:
  default: {{ url: 'sqlite://{place}/default.sqlite3' }}
  blog_db: {{ url: 'sqlite://{place}/one.sqlite3', apps: [blog], migration_history: default }}
  shop_db: {{ url: 'sqlite://{place}/./one.sqlite3', apps: [shop], migration_history: default }}"
    ));
    assert!(world.tasks().create().unwrap().is_success());
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 2);
    let report = world.tasks().databases(["shop_db"]).drop().unwrap();
    assert_eq!(report.on("shop_db").unwrap().records[0].number, 2, "{report}");
    assert_eq!(world.count("default", "__dbrouter_migrations"), 0);
}
