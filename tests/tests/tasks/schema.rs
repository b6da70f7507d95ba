use std::fs;

use router_diesel::tasks::{Dumped, Force, Loaded, TaskError};

use crate::world::{Engine, World};

crate::on_each_engine!(
    a_dump_that_is_loaded_dumps_the_same,
    a_database_of_two_names_is_dumped_and_loaded_once,
    a_broken_schema_is_told,
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
    assert!(error.ends_with("`dbrouter schema dump --database default` writes it"), "{error}");
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
