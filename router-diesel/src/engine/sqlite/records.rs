//! The router's tables in SQLite.

use super::Sqlite;
use crate::engine::records::RecordTables;

impl RecordTables for Sqlite {
    fn database_column(&self) -> &'static str {
        "\"database\""
    }

    fn moment_type(&self) -> &'static str {
        "TIMESTAMP"
    }

    fn quoted(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    fn as_text(&self, column: &str) -> String {
        format!("CAST({column} AS TEXT)")
    }

    fn joined(&self, columns: &[&str]) -> String {
        columns.join(" || char(31) || ")
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    /// SQLite waits for the disk at each commit, so the table saves one.
    fn makes_table_with_first_record(&self) -> bool {
        true
    }
}
