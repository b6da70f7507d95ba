//! How transactions of PostgreSQL begin.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::Ask;
use crate::engine::transaction::{Access, Begin, IsolationLevel, TransactionOptions, Transactions};

impl Transactions for Postgres {
    fn begin(&self, options: TransactionOptions) -> Result<Begin, &'static str> {
        if options.lock.is_some() {
            return Err("immediate or exclusive transactions");
        }
        let isolation = options.named_isolation().map(IsolationLevel::sql);
        let deferrable = options.deferrable.map(|is| if is { "DEFERRABLE" } else { "NOT DEFERRABLE" });
        let said: Vec<_> =
            isolation.into_iter().chain(options.access.map(Access::sql)).chain(deferrable).collect();
        let begin = (!said.is_empty()).then(|| format!("BEGIN TRANSACTION {}", said.join(", ")));
        Ok(Begin { before: None, begin })
    }

    /// The number of the transaction.
    fn mark(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        conn.text(NUMBER)
    }

    fn is_marked(&self, conn: &mut dyn Ask, mark: &str) -> bool {
        conn.text(NUMBER).is_ok_and(|number| number == mark)
    }

    /// Where none is open, each statement has a transaction of its own.
    fn is_open(&self, conn: &mut dyn Ask) -> bool {
        let Ok(number) = conn.text(NUMBER) else { return false };
        self.is_marked(conn, &number)
    }

    /// The options of the start-up packet and those of the server's role stay.
    fn own_rights(&self) -> Option<&'static str> {
        Some("RESET SESSION AUTHORIZATION; RESET ROLE; SET client_encoding TO 'UTF8'")
    }
}

/// Asks for the number of the open transaction.
const NUMBER: &str = "SELECT pg_catalog.txid_current()::text AS value";
