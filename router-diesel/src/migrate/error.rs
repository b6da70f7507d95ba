//! Why migrations could not be run, and what was done all the same.

use std::fmt;
use std::path::{Path, PathBuf};

use router_core::Alias;

use super::MigrationId;
use super::journal::Direction;
use super::lint;
use super::lint::LintProblem;
use super::report::{Outcome, Report};
use super::state::resolve_command;
use crate::engine::ConnectFault;
use crate::lock::LockError;
use crate::text::secrets;

/// A run that did not go through, with what it did: one database's failure undoes nothing on another.
///
/// Its `Debug` is its `Display`, as a `main` that ends by `?` prints that.
#[non_exhaustive]
pub struct MigrateError {
    /// What was done, and what was not.
    pub report: Report,
    /// What failed, in file order of the databases.
    pub failed: Vec<Failure>,
    /// What was found before anything ran.
    pub lint: Vec<LintProblem>,
}

impl MigrateError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Usage, message).into()
    }

    pub(crate) fn lint(lint: Vec<LintProblem>) -> Self {
        Self { report: Report::default(), failed: Vec::new(), lint }
    }

    /// The kind of the gravest failure: a migration that failed counts more than a database that was not reached.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        let gravest = self.failed.iter().map(|failure| failure.kind).max();
        gravest.unwrap_or(if self.lint.is_empty() { FailureKind::Usage } else { FailureKind::Lint })
    }
}

impl MigrateError {
    /// Whether the same call may succeed later, as nothing failed but that a database was not reached or was locked
    /// by another process.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let may_pass =
            |failure: &Failure| matches!(failure.kind, FailureKind::Unreachable | FailureKind::Locked);
        self.lint.is_empty() && !self.failed.is_empty() && self.failed.iter().all(may_pass)
    }
}

impl From<Failure> for MigrateError {
    fn from(failure: Failure) -> Self {
        Self { report: Report::default(), failed: vec![failure], lint: Vec::new() }
    }
}

/// Each failure on a line of its own, then what was and was not done.
impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = lint::summary(&self.lint);
        lines.extend(self.lint.iter().map(ToString::to_string));
        lines.extend(self.failed.iter().map(ToString::to_string));
        if !self.lint.is_empty() {
            lines.push("nothing was applied".to_owned());
        }
        let worth_telling = |outcome| {
            !matches!(outcome, Outcome::UpToDate | Outcome::NothingToRevert | Outcome::NothingToRecord)
        };
        lines.extend(
            self.report
                .databases
                .iter()
                .filter(|database| worth_telling(database.outcome))
                .map(ToString::to_string),
        );
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Debug for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for MigrateError {}

/// What kind of failure it is. Later ones are graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The call itself is wrong: an unknown database, app or version, or a replica.
    Usage,
    /// The migrations are wrong, or would go to the wrong place. Nothing was run.
    Lint,
    /// A database could not be reached.
    Unreachable,
    /// Another process held the lock for too long.
    Locked,
    /// A hook of the program or the file of a password failed, so that a connection could not be set up.
    Setup,
    /// A server refused the user or the password.
    Authentication,
    /// A database is in a state in which nothing may be run: a migration is dirty or changed, or what was applied is
    /// recorded elsewhere or nowhere.
    Refused,
    /// A migration failed.
    Failed,
}

impl From<ConnectFault> for FailureKind {
    fn from(fault: ConnectFault) -> Self {
        match fault {
            ConnectFault::Setup => Self::Setup,
            ConnectFault::Authentication => Self::Authentication,
        }
    }
}

