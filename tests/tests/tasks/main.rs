//! Locks, and the tasks that are for whole databases, on all three engines.

mod create;
mod gaps;
mod identity;
mod lock;
mod records;
mod schema;
mod schemas;
mod seed;
mod selection;
mod world;

/// Makes a test of each function for each engine.
macro_rules! on_each_engine {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(crate::world::Engine::Sqlite); })*
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(crate::world::Engine::Postgres); })*
        }
        mod mariadb {
            $(#[test] fn $test() { super::$test(crate::world::Engine::MariaDb); })*
        }
    };
}
pub(crate) use on_each_engine;
