//! One suite of migration tests, compiled and run for each engine, and what only one of them can show.
//!
//! `suite.rs` and `bad_input.rs` speak only the public API. They are included once for each kind of connection.

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
