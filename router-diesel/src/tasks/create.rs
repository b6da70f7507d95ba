//! `create`: makes the databases that the URLs name.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use super::Presence;
use super::records::Bookkeeping;
use super::server;
use super::target::Purpose;
use super::{Report, TaskError, Tasks, open};
use crate::config::Database;
use crate::engine::RoutedConnection;
use crate::engine::create::{Place, ServerPlace};

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
    /// PostgreSQL is asked through its database `postgres`, else `template1`. There, the schema that the search path names
    /// first is created too, as `database.schema`. For SQLite the folders of the file are
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
            let created = match database.url.engine().spec().place(&database.url) {
                Place::File(path, _) => file(database, &path, may_be_made),
                Place::Memory => Ok(Created::InMemory),
                Place::Server(server) => on_server::<C>(database, &server, may_be_made),
            }?;
            if matches!(created, Created::AlreadyThere(_)) {
                books.refuse_leftovers::<C>(database, Presence::There)?;
            }
            with_schema::<C>(database, created)
        }))
    }
}

/// Makes the schema that the database's tables are to be in, where an engine has several in a database.
fn with_schema<C: RoutedConnection>(database: &Database, created: Created) -> Result<Created, TaskError> {
    let (Place::Server(server), Created::Created(name) | Created::AlreadyThere(name)) =
        (database.url.engine().spec().place(&database.url), &created)
    else {
        return Ok(created);
    };
    let mut conn: C = open(database)?;
    let made = server.databases.make_schema(&mut conn);
    match made.map_err(TaskError::refused(&database.alias, format!("make the schema of `{name}`")))? {
        Some(schema) => Ok(Created::Created(format!("{name}.{schema}"))),
        None => Ok(created),
    }
}

fn file(
    database: &Database,
    path: &Path,
    may_be_made: impl FnOnce() -> Result<(), TaskError>,
) -> Result<Created, TaskError> {
    let alias = Some(&database.alias);
    if !path.exists() {
        may_be_made()?;
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(TaskError::file(alias, "make the folder", folder))?;
    }
    let name = path.display().to_string();
    // An empty file is an empty database.
    match fs::File::options().write(true).create_new(true).open(path) {
        Ok(_) => Ok(Created::Created(name)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::AlreadyThere(name)),
        Err(error) => Err(TaskError::file(alias, "make the file", path)(error)),
    }
}

fn on_server<C: RoutedConnection>(
    database: &Database,
    server: &ServerPlace,
    may_be_made: impl FnOnce() -> Result<(), TaskError>,
) -> Result<Created, TaskError> {
    let name = server::name_of(server, database)?;
    let databases = server.databases;
    let mut conn: C = match server::open(server, database) {
        Ok(conn) => conn,
        // A user who may connect to nothing else can still see that it is there.
        Err(error) if databases.may_let_into_database_alone() => {
            return open::<C>(database).map(|_| Created::AlreadyThere(name)).map_err(|_| error);
        }
        Err(error) => return Err(error),
    };
    let looking = format!("look for `{name}`");
    if databases.has(&mut conn, &name).map_err(TaskError::refused(&database.alias, looking))? {
        return Ok(Created::AlreadyThere(name));
    }
    may_be_made()?;
    match databases.create(&mut conn, &name) {
        Ok(()) => Ok(Created::Created(name)),
        // Another was faster.
        Err(_) if databases.has(&mut conn, &name).unwrap_or(false) => Ok(Created::AlreadyThere(name)),
        Err(error) => Err(TaskError::refused(&database.alias, format!("create `{name}`"))(error)),
    }
}
