//! One lock per physical database, so that only one process changes its schema at a time.
//!
//! The lock belongs to a connection of its own, or to an open file where a database is one, so it is gone with the
//! process that held it, however that ended. It is asked for again and again instead of waited for on the server: a
//! statement that waits inside of PostgreSQL holds a snapshot, and `CREATE INDEX CONCURRENTLY` in the holder would
//! wait for it, and it for the holder. For the same reason no transaction is ever open on the connection.

mod file;
mod server;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use router_core::Alias;

use crate::config::Database;
use crate::engine::lock::Locking;
use crate::engine::{ConnectFault, RoutedConnection};
use crate::time::Utc;

pub use crate::engine::lock::LockHolder;
use file::FileLock;
use server::{Hold, ServerLock};

/// A lock on a physical database, released when dropped, and by the system when the process ends.
#[must_use = "the lock is released when this is dropped"]
pub struct Lock {
    alias: Alias,
    held: Held,
}

enum Held {
    Server(Box<dyn Hold>),
    File(FileLock),
    /// A database in memory is nobody else's.
    Unneeded,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("alias", &self.alias).finish_non_exhaustive()
    }
}

/// Takes the lock under which migrations run: for `dbrouter migrate`, and for whatever must not run beside it.
///
/// All aliases of one physical database share one lock; a database in memory needs none.
///
/// # Errors
/// [`LockError::Held`] where another holds it for longer than `wait`; else what kept it from being asked for.
pub fn acquire<C: RoutedConnection>(database: &Database, wait: Duration) -> Result<Lock, LockError> {
    acquire_for::<C>(database, wait, "migrate")
}

/// Locks a database for a task, whose name is told to whoever waits.
///
/// # Errors
/// As [`acquire`].
pub(crate) fn acquire_for<C: RoutedConnection>(
    database: &Database,
    wait: Duration,
    task: &str,
) -> Result<Lock, LockError> {
    let alias = database.alias.clone();
    let held = match database.url.engine().spec().locking(&database.url) {
        Locking::File(path) => Held::File(FileLock::acquire(&alias, &path, wait, &marker(task))?),
        Locking::Server(locks) => {
            Held::Server(Box::new(ServerLock::<C>::acquire(database, locks, wait, &marker(task))?))
        }
        Locking::Nothing => Held::Unneeded,
    };
    Ok(Lock { alias, held })
}

impl Lock {
    /// Asks whether the lock is still held: its connection may have been lost, or its file removed.
    ///
    /// Ask before each step that must not be taken by two.
    ///
    /// # Errors
    /// [`LockError::Lost`] where it is not.
    pub fn check(&mut self) -> Result<(), LockError> {
        let is_held = match &mut self.held {
            Held::Server(hold) => hold.is_held(),
            Held::File(file) => file.is_held(),
            Held::Unneeded => true,
        };
        if is_held { Ok(()) } else { Err(LockError::Lost { alias: self.alias.clone() }) }
    }
}

