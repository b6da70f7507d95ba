//! The tables that a database has.

use diesel::QueryResult;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::RoutedConnection;
use crate::statement::TableName;

/// The tables and views of one database, as its catalogue names them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    folds_case: bool,
    /// Whether a schema may have tables that are not listed here.
    has_other_schemas: bool,
    /// Those that a statement finds without naming a schema, and the schema of each.
    visible: FxHashMap<String, String>,
    /// All names, wherever they are.
    names: FxHashSet<String>,
    /// Schema and name, where schemas are known.
    qualified: FxHashSet<(String, String)>,
}

impl Tables {
    /// Reads the catalogue.
    pub(crate) fn read<C: RoutedConnection>(conn: &mut C) -> QueryResult<Self> {
        let spec = conn.engine().spec();
        let mut tables = Self {
            folds_case: spec.folds_case(),
            has_other_schemas: !spec.lists_every_schema(),
            ..Self::default()
        };
        for entry in spec.tables(conn)? {
            tables.insert(&entry.schema, &entry.name, entry.is_visible);
        }
        Ok(tables)
    }

    pub(crate) fn insert(&mut self, schema: &str, name: &str, visible: bool) {
        let folded = self.fold(name);
        if visible {
            self.visible.insert(folded.clone(), schema.to_owned());
        }
        let (schema, name) = (self.fold(schema), folded);
        self.qualified.insert((schema, name.clone()));
        self.names.insert(name);
    }

    /// Leaves out the schemas that have one of these tables and are not among the `own`: they are databases of their own
    /// to the file. What a statement finds without naming a schema stays.
    pub(crate) fn leave_out_others(&mut self, own: &[&str], marks: &[&str]) {
        let is_mark = |name: &String| marks.iter().any(|mark| self.fold(mark) == *name);
        let is_own = |schema: &String| own.iter().any(|own| self.fold(own) == *schema);
        let marked = self.qualified.iter().filter(|(schema, name)| is_mark(name) && !is_own(schema));
        let others: FxHashSet<String> = marked.map(|(schema, _)| schema.clone()).collect();
        if others.is_empty() {
            return;
        }
        let ours = self.qualified.iter().filter(|(schema, _)| !others.contains(schema));
        self.names = ours.map(|(_, name)| name).chain(self.visible.keys()).cloned().collect();
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
        self.schema_of(name).is_some()
    }

    /// The schema in which a statement finds this table that names none.
    pub(crate) fn schema_of(&self, name: &str) -> Option<&str> {
        self.visible.get(&self.fold(name)).map(String::as_str)
    }

    /// Whether a schema has this table.
    pub(crate) fn has(&self, schema: &str, name: &str) -> bool {
        self.qualified.contains(&(self.fold(schema), self.fold(name)))
    }

    /// Whether the table may be there. One without a schema is looked for in all of them, as a migration may have
    /// set its own search path; one in another database of the server is taken to be there.
    pub(crate) fn may_have(&self, table: &TableName) -> bool {
        let name = self.fold(table.name());
        match table.schema().map(|schema| self.fold(schema)) {
            None => self.names.contains(&name),
            Some(schema)
                if self.has_other_schemas && !self.qualified.iter().any(|(known, _)| *known == schema) =>
            {
                true
            }
            Some(schema) => self.qualified.contains(&(schema, name)),
        }
    }

    fn fold(&self, name: &str) -> String {
        if self.folds_case { name.to_lowercase() } else { name.to_owned() }
    }
}
