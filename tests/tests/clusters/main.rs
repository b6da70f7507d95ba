//! Clusters on real servers: what is read from where, and that nobody sees less than they wrote.
//!
//! A server's own log of statements says who served what. Nodes that break get a cluster of their own; the scenes of
//! one test that only read and write share one, since starting one takes longer than they do.

mod cost;
mod edges;
mod encryption;
mod hanging;
mod killed;
mod lag;
mod language;
mod life;
mod pairs;
mod pooler;
mod product;
mod roles;
mod settings;
mod snapshot;
mod sqlite;
mod switches;
mod tokens;
mod waiting;
mod world;

/// Makes a test of each function for each engine.
macro_rules! on_servers {
    ($($test:ident),* $(,)?) => {
        mod postgres {
            $(#[test] fn $test() { super::$test(crate::world::Engine::Postgres); })*
        }
        mod mariadb {
            $(#[test] fn $test() { super::$test(crate::world::Engine::MariaDb); })*
        }
    };
}
pub(crate) use on_servers;
