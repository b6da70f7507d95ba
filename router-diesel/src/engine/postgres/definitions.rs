//! Definitions and transactions in PostgreSQL.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};

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
    /// language, or the whole sentence in English. Unlike an error of syntax, this one points at no place in the
    /// statement.
    fn refuses_transaction(
        &self,
        kind: &DatabaseErrorKind,
        information: &dyn DatabaseErrorInformation,
    ) -> bool {
        let message = information.message();
        let names_command = || {
            information.statement_position().is_none()
                && ALONE.iter().any(|command| message.contains(command))
        };
        matches!(kind, DatabaseErrorKind::Unknown)
            && (message.contains("cannot run inside a transaction block") || names_command())
    }
}
