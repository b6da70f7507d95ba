use std::fs;
use std::path::Path;

use router_diesel::tasks::{Dumped, Force, Loaded, TaskError};
use router_tests::TestDatabase;

use crate::world::{Engine, World, write};

crate::on_each_engine!(
    a_dump_that_is_loaded_dumps_the_same,
    a_database_of_two_names_is_dumped_and_loaded_once,
    a_broken_schema_is_told,
    what_a_dump_names_is_recorded_and_nothing_else,
    an_empty_database_with_records_elsewhere_is_not_loaded,
    a_file_that_sets_something_is_loaded_with_its_records,
);

/// Something of everything that an engine has.
fn tables(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Sqlite => &[
            "CREATE TABLE posts (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT 'it''s; x' -- note
            )",
            "CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER REFERENCES posts (id))",
            "CREATE INDEX comments_post ON comments (post_id)",
            "CREATE VIEW titles AS SELECT title FROM posts -- the end",
            "CREATE TRIGGER t AFTER INSERT ON posts BEGIN DELETE FROM comments; UPDATE posts SET title = 'x'; END",
            "CREATE VIRTUAL TABLE search USING fts5 (body)",
            "INSERT INTO posts (title) VALUES ('data')",
            "CREATE TABLE __dbrouter_seeds (name TEXT)",
        ],
        Engine::Postgres => &[
            "CREATE SCHEMA blog",
            "CREATE TYPE mood AS ENUM ('good', 'bad')",
            "CREATE TABLE posts (id SERIAL PRIMARY KEY, title TEXT NOT NULL DEFAULT E'it''s;\n--\n\n\nx', mood mood)",
            "CREATE TABLE blog.comments (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                post_id INTEGER REFERENCES posts (id), \"we\"\"ird\" JSONB)",
            "CREATE INDEX ON blog.comments (post_id) WHERE post_id > 0",
            "CREATE VIEW titles AS SELECT title FROM posts",
            "CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM posts",
            "CREATE FUNCTION a_first() RETURNS bigint LANGUAGE sql AS $$\n-- kept\n\n\nSELECT count(*) FROM posts;\n$$",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN RETURN NEW; END $body$",
            "CREATE TRIGGER touch BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION touch()",
            "COMMENT ON TABLE posts IS 'two\n-- lines'",
            "INSERT INTO posts (title) VALUES ('data')",
            "CREATE TABLE __dbrouter_seeds (name TEXT)",
        ],
        Engine::MariaDb => &[
            "CREATE TABLE posts (id INTEGER PRIMARY KEY AUTO_INCREMENT, title VARCHAR(99) NOT NULL DEFAULT 'it''s; x',
                `we``ird` JSON) COMMENT 'AUTO_INCREMENT=7'",
            "CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER REFERENCES posts (id), KEY (post_id))",
            "CREATE VIEW titles AS SELECT title FROM posts",
            "CREATE TRIGGER touch BEFORE INSERT ON posts FOR EACH ROW BEGIN
                -- it's kept
                SET NEW.title = CONCAT(NEW.title, ';');
                SET @touched = 1;
            END",
            "CREATE PROCEDURE tidy() BEGIN DELETE FROM comments;\n\n\n-- kept\nDELETE FROM posts; END",
            "INSERT INTO posts (title) VALUES ('data')",
            "CREATE TABLE __dbrouter_seeds (name VARCHAR(9))",
        ],
    }
}

