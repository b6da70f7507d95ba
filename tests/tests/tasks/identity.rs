use std::time::Duration;

use router_diesel::config::DatabaseUrl;
use router_diesel::tasks::{self, PhysicalDatabase, physical_database};
use router_diesel::{AnyConnection, RoutedConnection as _};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;

use crate::world::{Engine, World};

crate::on_each_engine!(two_urls_of_one_database_are_one, two_servers_are_two);

fn of(world: &World, alias: &str) -> PhysicalDatabase {
    let database = world.database(alias);
    let access = router_diesel::backend::Access::ReadWrite;
    let mut conn = AnyConnection::open(&database.url, &database.pool.connect(access)).unwrap().conn;
    physical_database(&mut conn, &database.url).unwrap()
}

fn two_urls_of_one_database_are_one(engine: Engine) {
    let (Some(blog), Some(shop)) = (engine.database("blog"), engine.database("shop")) else { return };
    let other_url = match engine {
        Engine::Sqlite => format!("{}?mode=rw", blog.url()),
        Engine::Postgres => blog.url().replace("127.0.0.1", "localhost"),
        // MariaDB's users are of one host in the harness.
        Engine::MariaDb => format!("{}?ssl_mode=preferred", blog.url()),
    };
    let world = World::new(&format!(
        "databases: {{ default: {{ url: '{}' }}, again: {{ url: '{other_url}' }}, shop_db: {{ url: '{}' }} }}",
        blog.url(),
        shop.url()
    ));
    // So that the file is there.
    for alias in ["default", "shop_db"] {
        world.execute(alias, "CREATE TABLE t (id INTEGER)");
    }
    assert_eq!(of(&world, "default"), of(&world, "again"));
    assert_ne!(of(&world, "default"), of(&world, "shop_db"));
    assert!(!of(&world, "default").to_string().contains(router_tests::PASSWORD));
}

/// The owner and the service see one database, whatever the service's user may read.
#[test]
fn a_user_without_privileges_sees_the_same_database() {
    let Some(blog) = Engine::Postgres.database("blog") else { return };
    let password = router_tests::PASSWORD;
    let owner = World::new(&format!("databases: {{ default: {{ url: '{}' }} }}", blog.url()));
    owner.execute("default", &format!("CREATE ROLE reader LOGIN PASSWORD '{password}'"));
    owner.execute("default", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    let url = blog.url().replace("//router:", "//reader:");
    let reader = World::new(&format!("databases: {{ default: {{ url: '{url}' }} }}"));
    assert_eq!(of(&owner, "default"), of(&reader, "default"));

    // And both can have the lock, and see who has it.
    let _lock = tasks::lock::<AnyConnection>(owner.database("default"), Duration::ZERO).unwrap();
    let error = tasks::lock::<AnyConnection>(reader.database("default"), Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("locked by `dbrouter migrate on "), "{error}");
}

/// Two servers whose folders were copied from one, as a restored backup and a replica are.
fn two_servers_are_two(engine: Engine) {
    let other = match engine {
        Engine::Sqlite => return,
        Engine::Postgres => router_tests::require(Postgres::start())
            .map(|server| (server.port(), Box::new(server) as Box<dyn Send>)),
        Engine::MariaDb => router_tests::require(MariaDb::start())
            .map(|server| (server.port(), Box::new(server) as Box<dyn Send>)),
    };
    let (Some(blog), Some((port, _server))) = (engine.database("blog"), other) else { return };
    let (scheme, name) = match engine {
        Engine::MariaDb => ("mysql", "mysql"),
        _ => ("postgres", "postgres"),
    };
    let url = |port: &str| format!("{scheme}://router:{}@127.0.0.1:{port}/{name}", router_tests::PASSWORD);
    let first: DatabaseUrl = blog.url().parse().unwrap();
    let first_port = first.expose().rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let world = World::new(&format!(
        "databases: {{ default: {{ url: '{}' }}, other: {{ url: '{}' }} }}",
        url(&first_port),
        url(&port.to_string())
    ));
    assert_ne!(of(&world, "default"), of(&world, "other"));
}
