//! The names of tables.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use sqlparser::ast::ObjectName;

use super::Dialect;
use crate::config::{NameCase, TablePattern};
use crate::engine::Engine;

/// A table or view, as a statement names it.
///
/// PostgreSQL's names are folded as the server folds them: `Posts` is `posts`, `"Posts"` is not. MySQL's and
/// SQLite's are kept as written; whether their case matters depends on the server, and whoever matches them decides.
#[derive(Debug, Clone)]
pub struct TableName {
    /// The database, where a statement of PostgreSQL names it: `database.schema.table`. It is no part of the name itself.
    catalogue: Option<Box<str>>,
    schema: Option<Box<str>>,
    name: Box<str>,
    /// Whether case tells it from other names. It is no part of the name itself.
    case: NameCase,
}

/// In the place of a table's name: whatever tables there are.
const ALL: &str = "*";

impl PartialEq for TableName {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for TableName {}

impl PartialOrd for TableName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TableName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Hash for TableName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl TableName {
    /// A table named without a schema.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self { catalogue: None, schema: None, name: name.into(), case: NameCase::Counts }
    }

    /// A table named with its schema. Of `database.schema.table` the last two parts count.
    #[must_use]
    pub fn qualified(schema: impl Into<Box<str>>, name: impl Into<Box<str>>) -> Self {
        Self { catalogue: None, schema: Some(schema.into()), name: name.into(), case: NameCase::Counts }
    }

    /// Whatever tables a database has.
    pub(super) fn all_of(database: &str) -> Self {
        Self::qualified(database, ALL)
    }

    /// The schema, where the statement names one. MySQL calls it the database, SQLite the attached database.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a write to it stays with the connection: it is in a temporary schema, or its rows are settings.
    pub(super) fn is_of_connection(&self) -> bool {
        match self.schema() {
            Some(schema) if schema.eq_ignore_ascii_case("temp") || is_postgres_temporary(schema) => true,
            Some(schema) if schema.eq_ignore_ascii_case("performance_schema") => {
                self.name.eq_ignore_ascii_case("threads")
            }
            None => self.name.eq_ignore_ascii_case("pg_settings"),
            Some(schema) => {
                schema.eq_ignore_ascii_case("pg_catalog") && self.name.eq_ignore_ascii_case("pg_settings")
            }
        }
    }

    /// A name from its parts, each with whether it was quoted. None where there is no part.
    pub(super) fn from_parts<'p>(
        dialect: Dialect,
        parts: impl DoubleEndedIterator<Item = (&'p str, bool)>,
    ) -> Option<Self> {
        let mut parts = parts.rev().map(|(part, quoted)| fold(dialect, part, quoted));
        let name = parts.next()?;
        let (schema, catalogue) = (parts.next(), parts.next());
        Some(Self { catalogue, schema, name, case: NameCase::Counts }.in_dialect(dialect))
    }

    /// The database that the name begins with, and the engine whose statements name databases so: PostgreSQL's
    /// `database.schema.table`, MySQL's `database.table`.
    pub(crate) fn database(&self) -> Option<(Engine, &str)> {
        match (&self.catalogue, &self.schema) {
            (Some(catalogue), _) => Some((Engine::Postgres, catalogue)),
            (None, Some(schema)) => Some((Engine::Mysql, schema)),
            (None, None) => None,
        }
    }

    /// The name as it is compared with others in a dialect.
    pub(crate) fn in_dialect(self, dialect: Dialect) -> Self {
        Self { case: if dialect.folds_names() { NameCase::Counts } else { NameCase::Ignored }, ..self }
    }

    /// Whether case tells the name from others.
    pub(crate) fn case(&self) -> NameCase {
        self.case
    }

    /// The name as the file's `tables` must have it.
    pub(crate) fn as_pattern(&self) -> String {
        match self.schema() {
            Some(schema) if self.name() == ALL => TablePattern::text_of(None, schema, self.case) + "." + ALL,
            schema => TablePattern::text_of(schema, self.name(), self.case),
        }
    }

    fn parts(&self) -> (Option<&str>, &str) {
        (self.schema(), self.name())
    }

    /// A name from the tree. None where a part is not a plain name.
    pub(super) fn from_object(dialect: Dialect, object: &ObjectName) -> Option<Self> {
        let mut parts = Vec::with_capacity(object.0.len());
        for part in &object.0 {
            let part = part.as_ident()?;
            parts.push((part.value.as_str(), part.quote_style.is_some()));
        }
        Self::from_parts(dialect, parts.into_iter())
    }

    /// Whether a table's name without a schema is this name of a common table expression.
    pub(super) fn is_cte(&self, dialect: Dialect, cte: &str) -> bool {
        self.schema.is_none()
            && match dialect {
                Dialect::Postgres => *self.name == *cte,
                Dialect::Sqlite | Dialect::Mysql => self.name.eq_ignore_ascii_case(cte),
            }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// Whether a schema of PostgreSQL ends with the connection: `pg_temp`, or `pg_temp_3` as the server calls it.
pub(super) fn is_postgres_temporary(schema: &str) -> bool {
    const NUMBERED: &str = "pg_temp_";
    schema.eq_ignore_ascii_case("pg_temp")
        || schema.get(..NUMBERED.len()).is_some_and(|start| start.eq_ignore_ascii_case(NUMBERED))
}

/// A name as the dialect's server would store it.
pub(super) fn fold(dialect: Dialect, name: &str, quoted: bool) -> Box<str> {
    match dialect {
        Dialect::Postgres if !quoted => name.to_ascii_lowercase().into(),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_parts_count() {
        let parts = [("shop", false), ("Sales", false), ("Orders", true)];
        let table = TableName::from_parts(Dialect::Postgres, parts.into_iter());
        assert_eq!(table, Some(TableName::qualified("sales", "Orders")));
        let table = TableName::from_parts(Dialect::Mysql, parts.into_iter());
        assert_eq!(table.map(|table| table.to_string()), Some("Sales.Orders".to_owned()));
    }
}
