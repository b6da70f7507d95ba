//! What migrations write and a dump of a schema does not hold.

use std::fs;
use std::path::Path;

use router_diesel::Databases;
use router_diesel::tasks::{Force, LeftOut, Loaded, TaskError};
use router_tests::TestDatabase;

use crate::world::{Engine, World, write};

crate::on_each_engine!(
    a_dump_says_what_it_leaves_out_and_is_not_loaded_unless_told,
    rows_that_are_asked_for_are_dumped_in_one_order,
    an_older_file_is_looked_through,
    what_cannot_be_read_is_told,
);

/// A database whose second migration writes rows.
fn project(engine: Engine, folder: &Path) -> Option<(World, TestDatabase)> {
    let database = engine.database("blog")?;
    write(
        &folder.join("blog/1_tags/up.sql"),
        "CREATE TABLE tags (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tags (id), name VARCHAR(99));
         CREATE TABLE old (id INTEGER);",
    );
    write(
        &folder.join("blog/2_rows/up.sql"),
        "INSERT INTO tags VALUES (10, NULL, 'ten');
         INSERT INTO tags VALUES (9, 10, 'it''s; nine');
         INSERT INTO tags VALUES (2, 9, 'two');
         INSERT INTO old VALUES (1);",
    );
    write(&folder.join("blog/3_more/up.sql"), "CREATE TABLE posts (id INTEGER); DROP TABLE old;");
    let world = World::new(&format!(
        "apps: {{ blog: {{ tables: [tags, posts, old], migrations: '{}/blog' }} }}
databases: {{ default: {{ url: '{}', apps: [blog] }} }}",
        folder.display(),
        database.url()
    ));
    assert!(world.tasks().create().unwrap().is_success());
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 3);
    Some((world, database))
}

/// The same databases, dropped and created, with no connection to what they were.
fn again(world: &World) -> World {
    assert!(world.tasks().force(Force::Yes).drop().unwrap().is_success());
    assert!(world.tasks().create().unwrap().is_success());
    World { databases: Databases::builder(world.databases.config().clone()).build().unwrap() }
}

fn a_dump_says_what_it_leaves_out_and_is_not_loaded_unless_told(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _database)) = project(engine, folder.path()) else { return };
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    assert!(tasks().dump_schema().unwrap().is_success());
    let path = dumps.join("default.sql");
    let dump = fs::read_to_string(&path).unwrap();
    assert!(dump.contains("-- Left out: rows"), "{dump}");
    // The rows of a table that is gone are not missed.
    assert!(dump.contains("\n-- lacks blog 2 rows of `tags`\n"), "{dump}");
    let left_out = LeftOut::of_file(&path).unwrap().unwrap();
    assert_eq!(left_out.migrations.len(), 1);
    assert_eq!(left_out.migrations[0].to_string(), "blog/2 (rows of `tags`)");

    let world = again(&world);
    let tasks = || world.tasks().schema_folder(&dumps);
    let report = tasks().load_schema().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::Incomplete { migrations, .. } if migrations.len() == 1), "{error}");
    let text = error.to_string();
    assert!(text.contains("blog/2 (rows of `tags`)") && text.contains("`--record-incomplete`"), "{text}");
    // Nothing was loaded, so that nothing says that all is well.
    assert!(!world.databases.migrator().status().unwrap().is_clean());
    assert_eq!(world.databases.migrator().plan().unwrap().databases[0].steps.len(), 3);
    let report = tasks().record_incomplete().load_schema().unwrap();
    assert!(matches!(report.on("default"), Some(Loaded::Loaded { recorded: Some(3), .. })), "{report}");
    assert_eq!(world.count("default", "tags"), 0);
}