fn a_dump_that_is_loaded_dumps_the_same(engine: Engine) {
    let (Some(old), Some(new)) = (engine.database("blog"), engine.database("blog")) else { return };
    let world = |url: &str| {
        World::new(&format!(
            "databases: {{ blog_db: {{ url: '{url}' }}, again: {{ url: '{url}' }} }}\ndefault: blog_db"
        ))
    };
    let (old, new) = (world(old.url()), world(new.url()));
    assert!(new.tasks().databases(["blog_db"]).create().unwrap().is_success());
    for sql in tables(engine) {
        old.execute("blog_db", sql);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blog_db.sql");
    let report = old.tasks().schema_folder(folder.path()).dump_schema().unwrap();
    assert!(report.is_success(), "{report}");
    assert_eq!(report.on("blog_db"), Some(&Dumped::Written(path.clone())));
    assert_eq!(report.on("again"), Some(&Dumped::SameAs("blog_db".to_owned())));
    let dump = fs::read_to_string(&path).unwrap();
    for noise in [
        "__dbrouter",
        "'data'",
        "AUTO_INCREMENT=2",
        "router`@",
        "pg_dump",
        "SET statement_timeout",
        "\\restrict",
    ] {
        assert!(!dump.contains(noise), "{noise} is in:\n{dump}");
    }

    let dump_only = |world: &World| {
        world.tasks().schema_folder(folder.path()).databases(["blog_db"]).dump_schema().unwrap()
    };
    assert_eq!(dump_only(&old).on("blog_db"), Some(&Dumped::Unchanged(path.clone())));
    let load = |force| {
        new.tasks().schema_folder(folder.path()).databases(["blog_db"]).force(force).load_schema().unwrap()
    };
    let report = load(Force::No);
    assert!(report.is_success(), "{report}");
    let again = dump_only(&new);
    let dump_of_new = fs::read_to_string(&path).unwrap();
    assert_eq!(dump_of_new, dump);
    assert_eq!(again.on("blog_db"), Some(&Dumped::Unchanged(path)));

    let report = load(Force::No);
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("`posts`"), "{error}");
    assert!(!load(Force::Yes).is_success());
}

fn a_database_of_two_names_is_dumped_and_loaded_once(engine: Engine) {
    let (Some(old), Some(new)) = (engine.database("blog"), engine.database("blog")) else { return };
    let world = |url: &str| {
        World::new(&format!("default: a\ndatabases: {{ a: {{ url: '{url}' }}, b: {{ url: '{url}' }} }}"))
    };
    let (old, new) = (world(old.url()), world(new.url()));
    old.execute("a", "CREATE TABLE posts (id INTEGER)");
    assert!(new.tasks().create().unwrap().is_success());
    let folder = tempfile::tempdir().unwrap();
    assert!(old.tasks().schema_folder(folder.path()).dump_schema().unwrap().is_success());
    let load = |databases: &[&str]| {
        new.tasks().schema_folder(folder.path()).databases(databases).load_schema().unwrap()
    };
    let report = load(&[]);
    assert!(report.is_success(), "{report}");
    assert!(matches!(report.on("a"), Some(Loaded::Loaded { tables: 1, .. })), "{report}");
    assert!(matches!(report.on("b"), Some(Loaded::SameAs { same_as, .. }) if same_as == "a"), "{report}");
    assert_eq!(new.count("b", "posts"), 0);

    // By its second name alone, which no file bears.
    new.execute("b", "DROP TABLE posts");
    let report = load(&["b"]);
    assert!(matches!(report.on("b"), Some(Loaded::Loaded { tables: 1, .. })), "{report}");
}

fn a_broken_schema_is_told(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&format!("databases: {{ default: {{ url: '{}' }} }}", database.url()));
    let folder = tempfile::tempdir().unwrap();
    assert!(world.tasks().create().unwrap().is_success());
    let load = || world.tasks().schema_folder(folder.path()).load_schema().unwrap();
    let error = load().failures().next().unwrap().to_string();
    assert!(error.starts_with("nothing was loaded, as there is no `"), "{error}");
    fs::write(
        folder.path().join("default.sql"),
        "CREATE TABLE a (id INTEGER);\nCREATE TABLE a (id INTEGER);",
    )
    .unwrap();
    let error = load().failures().next().unwrap().to_string();
    assert!(error.contains("already exists") && !error.contains(router_tests::PASSWORD), "{error}");
    // Nothing is left of it, but on MariaDB, where nothing can be taken back.
    fs::write(folder.path().join("default.sql"), "CREATE TABLE a (id INTEGER);").unwrap();
    assert_eq!(load().is_success(), engine != Engine::MariaDb);
}

