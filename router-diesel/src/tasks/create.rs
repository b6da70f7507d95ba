//! `create`: makes the databases that the URLs name.

use std::fmt;
use std::fs;
use std::io::ErrorKind;

use serde::Serialize;

use super::Presence;
use super::records::Bookkeeping;
use super::server::{ServerUrl, identifier, literal, mysql_identifier, mysql_literal};
use super::target::Purpose;
use super::{Report, TaskError, Tasks, open};
use crate::config::{Database, Engine};
use crate::engine::RoutedConnection;
use crate::engine::identity::sqlite_file;

/// What `create` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Created {
    /// The database of that name, or the file, was made.
    Created(String),
    /// It was there already, and nothing was done.
    AlreadyThere(String),
    /// It is in memory and begins anew with each connection.
    InMemory,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(name) => write!(f, "created `{name}`"),
            Self::AlreadyThere(name) => write!(f, "`{name}` was already there"),
            Self::InMemory => f.write_str("in memory, nothing to create"),
        }
    }
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// Creates the databases that the URLs name, where they are not there yet.
    ///
    /// PostgreSQL is asked through its database `postgres`, else `template1`. For SQLite the folders of the file are
    /// made too.
    ///
    /// # Errors
    /// A name is no database's, or a replica's. What fails for one database is in the report; so is one that is empty,
    /// or not there and so not made, while another database has records of its migrations, which would count as
    /// applied.
    pub fn create(&self) -> Result<Report<Created>, TaskError> {
        let targets = self.targets(Purpose::Change)?;
        let books = Bookkeeping::new(self.routing.config());
        Ok(Self::each(targets, |database| {
            // What keeps records and is yet to be made has none.
            let may_be_made = || books.refuse_leftovers::<C>(database, Presence::Absent);
            let created = match database.url.engine() {
                Engine::Sqlite => sqlite(database, may_be_made),
                Engine::Postgres => postgres::<C>(database, may_be_made),
                Engine::Mysql => mysql::<C>(database, may_be_made),
            }?;
            if matches!(created, Created::AlreadyThere(_)) {
                books.refuse_leftovers::<C>(database, Presence::There)?;
            }
            Ok(created)
        }))
    }
}

fn sqlite(
    database: &Database,
    may_be_made: impl FnOnce() -> Result<(), TaskError>,
) -> Result<Created, TaskError> {
    let Some(path) = sqlite_file(&database.url) else { return Ok(Created::InMemory) };
    let alias = Some(&database.alias);
    if !path.exists() {
        may_be_made()?;
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(TaskError::file(alias, "make the folder", folder))?;
    }
    let name = path.display().to_string();
    // To SQLite, an empty file is an empty database.
    match fs::File::options().write(true).create_new(true).open(&path) {
        Ok(_) => Ok(Created::Created(name)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::AlreadyThere(name)),
        Err(error) => Err(TaskError::file(alias, "make the file", &path)(error)),
    }
}

fn postgres<C: RoutedConnection>(
    database: &Database,
    may_be_made: impl FnOnce() -> Result<(), TaskError>,
) -> Result<Created, TaskError> {
    let server = ServerUrl::read(&database.url);
    let name = server.name_of(database)?;
    let mut conn: C = match server.open_maintenance(database) {
        Ok(conn) => conn,
        // A user who may connect to nothing else can still see that it is there.
        Err(error) => return open::<C>(database).map(|_| Created::AlreadyThere(name)).map_err(|_| error),
    };
    let looking = format!("look for `{name}`");
    if postgres_has(&mut conn, &name).map_err(TaskError::refused(&database.alias, looking))? {
        return Ok(Created::AlreadyThere(name));
    }
    may_be_made()?;
    match conn.batch_execute(&format!("CREATE DATABASE {}", identifier(&name))) {
        Ok(()) => Ok(Created::Created(name)),
        // Another was faster.
        Err(_) if postgres_has(&mut conn, &name).unwrap_or(false) => Ok(Created::AlreadyThere(name)),
        Err(error) => Err(TaskError::refused(&database.alias, format!("create `{name}`"))(error)),
    }
}

/// Whether PostgreSQL has a database of that name.
pub(super) fn postgres_has<C: RoutedConnection>(conn: &mut C, name: &str) -> diesel::QueryResult<bool> {
    let name = literal(name);
    let sql = format!("SELECT datname::text AS value FROM pg_database WHERE datname = {name}");
    Ok(!conn.texts(&sql)?.is_empty())
}

fn mysql<C: RoutedConnection>(
    database: &Database,
    may_be_made: impl FnOnce() -> Result<(), TaskError>,
) -> Result<Created, TaskError> {
    let server = ServerUrl::read(&database.url);
    let name = server.name_of(database)?;
    let mut conn: C = server.open(database, "")?;
    let looking = format!("look for `{name}`");
    if mysql_has(&mut conn, &name).map_err(TaskError::refused(&database.alias, looking))? {
        return Ok(Created::AlreadyThere(name));
    }
    may_be_made()?;
    match conn.batch_execute(&format!("CREATE DATABASE {}", mysql_identifier(&name))) {
        Ok(()) => Ok(Created::Created(name)),
        Err(_) if mysql_has(&mut conn, &name).unwrap_or(false) => Ok(Created::AlreadyThere(name)),
        Err(error) => Err(TaskError::refused(&database.alias, format!("create `{name}`"))(error)),
    }
}

/// Whether MySQL or MariaDB has a schema of that name.
pub(super) fn mysql_has<C: RoutedConnection>(conn: &mut C, name: &str) -> diesel::QueryResult<bool> {
    let sql = format!(
        "SELECT CAST(schema_name AS CHAR) AS value FROM information_schema.schemata WHERE schema_name = {}",
        mysql_literal(name)
    );
    Ok(!conn.texts(&sql)?.is_empty())
}