fn rows_that_are_asked_for_are_dumped_in_one_order(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _database)) = project(engine, folder.path()) else { return };
    let trigger = match engine {
        Engine::Postgres => {
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = 'x'; RETURN NEW; END $$;
             CREATE TRIGGER touch BEFORE INSERT ON tags FOR EACH ROW EXECUTE FUNCTION touch()"
        }
        Engine::MariaDb => "CREATE TRIGGER touch BEFORE INSERT ON tags FOR EACH ROW SET NEW.name = 'x'",
        Engine::Sqlite => {
            "CREATE TRIGGER touch AFTER INSERT ON tags BEGIN UPDATE tags SET name = 'x' WHERE id = NEW.id; END"
        }
    };
    world.execute("default", trigger);
    world.execute("default", "CREATE VIEW names AS SELECT name FROM tags");
    world.execute("default", "INSERT INTO posts VALUES (7)");
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    let read = || fs::read_to_string(dumps.join("default.sql")).unwrap();
    let report = tasks().rows_of(["tags"]).dump_schema().unwrap();
    assert!(report.is_success(), "{report}");
    let dump = read();
    assert!(!dump.contains("-- lacks") && dump.contains("rows, except those of `tags`"), "{dump}");
    assert_eq!(dump.matches("INSERT INTO").count(), 3, "{dump}");
    // However the rows are stored.
    world.execute("default", "UPDATE tags SET name = 'two ' WHERE id = 2");
    world.execute("default", "UPDATE tags SET name = 'two' WHERE id = 2");
    assert!(tasks().rows_of(["tags"]).dump_schema().unwrap().is_success());
    assert_eq!(read(), dump);

    let world = again(&world);
    let tasks = || world.tasks().schema_folder(&dumps);
    let report = tasks().load_schema().unwrap();
    assert!(matches!(report.on("default"), Some(Loaded::Loaded { recorded: Some(3), .. })), "{report}");
    assert_eq!(world.count("default", "tags WHERE name IN ('ten', 'it''s; nine', 'two')"), 3);
    assert_eq!((world.count("default", "posts"), world.count("default", "names")), (0, 3));
    assert!(world.databases.migrator().status().unwrap().is_clean());
    assert!(tasks().rows_of(["tags"]).dump_schema().unwrap().is_success());
    assert_eq!(read(), dump);
    world.execute("default", "INSERT INTO tags VALUES (1, 2, 'one')");
    assert_eq!(world.count("default", "tags WHERE name = 'x'"), 1, "the trigger is there");

    let error = tasks().rows_of(["tags", "tagz"]).dump_schema().unwrap_err();
    assert!(matches!(&error, TaskError::UnknownTable { table } if table == "tagz"), "{error}");
}

/// Files from before they said what they lack.
fn an_older_file_is_looked_through(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _database)) = project(engine, folder.path()) else { return };
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    assert!(tasks().rows_of(["tags"]).dump_schema().unwrap().is_success());
    let path = dumps.join("default.sql");
    let dump = fs::read_to_string(&path).unwrap();
    let is_of_now = |line: &&str| !line.starts_with("-- Left out") && !line.starts_with("INSERT INTO");
    let older: Vec<&str> = dump.lines().filter(is_of_now).collect();
    fs::write(&path, older.join("\n")).unwrap();
    let world = again(&world);
    let tasks = || world.tasks().schema_folder(&dumps);
    let report = tasks().load_schema().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::Incomplete { .. }), "{error}");
    // Rows that somebody has put into the file are there.
    let rows = "INSERT INTO tags (id, name) VALUES (10, 'ten');\nINSERT INTO old_ones VALUES (1);";
    fs::write(&path, format!("{}\nCREATE TABLE old_ones (id INTEGER);\n{rows}\n", older.join("\n"))).unwrap();
    write(&folder.path().join("blog/2_rows/up.sql"), "INSERT INTO tags VALUES (10, NULL, 'ten');");
    let report = tasks().load_schema().unwrap();
    assert!(report.is_success(), "{report}");
}

