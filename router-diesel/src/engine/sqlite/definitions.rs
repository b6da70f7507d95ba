//! Definitions and transactions in SQLite.

use super::Sqlite;
use crate::engine::definitions::Definitions;

impl Definitions for Sqlite {
    fn are_transactional(&self) -> bool {
        true
    }

    /// This reads a text: SQLite gives such errors the general code `SQLITE_ERROR`. Its texts are English everywhere.
    fn refuses_transaction(&self, message: &str) -> bool {
        message.contains("from within a transaction")
    }
}
