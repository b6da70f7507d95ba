//! PostgreSQL.

mod connection;
#[cfg(feature = "postgres")]
mod driver;
mod identity;
mod lsn;
mod observe;
mod transaction;
mod url;

pub(crate) use lsn::Lsn;

use super::{Engine, Product, Spec, Word, Words};

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

    fn words(&self) -> &'static [Word] {
        const { &[Word::of(Engine::Postgres, "postgres"), Word::of(Engine::Postgres, "postgresql")] }
    }

    fn default_port(&self) -> Option<u16> {
        Some(5432)
    }

    fn file_infixes(&self) -> &'static [&'static str] {
        &["postgres"]
    }
}