impl FailureKind {
    /// Why another attempt to connect would fail, too.
    pub(crate) fn fault(self) -> Option<ConnectFault> {
        match self {
            Self::Setup => Some(ConnectFault::Setup),
            Self::Authentication => Some(ConnectFault::Authentication),
            _ => None,
        }
    }
}

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What kind it is.
    pub kind: FailureKind,
    /// The database.
    pub database: Option<Alias>,
    /// The migration.
    pub migration: Option<Box<MigrationId>>,
    /// Its file.
    pub file: Option<PathBuf>,
    /// What happened. It names the database, the app and the migration itself.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, database: None, migration: None, file: None, message: message.into(), help: None }
    }

    pub(crate) fn refused(database: &Alias, migration: &MigrationId, message: String) -> Self {
        Self::new(FailureKind::Refused, message).on(database).of(migration)
    }

    /// A database that cannot be reached.
    pub(crate) fn unreachable(database: &Alias, cause: &dyn fmt::Display) -> Self {
        let cause = cause.to_string();
        Self::new(
            FailureKind::Unreachable,
            format!("database `{database}` cannot be reached: {}", cause.trim_end()),
        )
        .on(database)
    }

    /// A database to which another attempt to connect would fail, too.
    pub(crate) fn not_connected(database: &Alias, fault: ConnectFault, cause: &dyn fmt::Display) -> Self {
        let kind = FailureKind::from(fault);
        Self::new(kind, fault.describe(database, &cause.to_string())).on(database)
    }

    /// A database that keeps the records of another, and cannot be reached.
    pub(crate) fn keeping_records_of(mut self, database: &Alias) -> Self {
        self.message = format!("{}; it keeps the records of `{database}`", self.message);
        self
    }

    /// A database that answers, but not to what is asked.
    pub(crate) fn unreadable(database: &Alias, what: &str, cause: &dyn fmt::Display) -> Self {
        let cause = cause.to_string();
        Self::new(FailureKind::Failed, format!("{what} of database `{database}`: {}", cause.trim_end()))
            .on(database)
    }

    pub(crate) fn on(mut self, database: &Alias) -> Self {
        self.database = Some(database.clone());
        self
    }

    pub(crate) fn of(mut self, migration: &MigrationId) -> Self {
        self.migration = Some(Box::new(migration.clone()));
        self
    }

    pub(crate) fn file(mut self, file: Option<&Path>) -> Self {
        self.file = file.map(Path::to_owned);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            secrets::write(f, format_args!("{}: ", file.display()))?;
        }
        secrets::write(f, format_args!("{}", self.message))?;
        if let Some(help) = &self.help {
            secrets::write(f, format_args!("\n  help: {help}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The lock could not be taken, or was lost.
pub(crate) fn locked(database: &Alias, error: &LockError) -> Failure {
    let kind = match error {
        LockError::Unreachable { .. } => FailureKind::Unreachable,
        LockError::NotConnected { fault, .. } => (*fault).into(),
        _ => FailureKind::Locked,
    };
    Failure::new(kind, error.to_string()).on(database)
}

/// What is to be reverted is not among the migrations.
pub(crate) fn no_such_file(database: &Alias, id: &MigrationId) -> Failure {
    let message = format!(
        "version {} of app `{}` is recorded on `{database}` as `{}`, but not among the migrations, so it cannot be \
         reverted; nothing of it was changed",
        id.version, id.app, id.name
    );
    Failure::new(FailureKind::Failed, message).on(database).of(id).help(format!(
        "bring its folder back, or say {} once its changes are undone by hand",
        resolve_command(id, "reverted", database)
    ))
}

/// What is wrong with a file that is to be run, on the one database where it is to be run.
pub(crate) fn misplaced(
    database: &Alias,
    id: &MigrationId,
    direction: Direction,
    problem: LintProblem,
) -> Failure {
    let run = match direction {
        Direction::Up => "run",
        Direction::Down => "reverted",
    };
    let line = problem.line.map_or_else(String::new, |line| format!("line {line} "));
    let message = format!(
        "migration `{}` of app `{}` cannot be {run} on `{database}`: {line}{}; nothing of it was changed",
        id.name, id.app, problem.message
    );
    let failure = Failure::new(FailureKind::Lint, message).on(database).of(id).file(problem.file.as_deref());
    match problem.help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A record could not be written.
pub(crate) fn unrecorded(database: &Alias, id: &MigrationId, error: &diesel::result::Error) -> Failure {
    let message =
        format!("migration `{}` of app `{}` cannot be recorded for `{database}`: {error}", id.name, id.app);
    Failure::new(FailureKind::Failed, message).on(database).of(id)
}