/// Two databases that have their apps' migrations, of which the second keeps its records on the first.
fn project(engine: Engine, folder: &Path) -> Option<(World, [TestDatabase; 2])> {
    let (default, blog) = (engine.database("main")?, engine.database("blog")?);
    write(&folder.join("users/1_users/up.sql"), "CREATE TABLE users (id INTEGER);");
    write(&folder.join("blog/1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);");
    write(&folder.join("blog/2_comments/up.sql"), "CREATE TABLE comments (id INTEGER);");
    let place = folder.display();
    let world = World::new(&format!(
        "apps:
  users: {{ tables: [users], migrations: '{place}/users' }}
  blog: {{ tables: [posts, comments], migrations: '{place}/blog' }}
databases:
  default: {{ url: '{}', apps: [users] }}
  blog_db: {{ url: '{}', apps: [blog], migrate_to: blog_owner, migration_history: default }}
  blog_owner: {{ url: '{1}', operations: [migrate] }}",
        default.url(),
        blog.url()
    ));
    assert!(world.tasks().create().unwrap().is_success());
    Some((world, [default, blog]))
}

fn what_a_dump_names_is_recorded_and_nothing_else(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _databases)) = project(engine, folder.path()) else { return };
    let migrator = || world.databases.migrator();
    assert_eq!(migrator().migrate().unwrap().done(), 3);
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    assert!(tasks().dump_schema().unwrap().is_success());
    let read = |alias: &str| fs::read_to_string(dumps.join(format!("{alias}.sql"))).unwrap();
    let dump = read("blog_db");
    let head: Vec<_> = dump.lines().take_while(|line| line.starts_with("--")).collect();
    assert_eq!(head.len(), 4, "{dump}");
    assert!(
        head[2].starts_with("-- applied blog 1 1_posts ") && head[3].starts_with("-- applied blog 2 "),
        "{dump}"
    );
    assert!(read("default").contains("-- applied users 1 1_users "));
    let report = tasks().dump_schema().unwrap();
    assert!(matches!(report.on("blog_db"), Some(Dumped::Unchanged(_))), "{report}");

    // Since then, one migration was added and one was edited.
    write(&folder.path().join("blog/3_authors/up.sql"), "CREATE TABLE authors (id INTEGER);");
    write(&folder.path().join("blog/2_comments/up.sql"), "CREATE TABLE comments (id INTEGER, post INTEGER);");
    assert!(world.tasks().force(Force::Yes).drop().unwrap().is_success());
    assert!(world.tasks().create().unwrap().is_success());
    let report = tasks().load_schema().unwrap();
    assert!(report.is_success(), "{report}");
    assert!(
        matches!(report.on("default"), Some(Loaded::Loaded { tables: 1, recorded: Some(1), .. })),
        "{report}"
    );
    assert!(
        matches!(report.on("blog_owner"), Some(Loaded::Loaded { tables: 2, recorded: Some(2), .. })),
        "{report}"
    );
    let status = migrator().status().unwrap();
    let states = |alias: &str| {
        let database = status.databases.iter().find(|database| database.database == alias).unwrap();
        assert!(database.failure.is_none(), "{status:?}");
        let states: Vec<_> = database.migrations.iter().map(|it| it.state.as_str()).collect();
        states.join(" ")
    };
    assert_eq!(
        (states("default"), states("blog_owner")),
        ("applied".into(), "applied changed pending".into())
    );
    write(&folder.path().join("blog/2_comments/up.sql"), "CREATE TABLE comments (id INTEGER);");
    assert_eq!(migrator().migrate().unwrap().done(), 1);
    assert!(migrator().status().unwrap().is_clean());
    // One line more for one migration more.
    assert!(tasks().dump_schema().unwrap().is_success());
    let diff: Vec<_> =
        read("blog_db").lines().filter(|line| !dump.contains(line)).map(str::to_owned).collect();
    assert!(diff[0].starts_with("-- applied blog 3 3_authors "), "{diff:?}");
}

