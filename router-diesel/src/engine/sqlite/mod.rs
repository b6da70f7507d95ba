//! SQLite.

mod absence;
mod catalogue;
mod client;
mod connection;
mod create;
mod definitions;
mod diagnosis;
#[cfg(feature = "sqlite")]
mod driver;
mod dump;
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

use super::{Engine, EngineWord, Product, Spec, Words};

/// SQLite: a file, or memory.
#[derive(Debug)]
pub(super) struct Sqlite;

/// SQLite is one product.
const PRODUCT: Product = Product { engine: Engine::Sqlite, name: "sqlite", title: "SQLite" };

impl Spec for Sqlite {}

impl Words for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn title(&self) -> &'static str {
        "SQLite"
    }

    fn words(&self) -> &'static [EngineWord] {
        const { &[EngineWord::of(Engine::Sqlite, "sqlite")] }
    }

    /// `file:` is SQLite's own scheme.
    fn schemes(&self) -> &'static [EngineWord] {
        const { &[EngineWord::of(Engine::Sqlite, "sqlite"), EngineWord::of(Engine::Sqlite, "file")] }
    }

    fn products(&self) -> &'static [Product] {
        &[PRODUCT]
    }

    fn default_port(&self) -> Option<u16> {
        None
    }

    fn file_infixes(&self) -> &'static [&'static str] {
        &["sqlite"]
    }
}
