//! The tables that a database has.

use diesel::QueryResult;
use rustc_hash::FxHashSet;

use super::record::{SEPARATOR, joined};
use crate::config::Engine;
use crate::engine::RoutedConnection;
use crate::statement::TableName;

/// The tables and views of one database, as its catalogue names them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    folds_case: bool,
    /// Those that a statement finds without naming a schema.
    visible: FxHashSet<String>,
    /// All names, wherever they are.
    names: FxHashSet<String>,
    /// Schema and name, where schemas are known.
    qualified: FxHashSet<(String, String)>,
}

impl Tables {
    /// Reads the catalogue.
    pub(crate) fn read<C: RoutedConnection>(conn: &mut C) -> QueryResult<Self> {
        let engine = conn.engine();
        let sql = match engine {
            Engine::Sqlite => {
                let columns = joined(engine, &["'main'", "name", "'1'"]);
                format!("SELECT {columns} AS value FROM sqlite_master WHERE type IN ('table', 'view')")
            }
            Engine::Postgres => {
                let visible = "CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN '1' ELSE '0' END";
                let columns = joined(engine, &["n.nspname", "c.relname", visible]);
                format!(
                    "SELECT {columns} AS value FROM pg_catalog.pg_class c \
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' \
                     AND n.nspname NOT LIKE 'pg\\_%'"
                )
            }
            Engine::Mysql => {
                let columns = joined(engine, &["table_schema", "table_name", "'1'"]);
                format!(
                    "SELECT {columns} AS value FROM information_schema.tables WHERE table_schema = DATABASE()"
                )
            }
        };
        let mut tables = Self { folds_case: engine != Engine::Postgres, ..Self::default() };
        for row in conn.texts(&sql)?.into_iter().flatten() {
            let mut fields = row.split(SEPARATOR);
            if let (Some(schema), Some(name), Some(visible)) = (fields.next(), fields.next(), fields.next()) {
                tables.insert(schema, name, visible == "1");
            }
        }
        Ok(tables)
    }

    pub(crate) fn insert(&mut self, schema: &str, name: &str, visible: bool) {
        let (schema, name) = (self.fold(schema), self.fold(name));
        if visible {
            self.visible.insert(name.clone());
        }
        self.qualified.insert((schema, name.clone()));
        self.names.insert(name);
    }

    /// Whether there is no table at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether there is any table but the router's own.
    pub(crate) fn has_others(&self) -> bool {
        self.names.iter().any(|name| !name.starts_with("__dbrouter_"))
    }

    /// Whether a statement that names this table without a schema finds it.
    pub(crate) fn finds(&self, name: &str) -> bool {
        self.visible.contains(&self.fold(name))
    }

    /// Whether the table may be there. One without a schema is looked for in all of them, as a migration may have
    /// set its own search path; one in another database of the server is taken to be there.
    pub(crate) fn may_have(&self, table: &TableName) -> bool {
        let name = self.fold(table.name());
        match table.schema().map(|schema| self.fold(schema)) {
            None => self.names.contains(&name),
            Some(schema) if self.folds_case && !self.qualified.iter().any(|(known, _)| *known == schema) => {
                true
            }
            Some(schema) => self.qualified.contains(&(schema, name)),
        }
    }

    fn fold(&self, name: &str) -> String {
        if self.folds_case { name.to_lowercase() } else { name.to_owned() }
    }
}
