//! The checked model: what a configuration file means, with nothing left to look up.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use router_core::{Alias, AppLabel, Operation, Operations, Place};
use rustc_hash::FxHashMap;

use super::code::Code;
use super::names::ServerNames;
use super::problem::Problem;
use super::tables::{TableMap, TablePattern};
use crate::engine::{Access, Calls, ConnectSettings, DatabaseUrl, Engine, Hooks, Opener, SetupError};

/// A configuration that has been read and checked: every alias in it exists, every number is sound.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The database of everything that no rule claims.
    pub default: Alias,
    /// What becomes of a table that belongs to no app.
    pub unrouted: Unrouted,
    /// What the names of environment variables with URLs begin with, if anything.
    pub env_prefix: Option<String>,
    /// The environment that was chosen, such as `development`.
    pub environment: String,
    /// Whether the file has that environment among its `environments`.
    pub declares_environment: bool,
    /// SQL functions that change data, so that a `SELECT` which calls one is a write.
    pub write_functions: Vec<String>,
    /// SQL functions that leave something on their connection, such as a setting or a lock.
    pub state_functions: Vec<String>,
    /// SQL functions that have no effect. A session may run a `SELECT` that calls one again after it lost its connection.
    pub read_functions: Vec<String>,
    /// The apps: first those declared under `apps`, then those that are only claimed, in file order.
    pub apps: Vec<App>,
    /// The databases, in file order.
    pub databases: Vec<Database>,
    /// What is worth saying about the file although it is sound.
    pub notes: Vec<Problem>,
    /// The files that were read, the main one first.
    pub files: Vec<PathBuf>,
    pub(crate) database_index: FxHashMap<Alias, usize>,
    pub(crate) app_index: FxHashMap<AppLabel, usize>,
    pub(crate) server_names: ServerNames,
    /// What the program adds to new connections.
    pub(crate) hooks: Hooks,
}

impl Config {
    /// Has all new connections to the databases opened with the hooks of a program.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Hooks) -> Self {
        for database in &mut self.databases {
            database.hooks = hooks.clone();
        }
        self.hooks = hooks;
        self
    }

    /// The database with this alias.
    #[must_use]
    pub fn database(&self, alias: &str) -> Option<&Database> {
        self.database_index.get(alias).and_then(|index| self.databases.get(*index))
    }

    /// The app with this label.
    #[must_use]
    pub fn app(&self, label: &str) -> Option<&App> {
        self.app_index.get(AppLabel::last_segment(label)).and_then(|index| self.apps.get(*index))
    }

    /// The replicas of a database, in file order.
    pub fn replicas_of<'a>(&'a self, alias: &'a str) -> impl Iterator<Item = &'a Database> {
        self.databases
            .iter()
            .filter(move |database| database.replica_of.as_ref().is_some_and(|primary| *primary == alias))
    }

    /// A note for each database whose engine is not supported, by what the caller says of engines.
    /// That is an error only where such a database is to be connected.
    pub fn unsupported_engines(&self, supported: impl Fn(Engine) -> bool) -> Vec<Problem> {
        self.databases
            .iter()
            .filter(|database| !supported(database.url.engine()))
            .map(|database| {
                let engine = database.url.engine();
                let message = format!("`{}` cannot be connected: this build has no {engine}", database.alias);
                Problem::note(Code::EngineNotBuilt, &message, database.place.clone())
                    .with_help(format!("build with the feature `{engine}`"))
            })
            .collect()
    }

    /// Whether there is more than one database, not counting replicas and other names of the same one.
    pub(crate) fn has_several_databases(&self) -> bool {
        let is_owners_name = |database: &&Database| {
            self.databases.iter().any(|other| other.migrate_to.as_ref() == Some(&database.alias))
        };
        let primaries = self.databases.iter().filter(|database| database.replica_of.is_none());
        let mut primaries =
            primaries.filter(|database| !is_owners_name(database) || !database.apps.is_empty());
        let Some(first) = primaries.next() else { return false };
        primaries.any(|other| !first.url.is_same_place(&other.url))
    }

    /// A map from tables to the apps that they belong to.
    #[must_use]
    pub fn table_map(&self) -> TableMap {
        TableMap::new(&self.apps)
    }

    /// A map from SQL functions to the apps that they belong to.
    pub(crate) fn function_map(&self) -> TableMap {
        TableMap::of(&self.apps, |app| &app.functions)
    }
}

/// What becomes of a table that belongs to no app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unrouted {
    /// It is looked for in the default database. This is what a service with one database expects.
    #[default]
    Default,
    /// It is an error: for services that want every table to be declared.
    Error,
}