/// Why a database could not be locked. Every message names the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError {
    /// Another held the lock for too long.
    Held {
        /// The database.
        alias: Alias,
        /// Who holds it, where that can be seen.
        holder: Option<Box<LockHolder>>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The server could not be reached.
    Unreachable {
        /// The database.
        alias: Alias,
        /// What the attempt to connect said, without any password.
        cause: String,
        /// Whether the server says that it has no such database.
        is_absent: bool,
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
    /// The server refused to be asked for a lock.
    Refused {
        /// The database.
        alias: Alias,
        /// What it said.
        cause: String,
    },
    /// The file that is locked beside a database could not be made or opened.
    File {
        /// The database.
        alias: Alias,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The lock was held, and is not any more.
    Lost {
        /// The database.
        alias: Alias,
    },
}

impl LockError {
    /// The database that the error is about.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        match self {
            Self::Held { alias, .. }
            | Self::Unreachable { alias, .. }
            | Self::NotConnected { alias, .. }
            | Self::Refused { alias, .. }
            | Self::File { alias, .. }
            | Self::Lost { alias } => alias,
        }
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { alias, holder, waited } => {
                write!(f, "database `{alias}` is locked by ")?;
                match holder {
                    Some(holder) => write!(f, "{holder}")?,
                    None => f.write_str("another process")?,
                }
                write!(
                    f,
                    "; {waited:?} were not enough to wait: try again when it has ended, or wait for longer"
                )?;
                match holder.as_ref().and_then(|holder| holder.end_with.as_ref()) {
                    Some(statement) => write!(f, "; `{statement}` ends its connection"),
                    None => Ok(()),
                }
            }
            Self::Unreachable { alias, cause, is_absent } => {
                write!(f, "database `{alias}` cannot be reached to lock it: {}", cause.trim_end())?;
                if *is_absent {
                    write!(f, "; `dbrouter create --database {alias}` makes it")?;
                }
                Ok(())
            }
            Self::NotConnected { alias, fault, cause } => f.write_str(&fault.describe(alias, cause)),
            Self::Refused { alias, cause } => {
                write!(f, "database `{alias}` cannot be locked: {}", cause.trim_end())
            }
            Self::File { alias, path, cause } => write!(
                f,
                "database `{alias}` cannot be locked by `{}`: {cause}; its folder must be writable, and \
                 `dbrouter create --database {alias}` makes it",
                path.display()
            ),
            Self::Lost { alias } => write!(
                f,
                "database `{alias}` is not locked any more: the connection that held the lock was lost, or goes \
                 through a pooler that shares connections; name a direct one with `migrate_to`"
            ),
        }
    }
}

impl std::error::Error for LockError {}

/// How a holder names itself: `dbrouter migrate on web1 pid 4711`.
fn marker(task: &str) -> String {
    format!("dbrouter {task} on {} pid {}", host(), std::process::id())
}

/// The name of this machine, where the system tells it.
fn host() -> String {
    let from_file = |path| std::fs::read_to_string(Path::new(path)).ok();
    from_file("/proc/sys/kernel/hostname")
        .or_else(|| from_file("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown-host".to_owned())
}

/// This moment, for people.
fn now() -> String {
    Utc::from(SystemTime::now()).to_string()
}

/// Asks again and again until it is granted or `wait` is over, at least once, and says whether it was granted.
fn poll(wait: Duration, mut ask: impl FnMut() -> Result<bool, LockError>) -> Result<bool, LockError> {
    const LONGEST: Duration = Duration::from_millis(100);
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    while !ask()? {
        let left = wait.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded_and_asks_at_least_once() {
        let mut asked = 0;
        let refuse = || {
            asked += 1;
            Ok(false)
        };
        assert!(!poll(Duration::ZERO, refuse).unwrap());
        assert_eq!(asked, 1);

        let start = Instant::now();
        let wait = Duration::from_millis(60);
        assert!(!poll(wait, || Ok(false)).unwrap());
        assert!(start.elapsed() >= wait);

        let mut left = 3;
        let third = || {
            left -= 1;
            Ok(left == 0)
        };
        assert!(poll(Duration::MAX, third).unwrap());
    }

    #[test]
    fn an_error_names_database_holder_and_next_step() {
        let holder = LockHolder {
            who: "`dbrouter migrate on web1 pid 4711`".into(),
            from: Some("user `blog` from 10.0.0.7".into()),
            since: Some("connected since 2026-11-20 10:31:46Z".into()),
            end_with: Some("SELECT pg_terminate_backend(99)".into()),
        };
        let error = LockError::Held {
            alias: "blog_db".into(),
            holder: Some(Box::new(holder)),
            waited: Duration::from_secs(30),
        };
        assert_eq!(
            error.to_string(),
            "database `blog_db` is locked by `dbrouter migrate on web1 pid 4711`, user `blog` from 10.0.0.7, \
             connected since 2026-11-20 10:31:46Z; 30s were not enough to wait: try again when it has ended, or \
             wait for longer; `SELECT pg_terminate_backend(99)` ends its connection"
        );
        assert_eq!(error.alias(), "blog_db");
    }
}
