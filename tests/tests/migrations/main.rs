//! One suite of migration tests, compiled and run for each engine, and what only one of them can show.
//!
//! `suite.rs` and `bad_input.rs` speak only the public API. They are included once for each kind of connection.

mod fleet;
mod world;

use world::World;

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
