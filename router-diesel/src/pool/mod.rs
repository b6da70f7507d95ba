//! The fifth step: a node's connections.
//!
//! A pool is Diesel's r2d2 pool over a [`Manager`] that knows the node's alias. Three things differ from
//! r2d2's defaults, each for a reason:
//! - A connection that was used or checked less than `validate_after` ago is handed out without a ping: the
//!   ping is one whole round trip.
//! - A connection that failed is closed when it comes back, and one of which nobody can tell is asked before
//!   it is handed out again.
//! - Where no connection lives and the server cannot be reached, a check-out fails at once instead of
//!   waiting out its timeout.

mod manager;
mod node;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::r2d2::PooledConnection;
use router_core::Alias;

pub use manager::Manager;
pub(crate) use node::NodeTransactionManager;
pub(crate) use node::Vitals;
pub use node::{NodeConnection, Rows};

use crate::backend::{Access, RoutedConnection};
use crate::config::Database;

/// A pool of connections to one database: `diesel::r2d2::Pool`, configured from the file.
pub type Pool<C> = diesel::r2d2::Pool<Manager<C>>;

/// A connection checked out of a [`Pool`]: an ordinary `diesel::Connection`, given back when dropped.
pub type Checkout<C> = PooledConnection<Manager<C>>;

/// Builds the pool of a database, with the manager that it asks. It opens nothing but the `min_idle` connections, and waits for none.
pub(crate) fn build<C: RoutedConnection>(
    database: &Database,
    isolation: Isolation,
    vitals: Arc<Vitals>,
) -> Result<(Pool<C>, Manager<C>), PoolError> {
    let engine = database.url.engine();
    if !C::supports(engine) {
        return Err(PoolError::UnsupportedEngine { alias: database.alias.clone(), engine });
    }
    let settings = &database.pool;
    let manager = Manager::new(database, access(database), isolation, vitals);
    let (max_size, min_idle) = match isolation {
        Isolation::None => (settings.max_size, settings.min_idle),
        Isolation::TestTransaction => (1, 0),
    };
    let pool = Pool::builder()
        .max_size(max_size)
        .min_idle(Some(min_idle))
        .connection_timeout(settings.connection_timeout)
        .idle_timeout(match isolation {
            Isolation::None => settings.idle_timeout,
            Isolation::TestTransaction => None,
        })
        .max_lifetime(match isolation {
            Isolation::None => settings.max_lifetime,
            Isolation::TestTransaction => None,
        })
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .build_unchecked(manager.clone());
    Ok((pool, manager))
}

/// Whether a pool's connection lives in one transaction that is never committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Isolation {
    /// Ordinary connections.
    #[default]
    None,
    /// One connection, in a test transaction from its first moment.
    TestTransaction,
}

/// A replica and a database that may only be read are read-only at the server too.
fn access(database: &Database) -> Access {
    use router_core::Operation::{Migrate, Write};
    let read_only = database.restriction(Write).is_some() && database.restriction(Migrate).is_some();
    if read_only { Access::ReadOnly } else { Access::ReadWrite }
}

/// Whether a check-out waits for a connection that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For the whole `connection_timeout`.
    Wait,
    /// Not at all; for a new connection it does.
    Pass,
}

