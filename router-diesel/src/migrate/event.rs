//! What a run tells of while it goes on.

use std::time::Duration;

use router_core::Alias;

use super::MigrationId;
use super::error::Failure;
use super::journal::Direction;
use super::report::DatabaseReport;

/// Progress of a run. With several jobs, events of several databases arrive mixed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A database has something to run.
    DatabaseStarted {
        /// The database.
        database: &'a Alias,
        /// How many migrations are to run.
        pending: usize,
        /// Which way they are to run.
        direction: Direction,
    },
    /// Another process holds the lock, and it is waited for.
    LockWaiting {
        /// The database.
        database: &'a Alias,
        /// What is known of the holder.
        holder: &'a str,
    },
    /// The record of an interrupted migration was put right.
    Mended {
        /// The database.
        database: &'a Alias,
        /// The migration.
        migration: &'a MigrationId,
        /// Whether it turned out to be applied.
        applied: bool,
    },
    /// Something doubtful that does not keep the migrations from running.
    Warning {
        /// The database.
        database: &'a Alias,
        /// What it is.
        message: &'a str,
    },
    /// A migration begins.
    MigrationStarted {
        /// The database.
        database: &'a Alias,
        /// The migration.
        migration: &'a MigrationId,
        /// Which way it is run.
        direction: Direction,
    },
    /// A migration is done, and recorded.
    MigrationFinished {
        /// The database.
        database: &'a Alias,
        /// The migration.
        migration: &'a MigrationId,
        /// Which way it was run.
        direction: Direction,
        /// How long it took.
        duration: Duration,
    },
    /// A migration failed.
    MigrationFailed {
        /// The database.
        database: &'a Alias,
        /// The migration.
        migration: &'a MigrationId,
        /// Why.
        failure: &'a Failure,
    },
    /// A database is done, one way or the other.
    DatabaseFinished {
        /// What was done on it.
        report: &'a DatabaseReport,
    },
}
