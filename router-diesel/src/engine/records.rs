//! The SQL of the tables in which the router keeps its records.

use diesel::QueryResult;

use super::Ask;

/// What stands between the columns of a row that is read as one text.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// How an engine writes and reads the router's tables.
pub(crate) trait RecordTables {
    /// The column `database`, quoted, as some engines have the word for themselves.
    fn database_column(&self) -> &'static str;

    /// The type of a moment in whole seconds.
    fn moment_type(&self) -> &'static str;

    /// What stands behind the columns of a new table, so that it tells names apart by case.
    fn table_options(&self) -> &'static str {
        ""
    }

    /// The schema in which a statement that names none makes a table now. `None` where there is none.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn current_schema(&self, conn: &mut dyn Ask) -> QueryResult<Option<String>>;

    /// A table of the router's with its schema, as a statement has it.
    fn qualified(&self, schema: &str, table: &str) -> String;

    /// A text as a literal of SQL, whatever the server's settings say of backslashes.
    fn quoted(&self, text: &str) -> String;

    /// A column as text.
    fn as_text(&self, column: &str) -> String;

    /// A column with a moment as text, in whole seconds, whatever the precision of the column.
    fn moment_as_text(&self, column: &str) -> String {
        self.as_text(column)
    }

    /// Several columns as one text, with [`SEPARATOR`] between them.
    fn joined(&self, columns: &[&str]) -> String;

    /// This moment in UTC.
    fn now(&self) -> &'static str;

    /// Makes a table by a statement with IF NOT EXISTS. Several processes may do that at once, and in spite of those
    /// words an engine may refuse all but one.
    ///
    /// # Errors
    /// What Diesel says of the statement, where the `table` is not there afterwards.
    fn create_table(&self, conn: &mut dyn Ask, sql: &str, table: &str) -> QueryResult<()> {
        conn.run(sql).or_else(|error| {
            conn.texts(&format!("SELECT NULL AS value FROM {table} WHERE 1 = 0"))
                .map_or(Err(error), |_| Ok(()))
        })
    }

    /// Whether the table of records should be made in the first migration's transaction, instead of before it.
    fn makes_table_with_first_record(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Engine;

    #[test]
    fn tables_are_named_with_their_schema() {
        for (engine, schema, expected) in [
            (Engine::Sqlite, "main", "main.t"),
            (Engine::Postgres, "we\"ird", "\"we\"\"ird\".t"),
            (Engine::Mysql, "we`ird", "`we``ird`.t"),
        ] {
            assert_eq!(engine.spec().qualified(schema, "t"), expected);
        }
    }

    #[test]
    fn literals_as_data() {
        for (text, sqlite, postgres, mysql) in [
            ("a", "'a'", "'a'", "'a'"),
            ("o'b", "'o''b'", "'o''b'", "'o''b'"),
            ("\\'", "'\\'''", "E'\\\\'''", "_utf8mb4 X'5c27'"),
        ] {
            assert_eq!(Engine::Sqlite.spec().quoted(text), sqlite);
            assert_eq!(Engine::Postgres.spec().quoted(text), postgres);
            assert_eq!(Engine::Mysql.spec().quoted(text), mysql);
        }
    }
}
