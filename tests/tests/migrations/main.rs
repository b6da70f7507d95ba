//! One suite of migration tests, compiled and run for each engine, and what only one of them can show.
//!
//! `suite.rs`, `bad_input.rs` and `settings.rs` speak only the public API. They are included once for each kind of connection.

mod fleet;
mod world;

use router_diesel::AnyConnection;
use world::{Engine, World};

macro_rules! suite {
    ($name:ident, $connection:ty, $engine:ident) => {
        mod $name {
            pub(crate) type Conn = $connection;
            pub(crate) const ENGINE: crate::world::Engine = crate::world::Engine::$engine;

            pub(crate) fn world(extra: &str) -> Option<super::World<Conn>> {
                super::World::start(ENGINE, extra)
            }

            mod suite {
                include!("suite.rs");
            }
            mod bad_input {
                include!("bad_input.rs");
            }
            mod settings {
                include!("settings.rs");
            }
        }
    };
}

suite!(sqlite, diesel::SqliteConnection, Sqlite);
suite!(postgres, diesel::PgConnection, Postgres);
suite!(mariadb, diesel::MysqlConnection, MariaDb);
suite!(any, router_diesel::AnyConnection, Sqlite);

/// The suite runs on every engine by its own connection; that any connection does the same is shown by one run each.
#[test]
fn any_connection_migrates_servers_too() {
    for engine in [Engine::Postgres, Engine::MariaDb] {
        let Some(world) = World::<AnyConnection>::start(engine, "") else { return };
        world.project();
        assert_eq!(world.migrator().migrate().unwrap().done(), 5, "{engine:?}");
        assert!(world.migrator().status().unwrap().is_clean(), "{engine:?}");
        assert_eq!(world.records("shop_db").len(), 2, "{engine:?}");
        assert_eq!(world.migrator().database("blog_db").redo(2).unwrap().done(), 4, "{engine:?}");
        world.migrator().database("shop_db").rollback(2).unwrap();
        assert_eq!(world.tables("shop_db"), "__dbrouter_migrations", "{engine:?}");
    }
}

/// `up.mysql.sql` holds for MariaDB too, and `up.mariadb.sql` goes before it where the server says that it is MariaDB:
/// the file of databases asks for no product.
#[test]
fn the_files_of_a_product_go_before_those_of_its_family() {
    let Some(world) = World::<diesel::MysqlConnection>::start(Engine::MariaDb, "") else { return };
    let creates = |file: &str, table: &str| {
        world.write(file, &format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY);\n"));
    };
    creates("shop/1_first/up.sql", "for_all");
    creates("shop/1_first/up.mysql.sql", "for_both");
    creates("shop/2_second/up.mysql.sql", "for_mysql");
    creates("shop/2_second/up.mariadb.sql", "for_mariadb");
    world.write("shop/2_second/down.mysql.sql", "DROP TABLE for_mysql;\n");
    world.write("shop/2_second/down.mariadb.sql", "DROP TABLE for_mariadb;\n");
    let shop = || world.migrator().database("shop_db");
    let plan = shop().plan().unwrap();
    let files: Vec<_> =
        plan.databases[0].steps.iter().map(|step| step.file.as_ref().unwrap().file_name().unwrap()).collect();
    assert_eq!(files, ["up.mysql.sql", "up.mariadb.sql"]);
    assert_eq!(shop().migrate().unwrap().done(), 2);
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations for_both for_mariadb");
    assert!(shop().status().unwrap().is_clean());
    assert_eq!(shop().redo(1).unwrap().done(), 2);
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations for_both for_mariadb");

    // What only MySQL would run is nothing to MariaDB, and what nobody has a file for is told before anything runs.
    world.write("shop/3_third/up.mysql.sql", "DROP TABLE users;\n");
    creates("shop/3_third/up.mariadb.sql", "third");
    creates("shop/4_fourth/up.postgres.sql", "fourth");
    let error = shop().migrate().unwrap_err();
    let codes: Vec<_> = error.lint.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [router_diesel::migrate::LintCode::NoFileForEngine], "{error}");
    world.remove("shop/4_fourth");
    assert_eq!(shop().migrate().unwrap().done(), 1);
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations for_both for_mariadb third");
}
