//! What MariaDB alone has, within the engine that it shares with MySQL.

mod gtids;
mod observe;

use std::time::Duration;

pub(crate) use gtids::MariaDbGtids;
#[cfg(test)]
pub(super) use gtids::tests as gtids_tests;
pub(super) use observe::{MariaDbAnswer, replayed, server, written};

use super::{Engine, EngineWord, Product};

/// MariaDB.
pub(super) const PRODUCT: Product = Product { engine: Engine::Mysql, name: "mariadb", title: "MariaDB" };

/// The word that asks for MariaDB, and not for MySQL.
pub(super) const WORD: EngineWord =
    EngineWord { text: "mariadb", engine: Engine::Mysql, product: Some(PRODUCT) };

/// Whether MariaDB wrote this version. Its versions name it, as `10.11.6-MariaDB`; those of MySQL do not.
pub(super) fn wrote(version: &str) -> bool {
    version.contains("MariaDB")
}

/// The statement that bounds every statement, in seconds.
pub(super) fn statement_timeout(timeout: Duration) -> String {
    format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64())
}