fn what_cannot_be_read_is_told(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, _database)) = project(engine, folder.path()) else { return };
    fs::remove_dir_all(folder.path().join("blog/2_rows")).unwrap();
    let dumps = folder.path().join("schema");
    assert!(world.tasks().schema_folder(&dumps).dump_schema().unwrap().is_success());
    let left_out = LeftOut::of_file(&dumps.join("default.sql")).unwrap().unwrap();
    assert_eq!((left_out.migrations.len(), left_out.unread), (0, 1));
}

/// Grants and publications of PostgreSQL, events of MariaDB, numbers of SQLite.
#[test]
fn grants_and_publications_are_dumped_where_they_can_be() {
    let Some(database) = Engine::Postgres.database("blog") else { return };
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("blog/1_tags/up.sql"), "CREATE TABLE tags (id INTEGER);");
    write(&folder.path().join("blog/2_grant/up.sql"), "GRANT SELECT ON tags TO pg_monitor;");
    write(&folder.path().join("blog/3_publish/up.sql"), "CREATE PUBLICATION news FOR TABLE tags;");
    let world = World::new(&format!(
        "apps: {{ blog: {{ tables: [tags], migrations: '{}/blog' }} }}
databases: {{ default: {{ url: '{}', apps: [blog] }} }}",
        folder.path().display(),
        database.url()
    ));
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 3);
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    let read = || fs::read_to_string(dumps.join("default.sql")).unwrap();
    assert!(tasks().dump_schema().unwrap().is_success());
    assert!(read().contains("\n-- lacks blog 2 grants\n") && !read().contains("GRANT SELECT"), "{}", read());
    assert!(read().contains("CREATE PUBLICATION news"), "{}", read());
    let world = again(&world);
    let tasks = || world.tasks().schema_folder(&dumps);
    assert!(!tasks().load_schema().unwrap().is_success());
    // With them, the file is complete.
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 3);
    assert!(tasks().with_grants().dump_schema().unwrap().is_success());
    assert!(read().contains("GRANT SELECT ON TABLE public.tags TO pg_monitor;"), "{}", read());
    let world = again(&world);
    let tasks = || world.tasks().schema_folder(&dumps);
    let report = tasks().load_schema().unwrap();
    assert!(report.is_success(), "{report}");
    assert_eq!(
        world.count(
            "default",
            "pg_tables WHERE has_table_privilege('pg_monitor', 'tags', 'SELECT') AND tablename = 'tags'"
        ),
        1
    );
    assert_eq!(world.count("default", "pg_publication_tables WHERE pubname = 'news'"), 1);
}

#[test]
fn events_and_numbers_are_dumped() {
    for (engine, sql, expected, count) in [
        (
            Engine::MariaDb,
            "CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM tags",
            "EVENT `tidy`",
            "information_schema.events WHERE event_schema = DATABASE() AND event_name = 'tidy'",
        ),
        (
            Engine::Sqlite,
            "PRAGMA user_version = 7",
            "PRAGMA user_version = 7;",
            "pragma_user_version WHERE user_version = 7",
        ),
    ] {
        let (Some(old), Some(new)) = (engine.database("blog"), engine.database("blog")) else { return };
        let world = |url: &str| World::new(&format!("databases: {{ default: {{ url: '{url}' }} }}"));
        let (old, new) = (world(old.url()), world(new.url()));
        let folder = tempfile::tempdir().unwrap();
        assert!(new.tasks().create().unwrap().is_success());
        old.execute("default", "CREATE TABLE tags (id INTEGER)");
        old.execute("default", sql);
        let dump = |world: &World| {
            assert!(world.tasks().schema_folder(folder.path()).dump_schema().unwrap().is_success());
            fs::read_to_string(folder.path().join("default.sql")).unwrap()
        };
        let first = dump(&old);
        assert!(first.contains(expected) && !first.contains("router`@"), "{first}");
        let report = new.tasks().schema_folder(folder.path()).load_schema().unwrap();
        assert!(report.is_success(), "{report}");
        assert_eq!(new.count("default", count), 1, "{first}");
        assert_eq!(dump(&new), first);
    }
}
