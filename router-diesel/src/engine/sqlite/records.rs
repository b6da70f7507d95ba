//! The router's tables in SQLite.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::Ask;
use crate::engine::records::RecordTables;

/// The file itself, and none that is attached to it.
const MAIN: &str = "main";

impl RecordTables for Sqlite {
    fn database_column(&self) -> &'static str {
        "\"database\""
    }

    fn moment_type(&self) -> &'static str {
        "TIMESTAMP"
    }

    fn current_schema(&self, _: &mut dyn Ask) -> QueryResult<Option<String>> {
        Ok(Some(MAIN.to_owned()))
    }

    fn qualified(&self, schema: &str, table: &str) -> String {
        format!("{schema}.{table}")
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
