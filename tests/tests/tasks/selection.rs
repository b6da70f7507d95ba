//! Which databases a task is for; the engine does not matter.

use std::fs;

use router_diesel::tasks::{Created, Force, Seeded, TaskError};

use crate::world::{World, write};

fn world(folder: &str) -> World {
    World::new(&format!(
        "apps: {{ blog: {{ tables: [posts] }}, shop: {{ tables: [products] }} }}
databases:
  default: {{ url: 'sqlite://{folder}/default.sqlite3' }}
  blog_db: {{ url: 'sqlite://{folder}/blog.sqlite3', apps: [blog], migrate_to: blog_admin }}
  blog_admin: {{ url: 'sqlite://{folder}/blog.sqlite3' }}
  shop_db: {{ url: 'sqlite://{folder}/shop.sqlite3', apps: [shop], seeds: '{folder}/shop.sql' }}
  shop_replica: {{ url: 'sqlite://{folder}/shop.sqlite3', replica_of: shop_db }}
  theirs: {{ url: 'sqlite://{folder}/theirs.sqlite3', migrate: false }}
  cache: {{ url: ':memory:' }}
"
    ))
}

#[test]
fn what_nobody_named_is_all_that_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let world = world(&root);
    assert_eq!(
        world.tasks().create().unwrap().to_string().replace(&root, "ROOT"),
        "default: created `ROOT/default.sqlite3`
blog_admin: created `ROOT/blog.sqlite3`
shop_db: created `ROOT/shop.sqlite3`
cache: in memory, nothing to create
"
    );
    assert!(!folder.path().join("theirs.sqlite3").exists());
}

#[test]
fn named_databases_and_apps_narrow_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder.path().display().to_string());
    let aliases = |report: router_diesel::tasks::Report<Created>| {
        report.outcomes.iter().map(|outcome| outcome.alias.to_string()).collect::<Vec<_>>()
    };
    // The service's alias stands for the owner's, once.
    let named = world.tasks().databases(["blog_db", "blog_admin", "theirs"]).create().unwrap();
    assert_eq!(aliases(named), ["blog_admin", "theirs"]);
    assert_eq!(aliases(world.tasks().apps(["blog"]).create().unwrap()), ["blog_admin"]);
    assert_eq!(aliases(world.tasks().apps(["shop"]).create().unwrap()), ["shop_db"]);
    let error = world.tasks().apps(["shopp"]).create().unwrap_err();
    assert_eq!(error.to_string(), "unknown app `shopp`; did you mean `shop`?");
    let error = world.tasks().databases(["shop_replica"]).dump_schema().unwrap_err();
    assert!(matches!(error, TaskError::Replica { .. }), "{error}");
}

#[test]
fn a_file_that_is_none_of_sqlites_is_not_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder.path().display().to_string());
    let file = folder.path().join("default.sqlite3");
    fs::write(&file, "my only copy of a novel").unwrap();
    let report = world.tasks().databases(["default"]).drop().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::NotADatabase { .. }), "{error}");
    assert!(file.exists());
}

#[test]
fn seeds_have_a_place_of_their_own_where_the_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder.path().display().to_string());
    assert!(world.tasks().create().unwrap().is_success());
    world.execute("shop_db", "CREATE TABLE products (id INTEGER)");
    let seed =
        || world.tasks().seed_folder(folder.path().join("seeds")).databases(["shop_db", "cache"]).seed();
    let error = seed().unwrap_err();
    assert!(matches!(error, TaskError::NoSeedFolder { .. }), "{error}");
    assert!(world.tasks().seed().unwrap().outcomes.iter().all(|outcome| outcome.alias == "shop_db"));
    fs::create_dir(folder.path().join("seeds")).unwrap();
    let error = seed().unwrap().failures().next().unwrap().to_string();
    assert!(error.contains("shop.sql") && error.ends_with("there is no such file or folder"), "{error}");

    write(&folder.path().join("shop.sql"), "INSERT INTO products VALUES (1)");
    write(&folder.path().join("seeds/shop/01.sql"), "INSERT INTO products VALUES (2)");
    let report = seed().unwrap();
    assert_eq!(report.on("shop_db").unwrap().sown, ["shop_db/shop.sql", "shop/01.sql"]);
    // Named, and without any seeds.
    assert_eq!(report.on("cache"), Some(&Seeded::default()));
    assert_eq!(world.count("shop_db", "products"), 2);
}

#[test]
fn what_destroys_is_refused_where_it_may_be_production() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("default.sqlite3");
    let plain = format!("databases: {{ default: {{ url: 'sqlite://{}' }} }}", file.display());
    let declaring = format!("{plain}\nenvironments: {{ staging: {{}}, Prod: {{}}, production: {{}} }}");
    for (yaml, environment, refused) in [
        (&plain, "development", ""),
        (&plain, "test", ""),
        (&plain, "production", "this is the environment `production`; pass `--force`"),
        (&plain, "Production", "this is the environment `Production`; pass `--force`"),
        (&plain, "prodcution", "no environment `prodcution` is declared; did you mean `production`?"),
        (&plain, "tset", "no environment `tset` is declared; did you mean `test`?"),
        (&plain, "staging", "if only as `environments: { staging: {} }`, or pass `--force`"),
        (&declaring, "staging", ""),
        (&declaring, "development", ""),
        (&declaring, "Prod", "this is the environment `Prod`; pass `--force`"),
        (&declaring, "production", "this is the environment `production`; pass `--force`"),
    ] {
        fs::write(&file, "").unwrap();
        let world = World::in_environment(yaml, environment);
        let result = world.tasks().drop();
        if refused.is_empty() {
            assert!(result.unwrap().is_success(), "{environment}");
            assert!(!file.exists(), "{environment}");
            continue;
        }
        for error in [result.unwrap_err(), world.tasks().load_schema().unwrap_err()] {
            assert!(error.to_string().contains(refused), "{environment}: {error}");
        }
        assert!(file.exists(), "{environment}");
        assert!(world.tasks().force(Force::Yes).drop().unwrap().is_success(), "{environment}");
    }
}
