//! `drop`: removes the databases that the URLs name, with everything in them.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::create::{mysql_has, postgres_has};
use super::server::{ServerUrl, identifier, literal, mysql_identifier};
use super::target::Purpose;
use super::{Force, Report, TaskError, Tasks};
use crate::backend::RoutedConnection;
use crate::config::{Database, Engine};
use crate::identity::sqlite_file;
use crate::lock;

/// What `drop` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dropped {
    /// The database of that name, or the file, was removed.
    Dropped(String),
    /// It was not there, and nothing was done.
    NotThere(String),
    /// It is in memory and ends with each connection.
    InMemory,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped(name) => write!(f, "dropped `{name}`"),
            Self::NotThere(name) => write!(f, "`{name}` was not there"),
            Self::InMemory => f.write_str("in memory, nothing to drop"),
        }
    }
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// Drops the databases that the URLs name, with everything in them.
    ///
    /// On PostgreSQL nobody may be connected, unless it is [forced](Force::Yes): then their connections are ended.
    /// MySQL and SQLite do not ask.
    ///
    /// # Errors
    /// A name is no database's, or a replica's; or this is production, and it is not forced. What fails for one
    /// database is in the report.
    pub fn drop(&self) -> Result<Report<Dropped>, TaskError> {
        let targets = self.targets(Purpose::Change)?;
        self.refuse_in_production("drop")?;
        Ok(Self::each(targets, |database| match database.url.engine() {
            Engine::Sqlite => self.drop_sqlite(database),
            Engine::Postgres => self.drop_postgres(database),
            Engine::Mysql => self.drop_mysql(database),
        }))
    }

    fn drop_sqlite(&self, database: &Database) -> Result<Dropped, TaskError> {
        let Some(path) = sqlite_file(&database.url) else { return Ok(Dropped::InMemory) };
        let name = path.display().to_string();
        let alias = Some(&database.alias);
        match is_sqlite(&path) {
            Ok(true) => {}
            Ok(false) if self.force == Force::Yes => {}
            Ok(false) => return Err(TaskError::NotSqlite { alias: database.alias.clone(), path }),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Dropped::NotThere(name)),
            Err(error) => return Err(TaskError::file(alias, "read", &path)(error)),
        }
        let _lock = lock::acquire_for::<C>(database, self.lock_timeout, "drop")?;
        // The database itself goes last: where the removal is interrupted, the next one finds it. A log that is left
        // alone would be taken for one of the next database of that name.
        for file in [beside(&path, "-journal"), beside(&path, "-shm"), beside(&path, "-wal"), path] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(TaskError::file(alias, "remove", &file)(error));
                }
                _ => {}
            }
        }
        Ok(Dropped::Dropped(name))
    }

    fn drop_postgres(&self, database: &Database) -> Result<Dropped, TaskError> {
        let server = ServerUrl::read(&database.url);
        let name = server.name_of(database)?;
        let mut conn: C = server.open_maintenance(database)?;
        let refused = || TaskError::refused(&database.alias, format!("drop `{name}`"));
        if !postgres_has(&mut conn, &name).map_err(refused())? {
            return Ok(Dropped::NotThere(name));
        }
        let of_name = format!("FROM pg_stat_activity WHERE datname = {}", literal(&name));
        let force = match self.force {
            Force::Yes => {
                let version =
                    conn.texts("SELECT current_setting('server_version_num') AS value").map_err(refused())?;
                let version = version.into_iter().flatten().next();
                // Before version 13 there is no FORCE, and their connections are ended first.
                if version.and_then(|version| version.parse().ok()).unwrap_or(0_u32) >= 130_000 {
                    " WITH (FORCE)"
                } else {
                    conn.texts(&format!("SELECT pg_terminate_backend(pid)::text AS value {of_name}"))
                        .map_err(refused())?;
                    ""
                }
            }
            Force::No => {
                let sessions = conn
                    .texts(&format!(
                        "SELECT format('%s (user `%s`, process %s of the server)', CASE application_name \
                         WHEN '' THEN 'a connection' ELSE '`' || application_name || '`' END, usename, pid) \
                         AS value {of_name} ORDER BY pid"
                    ))
                    .map_err(refused())?;
                if !sessions.is_empty() {
                    let sessions = sessions.into_iter().flatten().collect();
                    return Err(TaskError::InUse { alias: database.alias.clone(), sessions });
                }
                ""
            }
        };
        let sql = format!("DROP DATABASE IF EXISTS {}{force}", identifier(&name));
        conn.batch_execute(&sql).map_err(refused())?;
        Ok(Dropped::Dropped(name))
    }

    fn drop_mysql(&self, database: &Database) -> Result<Dropped, TaskError> {
        let server = ServerUrl::read(&database.url);
        let name = server.name_of(database)?;
        let mut conn: C = server.open(database, "")?;
        let refused = || TaskError::refused(&database.alias, format!("drop `{name}`"));
        if !mysql_has(&mut conn, &name).map_err(refused())? {
            return Ok(Dropped::NotThere(name));
        }
        let _lock = lock::acquire_for::<C>(database, self.lock_timeout, "drop")?;
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {}", mysql_identifier(&name)))
            .map_err(refused())?;
        Ok(Dropped::Dropped(name))
    }
}

/// Whether a file is a database of SQLite's: by its first bytes, or since it is empty.
fn is_sqlite(path: &Path) -> std::io::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == MAGIC)
}

/// A file that SQLite keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
