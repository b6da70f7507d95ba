//! Where the router's own tables are.
//!
//! Statements name them with their schema, found before the first migration runs: a migration may choose another schema
//! for what it makes, by `search_path` or `USE`.

use diesel::QueryResult;
use router_core::Alias;

use super::catalogue::Tables;
use super::site::history_of;
use crate::config::{Config, Database, Engine};
use crate::engine::RoutedConnection;

/// One of the router's tables, which may have to be made yet.
#[derive(Debug, Clone)]
pub(crate) struct OwnTable {
    /// Its name.
    name: &'static str,
    schema: Option<String>,
    /// What a statement calls it.
    sql: String,
}

impl OwnTable {
    /// Looks for a table in the current schema. It would be made there.
    pub(crate) fn in_current_schema<C: RoutedConnection>(
        conn: &mut C,
        name: &'static str,
    ) -> QueryResult<Self> {
        let engine = conn.engine();
        let schema = engine.spec().current_schema(conn)?;
        Ok(Self::new(engine, name, schema))
    }

    /// Looks for a table with rows for databases: in the current schema, else where a statement that names no schema
    /// finds it, if it has rows of this database. One with rows of other databases alone is theirs.
    pub(crate) fn of<C: RoutedConnection>(
        conn: &mut C,
        tables: &Tables,
        name: &'static str,
        owner: &Owner<'_>,
    ) -> QueryResult<Self> {
        let current = Self::in_current_schema(conn, name)?;
        if current.is_in(tables) {
            return Ok(current);
        }
        let Some(found) = Self::visible(conn.engine(), tables, name) else { return Ok(current) };
        let column = conn.engine().spec().database_column();
        let rows = conn.texts(&format!("SELECT DISTINCT {column} AS value FROM {found} ORDER BY 1"))?;
        let is_owned = rows.iter().flatten().any(|name| owner.owns(name));
        Ok(if is_owned { found } else { current })
    }

    /// The table that a statement finds which names no schema.
    pub(crate) fn visible(engine: Engine, tables: &Tables, name: &'static str) -> Option<Self> {
        tables.schema_of(name).map(|schema| Self::new(engine, name, Some(schema.to_owned())))
    }

    fn new(engine: Engine, name: &'static str, schema: Option<String>) -> Self {
        let sql = match &schema {
            Some(schema) => engine.spec().qualified(schema, name),
            // The server says that there is no schema, or no database, in its own words.
            None => name.to_owned(),
        };
        Self { name, schema, sql }
    }

    /// The schema that it is in, or would be.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Whether it is there.
    pub(crate) fn is_in(&self, tables: &Tables) -> bool {
        match &self.schema {
            Some(schema) => tables.has(schema, self.name),
            None => tables.finds(self.name),
        }
    }

    /// A table of this name without any schema, for tests.
    #[cfg(all(test, feature = "sqlite"))]
    pub(crate) fn bare(name: &'static str) -> Self {
        Self { name, schema: None, sql: name.to_owned() }
    }
}

/// What a statement calls it.
impl std::fmt::Display for OwnTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sql)
    }
}

/// The database that has the router's tables, as the file knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) config: &'a Config,
    pub(crate) database: &'a Database,
}

impl Owner<'_> {
    /// Whether rows for an alias may be of this database: unless the alias is that of another one of the file.
    fn owns(&self, alias: &str) -> bool {
        let own = self.database;
        let is_sent = |from: &Database, to: &Alias| from.migrate_to.as_ref() == Some(to);
        self.config.database(alias).is_none_or(|other| {
            other.alias == own.alias
                || is_sent(other, &own.alias)
                || is_sent(own, &other.alias)
                || history_of(self.config, other).alias == own.alias
        })
    }
}
