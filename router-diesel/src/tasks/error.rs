//! Why a task was not done.

mod words;

use std::path::{Path, PathBuf};

use router_core::{Alias, AppLabel, Operation};

use crate::config::{Config, Restriction};
use crate::engine::absence::Unopened;
use crate::engine::client::ClientError;
use crate::engine::dump::DumpError;
use crate::engine::{ConnectFault, Engine, SetupError};
use crate::lock::LockError;
use crate::migrate::leftover::Presence;
use crate::text::nearest;

pub(super) use words::quoted;

/// Why a task was not done, with the database it was for and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskError {
    /// No database has this name.
    UnknownDatabase {
        /// The name.
        alias: Alias,
        /// A name like it.
        suggestion: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No app has this name.
    UnknownApp {
        /// The name.
        app: AppLabel,
        /// A name like it.
        suggestion: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The database is a replica, which only its primary changes.
    Replica {
        /// The database.
        alias: Alias,
        /// Its primary.
        primary: Alias,
    },
    /// The file does not let the database be changed.
    NotAllowed {
        /// The database.
        alias: Alias,
        /// What the task would do.
        operation: Operation,
        /// What keeps it from being changed.
        restriction: Restriction,
    },
    /// The task destroys data, and this is production.
    Production {
        /// The task.
        task: &'static str,
        /// The environment: `production` or `prod`, in whatever case.
        environment: String,
    },
    /// The task destroys data, and the environment may be a production that was mistyped: it is neither
    /// `development` nor `test`, and the file does not declare it.
    UndeclaredEnvironment {
        /// The task.
        task: &'static str,
        /// The environment.
        environment: String,
        /// A well-known name like it.
        suggestion: Option<String>,
    },
    /// The database keeps the records of others that stay, whose migrations would all count as pending.
    KeepsRecords {
        /// The database.
        alias: Alias,
        /// The others.
        of: Vec<Alias>,
    },
    /// Others that stay have their schemas in the same database of the server.
    OtherSchemas {
        /// The database.
        alias: Alias,
        /// The others.
        of: Vec<Alias>,
    },
    /// The database that keeps its records cannot be reached, and nothing was dropped.
    RecordsUnreachable {
        /// The database.
        alias: Alias,
        /// The one that keeps its records.
        history: Alias,
        /// Why that cannot be reached.
        cause: String,
    },
    /// The database is gone, and its records are not.
    RecordsStay {
        /// The database.
        alias: Alias,
        /// The one that keeps its records.
        history: Alias,
        /// Why they could not be taken away.
        cause: String,
    },
    /// The database is not there or is empty, and another has records of its migrations, as of one that was lost.
    LeftRecords {
        /// The database.
        alias: Alias,
        /// Whether it is there.
        presence: Presence,
        /// The one that keeps its records.
        history: Alias,
        /// How many there are.
        number: usize,
    },
    /// The database is in memory, where each connection has one of its own.
    InMemory {
        /// The database.
        alias: Alias,
    },
    /// The URL names no database on its server.
    Nameless {
        /// The database.
        alias: Alias,
    },
    /// The server could not be reached.
    Unreachable {
        /// The database.
        alias: Alias,
        /// What the attempt to connect said, without any password.
        cause: String,
    },
    /// A connection could not be had, and another attempt would fail too.
    NotConnected {
        /// The database.
        alias: Alias,
        /// What failed.
        fault: ConnectFault,
        /// What happened, without any password.
        cause: String,
    },
    /// There is no such database.
    Absent {
        /// The database.
        alias: Alias,
        /// Its file, or its name on the server.
        name: String,
    },
    /// The server refused.
    Refused {
        /// The database.
        alias: Alias,
        /// What was asked of it, as the end of "failed to".
        doing: String,
        /// What it said.
        cause: String,
    },
    /// Others are connected to the database.
    InUse {
        /// The database.
        alias: Alias,
        /// One line for each connection.
        sessions: Vec<String>,
    },
    /// The file is no database of the engine's.
    NotADatabase {
        /// The database.
        alias: Alias,
        /// The engine.
        engine: Engine,
        /// The file.
        path: PathBuf,
    },
    /// The database has tables already.
    NotEmpty {
        /// The database.
        alias: Alias,
        /// Its tables.
        tables: Vec<String>,
    },
    /// The file lacks rows, grants or other things that some of the migrations wrote which it names.
    Incomplete {
        /// The database.
        alias: Alias,
        /// The file.
        path: PathBuf,
        /// The migrations, each with what it wrote.
        migrations: Vec<String>,
    },
    /// No database has the table whose rows are to be dumped.
    UnknownTable {
        /// The table.
        table: String,
    },
    /// There is no schema to load.
    NoSchema {
        /// The database.
        alias: Alias,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The schema was loaded, and the migrations that made it could not be recorded.
    Unrecorded {
        /// The database.
        alias: Alias,
        /// Why not.
        cause: String,
    },
    /// The folder of seeds that was named is not there.
    NoSeedFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A seed failed. The ones before it stay.
    Seed {
        /// The database.
        alias: Alias,
        /// The file.
        path: PathBuf,
        /// What the database said of it.
        cause: String,
        /// The seeds that were sown before.
        sown: Vec<String>,
    },
    /// An app has seeds, and no database where it may be written to.
    NowhereToWrite {
        /// The app.
        app: AppLabel,
        /// Its folder of seeds.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    File {
        /// The database, where it is for one.
        alias: Option<Alias>,
        /// What was to be done, as the end of "failed to".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A program of the database's client is not installed.
    MissingProgram {
        /// The database.
        alias: Alias,
        /// The program.
        program: String,
        /// The Debian and Ubuntu package that brings it.
        package: &'static str,
    },
    /// A program of the database's client failed.
    Program {
        /// The database.
        alias: Alias,
        /// The program.
        program: String,
        /// What it wrote.
        output: String,
    },
    /// A part of the URL cannot be told to the client's program without everybody seeing it.
    SecretOption {
        /// The database.
        alias: Alias,
        /// The option's name.
        option: String,
    },
    /// The name cannot be that of a migration.
    BadName {
        /// The name.
        name: String,
    },
    /// The database could not be locked.
    Lock(LockError),
}

impl TaskError {
    /// The database that the error is about, where it is about one.
    #[must_use]
    pub fn alias(&self) -> Option<&Alias> {
        match self {
            Self::UnknownDatabase { alias, .. }
            | Self::Replica { alias, .. }
            | Self::NotAllowed { alias, .. }
            | Self::InMemory { alias }
            | Self::Nameless { alias }
            | Self::Unreachable { alias, .. }
            | Self::NotConnected { alias, .. }
            | Self::Absent { alias, .. }
            | Self::Refused { alias, .. }
            | Self::InUse { alias, .. }
            | Self::NotADatabase { alias, .. }
            | Self::NotEmpty { alias, .. }
            | Self::Incomplete { alias, .. }
            | Self::NoSchema { alias, .. }
            | Self::Unrecorded { alias, .. }
            | Self::KeepsRecords { alias, .. }
            | Self::OtherSchemas { alias, .. }
            | Self::RecordsUnreachable { alias, .. }
            | Self::RecordsStay { alias, .. }
            | Self::LeftRecords { alias, .. }
            | Self::Seed { alias, .. }
            | Self::MissingProgram { alias, .. }
            | Self::Program { alias, .. }
            | Self::SecretOption { alias, .. } => Some(alias),
            Self::File { alias, .. } => alias.as_ref(),
            Self::Lock(error) => Some(error.alias()),
            Self::UnknownApp { .. }
            | Self::UnknownTable { .. }
            | Self::Production { .. }
            | Self::UndeclaredEnvironment { .. }
            | Self::NoSeedFolder { .. }
            | Self::NowhereToWrite { .. }
            | Self::BadName { .. } => None,
        }
    }

    /// Whether the database could not be reached, so that the same call could succeed later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::RecordsUnreachable { .. }
                | Self::Lock(LockError::Unreachable { .. })
        )
    }

    pub(super) fn unknown_database(alias: &str, config: &Config) -> Self {
        let known = config.databases.iter().map(|database| database.alias.as_str());
        Self::UnknownDatabase {
            alias: alias.into(),
            suggestion: nearest(alias, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    pub(super) fn unknown_app(app: &str, config: &Config) -> Self {
        let known = config.apps.iter().map(|app| app.label.as_str());
        Self::UnknownApp {
            app: AppLabel::new(app),
            suggestion: nearest(app, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    /// Why there is no connection, and whether another attempt would fail too.
    pub(super) fn not_connected(alias: &Alias, fault: Option<ConnectFault>, cause: String) -> Self {
        let alias = alias.clone();
        match fault {
            Some(fault) => Self::NotConnected { alias, fault, cause },
            None => Self::Unreachable { alias, cause },
        }
    }

    /// Why a connection could not be opened to the very database.
    pub(super) fn unopened(alias: &Alias, Unopened { error, fault, absent }: Unopened) -> Self {
        match absent {
            Some(name) => Self::Absent { alias: alias.clone(), name },
            None => Self::not_connected(alias, fault, error.to_string()),
        }
    }

    /// The credentials for a client program could not be had.
    pub(super) fn without_credentials(alias: &Alias) -> impl FnOnce(SetupError) -> Self {
        let alias = alias.clone();
        move |error| Self::not_connected(&alias, Some(ConnectFault::Setup), error.to_string())
    }

    pub(super) fn refused(
        alias: &Alias,
        doing: impl Into<String>,
    ) -> impl FnOnce(diesel::result::Error) -> Self {
        let (alias, doing) = (alias.clone(), doing.into());
        move |error| Self::Refused { alias, doing, cause: error.to_string() }
    }

    pub(super) fn of_client(alias: &Alias) -> impl FnOnce(ClientError) -> Self {
        let alias = alias.clone();
        move |error| match error {
            ClientError::Nameless => Self::Nameless { alias },
            ClientError::Secret(option) => Self::SecretOption { alias, option },
            ClientError::Missing { program, package } => Self::MissingProgram { alias, program, package },
            ClientError::Failed { program, output } => Self::Program { alias, program, output },
        }
    }

    pub(super) fn of_dump(alias: &Alias, doing: impl Into<String>) -> impl FnOnce(DumpError) -> Self {
        let (alias, doing) = (alias.clone(), doing.into());
        move |error| match error {
            DumpError::Refused(error) => Self::refused(&alias, doing)(error),
            DumpError::Client(error) => Self::of_client(&alias)(error),
        }
    }

    pub(super) fn file(
        alias: Option<&Alias>,
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let (alias, path) = (alias.cloned(), path.to_owned());
        move |error| Self::File { alias, doing, path, cause: error.to_string() }
    }
}

impl From<LockError> for TaskError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl std::error::Error for TaskError {}
