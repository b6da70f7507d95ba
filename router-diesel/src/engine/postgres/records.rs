//! The router's tables in PostgreSQL.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::Ask;
use crate::engine::records::RecordTables;

impl RecordTables for Postgres {
    fn database_column(&self) -> &'static str {
        "\"database\""
    }

    fn moment_type(&self) -> &'static str {
        "TIMESTAMP(0)"
    }

    fn current_schema(&self, conn: &mut dyn Ask) -> QueryResult<Option<String>> {
        Ok(conn.texts("SELECT pg_catalog.current_schema()::text AS value")?.into_iter().next().flatten())
    }

    fn qualified(&self, schema: &str, table: &str) -> String {
        format!("\"{}\".{table}", schema.replace('"', "\"\""))
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
