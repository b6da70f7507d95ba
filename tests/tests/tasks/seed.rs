use std::path::Path;

use router_diesel::tasks::{Report, Seeded, TaskError};

use crate::world::{Engine, World, write};

crate::on_each_engine!(
    each_seed_is_sown_once,
    a_failed_seed_leaves_nothing_of_itself,
    seeders_do_not_meet,
    what_a_seed_sets_is_not_the_next_ones,
    a_seed_that_ends_its_transaction_is_told,
);

fn seeded(world: &World, folder: &Path) -> Report<Seeded> {
    world.tasks().seed_folder(folder).seed().unwrap()
}

fn yaml(url: &str) -> String {
    format!(
        "apps: {{ blog: {{ tables: [posts] }}, legacy: {{ managed: false }} }}
databases: {{ default: {{ url: '{url}', apps: [blog, legacy] }} }}"
    )
}

fn each_seed_is_sown_once(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&yaml(database.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER, title VARCHAR(99))");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(&folder.join("default/01_a.sql"), "INSERT INTO posts VALUES (1, 'it''s; -- one');\n");
    write(&folder.join("blog/02_c.sql"), "UPDATE posts SET title = 'three' WHERE id = 2;\n");
    write(
        &folder.join("blog/01_b.sql"),
        "INSERT INTO posts VALUES (2, 'two');\nINSERT INTO posts VALUES (3, 'x');\n",
    );
    write(&folder.join("legacy/01_l.sql"), "this is never read");

    let report = seeded(&world, folder);
    assert_eq!(report.to_string(), "default: sowed `default/01_a.sql`, `blog/01_b.sql`, `blog/02_c.sql`\n");
    assert_eq!(world.count("default", "posts"), 3);
    assert_eq!(world.count("default", "posts WHERE title = 'three'"), 1);

    write(&folder.join("blog/01_b.sql"), "DELETE FROM posts;\n");
    write(&folder.join("blog/03_d.sql"), "INSERT INTO posts VALUES (4, 'four');\r\n");
    assert_eq!(
        seeded(&world, folder).to_string(),
        "default: sowed `blog/03_d.sql`, 2 sown before; changed since and not sown again: `blog/01_b.sql` (put \
         what is new into a new file)\n"
    );
    assert_eq!(world.count("default", "posts"), 4);
    let only_blog = world.tasks().seed_folder(folder).apps(["blog"]).seed().unwrap();
    assert_eq!(only_blog.on("default").unwrap().earlier, ["blog/02_c.sql", "blog/03_d.sql"]);
    assert_eq!(world.count("default", "__dbrouter_seeds"), 4);
}

fn a_failed_seed_leaves_nothing_of_itself(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&yaml(database.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER, title VARCHAR(99))");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(&folder.join("blog/01.sql"), "INSERT INTO posts VALUES (1, 'one');");
    write(
        &folder.join("blog/02.sql"),
        "INSERT INTO posts VALUES (2, 'two');\nINSERT INTO nowhere VALUES (1);",
    );
    write(&folder.join("blog/03.sql"), "INSERT INTO posts VALUES (3, 'three');");
    let report = seeded(&world, folder);
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::Seed { sown, .. } if sown == &["blog/01.sql"]), "{error}");
    assert!(error.to_string().contains("what was sown before it stays: `blog/01.sql`"), "{error}");
    assert_eq!(world.count("default", "posts"), 1);
    write(&folder.join("blog/02.sql"), "INSERT INTO posts VALUES (2, 'two');");
    assert_eq!(seeded(&world, folder).on("default").unwrap().sown, ["blog/02.sql", "blog/03.sql"]);
    assert_eq!(world.count("default", "posts"), 3);
}

fn seeders_do_not_meet(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&yaml(database.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER, title VARCHAR(99))");
    let folder = tempfile::tempdir().unwrap();
    for number in 0..5 {
        let sql = format!("INSERT INTO posts VALUES ({number}, 'x');");
        write(&folder.path().join(format!("blog/{number}.sql")), &sql);
    }
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let report = seeded(&world, folder.path());
                assert!(report.is_success(), "{report}");
            });
        }
    });
    assert_eq!(world.count("default", "posts"), 5);
}

fn what_a_seed_sets_is_not_the_next_ones(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&yaml(database.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER, title VARCHAR(99))");
    let folder = tempfile::tempdir().unwrap();
    let leave: &[&str] = match engine {
        Engine::Postgres => &[
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SET ROLE pg_monitor",
            "CREATE TEMPORARY TABLE posts (id INT)",
        ],
        Engine::MariaDb => &["USE information_schema", "CREATE TEMPORARY TABLE posts (id INT)"],
        Engine::Sqlite => &["PRAGMA query_only = ON", "CREATE TEMPORARY TABLE posts (id INT)"],
    };
    for (index, sql) in leave.iter().enumerate() {
        write(&folder.path().join(format!("blog/{index}_a.sql")), sql);
        write(&folder.path().join(format!("blog/{index}_b.sql")), "INSERT INTO posts VALUES (1, 'one');");
    }
    let report = seeded(&world, folder.path());
    assert!(report.is_success(), "{report}");
    assert_eq!(world.count("default", "posts"), i64::try_from(leave.len()).unwrap());
    assert_eq!(seeded(&world, folder.path()).on("default").unwrap().earlier.len(), 2 * leave.len());
}

/// On MariaDB, each definition ends it without a word.
fn a_seed_that_ends_its_transaction_is_told(engine: Engine) {
    let Some(database) = engine.database("blog") else { return };
    let world = World::new(&yaml(database.url()));
    world.execute("default", "CREATE TABLE posts (id INTEGER, title VARCHAR(99))");
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("blog/1.sql"), "INSERT INTO posts VALUES (1, 'one'); COMMIT;");
    let report = seeded(&world, folder.path());
    assert_eq!(report.is_success(), engine == Engine::MariaDb, "{report}");
    if let Some(error) = report.failures().next() {
        assert!(error.to_string().contains("it ends the transaction in which it runs"), "{error}");
        assert_eq!(world.count("default", "__dbrouter_seeds"), 0);
    }
}