/// A part of the service whose tables live together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct App {
    /// The label, such as `blog`.
    pub label: AppLabel,
    /// The tables that belong to the app; by default `<app>_*` and `<app>.*`.
    pub tables: Vec<TablePattern>,
    /// The SQL functions that belong to the app, so that a statement which calls one goes to the app's database.
    pub functions: Vec<TablePattern>,
    /// The folder with the app's migrations, relative to the current directory; by default
    /// `migrations/<app>`.
    pub migrations: PathBuf,
    /// Whether the file names that folder: then it must be there when migrations are looked for.
    pub names_migrations: bool,
    /// Whether migrations of the app are run at all; true by default.
    pub managed: bool,
    /// Where the app is declared; nothing if it is only claimed by a database.
    pub place: Option<Place>,
}

/// A database: how to reach it, and what is its to serve.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Database {
    /// The name of the database.
    pub alias: Alias,
    /// How to connect; masks its password wherever it is shown.
    pub url: DatabaseUrl,
    /// The file from which each new connection takes its password.
    pub password_file: Option<PathBuf>,
    /// The apps that the database claims, in file order.
    pub apps: Vec<AppLabel>,
    /// What may be done here. All three by default; on a replica, reading alone.
    pub operations: Operations,
    /// The database on which the migrations of the claimed apps run instead of here.
    pub migrate_to: Option<Alias>,
    /// The database that keeps the records of migrations which run here.
    pub migration_history: Option<Alias>,
    /// Whether any migration may run here; true by default.
    pub migrate: bool,
    /// The primary of which this database is a replica.
    pub replica_of: Option<Alias>,
    /// The share of reads under the policies `weighted` and `least_connections`, from 1 to 100; 1 by default.
    pub weight: u32,
    /// How a read chooses among the replicas of this primary.
    pub policy: Policy,
    /// When the primary itself serves reads that its replicas could serve.
    pub primary_reads: PrimaryReads,
    /// How far a replica may lag behind and still serve reads; no limit by default.
    pub max_lag: Option<Duration>,
    /// How long a read waits for a replica to catch up with the session's own writes before it goes
    /// to the primary; not at all by default.
    pub wait_for_replica: Option<Duration>,
    /// How long after a write the session's reads stay on this primary where the engine has no positions to
    /// compare, as SQLite. 2 s: what Rails waits.
    pub primary_window: Duration,
    /// How the nodes of this primary's cluster are watched.
    pub health: HealthSettings,
    /// Whether writes are refused, for operators; false by default.
    pub read_only: bool,
    /// What of the cluster is not to be used for now, for operators.
    pub offline: Option<Offline>,
    /// A file or folder with data for a new database, relative to the current directory.
    pub seeds: Option<PathBuf>,
    /// The pool's numbers.
    pub pool: PoolSettings,
    /// Where the database is declared.
    pub place: Place,
    /// What the program adds to new connections.
    pub(crate) hooks: Hooks,
    /// The calls of the program's own code that are under way.
    pub(crate) calls: Calls,
}

impl Database {
    /// What opens the connections.
    pub(crate) fn opener(&self) -> Opener {
        Opener {
            alias: self.alias.clone(),
            url: self.url.clone(),
            password_file: self.password_file.clone(),
            hooks: self.hooks.clone(),
            calls: self.calls.clone(),
            limit: self.pool.connection_timeout,
            access: self.access(),
        }
    }

    /// What the server lets connections do: a replica and a database that may only be read are read-only there too.
    pub(crate) fn access(&self) -> Access {
        let is_refused = |operation| self.restriction(operation).is_some();
        if is_refused(Operation::Write) && is_refused(Operation::Migrate) {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        }
    }

    /// The URL with the credentials that hold now: those of the program's hooks, else of the password file, else its own.
    /// For a client program, or a connection that you open yourself.
    ///
    /// This waits for the program's hook or the file, for as long as a connection may take to open.
    ///
    /// # Errors
    /// A hook failed, or the file cannot be read.
    pub fn current_url(&self) -> Result<DatabaseUrl, SetupError> {
        self.opener().current_url().map(Cow::into_owned)
    }

