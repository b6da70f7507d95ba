//! Which tables a database has, as its catalogue names them.

use diesel::QueryResult;

use super::Ask;
use super::records::SEPARATOR;

/// How an engine names its tables, and lists them.
pub(crate) trait Catalogue {
    /// Reads the tables and views of a database, without those that the engine brings along.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn tables(&self, conn: &mut dyn Ask) -> QueryResult<Vec<TableEntry>>;

    /// Whether names of tables that differ by case alone may mean one table.
    fn folds_case(&self) -> bool;

    /// Whether the list has the tables of every schema that a statement can name. It lacks some where a schema may be
    /// another database.
    fn lists_every_schema(&self) -> bool;
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Whether a statement finds it without naming its schema.
    pub(crate) is_visible: bool,
}

/// Reads entries whose schema, name and visibility (`1`) are joined in each row.
pub(super) fn entries(conn: &mut dyn Ask, sql: &str) -> QueryResult<Vec<TableEntry>> {
    let entry = |row: String| {
        let mut fields = row.split(SEPARATOR);
        let (schema, name, visible) = (fields.next()?, fields.next()?, fields.next()?);
        Some(TableEntry { schema: schema.to_owned(), name: name.to_owned(), is_visible: visible == "1" })
    };
    Ok(conn.texts(sql)?.into_iter().flatten().filter_map(entry).collect())
}
