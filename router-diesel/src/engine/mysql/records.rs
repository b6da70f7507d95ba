//! The router's tables in MySQL and MariaDB.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::Ask;
use crate::engine::records::RecordTables;

impl RecordTables for Mysql {
    fn database_column(&self) -> &'static str {
        "`database`"
    }

    fn moment_type(&self) -> &'static str {
        "DATETIME"
    }

    fn table_options(&self) -> &'static str {
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    }

    fn current_schema(&self, conn: &mut dyn Ask) -> QueryResult<Option<String>> {
        Ok(conn.texts("SELECT CAST(DATABASE() AS CHAR) AS value")?.into_iter().next().flatten())
    }

    fn qualified(&self, schema: &str, table: &str) -> String {
        format!("`{}`.{table}", schema.replace('`', "``"))
    }

    /// A text with a backslash means the same whatever `NO_BACKSLASH_ESCAPES` says.
    fn quoted(&self, text: &str) -> String {
        if !text.contains('\\') {
            return format!("'{}'", text.replace('\'', "''"));
        }
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("_utf8mb4 X'{hex}'")
    }

    fn as_text(&self, column: &str) -> String {
        format!("CAST({column} AS CHAR)")
    }

    fn joined(&self, columns: &[&str]) -> String {
        format!("CONCAT_WS(CHAR(31 USING utf8mb4), {})", columns.join(", "))
    }

    fn now(&self) -> &'static str {
        "UTC_TIMESTAMP()"
    }
}
