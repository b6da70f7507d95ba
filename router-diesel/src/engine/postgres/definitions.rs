//! Definitions and transactions in PostgreSQL.

use super::Postgres;
use crate::engine::definitions::Definitions;

/// What PostgreSQL calls the commands that it refuses in a transaction.
const ALONE: [&str; 12] = [
    "CONCURRENTLY",
    "VACUUM",
    "CREATE DATABASE",
    "DROP DATABASE",
    "ALTER DATABASE SET TABLESPACE",
    "CREATE TABLESPACE",
    "DROP TABLESPACE",
    "ALTER SYSTEM",
    "REINDEX ",
    "CLUSTER",
    "DISCARD ALL",
    "SUBSCRIPTION",
];

impl Definitions for Postgres {
    fn are_transactional(&self) -> bool {
        true
    }

    fn joins_what_is_sent_at_once(&self) -> bool {
        true
    }

    /// This reads a text: Diesel has no kind for SQLSTATE 25001, and once the transaction is rolled back nothing is
    /// left that could be asked. What is looked for is the command's name, which PostgreSQL translates into no
    /// language, or the whole sentence in English.
    fn refuses_transaction(&self, message: &str) -> bool {
        message.contains("cannot run inside a transaction block")
            || ALONE.iter().any(|command| message.contains(command))
    }
}
