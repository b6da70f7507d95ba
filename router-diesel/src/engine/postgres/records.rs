//! The router's tables in PostgreSQL.

use super::Postgres;
use crate::engine::records::RecordTables;

impl RecordTables for Postgres {
    fn database_column(&self) -> &'static str {
        "\"database\""
    }

    fn moment_type(&self) -> &'static str {
        "TIMESTAMP(0)"
    }

    /// A text with a backslash means the same whatever `standard_conforming_strings` says.
    fn quoted(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        if text.contains('\\') { format!("E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
    }

    fn as_text(&self, column: &str) -> String {
        format!("CAST({column} AS TEXT)")
    }

    fn moment_as_text(&self, column: &str) -> String {
        self.as_text(&format!("date_trunc('second', {column})"))
    }

    fn joined(&self, columns: &[&str]) -> String {
        columns.join(" || chr(31) || ")
    }

    fn now(&self) -> &'static str {
        "(now() AT TIME ZONE 'utc')"
    }
}
