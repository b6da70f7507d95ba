//! Two schemas of one database of PostgreSQL, each with an alias of its own.

use std::fs;

use router_diesel::AnyConnection;
use router_diesel::migrate::LintCode;
use router_diesel::tasks::{self, Created, Dumped, Force, Loaded, TaskError};
use router_tests::TestDatabase;

use crate::world::{Engine, World, write};

/// How a URL or a role says which schema is the current one.
const WAYS: [[&str; 2]; 3] = [
    ["?options=-c%20search_path%3Dtenant_a", "?options=-c%20search_path%3Dtenant_b"],
    ["?options=-csearch_path%3D%22tenant_a%22,public", "?options=-csearch_path%3Dtenant_b,public"],
    ["", "?options=-c%20search_path%3Dtenant_b"],
];

fn yaml(url: &str, [one, two]: [&str; 2], folder: &str) -> String {
    format!(
        "apps: {{ blog: {{ tables: [posts], migrations: '{folder}/blog' }}, shop: {{ tables: [products], migrations: '{folder}/shop' }} }}
default: one
databases:
  one: {{ url: '{url}{one}', apps: [blog, shop] }}
  two: {{ url: '{url}{two}' }}"
    )
}

fn start(way: [&str; 2], folder: &std::path::Path) -> Option<(World, TestDatabase)> {
    let database = Engine::Postgres.database("blog")?;
    write(&folder.join("blog/1_posts/up.sql"), "CREATE TABLE posts (id INTEGER);");
    write(&folder.join("blog/1_posts/down.sql"), "DROP TABLE posts;");
    write(&folder.join("shop/2_products/up.sql"), "CREATE TABLE products (id INTEGER);");
    let world = World::everywhere(&yaml(database.url(), way, &folder.display().to_string()));
    Some((world, database))
}

fn schema_of(world: &World, alias: &str, table: &str) -> i64 {
    let schema = if alias == "two" { "tenant_b" } else { "tenant_a" };
    world.count(alias, &format!("pg_tables WHERE schemaname = '{schema}' AND tablename = '{table}'"))
}

#[test]
fn two_schemas_are_two_databases() {
    for way in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let Some((world, database)) = start(way, folder.path()) else { return };
        if way[0].is_empty() {
            let name = database.name();
            world.execute(
                "one",
                &format!("ALTER ROLE router IN DATABASE \"{name}\" SET search_path = tenant_a"),
            );
        }
        // A connection that was opened before does not know of it.
        let (world, _old) =
            (World::everywhere(&yaml(database.url(), way, &folder.path().display().to_string())), world);
        let report = world.tasks().create().unwrap();
        assert!(report.is_success(), "{report}");
        assert_eq!(
            report.on("two"),
            Some(&Created::Created(format!("{}.tenant_b", database.name()))),
            "{report}"
        );
        assert!(matches!(world.tasks().create().unwrap().on("one"), Some(Created::AlreadyThere(_))));

        let migrator = || world.databases.migrator();
        let report = migrator().jobs(2).migrate().unwrap();
        assert_eq!(report.done(), 4, "{way:?}");
        for alias in ["one", "two"] {
            for table in ["posts", "products", "__dbrouter_migrations"] {
                assert_eq!(schema_of(&world, alias, table), 1, "{alias} {table} {way:?}");
            }
            assert_eq!(world.count(alias, "__dbrouter_migrations"), 2, "{alias} {way:?}");
        }
        assert!(migrator().status().unwrap().is_clean());
        // What is gone from one schema is not found in the other.
        world.execute("two", "DROP TABLE posts");
        assert!(!migrator().status().unwrap().is_clean(), "{way:?}");
        world.execute("two", "CREATE TABLE posts (id INTEGER)");
        assert_eq!(migrator().database("two").migrate().unwrap().done(), 0);

        // Each has a lock of its own.
        let lock =
            |alias: &str| tasks::lock::<AnyConnection>(world.database(alias), std::time::Duration::ZERO);
        let (mut one, mut two) = (lock("one").unwrap(), lock("two").unwrap());
        one.check().unwrap();
        two.check().unwrap();
        assert!(lock("one").is_err());
    }
}

#[test]
fn two_aliases_of_one_schema_are_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let way = ["?options=-c%20search_path%3Dtenant_a", "?options=-c%20search_path%3Dtenant_a,public"];
    let Some((world, _database)) = start(way, folder.path()) else { return };
    assert!(world.tasks().create().unwrap().is_success());
    let error = world.databases.migrator().migrate().unwrap_err();
    assert!(error.lint.iter().all(|problem| problem.code == LintCode::OnePhysicalDatabase), "{error}");
    assert_eq!(error.lint.len(), 2, "{error}");
}

#[test]
fn each_schema_is_dumped_and_loaded_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let Some((world, database)) = start(WAYS[0], folder.path()) else { return };
    let dumps = folder.path().join("schema");
    let tasks = || world.tasks().schema_folder(&dumps);
    assert!(tasks().create().unwrap().is_success());
    assert_eq!(world.databases.migrator().migrate().unwrap().done(), 4);
    let report = tasks().dump_schema().unwrap();
    assert!(matches!(report.on("two"), Some(Dumped::Written(_))), "{report}");
    let read = |alias: &str| fs::read_to_string(dumps.join(format!("{alias}.sql"))).unwrap();
    assert!(
        read("one").contains("CREATE TABLE tenant_a.posts") && !read("one").contains("tenant_b"),
        "{}",
        read("one")
    );
    assert!(
        read("two").contains("CREATE TABLE tenant_b.posts") && !read("two").contains("tenant_a"),
        "{}",
        read("two")
    );

    // One of the two is not dropped behind the other's back.
    let error = tasks().databases(["one"]).drop().unwrap_err();
    assert!(matches!(&error, TaskError::OtherSchemas { of, .. } if *of == ["two"]), "{error}");
    assert!(error.to_string().contains("`--database one --database two`"), "{error}");
    assert!(tasks().drop().unwrap().is_success());
    assert!(tasks().create().unwrap().is_success());
    for alias in ["one", "two"] {
        let report = tasks().databases([alias]).load_schema().unwrap();
        assert!(
            matches!(report.on(alias), Some(Loaded::Loaded { tables: 2, recorded: Some(2), .. })),
            "{report}"
        );
    }
    assert!(world.databases.migrator().status().unwrap().is_clean());
    assert!(tasks().databases(["one"]).force(Force::Yes).drop().unwrap().is_success());
    drop(database);
}
