//! `schema dump` and `schema load`: the schema of each database as a file of SQL that diffs well.
//!
//! The file is `schema/<alias>.sql`. It names the migrations that were applied, which a load records. It has no owners, no
//! version of a server or program, and none of the router's own tables. It says what else it leaves out: rows, unless they
//! were asked for, and grants. Its order is the same whenever the schema is: PostgreSQL's and MariaDB's own
//! programs see to that, and for SQLite type and name do.

mod applied;
mod gaps;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use router_core::Alias;
use serde::Serialize;

use self::applied::{Applied, Books};
pub use self::gaps::{Lacking, LeftOut};
use super::Presence;
use super::aliases::Aliases;
use super::records::Bookkeeping;
use super::target::Purpose;
use super::{Force, Outcome, Report, TaskError, Tasks, must_have_place, open, open_server};
use crate::config::Database;
use crate::engine::dump::{Loading, Scope};
use crate::engine::identity::{self, PhysicalDatabase};
use crate::engine::{Opened, RoutedConnection, client};
use crate::lock;
use crate::migrate::{Contents, Tables, guarded};

/// The first line of every dump.
const HEAD: &str = "-- Written by `dbrouter schema dump`: change the schema with migrations, not here.\n";

/// What `schema dump` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dumped {
    /// The file was written, as it was not there or not the same.
    Written(PathBuf),
    /// The file was the same already.
    Unchanged(PathBuf),
    /// Another alias of the same database was dumped before.
    SameAs(String),
}

impl fmt::Display for Dumped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(path) => write!(f, "wrote `{}`", path.display()),
            Self::Unchanged(path) => write!(f, "`{}` is as it was", path.display()),
            Self::SameAs(alias) => write!(f, "the same database as `{alias}`"),
        }
    }
}

