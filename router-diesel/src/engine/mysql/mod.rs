//! MySQL, and what MariaDB has in common with it.
//!
//! The two share client libraries, SQL and this engine. What MariaDB alone has is in `mariadb/`.

mod absence;
mod catalogue;
mod client;
mod connection;
mod create;
mod definitions;
mod diagnosis;
#[cfg(feature = "mysql")]
pub(super) mod driver;
mod dump;
mod gtids;
mod identity;
mod lock;
mod observe;
mod options;
mod reach;
mod records;
mod settings;
mod system;
mod transaction;
mod url;

pub(crate) use gtids::MysqlGtids;
#[cfg(test)]
pub(super) use gtids::tests as gtids_tests;

use super::{Engine, EngineWord, Product, Spec, Words, mariadb};

/// The family of MySQL and MariaDB.
#[derive(Debug)]
pub(super) struct Mysql;

/// MySQL itself.
const PRODUCT: Product = Product { engine: Engine::Mysql, name: "mysql", title: "MySQL" };

impl Spec for Mysql {}

impl Words for Mysql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn title(&self) -> &'static str {
        "MySQL"
    }

    /// `mysql` means either product, `mariadb` asks for that one.
    fn words(&self) -> &'static [EngineWord] {
        const { &[EngineWord::of(Engine::Mysql, "mysql"), mariadb::WORD] }
    }

    fn products(&self) -> &'static [Product] {
        &[PRODUCT, mariadb::PRODUCT]
    }

    fn default_port(&self) -> Option<u16> {
        Some(3306)
    }

    fn file_infixes(&self) -> &'static [&'static str] {
        &["mariadb", "mysql"]
    }
}
