//! What is done to whole databases: create, drop, seed, dump and load their schemas, begin a migration.
//!
//! ```
//! use diesel::SqliteConnection;
//! use router_diesel::{Databases, config::Config, tasks::Tasks};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().display();
//! let config = Config::from_yaml(&format!("
//! databases:
//!   default: {{ url: 'sqlite://{folder}/db/default.sqlite3' }}
//!   blog_db: {{ url: 'sqlite://{folder}/db/blog.sqlite3', apps: [blog] }}
//! "))?;
//! let databases = Databases::<SqliteConnection>::builder(config).build()?;
//! let report = Tasks::<SqliteConnection>::new(databases.routing()).create()?;
//! assert!(report.is_success());
//! assert!(report.to_string().starts_with("default: created `"));
//! # Ok(()) }
//! ```
//!
//! Every task takes the databases one after another and goes on after one that failed: the [`Report`] has an outcome
//! for each. What concerns them all (an unknown name, a replica, production) is an error before anything is done.
//! No task ever touches a replica. Where a database says `migrate_to`, that alias is used to change it, as it is
//! the same database under its owner.

mod aliases;
mod create;
mod drop;
mod error;
mod new;
mod records;
mod report;
mod schema;
mod seed;
mod server;
mod target;

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use router_core::{Alias, AppLabel};

use crate::config::Database;
use crate::engine::create::Place;
use crate::engine::{Access, Opened, RoutedConnection, absence};
use crate::topology::Routing;

pub use crate::engine::identity::{PhysicalDatabase, of as physical_database};
pub use crate::lock::{Lock, LockError, LockHolder, acquire as lock};
pub use crate::migrate::leftover::Presence;
pub use create::Created;
pub use drop::{Dropped, Removal};
pub use error::TaskError;
pub use new::{NewMigration, new_migration};
pub use records::{FormerRecords, TakenRecords};
pub use report::{Outcome, Report};
pub use schema::{Dumped, Lacking, LeftOut, Loaded};
pub use seed::Seeded;

/// The tasks of the databases of one file.
///
/// Without further words they are for all databases that may be changed; [`databases`](Self::databases) and
/// [`apps`](Self::apps) narrow them.
#[derive(Debug, Clone)]
#[must_use = "nothing is done before a task is called"]
pub struct Tasks<'a, C> {
    routing: &'a Routing,
    databases: Vec<Alias>,
    apps: Vec<AppLabel>,
    force: Force,
    lock_timeout: Duration,
    schema_folder: PathBuf,
    seed_folder: Option<PathBuf>,
    rows_of: Vec<String>,
    grants: bool,
    records_incomplete: bool,
    connection: PhantomData<fn() -> C>,
}

/// Whether to do what cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// Refuse in production or what may be, where others are connected, over tables that are there, and where records
    /// of migrations would be lost or left behind.
    #[default]
    No,
    /// Do it all the same.
    Yes,
}

impl<'a, C: RoutedConnection> Tasks<'a, C> {
    /// The tasks of all databases. Nothing is opened.
    pub fn new(routing: &'a Routing) -> Self {
        Self {
            routing,
            databases: Vec::new(),
            apps: Vec::new(),
            force: Force::No,
            lock_timeout: Duration::from_secs(30),
            schema_folder: PathBuf::from("schema"),
            seed_folder: None,
            rows_of: Vec::new(),
            grants: false,
            records_incomplete: false,
            connection: PhantomData,
        }
    }

    /// Only these databases.
    pub fn databases<I>(mut self, aliases: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.databases = aliases.into_iter().map(|alias| Alias::new(alias.as_ref())).collect();
        self
    }

    /// Only the databases where these apps are written to or migrated, and of the seeds only those of the apps.
    pub fn apps<I>(mut self, labels: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.apps = labels.into_iter().map(|label| AppLabel::new(label.as_ref())).collect();
        self
    }

    /// Whether to do what cannot be undone. By default not.
    pub fn force(mut self, force: Force) -> Self {
        self.force = force;
        self
    }

    /// How long to wait for another that changes the same database. 30 s: longer than most migrations.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// The folder of `<alias>.sql` for schemas. By default `schema`.
    pub fn schema_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.schema_folder = folder.into();
        self
    }

    /// Dumps the rows of these tables too, such as those that migrations wrote. A name may have a schema, as
    /// `blog.tags`. By default a dump has no rows.
    pub fn rows_of<I>(mut self, tables: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.rows_of = tables.into_iter().map(Into::into).collect();
        self
    }

    /// Dumps grants too, on PostgreSQL: whoever loads the file needs the roles that it names. By default a dump has
    /// none.
    pub fn with_grants(mut self) -> Self {
        self.grants = true;
        self
    }

    /// Loads a file also where it lacks what some of its migrations wrote, and records these as applied: the rows or
    /// grants come from elsewhere. By default nothing is loaded then.
    pub fn record_incomplete(mut self) -> Self {
        self.records_incomplete = true;
        self
    }

    /// The folder with a folder of seeds for each database and app, which must be there. By default `seeds`, which
    /// need not be, as many projects have no seeds.
    pub fn seed_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.seed_folder = Some(folder.into());
        self
    }

    /// Does one thing to each database, and goes on after a failure.
    fn each<T>(
        databases: Vec<&Database>,
        mut task: impl FnMut(&Database) -> Result<T, TaskError>,
    ) -> Report<T> {
        let outcomes = databases
            .into_iter()
            .map(|database| Outcome { alias: database.alias.clone(), result: task(database) })
            .collect();
        Report { outcomes }
    }
}

/// Opens a connection for a task, which takes as long as it takes.
///
/// An engine may make a file that is not there, where a server says that it has no such database.
fn open<C: RoutedConnection>(database: &Database) -> Result<C, TaskError> {
    open_server(database).map(|opened| opened.conn)
}

/// The same, with what its server is.
fn open_server<C: RoutedConnection>(database: &Database) -> Result<Opened<C>, TaskError> {
    must_be_there(database)?;
    let mut settings = database.pool.clone();
    settings.statement_timeout = None;
    absence::open(&database.opener(), &settings.connect(Access::ReadWrite))
        .map_err(|unopened| TaskError::unopened(&database.alias, unopened))
}

/// Refuses a database whose file is not there.
fn must_be_there(database: &Database) -> Result<(), TaskError> {
    match database.url.file().filter(|path| !path.exists()) {
        Some(path) => {
            Err(TaskError::Absent { alias: database.alias.clone(), name: path.display().to_string() })
        }
        None => Ok(()),
    }
}

/// Refuses a database in memory: what one connection loads, no other has.
fn must_have_place(database: &Database) -> Result<(), TaskError> {
    match database.url.engine().spec().place(&database.url) {
        Place::Memory => Err(TaskError::InMemory { alias: database.alias.clone() }),
        Place::File(..) | Place::Server(_) => Ok(()),
    }
}
