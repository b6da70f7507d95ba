//! `seed`: data for a new database, from SQL files, each once.
//!
//! A database's seeds are the `*.sql` files of its `seeds`, a folder or one file; by default of the folder
//! `seeds/<alias>`. An app's seeds are in `seeds/<app>` and are sown where the app is written to. A folder that bears
//! the name of a database is that database's. Files are taken by name, a database's own before those of its apps.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel::result::Error as DieselError;
use router_core::Alias;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::quoted;
use super::target::Purpose;
use super::{Outcome, Report, TaskError, Tasks, must_have_place, open};
use crate::config::Database;
use crate::engine::RoutedConnection;
use crate::engine::records::SEPARATOR;
use crate::lock;
use crate::migrate::{OwnTable, Strayed, guarded};

const TABLE: &str = "__dbrouter_seeds";
const COLUMNS: &str = "
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    checksum VARCHAR(64) NOT NULL,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
";

/// What `seed` did. A seed is named after its owner and its file: `blog/01_authors.sql`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Seeded {
    /// The seeds that were sown now.
    pub sown: Vec<String>,
    /// The seeds that were sown before and are as they were.
    pub earlier: Vec<String>,
    /// The seeds that were sown before and have been changed since. They are not sown again.
    pub changed: Vec<String>,
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sown.as_slice() {
            [] => f.write_str("nothing to sow")?,
            sown => write!(f, "sowed {}", quoted(sown))?,
        }
        if !self.earlier.is_empty() {
            write!(f, ", {} sown before", self.earlier.len())?;
        }
        if !self.changed.is_empty() {
            write!(
                f,
                "; changed since and not sown again: {} (put what is new into a new file)",
                quoted(&self.changed)
            )?;
        }
        Ok(())
    }
}

/// A file, and the name under which it is recorded.
struct Seed {
    name: String,
    path: PathBuf,
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// Sows the seeds of the databases and of the apps that are written to there, each once. A database that others
    /// name in `migrate_to` stands for these, too.
    ///
    /// Each file runs in a transaction of its own, together with its record in `__dbrouter_seeds`. MySQL and MariaDB
    /// end a transaction at statements that change the schema, which belong into migrations.
    ///
    /// # Errors
    /// A name is no database's, or a replica's, or no app's; or the [folder](Self::seed_folder) that was named is not
    /// there. What fails for one database is in the report.
    pub fn seed(&self) -> Result<Report<Seeded>, TaskError> {
        let targets = self.targets(Purpose::Write)?;
        self.check_seed_folder()?;
        let mut report = Report { outcomes: Vec::new() };
        for database in targets {
            let result = self.seeds_of(database).and_then(|seeds| self.sow(database, &seeds));
            // A database without any seeds is worth no line, unless it was named, and no other is meant by it.
            let is_named =
                self.databases.contains(&database.alias) && self.senders(database).next().is_none();
            let is_quiet = !is_named && result.as_ref().is_ok_and(|it| *it == Seeded::default());
            if !is_quiet {
                report.outcomes.push(Outcome { alias: database.alias.clone(), result });
            }
        }
        Ok(report)
    }

    /// Looks whether the [folder](Self::seed_folder) that was named is there, as [`seed`](Self::seed) does: to find
    /// out before other tasks are done.
    ///
    /// # Errors
    /// It is not there, or is no folder.
    pub fn check_seed_folder(&self) -> Result<(), TaskError> {
        match &self.seed_folder {
            Some(folder) if !folder.is_dir() => Err(TaskError::NoSeedFolder { path: folder.clone() }),
            _ => Ok(()),
        }
    }

    /// Whether the databases that were [named](Self::databases) may be seeded: rows can be written to them, or to
    /// another alias of theirs.
    #[must_use]
    pub fn may_seed(&self) -> bool {
        self.targets(Purpose::Write).is_ok()
    }

    /// All seeds of a database, in order.
    fn seeds_of(&self, database: &Database) -> Result<Vec<Seed>, TaskError> {
        let alias = &database.alias;
        let folder = self.seed_folder.as_deref().unwrap_or(Path::new("seeds"));
        let mut seeds = Vec::new();
        if self.apps.is_empty() {
            seeds = match &database.seeds {
                Some(place) => files(alias, alias.as_str(), place)?.ok_or_else(|| TaskError::File {
                    alias: Some(alias.clone()),
                    doing: "find the seeds",
                    path: place.clone(),
                    cause: "there is no such file or folder".to_owned(),
                })?,
                None => files(alias, alias.as_str(), &folder.join(alias.as_str()))?.unwrap_or_default(),
            };
        }
        let config = self.routing.config();
        for route in self.routing.routes() {
            let label = route.app.as_str();
            let is_asked = self.apps.is_empty() || self.apps.contains(&route.app);
            let is_managed = config.app(label).is_some_and(|app| app.managed);
            let is_databases_own = config.database(label).is_some();
            if is_asked && is_managed && !is_databases_own && route.write.as_ref() == Some(alias) {
                seeds.extend(files(alias, label, &folder.join(label))?.unwrap_or_default());
            }
        }
        Ok(seeds)
    }

