//! What a program adds to its connections: functions that run on each new one, credentials, and files with passwords.

/// Compiles functions as tests of each engine that is named.
macro_rules! on {
    ([$($engine:ident),*], $($test:ident),* $(,)?) => {
        on!(@each [$($engine),*] [$($test),*]);
    };
    (@each [$($engine:ident),*] $tests:tt) => {
        $(on!(@one $engine $tests);)*
    };
    (@one Sqlite [$($test:ident),*]) => { on!(@module sqlite Sqlite [$($test),*]); };
    (@one Postgres [$($test:ident),*]) => { on!(@module postgres Postgres [$($test),*]); };
    (@one MariaDb [$($test:ident),*]) => { on!(@module mariadb MariaDb [$($test),*]); };
    (@module $module:ident $engine:ident [$($test:ident),*]) => {
        mod $module {
            $(#[test] fn $test() { super::$test(crate::world::Engine::$engine); })*
        }
    };
}

mod commands;
mod credentials;
mod failures;
mod languages;
mod on_connect;
mod password_files;
mod world;
