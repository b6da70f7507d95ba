//! The schema of a file of SQLite, which keeps the text of every statement that made it.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::dump::{DumpError, Dumps, Loading, Scope};
use crate::engine::{Ask, DatabaseUrl};

impl Dumps for Sqlite {
    fn dump(&self, conn: &mut dyn Ask, _: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError> {
        // Shadow tables come with the virtual table that they belong to.
        let statements = conn.texts(
            "SELECT sql AS value FROM sqlite_schema
             WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' AND tbl_name NOT GLOB '__dbrouter_*'
               AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')
             ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, name",
        )?;
        let texts = statements.into_iter().flatten().map(|sql| {
            // A comment at the end of the statement would take the semicolon with it.
            let end = if sql.lines().last().is_some_and(|line| line.contains("--")) { "\n;" } else { ";" };
            format!("{}{end}\n", sql.trim_end())
        });
        Ok(texts.collect::<Vec<_>>().join("\n"))
    }

    fn loading(&self, _: &mut dyn Ask, _: &DatabaseUrl) -> Result<Loading, DumpError> {
        Ok(Loading::Transaction { setup: None })
    }

    fn own_tables(&self, conn: &mut dyn Ask, _: &Scope) -> QueryResult<Vec<String>> {
        let tables = conn.texts(
            "SELECT name AS value FROM sqlite_schema WHERE type IN ('table', 'view')
               AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '__dbrouter_*' ORDER BY name",
        )?;
        Ok(tables.into_iter().flatten().collect())
    }
}
