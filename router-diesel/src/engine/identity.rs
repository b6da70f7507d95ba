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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identified {
    /// What tells the server, or the file, from all others.
    pub(super) server: String,
    /// The database on a server that has several.
    pub(super) name: Option<String>,
}

/// A physical database. Two are equal when they are one and the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhysicalDatabase {
    engine: Engine,
    identified: Identified,
}

impl fmt::Display for PhysicalDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, identified: Identified { server, name } } = self;
        match name {
            None => write!(f, "{engine} {server}"),
            Some(name) => write!(f, "{engine} database `{name}` on {server}"),
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
