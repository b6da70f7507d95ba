//! One suite of session tests, compiled and run for each kind of connection.
//!
//! `suite.rs` and `edges.rs` speak only the public API. They are included once for SQLite, PostgreSQL, MariaDB and for
//! `AnyConnection`, there over one database of each engine, and finds its connection and its servers in the
//! module around it.

mod schema;
mod world;

use world::World;

macro_rules! suite {
    ($name:ident, $connection:ty, [$($engine:ident),*]) => {
        mod $name {
            pub(crate) type Conn = $connection;

            pub(crate) fn world(extra: &str) -> Option<super::World<Conn>> {
                super::World::start([$(crate::world::Engine::$engine),*], extra)
            }

            mod suite {
                include!("suite.rs");
            }

            mod edges {
                include!("edges.rs");
            }
        }
    };
}

suite!(sqlite, diesel::SqliteConnection, [Sqlite, Sqlite, Sqlite]);
suite!(postgres, diesel::PgConnection, [Postgres, Postgres, Postgres]);
suite!(mariadb, diesel::MysqlConnection, [MariaDb, MariaDb, MariaDb]);
suite!(any, router_diesel::AnyConnection, [Sqlite, Postgres, MariaDb]);

mod built;
mod connection;
mod ends;
mod last_id;
mod lent;
mod lost;
mod returning;
mod scopes;
mod server_side;
mod unwinding;