    fn sow(&self, database: &Database, seeds: &[Seed]) -> Result<Seeded, TaskError> {
        let mut seeded = Seeded::default();
        if seeds.is_empty() {
            return Ok(seeded);
        }
        let alias = &database.alias;
        must_have_place(database)?;
        let mut lock = lock::acquire_for::<C>(database, self.lock_timeout, "seed")?;
        let mut conn: C = open(database)?;
        let making = || TaskError::refused(alias, "make the table `__dbrouter_seeds`");
        let table = OwnTable::in_current_schema(&mut conn, TABLE).map_err(making())?;
        conn.batch_execute(&format!("CREATE TABLE IF NOT EXISTS {table} ({COLUMNS})")).map_err(making())?;
        let spec = database.url.engine().spec();
        let column = spec.joined(&["checksum", "name"]);
        let records = conn
            .texts(&format!("SELECT {column} AS value FROM {table}"))
            .map_err(TaskError::refused(alias, "read the table `__dbrouter_seeds`"))?;
        for Seed { name, path } in seeds {
            let sql = fs::read_to_string(path).map_err(TaskError::file(Some(alias), "read", path))?;
            let checksum = checksum(&sql);
            let record = records.iter().flatten().find_map(|record| {
                let (checksum, recorded) = record.split_once(SEPARATOR)?;
                (recorded == name).then_some(checksum)
            });
            match record {
                Some(recorded) if recorded == checksum => seeded.earlier.push(name.clone()),
                Some(_) => seeded.changed.push(name.clone()),
                None => {
                    lock.check()?;
                    // What a seed sets on its connection is not the next one's.
                    if !seeded.sown.is_empty() && spec.is_found_again(&database.url) {
                        conn = open(database)?;
                    }
                    sow_one(&mut conn, &table, name, &sql, &checksum).map_err(|error| TaskError::Seed {
                        alias: alias.clone(),
                        path: path.clone(),
                        cause: error.to_string(),
                        sown: seeded.sown.clone(),
                    })?;
                    seeded.sown.push(name.clone());
                }
            }
        }
        Ok(seeded)
    }
}

/// Runs a file and records it, both or neither.
fn sow_one<C: RoutedConnection>(
    conn: &mut C,
    table: &OwnTable,
    name: &str,
    sql: &str,
    checksum: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Names of files hold no quote: `files` has seen to it.
    let record = format!("INSERT INTO {table} (name, checksum) VALUES ('{name}', '{checksum}')");
    let text = conn.engine().spec().for_server(sql).into_owned();
    let mut has_ended = false;
    let sown = conn.transaction(|conn| {
        let run = |conn: &mut C| if sql.trim().is_empty() { Ok(()) } else { conn.batch_execute(&text) };
        has_ended = guarded(conn, run)?.is_some();
        if has_ended { Err(DieselError::RollbackTransaction) } else { conn.batch_execute(&record) }
    });
    if has_ended { Err(Strayed::Ended.into()) } else { Ok(sown?) }
}

/// The SQL files of a folder by name, or the one file; nothing where neither is there.
fn files(alias: &Alias, owner: &str, place: &Path) -> Result<Option<Vec<Seed>>, TaskError> {
    let failed = |doing| TaskError::file(Some(alias), doing, place);
    let mut paths = match fs::metadata(place) {
        Ok(file) if file.is_file() => vec![place.to_owned()],
        Ok(_) => fs::read_dir(place)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(failed("read the folder"))?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read")(error)),
    };
    let is_sql = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sql");
    paths.retain(|path| is_sql(path) && path.is_file());
    paths.sort();
    let seed = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_sound = |name: &str| !name.is_empty() && !name.contains(['\'', '\\']);
        let name = format!("{owner}/{name}");
        if is_sound(&name) && name.chars().count() <= 255 {
            Ok(Seed { name, path })
        } else {
            let cause =
                "its name has quotes or backslashes, is too long, or is no UTF-8; rename it".to_owned();
            Err(TaskError::File { alias: Some(alias.clone()), doing: "take the seed", path, cause })
        }
    };
    paths.into_iter().map(seed).collect::<Result<Vec<_>, _>>().map(Some)
}

/// SHA-256 of the text, whichever way its lines end.
fn checksum(sql: &str) -> String {
    let digest = Sha256::digest(sql.replace("\r\n", "\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_does_not_depend_on_line_ends() {
        assert_eq!(checksum("a\r\nb\r\n"), checksum("a\nb\n"));
        assert_eq!(checksum("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn files_are_taken_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10_b.sql", "02_a.sql", "notes.md"] {
            fs::write(folder.path().join(name), "SELECT 1").unwrap();
        }
        let alias = Alias::new("blog_db");
        let names = |place: &Path| -> Vec<String> {
            let seeds = files(&alias, "blog", place).unwrap().unwrap_or_default();
            seeds.into_iter().map(|seed| seed.name).collect()
        };
        assert_eq!(names(folder.path()), ["blog/02_a.sql", "blog/10_b.sql"]);
        assert_eq!(names(&folder.path().join("10_b.sql")), ["blog/10_b.sql"]);
        assert!(names(&folder.path().join("none")).is_empty());
    }
}
