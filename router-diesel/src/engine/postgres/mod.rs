//! PostgreSQL.

mod absence;
mod catalogue;
mod client;
mod connection;
mod create;
mod definitions;
mod diagnosis;
#[cfg(feature = "postgres")]
mod driver;
mod dump;
mod identity;
mod lock;
mod lsn;
mod observe;
mod options;
mod reach;
mod records;
mod settings;
mod system;
mod transaction;
mod url;

pub(crate) use lsn::Lsn;

use super::{Engine, EngineWord, Product, Spec, Words};

/// PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres;

/// PostgreSQL is one product.
const PRODUCT: Product = Product { engine: Engine::Postgres, name: "postgres", title: "PostgreSQL" };

impl Spec for Postgres {}

impl Words for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn title(&self) -> &'static str {
        "PostgreSQL"
    }

    fn words(&self) -> &'static [EngineWord] {
        const { &[EngineWord::of(Engine::Postgres, "postgres"), EngineWord::of(Engine::Postgres, "postgresql")] }
    }

    fn products(&self) -> &'static [Product] {
        &[PRODUCT]
    }

    fn default_port(&self) -> Option<u16> {
        Some(5432)
    }

    fn file_infixes(&self) -> &'static [&'static str] {
        &["postgres"]
    }
}