    /// Whether the database is a replica of another.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.replica_of.is_some()
    }

    /// Whether a pooler shares the server's connections between transactions, so that nothing can stay on one.
    pub(crate) fn is_behind_pooler(&self) -> bool {
        !self.pool.prepared_statements && self.url.engine().spec().timeout_behind_pooler().is_some()
    }

    /// What keeps an operation from being done here, whoever sends the statement; nothing if it may be done.
    ///
    /// A change of the schema needs `write` or `migrate`: it runs as a write, and an owner's alias may have
    /// `migrate` alone.
    #[must_use]
    pub fn restriction(&self, operation: Operation) -> Option<Restriction> {
        let has = |operation| self.operations.contains(operation);
        if operation != Operation::Read && self.is_replica() {
            Some(Restriction::Replica)
        } else if operation != Operation::Read && self.read_only {
            Some(Restriction::ReadOnly)
        } else if operation != Operation::Read && self.offline == Some(Offline::Primary) {
            Some(Restriction::Offline)
        } else if has(operation) || operation == Operation::Migrate && has(Operation::Write) {
            None
        } else {
            Some(Restriction::Operations)
        }
    }
}

/// What keeps an operation from being done on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restriction {
    /// Its `operations` lack it.
    Operations,
    /// It is `read_only: true`.
    ReadOnly,
    /// It is a replica.
    Replica,
    /// It is `offline: primary`.
    Offline,
}

/// Makes the list of policies: each with the word of the file, and whether it looks at `weight`.
macro_rules! policies {
    ($($(#[$doc:meta])* $policy:ident = $word:literal, $weights:expr;)+) => {
        /// How a read chooses among several replicas.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub enum Policy {
            $($(#[$doc])* $policy),+
        }

        impl Policy {
            /// Every policy with the name that a configuration file uses.
            pub(crate) const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$policy)),+];

            /// The name that a configuration file uses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$policy => $word),+
                }
            }

            /// Whether it looks at the `weight` of the replicas.
            pub(crate) const fn weights(self) -> Weights {
                match self {
                    $(Self::$policy => $weights),+
                }
            }
        }
    };
}

/// Whether a policy looks at the `weight` of the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weights {
    Count,
    DoNotCount,
}

policies! {
    /// Each in turn.
    #[default]
    RoundRobin = "round_robin", Weights::DoNotCount;
    /// Any.
    Random = "random", Weights::DoNotCount;
    /// Any, in proportion to `weight`.
    Weighted = "weighted", Weights::Count;
    /// The one with the fewest connections in use.
    LeastConnections = "least_connections", Weights::Count;
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a primary serves reads that its replicas could serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PrimaryReads {
    /// Never: without a replica, a read fails.
    Never,
    /// When no replica can.
    #[default]
    Fallback,
    /// Always, as one target among the replicas.
    Always,
}

/// What an operator has taken out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offline {
    /// The primary: reads go to replicas, writes fail at once.
    Primary,
    /// The replicas: reads go to the primary.
    Replicas,
}

/// How the nodes of a cluster are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthSettings {
    /// How often each node is asked how it is. 1 s: a restarted node is missed no longer, and the question costs the
    /// server next to nothing.
    pub interval: Duration,
    /// How long a node may take to answer. 500 ms, or `interval` where that is shorter: a node
    /// that needs longer for so little is of no use to a request.
    pub timeout: Duration,
    /// How long a node that failed is left alone at least. 1 s: as often as it is asked.
    pub ban: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            ban: Duration::from_secs(1),
        }
    }
}

/// The numbers of a connection pool, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// How many connections at most. 10: r2d2's default.
    pub max_size: u32,
    /// How many idle connections are kept at least. 0: a connection is made when it is wanted.
    pub min_idle: u32,
    /// How long a check-out waits. 5 s: shorter than most requests' own time-out.
    pub connection_timeout: Duration,
    /// After how long an idle connection is closed. 10 minutes: r2d2's default.
    pub idle_timeout: Option<Duration>,
    /// After how long any connection is closed. 30 minutes: r2d2's default.
    pub max_lifetime: Option<Duration>,
    /// How long a statement may run. No limit by default, as the server's own setting then holds.
    pub statement_timeout: Option<Duration>,
    /// After how long without use a connection is tested before it is handed out. 5 s.
    pub validate_after: Duration,
    /// Whether statements are prepared on the server; true by default, false behind a pooler that
    /// shares connections between transactions.
    pub prepared_statements: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: 0,
            connection_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(10 * 60)),
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            statement_timeout: None,
            validate_after: Duration::from_secs(5),
            prepared_statements: true,
        }
    }
}

impl PoolSettings {
    /// What of the settings concerns one connection.
    #[must_use]
    pub fn connect(&self, access: Access) -> ConnectSettings {
        ConnectSettings {
            connect_timeout: self.connection_timeout,
            statement_timeout: self.statement_timeout,
            prepared_statements: self.prepared_statements,
            access,
        }
    }
}
