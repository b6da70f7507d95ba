//! What was done, database by database.

use std::fmt;
use std::time::Duration;

use router_core::Alias;

use super::MigrationId;
use super::error::Failure;
use super::journal::Direction;
use super::lint::LintProblem;
use super::state::{MigrationStatus, State};

/// What a run did. An error carries one too: what failed on one database was done on another.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The databases, in file order.
    pub databases: Vec<DatabaseReport>,
}

impl Report {
    /// How many migrations were run, on all databases.
    #[must_use]
    pub fn done(&self) -> usize {
        self.databases.iter().map(|database| database.done.len()).sum()
    }

    /// What was done on one database.
    #[must_use]
    pub fn database(&self, alias: &str) -> Option<&DatabaseReport> {
        self.databases.iter().find(|database| database.database == *alias)
    }
}

/// What was done on one database.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatabaseReport {
    /// The database.
    pub database: Alias,
    /// How it ended.
    pub outcome: Outcome,
    /// The migrations that were applied, reverted or recorded, in order.
    pub done: Vec<Done>,
    /// The migrations that should have been, and were not.
    pub not_done: Vec<MigrationId>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub duration: Duration,
    /// Which way the migrations in `not_done` should have been run.
    pub direction: Direction,
    /// How many more are pending beyond the [`target`](super::Migrator::target).
    pub later: usize,
}

impl DatabaseReport {
    pub(crate) fn new(database: &Alias) -> Self {
        Self {
            database: database.clone(),
            outcome: Outcome::UpToDate,
            done: Vec::new(),
            not_done: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            duration: Duration::ZERO,
            direction: Direction::Up,
            later: 0,
        }
    }

    /// Decides how it ended by what was done and what failed.
    pub(crate) fn settle(&mut self) {
        self.outcome = match (self.failures.is_empty(), self.done.is_empty()) {
            (false, _) => Outcome::Failed,
            (true, false) => Outcome::Done,
            (true, true) if self.direction == Direction::Down => Outcome::NothingToRevert,
            (true, true) => Outcome::UpToDate,
        };
    }
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done {
    /// The migration.
    pub migration: MigrationId,
    /// What was done with it.
    pub action: Action,
    /// How long it took; nothing where it was not run.
    pub duration: Option<Duration>,
}

/// What was done with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It was run, and recorded.
    Applied,
    /// It was reverted, and its record taken away.
    Reverted,
    /// It was recorded without being run.
    Recorded,
    /// Its record was taken away without its being reverted.
    Forgotten,
}

impl Action {
    /// The action's name: `applied`, `reverted`, `recorded` or `forgotten`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Reverted => "reverted",
            Self::Recorded => "recorded",
            Self::Forgotten => "forgotten",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a run ended on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// There was nothing to do; nothing up to the target, where there is one.
    UpToDate,
    /// No migration is applied that could be reverted.
    NothingToRevert,
    /// No record was to be made or changed, whatever is pending.
    NothingToRecord,
    /// All that was to do was done.
    Done,
    /// Something failed; what was done before it stands.
    Failed,
    /// It was not begun, because another database had failed.
    NotStarted,
}

impl Outcome {
    /// The outcome's name: `up to date`, `nothing to revert`, `nothing to record`, `done`, `failed` or `not started`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::NothingToRevert => "nothing to revert",
            Self::NothingToRecord => "nothing to record",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `shop_db: failed; applied: shop/1_a; not applied: shop/2_b, shop/3_c`.
impl fmt::Display for DatabaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.database, self.outcome)?;
        for action in [Action::Applied, Action::Reverted, Action::Recorded, Action::Forgotten] {
            let done = self.done.iter().filter(|done| done.action == action);
            list(f, action.as_str(), done.map(|done| &done.migration))?;
        }
        let what = match self.direction {
            Direction::Up => "not applied",
            Direction::Down => "not reverted",
        };
        list(f, what, self.not_done.iter())
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    migrations: impl Iterator<Item = &'a MigrationId>,
) -> fmt::Result {
    let names: Vec<_> = migrations.map(ToString::to_string).collect();
    if names.is_empty() { Ok(()) } else { write!(f, "; {what}: {}", names.join(", ")) }
}

/// Where every migration stands, on every database.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// The databases, in file order.
    pub databases: Vec<DatabaseStatus>,
    /// What would be refused before anything runs.
    pub lint: Vec<LintProblem>,
}

impl Status {
    /// Whether everything is applied and as it should be, on databases that all answered, and nothing would keep a
    /// run from beginning. Where there is no folder of migrations at all, it is not known to be.
    ///
    /// While a newer version of the program is being deployed, what it has applied is `missing` to this one:
    /// [`is_behind`](Self::is_behind) is what a service asks at its start.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lint.is_empty()
            && self.databases.iter().all(|database| {
                database.failure.is_none()
                    && database.warnings.is_empty()
                    && database.migrations.iter().all(|migration| migration.state == State::Applied)
            })
    }

    /// Whether something that this program brings along has yet to run, or nobody knows: a migration of its own is
    /// pending, out of order or dirty, a database is not reached or may not be migrated as it stands, or the
    /// migrations themselves are wrong or not there.
    ///
    /// What a newer version of the program has applied does not count, nor does a file that was edited or a table
    /// that was dropped since: the database is ahead then, or a person has changed it. So a service of the old
    /// version starts in the middle of a deployment.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let is_behind = |status: &MigrationStatus| {
            status.state.is_pending() || (status.state == State::Dirty && status.is_known)
        };
        !self.lint.is_empty()
            || self.databases.iter().any(|database| {
                database.failure.is_some()
                    || !database.warnings.is_empty()
                    || database.migrations.iter().any(is_behind)
            })
    }

    /// Where the migrations of one database stand.
    #[must_use]
    pub fn database(&self, alias: &str) -> Option<&DatabaseStatus> {
        self.databases.iter().find(|database| database.database == *alias)
    }
}

/// Where the migrations of one database stand.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatabaseStatus {
    /// The database.
    pub database: Alias,
    /// Where its records are kept.
    pub history: Alias,
    /// Its migrations, in the order in which they run.
    pub migrations: Vec<MigrationStatus>,
    /// Why nothing is known, or why nothing may run: its records are not where they belong, or are lost.
    pub failure: Option<Failure>,
    /// What is worth knowing: that migrations were perhaps looked for in the wrong place.
    pub warnings: Vec<String>,
}
