//! Which physical database a connection leads to, whatever name it goes by.
//!
//! Two aliases may name one database: as its owner and as the service's user, by a host's name and by its address,
//! through a link to a file. What runs there must run there once.

use std::fmt;
use std::path::{Path, PathBuf};

use diesel::QueryResult;

use super::{Ask, DatabaseUrl, Engine, RoutedConnection};

/// How an engine tells its databases apart.
pub(crate) trait Identity {
    /// Asks a connection, opened with `url`, where it leads to.
    ///
    /// # Errors
    /// What Diesel says of the queries.
    fn identity(&self, conn: &mut dyn Ask, url: &DatabaseUrl) -> QueryResult<Identified>;
}

/// What an engine says of a physical database.
#[derive(Debug, Clone)]
pub(crate) struct Identified {
    /// What tells the server, or the file, from all others.
    pub(super) server: String,
    /// The database on a server that has several.
    pub(super) name: Option<String>,
    /// The schema in which a statement that names none makes a table, on an engine that has several in a database.
    pub(super) schema: Option<String>,
    /// All schemas in which such a statement looks for a table.
    pub(super) path: Vec<String>,
}

/// A physical database. Two are equal when they are one and the same.
///
/// On PostgreSQL, two schemas of one database are two: each has tables of its own, and its own records of migrations.
#[derive(Debug, Clone)]
pub struct PhysicalDatabase {
    engine: Engine,
    identified: Identified,
}

impl PhysicalDatabase {
    /// Whether both are in one database of one server, if perhaps in two schemas of it.
    #[must_use]
    pub fn shares_database_with(&self, other: &Self) -> bool {
        let (Identified { server, name, .. }, that) = (&self.identified, &other.identified);
        (self.engine, server, name) == (other.engine, &that.server, &that.name)
    }

    /// The schema in which a statement that names none makes a table, on an engine that has several in a database.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.identified.schema.as_deref()
    }

    /// Whether a statement that names no schema finds the tables of another one here.
    pub(crate) fn finds_tables_of(&self, other: &Self) -> bool {
        let schema = &other.identified.schema;
        let is_on_path = schema.as_ref().is_some_and(|schema| self.identified.path.contains(schema));
        self == other || (self.shares_database_with(other) && is_on_path)
    }

    /// What makes it one of its own.
    fn key(&self) -> (Engine, &str, Option<&str>, Option<&str>) {
        let Identified { server, name, schema, .. } = &self.identified;
        (self.engine, server, name.as_deref(), schema.as_deref())
    }
}

impl PartialEq for PhysicalDatabase {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for PhysicalDatabase {}

impl std::hash::Hash for PhysicalDatabase {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for PhysicalDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, identified: Identified { server, name, schema, .. } } = self;
        let schema = schema.as_ref().map_or_else(String::new, |schema| format!(", schema `{schema}`"));
        match name {
            None => write!(f, "{engine} {server}"),
            Some(name) => write!(f, "{engine} database `{name}`{schema} on {server}"),
        }
    }
}

/// Asks a connection, opened with `url`, which physical database it leads to.
///
/// Ask for all of them in one run of the program and before anything is made: the answer for PostgreSQL changes when
/// the server is started again, and that for SQLite when the file appears.
///
/// # Errors
/// What Diesel says of the queries.
pub fn of<C: RoutedConnection>(conn: &mut C, url: &DatabaseUrl) -> QueryResult<PhysicalDatabase> {
    let engine = url.engine();
    Ok(PhysicalDatabase { engine, identified: engine.spec().identity(conn, url)? })
}

/// The full path without links, also where the file itself is not there yet.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