/// What `schema load` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Loaded {
    /// A file was loaded.
    #[non_exhaustive]
    Loaded {
        /// The file that was loaded.
        path: PathBuf,
        /// How many tables and views the database has now.
        tables: usize,
        /// How many migrations were recorded as applied: those that the file names, but for what was recorded before;
        /// nothing where it names none.
        recorded: Option<usize>,
    },
    /// The database was loaded before under another alias.
    #[non_exhaustive]
    SameAs {
        /// That alias.
        same_as: String,
    },
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { path, tables, recorded } => {
                let noun = if *tables == 1 { "table or view" } else { "tables and views" };
                write!(f, "loaded `{}`, and has {tables} {noun} now", path.display())?;
                match recorded {
                    None => Ok(()),
                    Some(1) => f.write_str("; recorded 1 migration"),
                    Some(recorded) => write!(f, "; recorded {recorded} migrations"),
                }
            }
            Self::SameAs { same_as } => write!(f, "the same database as `{same_as}`"),
        }
    }
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// Writes each database's schema to `<schema folder>/<alias>.sql`, with the migrations that were applied.
    ///
    /// The file says what it leaves out, and which migrations wrote some of that: see [`LeftOut`]. The rows of some
    /// tables can be [added](Self::rows_of).
    ///
    /// PostgreSQL needs `pg_dump`, MySQL and MariaDB `mariadb-dump` or `mysqldump`. Databases that nobody named are
    /// dumped once, however many aliases they have.
    ///
    /// # Errors
    /// A name is no database's, or a replica's; or none of the databases has a table whose rows are asked for. What
    /// fails for one database is in the report.
    pub fn dump_schema(&self) -> Result<Report<Dumped>, TaskError> {
        let mut seen: HashMap<PhysicalDatabase, Alias> = HashMap::new();
        let mut aliases = Aliases::default();
        let targets = self.targets(Purpose::Read)?;
        self.check_rows_of(&targets)?;
        let contents = Contents::<C::Backend>::read(self.routing.config());
        Ok(Self::each(targets, |database| {
            let alias = &database.alias;
            must_have_place(database)?;
            let Opened { mut conn, server, .. } = open_server::<C>(database)?;
            let asking = TaskError::refused(alias, "ask which database it is");
            let physical = identity::of(&mut conn, &database.url).map_err(asking)?;
            match seen.get(&physical) {
                Some(other) if self.databases.is_empty() => return Ok(Dumped::SameAs(other.to_string())),
                _ => {}
            }
            let tables = Tables::read(&mut conn).map_err(TaskError::refused(alias, "list the tables"))?;
            let scope = Scope {
                rows_of: self.rows_of.iter().filter_map(|table| find_table(&tables, table)).collect(),
                grants: self.grants,
                ..self.scope(database, &mut aliases)
            };
            let url = database.current_url().map_err(TaskError::without_credentials(alias))?;
            let schema = url.engine().spec().dump(&mut conn, &url, &scope);
            let schema = schema.map_err(TaskError::of_dump(alias, "read the schema"))?;
            drop(conn);
            let applied = applied::recorded::<C>(self.routing, database, &mut aliases)?;
            let left_out = LeftOut::find::<C>(&contents, server.product, &applied, &scope, &tables).write();
            let applied = applied::write(&applied);
            seen.insert(physical, alias.clone());
            write(alias, self.schema_file(database), &format!("{HEAD}{applied}\n{left_out}\n{schema}"))
        }))
    }

    /// Loads `<schema folder>/<alias>.sql` into each database, which must be empty, and records the migrations that the
    /// file names, each with the checksum that its `up.sql` had. A file that names none, such as one that was written
    /// by hand, leaves the records as they are.
    ///
    /// Nothing is loaded anywhere where a file lacks what some of these migrations wrote, unless it is
    /// [told](Self::record_incomplete) to be recorded all the same.
    ///
    /// Where there is no such file, that of another alias of the database is taken: of one whose `migrate_to` names
    /// it, of its own `migrate_to`, or of one that leads to the same database. A database is loaded once, however many
    /// aliases it has. Nothing is loaded anywhere unless there is a file for each.
    ///
    /// All of a file, with its records where the database keeps them itself, or nothing is loaded on PostgreSQL and SQLite.
    /// MySQL and MariaDB, whose own client is needed for
    /// it, keep what came before an error. Where it is [forced](Force::Yes), tables that are there stay, and the
    /// file's own come beside them; drop and create the database to begin anew.
    ///
    /// # Errors
    /// A name is no database's, or a replica's; or this may be production, and it is not forced. What fails for one
    /// database is in the report.
    pub fn load_schema(&self) -> Result<Report<Loaded>, TaskError> {
        let targets = self.targets(Purpose::Change)?;
        self.refuse_in_production("schema load")?;
        let mut aliases = Aliases::default();
        let contents = Contents::<C::Backend>::read(self.routing.config());
        let read = Self::each(targets.clone(), |database| {
            must_have_place(database)?;
            let dump = self.read_schema(database, &mut aliases)?;
            self.refuse_incomplete(database, &dump, &contents)?;
            Ok(dump)
        });
        let is_unread = read.failures().any(|error| {
            matches!(
                error,
                TaskError::NoSchema { .. } | TaskError::File { .. } | TaskError::Incomplete { .. }
            )
        });
        let mut outcomes: Vec<Outcome<Loaded>> = Vec::new();
        let mut loaded: Vec<&Database> = Vec::new();
        for (database, Outcome { alias, result }) in targets.into_iter().zip(read.outcomes) {
            let result = match result {
                Ok(_) if is_unread => continue,
                Ok(dump) => match loaded.iter().find(|other| aliases.is_one::<C>(database, other)) {
                    Some(other) => Ok(Loaded::SameAs { same_as: other.alias.to_string() }),
                    None => self.load_one(database, dump, &mut aliases),
                },
                Err(error) => Err(error),
            };
            if matches!(result, Ok(Loaded::Loaded { .. })) {
                loaded.push(database);
            }
            outcomes.push(Outcome { alias, result });
        }
        Ok(Report { outcomes })
    }

    fn load_one(&self, database: &Database, dump: Dump, aliases: &mut Aliases) -> Result<Loaded, TaskError> {
        let alias = &database.alias;
        let _lock = lock::acquire_for::<C>(database, self.lock_timeout, "schema load")?;
        let mut conn: C = open(database)?;
        let reading = || TaskError::refused(alias, "list the tables");
        let spec = database.url.engine().spec();
        let scope = self.scope(database, aliases);
        let tables = spec.own_tables(&mut conn, &scope).map_err(reading())?;
        if !tables.is_empty() && self.force == Force::No {
            return Err(TaskError::NotEmpty { alias: alias.clone(), tables });
        }
        if self.force == Force::No {
            Bookkeeping::new(self.routing.config()).refuse_leftovers::<C>(database, Presence::There)?;
        }
        let books = Books::open(&mut conn, self.routing, database, aliases, &dump.applied)?;
        let mut recorded = load(&mut conn, database, &dump, &books)?;
        let tables = spec.own_tables(&mut conn, &scope).map_err(reading())?.len();
        let elsewhere = books.record_elsewhere();
        recorded += elsewhere.map_err(|cause| TaskError::Unrecorded { alias: alias.clone(), cause })?;
        let recorded = (!dump.applied.is_empty()).then_some(recorded);
        Ok(Loaded::Loaded { path: dump.path, tables, recorded })
    }

    /// The first file that is there of those that the database's aliases would have.
    fn read_schema(&self, database: &Database, aliases: &mut Aliases) -> Result<Dump, TaskError> {
        let all = &self.routing.config().databases;
        let senders = all.iter().filter(|other| other.migrate_to.as_ref() == Some(&database.alias));
        let owner = all.iter().filter(|other| database.migrate_to.as_ref() == Some(&other.alias));
        let alias = &database.alias;
        // A server is asked last.
        let others = all.iter().filter(|other| {
            !other.is_replica() && self.schema_file(other).is_file() && aliases.is_one::<C>(database, other)
        });
        let candidates = std::iter::once(database).chain(senders).chain(owner).chain(others);
        for path in candidates.map(|it| self.schema_file(it)) {
            match fs::read_to_string(&path) {
                Ok(schema) => {
                    let applied = applied::read(alias, &path, &schema)?;
                    return Ok(Dump { path, schema, applied });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(TaskError::file(Some(alias), "read", &path)(error)),
            }
        }
        Err(TaskError::NoSchema { alias: alias.clone(), path: self.schema_file(database) })
    }

    /// Refuses a file that lacks what some of the migrations wrote which it names.
    fn refuse_incomplete(
        &self,
        database: &Database,
        dump: &Dump,
        contents: &Contents<C::Backend>,
    ) -> Result<(), TaskError> {
        if self.records_incomplete {
            return Ok(());
        }
        let by_statements = || {
            let product = database.url.products().first().copied();
            product.map(|product| LeftOut::of_statements::<C>(contents, product, &dump.applied, &dump.schema))
        };
        let left_out = LeftOut::read(&dump.schema).or_else(by_statements).unwrap_or_default();
        let migrations = left_out.lacking(&dump.applied);
        if migrations.is_empty() {
            return Ok(());
        }
        let (alias, path) = (database.alias.clone(), dump.path.clone());
        Err(TaskError::Incomplete { alias, path, migrations })
    }

    /// Whether each table whose rows are to be dumped is on one of the databases. Of one that does not answer, the dump
    /// itself tells.
    fn check_rows_of(&self, targets: &[&Database]) -> Result<(), TaskError> {
        if self.rows_of.is_empty() {
            return Ok(());
        }
        let read = |database: &&Database| Tables::read(&mut open::<C>(database).ok()?).ok();
        let tables: Vec<Option<Tables>> = targets.iter().map(read).collect();
        if tables.iter().any(Option::is_none) {
            return Ok(());
        }
        let is_found =
            |table: &str| tables.iter().flatten().any(|tables| find_table(tables, table).is_some());
        match self.rows_of.iter().find(|table| !is_found(table)) {
            Some(table) => Err(TaskError::UnknownTable { table: table.clone() }),
            None => Ok(()),
        }
    }

    /// What of a database is its own: not the schemas that are databases of their own to the file.
    fn scope(&self, database: &Database, aliases: &mut Aliases) -> Scope {
        let others = aliases.in_other_schemas::<C>(self.routing.config(), database);
        let mut foreign_schemas: Vec<String> = others.into_iter().map(|(_, schema)| schema).collect();
        foreign_schemas.sort();
        foreign_schemas.dedup();
        Scope { foreign_schemas, ..Scope::default() }
    }

    fn schema_file(&self, database: &Database) -> PathBuf {
        self.schema_folder.join(format!("{}.sql", database.alias))
    }
}

