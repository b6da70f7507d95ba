//! `drop`: removes the databases that the URLs name, with everything in them.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::QueryResult;
use router_core::Alias;
use serde::Serialize;

use super::aliases::Aliases;
use super::error::quoted;
use super::records::{Bookkeeping, FormerRecords, Kept, TakenRecords};
use super::server;
use super::target::Purpose;
use super::{Force, Outcome, Report, TaskError, Tasks};
use crate::config::Database;
use crate::engine::create::{FileDatabases, Place, ServerPlace, Sessions};
use crate::engine::{Ask, RoutedConnection};
use crate::lock;

/// What `drop` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// What became of the database itself.
    #[serde(flatten)]
    pub removal: Removal,
    /// The records of its migrations that were kept on other databases and have been taken away there.
    pub records: Vec<TakenRecords>,
    /// The databases that stay, and whose records went with this one, as it was forced: their migrations count as
    /// pending now.
    pub lost_records_of: Vec<String>,
    /// Records that may be those of the database under a name that it had before, and that stay.
    pub former_records: Vec<FormerRecords>,
}

/// What became of a database that was to be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Removal {
    /// The database of that name, or the file, was removed.
    Dropped(String),
    /// It was not there, and nothing was done.
    NotThere(String),
    /// It is in memory and ends with each connection.
    InMemory,
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped(name) => write!(f, "dropped `{name}`"),
            Self::NotThere(name) => write!(f, "`{name}` was not there"),
            Self::InMemory => f.write_str("in memory, nothing to drop"),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.removal.fmt(f)?;
        self.records.iter().try_for_each(|taken| write!(f, "; {taken}"))?;
        self.former_records.iter().try_for_each(|former| write!(f, "; {former}"))?;
        if self.lost_records_of.is_empty() {
            return Ok(());
        }
        let options: String = self.lost_records_of.iter().map(|lost| format!(" --database {lost}")).collect();
        write!(
            f,
            "; it kept the records of {}, whose migrations all count as pending now: once `dbrouter create` \
             has made it anew, `dbrouter fake --all{options}` records them, if all have run",
            quoted(&self.lost_records_of)
        )
    }
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// Drops the databases that the URLs name, with everything in them, and the records of their migrations where
    /// those are kept on other databases.
    ///
    /// On PostgreSQL nobody may be connected, for which it waits 1 s: as long as a connection that was closed may take to
    /// end. Where it is [forced](Force::Yes), the connections are ended instead.
    /// MySQL and SQLite do not ask.
    ///
    /// A database that keeps the records of others is dropped after them, and not at all where one of them stays,
    /// unless it is forced. Where records are kept on a database that does not answer, nothing is dropped; forced,
    /// the database is dropped, and that its records stay is the error in the report. To drop it once more takes
    /// them away.
    ///
    /// With a database of PostgreSQL go all its schemas. So it is dropped only where all aliases are named that have
    /// schemas in it, unless it is forced.
    ///
    /// # Errors
    /// A name is no database's, or a replica's; or this may be production, or records of a database that stays or its
    /// schema would be lost, and it is not forced. What fails for one database is in the report.
    pub fn drop(&self) -> Result<Report<Dropped>, TaskError> {
        let targets = self.targets(Purpose::Change)?;
        self.refuse_in_production("drop")?;
        let books = Bookkeeping::new(self.routing.config());
        let lost = |database: &Database, gone: &[&Database]| {
            let of: Vec<Alias> = books.losers(database, gone).map(|of| of.alias.clone()).collect();
            if of.is_empty() || self.force == Force::Yes {
                Ok(of.iter().map(Alias::to_string).collect())
            } else {
                Err(TaskError::KeepsRecords { alias: database.alias.clone(), of })
            }
        };
        targets.iter().try_for_each(|database| lost(database, &targets).map(drop))?;
        if self.force == Force::No {
            self.refuse_other_schemas(&targets)?;
        }
        let mut outcomes: Vec<Outcome<Dropped>> = Vec::new();
        let mut gone = targets.clone();
        for database in books.keepers_last(&targets) {
            let lost: Result<Vec<String>, TaskError> = lost(database, &gone);
            let result = lost.and_then(|lost| self.drop_one(database, books.open(database), lost));
            if result.is_err() {
                gone.retain(|target| target.alias != database.alias);
            }
            outcomes.push(Outcome { alias: database.alias.clone(), result });
        }
        outcomes.sort_by_key(|outcome| targets.iter().position(|target| target.alias == outcome.alias));
        Ok(Report { outcomes })
    }

    /// Refuses to drop a database in which others that stay have their schemas.
    fn refuse_other_schemas(&self, targets: &[&Database]) -> Result<(), TaskError> {
        let mut aliases = Aliases::default();
        for database in targets {
            let others = aliases.in_other_schemas::<C>(self.routing.config(), database);
            let is_meant = |alias: &Alias| targets.iter().any(|target| target.alias == *alias);
            let of: Vec<Alias> = others.into_iter().map(|(of, _)| of).filter(|of| !is_meant(of)).collect();
            if !of.is_empty() {
                return Err(TaskError::OtherSchemas { alias: database.alias.clone(), of });
            }
        }
        Ok(())
    }

    fn drop_one(
        &self,
        database: &Database,
        mut kept: Vec<Kept<'_, C>>,
        lost: Vec<String>,
    ) -> Result<Dropped, TaskError> {
        if self.force == Force::No
            && let Some(error) = kept.iter().find_map(|kept| kept.unreachable(database))
        {
            return Err(error);
        }
        let former_records = kept.iter_mut().flat_map(|kept| kept.former(self.routing)).collect();
        let removal = match database.url.engine().spec().place(&database.url) {
            Place::File(path, files) => self.drop_file(database, &path, files),
            Place::Memory => Ok(Removal::InMemory),
            Place::Server(server) => self.drop_on_server(database, &server),
        }?;
        let mut records = Vec::new();
        if removal != Removal::InMemory {
            for kept in kept {
                records.extend(kept.take_away(database)?);
            }
        }
        let lost_records_of = if matches!(removal, Removal::Dropped(_)) { lost } else { Vec::new() };
        Ok(Dropped { removal, records, lost_records_of, former_records })
    }

    fn drop_file(
        &self,
        database: &Database,
        path: &Path,
        files: &dyn FileDatabases,
    ) -> Result<Removal, TaskError> {
        let name = path.display().to_string();
        let alias = Some(&database.alias);
        match files.is_database(path) {
            Ok(true) => {}
            Ok(false) if self.force == Force::Yes => {}
            Ok(false) => {
                return Err(TaskError::NotADatabase {
                    alias: database.alias.clone(),
                    engine: database.url.engine(),
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Removal::NotThere(name)),
            Err(error) => return Err(TaskError::file(alias, "read", path)(error)),
        }
        let _lock = lock::acquire_for::<C>(database, self.lock_timeout, "drop")?;
        // The database itself goes last: where the removal is interrupted, the next one finds it. A log that is left
        // alone would be taken for one of the next database of that name.
        for file in files.beside(path).iter().map(PathBuf::as_path).chain([path]) {
            match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(TaskError::file(alias, "remove", file)(error));
                }
                _ => {}
            }
        }
        Ok(Removal::Dropped(name))
    }

    fn drop_on_server(&self, database: &Database, server: &ServerPlace) -> Result<Removal, TaskError> {
        let name = server::name_of(server, database)?;
        let mut conn: C = server::open(server, database)?;
        let refused = || TaskError::refused(&database.alias, format!("drop `{name}`"));
        let databases = server.databases;
        if !databases.has(&mut conn, &name).map_err(refused())? {
            return Ok(Removal::NotThere(name));
        }
        let sessions = databases.sessions();
        // The connection that holds the lock would be in the way.
        let _lock = match sessions {
            None => Some(lock::acquire_for::<C>(database, self.lock_timeout, "drop")?),
            Some(_) => None,
        };
        match (sessions, self.force) {
            (Some(sessions), Force::Yes) => sessions.end_and_drop(&mut conn, &name).map_err(refused())?,
            (Some(sessions), Force::No) => {
                let others = lasting(sessions, &mut conn, &name).map_err(refused())?;
                if !others.is_empty() {
                    return Err(TaskError::InUse { alias: database.alias.clone(), sessions: others });
                }
                databases.drop(&mut conn, &name).map_err(refused())?;
            }
            (None, _) => databases.drop(&mut conn, &name).map_err(refused())?,
        }
        Ok(Removal::Dropped(name))
    }
}

/// The connections to a database that last. The server ends a connection a moment after it was closed, be it one of
/// this very program.
fn lasting(sessions: &dyn Sessions, conn: &mut dyn Ask, name: &str) -> QueryResult<Vec<String>> {
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        let open = sessions.list(conn, name)?;
        if open.is_empty() || Instant::now() >= until {
            return Ok(open);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