fn an_empty_database_with_records_elsewhere_is_not_loaded(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, databases)) = project(engine, folder.path()) else { return };
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 3);
    let tasks = || world.tasks().schema_folder(folder.path()).databases(["blog_db"]);
    assert!(tasks().dump_schema().unwrap().is_success());
    let alone = World::new(&format!("databases: {{ d: {{ url: '{}' }} }}", databases[1].url()));
    assert!(alone.tasks().force(Force::Yes).drop().unwrap().is_success());
    assert!(alone.tasks().create().unwrap().is_success());
    let report = tasks().load_schema().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::LeftRecords { number: 2, .. }), "{error}");
    // Forced, what is recorded stays.
    let report = tasks().force(Force::Yes).load_schema().unwrap();
    assert!(
        matches!(report.on("blog_owner"), Some(Loaded::Loaded { tables: 2, recorded: Some(0), .. })),
        "{report}"
    );
    assert!(world.databases.migrator().status().unwrap().is_clean());
}

/// Each app's migrations are recorded under the name by which it is migrated.
#[test]
fn a_database_of_two_names_is_recorded_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    write(&folder.path().join("users/1_users/up.sql"), "CREATE TABLE users (id INTEGER);");
    write(&folder.path().join("blog/1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);");
    let world = World::new(&format!(
        "apps:
  users: {{ tables: [users], migrations: '{place}/users' }}
  blog: {{ tables: [posts], migrations: '{place}/blog' }}
databases:
  default: {{ url: 'sqlite://{place}/one.sqlite3', apps: [users] }}
  blog_db: {{ url: 'sqlite://{place}/./one.sqlite3', apps: [blog] }}"
    ));
    let tasks = || world.tasks().schema_folder(folder.path());
    assert!(tasks().create().unwrap().is_success());
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 2);
    assert!(tasks().dump_schema().unwrap().is_success());
    for path in ["one.sqlite3", "one.sqlite3-wal", "one.sqlite3-shm"] {
        let _ = fs::remove_file(folder.path().join(path));
    }
    assert!(tasks().create().unwrap().is_success());
    let report = tasks().load_schema().unwrap();
    assert!(matches!(report.on("default"), Some(Loaded::Loaded { recorded: Some(2), .. })), "{report}");
    assert!(world.databases.migrator().status().unwrap().is_clean());
    // A line that was broken loads nothing.
    let path = folder.path().join("default.sql");
    let dump = fs::read_to_string(&path).unwrap();
    fs::write(&path, dump.replace(" 1_users ", " ")).unwrap();
    let error = tasks().force(Force::Yes).load_schema().unwrap().failures().next().unwrap().to_string();
    assert!(error.contains("is no `-- applied APP VERSION NAME CHECKSUM`"), "{error}");
}

fn a_file_that_sets_something_is_loaded_with_its_records(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _databases)) = project(engine, folder.path()) else { return };
    let sets = match engine {
        Engine::Postgres => {
            "SELECT pg_catalog.set_config('search_path', '', false);\nSET ROLE pg_read_all_data;\nRESET ROLE;"
        }
        Engine::MariaDb => "SET sql_mode = '';",
        Engine::Sqlite => "PRAGMA query_only = OFF;",
    };
    let schema = if engine == Engine::Postgres { "public." } else { "" };
    let role = match engine {
        Engine::Postgres => "SET ROLE pg_read_all_data;",
        Engine::MariaDb => "USE information_schema;",
        Engine::Sqlite => "PRAGMA query_only = ON;",
    };
    write(
        &folder.path().join("schema/default.sql"),
        &format!("-- applied users 1 1_users -\n{sets}\nCREATE TABLE {schema}users (id INTEGER);\n{role}\n"),
    );
    let load = || {
        let tasks = world.tasks().databases(["default"]).schema_folder(folder.path().join("schema"));
        tasks.force(Force::Yes).load_schema().unwrap()
    };
    let report = load();
    assert!(
        matches!(report.on("default"), Some(Loaded::Loaded { tables: 1, recorded: Some(1), .. })),
        "{report}"
    );
    assert!(world.databases.migrator().app("users").status().unwrap().is_clean());
    write(&folder.path().join("schema/default.sql"), "CREATE TABLE more (id INTEGER); COMMIT;");
    let report = load();
    assert_eq!(report.is_success(), engine == Engine::MariaDb, "{report}");
    if let Some(error) = report.failures().next() {
        assert!(error.to_string().contains("it ends the transaction in which it runs"), "{error}");
    }
}
