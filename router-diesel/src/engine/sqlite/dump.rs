//! The schema of a file of SQLite, which keeps the text of every statement that made it.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::dump::{DumpError, Dumps, Loading, Scope};
use crate::engine::records::RecordTables as _;
use crate::engine::{Ask, DatabaseUrl};

impl Dumps for Sqlite {
    fn dump(&self, conn: &mut dyn Ask, _: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError> {
        let mut parts = statements(conn, "type <> 'trigger'")?;
        for (_, table) in &scope.rows_of {
            parts.push(rows(conn, table)?);
        }
        // A trigger would change the rows once more.
        parts.extend(statements(conn, "type = 'trigger'")?);
        for number in ["user_version", "application_id"] {
            let value = conn.text(&format!("SELECT CAST({number} AS TEXT) AS value FROM pragma_{number}"))?;
            if value != "0" {
                parts.push(format!("PRAGMA {number} = {value};\n"));
            }
        }
        Ok(parts.join("\n"))
    }

    fn left_out(&self, scope: &Scope) -> Vec<String> {
        vec![scope.rows()]
    }

    /// A row may come before the one that it refers to.
    fn loading(&self, _: &mut dyn Ask, _: &DatabaseUrl) -> Result<Loading, DumpError> {
        Ok(Loading::Transaction { setup: Some("PRAGMA defer_foreign_keys = ON;") })
    }

    fn own_tables(&self, conn: &mut dyn Ask, _: &Scope) -> QueryResult<Vec<String>> {
        let tables = conn.texts(
            "SELECT name AS value FROM sqlite_schema WHERE type IN ('table', 'view')
               AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '__dbrouter_*' ORDER BY name",
        )?;
        Ok(tables.into_iter().flatten().collect())
    }
}

/// The statements that made what is of a kind.
fn statements(conn: &mut dyn Ask, kind: &str) -> QueryResult<Vec<String>> {
    // Shadow tables come with the virtual table that they belong to.
    let statements = conn.texts(&format!(
        "SELECT sql AS value FROM sqlite_schema
         WHERE {kind} AND sql IS NOT NULL AND name NOT GLOB 'sqlite_*' AND tbl_name NOT GLOB '__dbrouter_*'
           AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')
         ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, name"
    ))?;
    let texts = statements.into_iter().flatten().map(|sql| {
        // A comment at the end of the statement would take the semicolon with it.
        let end = if sql.lines().last().is_some_and(|line| line.contains("--")) { "\n;" } else { ";" };
        format!("{}{end}\n", sql.trim_end())
    });
    Ok(texts.collect())
}

/// The rows of a table, in the order of its columns.
fn rows(conn: &mut dyn Ask, table: &str) -> QueryResult<String> {
    let columns = conn.texts(&format!(
        "SELECT name AS value FROM pragma_table_xinfo({}) WHERE hidden = 0 ORDER BY cid",
        Sqlite.quoted(table)
    ))?;
    let name = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<String> = columns.into_iter().flatten().map(|column| name(&column)).collect();
    if columns.is_empty() {
        return Ok(String::new());
    }
    let (table, names) = (name(table), columns.join(", "));
    let values: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
    let rows = conn.texts(&format!(
        "SELECT {} || {} || ');' || char(10) AS value FROM {table} ORDER BY {names}",
        Sqlite.quoted(&format!("INSERT INTO {table} ({names}) VALUES (")),
        values.join(" || ', ' || ")
    ))?;
    Ok(rows.into_iter().flatten().collect())
}
