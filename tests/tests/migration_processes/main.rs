//! What several processes, and one that is killed, make of migrations, on all three engines.

mod at_once;
mod killed;
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