/// Checks a connection out: the first free one, or a new one.
///
/// # Errors
/// [`PoolError::Unreachable`] as soon as an attempt to connect has failed and no connection lives;
/// [`PoolError::Exhausted`] where all connections stay in use for the whole `connection_timeout`, or at once where
/// nobody waits for them.
pub(crate) fn check_out<C: RoutedConnection>(
    pool: &Pool<C>,
    manager: &Manager<C>,
    patience: Patience,
) -> Result<Checkout<C>, PoolError> {
    /// How often a check-out without any live connection looks whether one has come or failed to come.
    const POLL: Duration = Duration::from_millis(1);
    /// How long after a failure the next check-out still fails at once, while r2d2 goes on trying.
    const RECENT: Duration = Duration::from_millis(500);

    /// How long a check-out waits for any connection before it looks why there is none.
    const GLANCE: Duration = Duration::from_millis(50);

    if let Some(checkout) = pool.try_get() {
        return Ok(checkout);
    }
    let start = Instant::now();
    let generation = manager.generation();
    let timeout = pool.connection_timeout();
    let failures = manager.failures();
    let unreachable = |since| {
        failures.since(since).map(|cause| PoolError::Unreachable { alias: manager.alias().clone(), cause })
    };
    if pool.state().connections == 0 {
        if let Some(error) = unreachable(start.checked_sub(RECENT).unwrap_or(start)) {
            return Err(error);
        }
        // Asks r2d2 for one new connection; each further call would ask for one more.
        if let Ok(checkout) = pool.get_timeout(Duration::ZERO) {
            return Ok(checkout);
        }
        while pool.state().connections == 0 && start.elapsed() < timeout {
            std::thread::sleep(POLL);
            if let Some(checkout) = pool.try_get() {
                return Ok(checkout);
            }
            if let Some(error) = unreachable(start) {
                return Err(error);
            }
            // r2d2 waits ever longer between its attempts; what the last one said is answer enough.
            if start.elapsed() >= RECENT
                && let Some(cause) = failures.last()
            {
                return Err(PoolError::Unreachable { alias: manager.alias().clone(), cause });
            }
        }
        if let Some(checkout) = pool.try_get() {
            return Ok(checkout);
        }
    }
    let exhausted = |waited| PoolError::Exhausted {
        alias: manager.alias().clone(),
        waited,
        max_size: pool.max_size(),
        in_test_transaction: manager.isolation() == Isolation::TestTransaction,
    };
    if patience == Patience::Pass && pool.state().connections >= pool.max_size() {
        return Err(exhausted(Duration::ZERO));
    }
    // Connections that are in use may be as dead as the server: where it cannot be reached, none of them is waited for.
    if let Ok(checkout) = pool.get_timeout(GLANCE.min(timeout)) {
        return Ok(checkout);
    }
    let gone = || {
        let cause = failures.last().filter(|cause| cannot_be_reached(cause))?;
        Some(PoolError::Unreachable { alias: manager.alias().clone(), cause })
    };
    if let Some(error) = gone() {
        return Err(error);
    }
    if patience == Patience::Pass {
        // The glance has asked r2d2 for a new connection, which may take longer than it lasts.
        while pool.state().connections < pool.max_size() {
            if let Some(checkout) = pool.try_get() {
                return Ok(checkout);
            }
            if start.elapsed() >= timeout {
                let cause = format!("it gave no answer for {timeout:?}");
                return Err(PoolError::Unreachable { alias: manager.alias().clone(), cause });
            }
            // What was tried has failed, or the node was taken out of use meanwhile.
            if failures.last().is_some() || manager.generation() != generation {
                break;
            }
            std::thread::sleep(POLL);
        }
        return pool.try_get().ok_or_else(|| gone().unwrap_or_else(|| exhausted(start.elapsed())));
    }
    pool.get_timeout(timeout.saturating_sub(start.elapsed())).map_err(|_| match unreachable(start) {
        Some(error) => error,
        None if pool.state().connections == 0 => {
            let cause = format!("it gave no answer for {timeout:?}");
            PoolError::Unreachable { alias: manager.alias().clone(), cause }
        }
        None => exhausted(timeout),
    })
}

/// Whether nobody answered an attempt to connect, by what libpq and MariaDB's and MySQL's client libraries say. A server
/// that answers and refuses, as one that has enough clients, may serve those that are connected.
fn cannot_be_reached(cause: &str) -> bool {
    const UNREACHABLE: [&str; 6] = [
        "Connection refused",
        "Can't connect to",
        "could not translate host name",
        "timeout expired",
        "No route to host",
        "Network is unreachable",
    ];
    UNREACHABLE.iter().any(|text| cause.contains(text))
}

/// Why no connection could be had. Every message names the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError {
    /// The build has no support for the database's engine.
    UnsupportedEngine {
        /// The database.
        alias: Alias,
        /// Its engine.
        engine: crate::config::Engine,
    },
    /// The server could not be reached, or refused.
    Unreachable {
        /// The database.
        alias: Alias,
        /// What the last attempt to connect said, without any password.
        cause: String,
    },
    /// All connections were in use for too long.
    Exhausted {
        /// The database.
        alias: Alias,
        /// How long the check-out waited.
        waited: Duration,
        /// How many connections the pool may have.
        max_size: u32,
        /// Whether that is one because the database is in a test transaction.
        in_test_transaction: bool,
    },
}

impl PoolError {
    /// The database that the error is about.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        match self {
            Self::UnsupportedEngine { alias, .. }
            | Self::Unreachable { alias, .. }
            | Self::Exhausted { alias, .. } => alias,
        }
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedEngine { alias, engine } => write!(
                f,
                "database `{alias}` is on {engine}, which these connections have no support for; use \
                 `AnyConnection` or that engine's own connection, and enable its feature of router-diesel"
            ),
            Self::Unreachable { alias, cause } => {
                write!(f, "database `{alias}` cannot be reached: {}", cause.trim_end())
            }
            Self::Exhausted { alias, waited, in_test_transaction: true, .. } => write!(
                f,
                "database `{alias}` had no free connection for {waited:?}: in a test transaction it has one, so \
                 drop or `release` the session that holds it first"
            ),
            Self::Exhausted { alias, waited: Duration::ZERO, max_size, .. } => {
                write!(f, "database `{alias}` has no free connection: all {max_size} are in use")
            }
            Self::Exhausted { alias, waited, max_size, .. } => write!(
                f,
                "database `{alias}` had no free connection for {waited:?}: all {max_size} are in use; give \
                 connections back sooner, or raise `pool.max_size`"
            ),
        }
    }
}

impl std::error::Error for PoolError {}