/// A file that is to be loaded.
struct Dump {
    path: PathBuf,
    schema: String,
    applied: Vec<Applied>,
}

/// The schema and the name of a table that somebody named, if it is there.
fn find_table(tables: &Tables, name: &str) -> Option<(String, String)> {
    if let Some(schema) = tables.schema_of(name) {
        return Some((schema.to_owned(), name.to_owned()));
    }
    let (schema, name) = name.split_once('.')?;
    tables.has(schema, name).then(|| (schema.to_owned(), name.to_owned()))
}

/// Writes a file as a whole or not at all.
fn write(alias: &Alias, path: PathBuf, text: &str) -> Result<Dumped, TaskError> {
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(Dumped::Unchanged(path));
    }
    let failed = || TaskError::file(Some(alias), "write", &path);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed())?;
    let draft = path.with_extension("sql.draft");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).map_err(failed())?;
    Ok(Dumped::Written(path))
}

/// Runs the statements of a file, and records the migrations that are recorded on the database itself.
fn load<C: RoutedConnection>(
    conn: &mut C,
    database: &Database,
    dump: &Dump,
    books: &Books<'_, C>,
) -> Result<usize, TaskError> {
    let Dump { path, schema, .. } = dump;
    let alias = &database.alias;
    let doing = || format!("load `{}`", path.display());
    let url = database.current_url().map_err(TaskError::without_credentials(alias))?;
    let loading = url.engine().spec().loading(conn, &url);
    match loading.map_err(TaskError::of_dump(alias, doing()))? {
        Loading::Transaction { setup } => {
            let schema = database.url.engine().spec().for_server(schema);
            let mut strayed = None;
            let loaded = conn.transaction(|conn| {
                if let Some(setup) = setup {
                    conn.batch_execute(setup)?;
                }
                strayed = guarded(conn, |conn| conn.batch_execute(&schema))?;
                match strayed {
                    None => books.record_here(conn),
                    Some(_) => Err(diesel::result::Error::RollbackTransaction),
                }
            });
            match strayed {
                None => loaded.map_err(TaskError::refused(alias, doing())),
                Some(strayed) => Err(TaskError::Refused {
                    alias: alias.clone(),
                    doing: doing(),
                    cause: strayed.to_string(),
                }),
            }
        }
        Loading::Program { mut command, package } => {
            let file = fs::File::open(path).map_err(TaskError::file(Some(alias), "read", path))?;
            command.stdin(file);
            client::run(command, package).map_err(TaskError::of_client(alias))?;
            books
                .record_here(conn)
                .map_err(|error| TaskError::Unrecorded { alias: alias.clone(), cause: error.to_string() })
        }
    }
}
