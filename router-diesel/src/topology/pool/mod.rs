//! The fifth step: a node's connections.
//!
//! A pool is Diesel's r2d2 pool over a [`Manager`] that knows the node's alias. Three things differ from
//! r2d2's defaults, each for a reason:
//! - A connection that was used or checked less than `validate_after` ago is handed out without a ping: the
//!   ping is one whole round trip.
//! - A connection that failed is closed when it comes back. A connection in doubt is pinged before it is handed
//!   out again.
//! - Where no connection lives and the server cannot be reached, a check-out fails at once instead of
//!   waiting out its timeout.

mod checkout;
mod manager;
mod node;
mod plans;
mod state;
mod vitals;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::r2d2::PooledConnection;
use router_core::Alias;

pub(crate) use checkout::{Patience, check_out};
pub use manager::Manager;
pub(crate) use node::NodeTransactionManager;
pub use node::{NodeConnection, Rows};
pub(crate) use vitals::Vitals;

use super::node::NodeSettings;
use crate::engine::{ConnectFault, Engine, Product, RoutedConnection};

/// A pool of connections to one database: `diesel::r2d2::Pool`, configured from the file.
pub type Pool<C> = diesel::r2d2::Pool<Manager<C>>;

/// A connection checked out of a [`Pool`]: an ordinary `diesel::Connection`, given back when dropped.
pub type Checkout<C> = PooledConnection<Manager<C>>;

/// Builds the pool of a node, with the manager that it asks. It opens nothing but the `min_idle` connections, and waits
/// for none.
pub(crate) fn build<C: RoutedConnection>(
    node: &NodeSettings,
    vitals: Arc<Vitals>,
) -> Result<(Pool<C>, Manager<C>), PoolError> {
    let engine = node.opener.url().engine();
    if !C::supports(engine) {
        return Err(PoolError::UnsupportedEngine { alias: node.alias.clone(), engine });
    }
    let manager = Manager::new(node, vitals);
    let settings = &node.pool;
    // A test transaction lives as long as the one connection that it is open on.
    let (max_size, min_idle, idle_timeout, max_lifetime) = match node.isolation {
        Isolation::None => {
            (settings.max_size, settings.min_idle, settings.idle_timeout, settings.max_lifetime)
        }
        Isolation::TestTransaction => (1, 0, None, None),
    };
    let pool = Pool::builder()
        .max_size(max_size)
        .min_idle(Some(min_idle))
        .connection_timeout(settings.connection_timeout)
        .idle_timeout(idle_timeout)
        .max_lifetime(max_lifetime)
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

/// Why no connection could be had. Every message names the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError {
    /// The build has no support for the database's engine.
    UnsupportedEngine {
        /// The database.
        alias: Alias,
        /// Its engine.
        engine: Engine,
    },
    /// The server is another product of the engine's family than the configuration asks for: MySQL where its `engine`
    /// or its URL says `mariadb`. To try again does not help.
    WrongProduct {
        /// The database.
        alias: Alias,
        /// What the configuration asks for.
        wanted: Product,
        /// What the server says that it is.
        found: Product,
    },
    /// The URL asks for TLS, and the connection is not encrypted or cannot be verified. To try again does not help.
    NotEncrypted {
        /// The database.
        alias: Alias,
        /// What is missing, and what to do.
        cause: String,
    },
    /// A hook or the file of the password failed, or did not end in time. To try again does not help by itself.
    Setup {
        /// The database.
        alias: Alias,
        /// Which hook or file it is, and what happened.
        cause: String,
    },
    /// The server refused the user or the password. To try again does not help.
    Authentication {
        /// The database.
        alias: Alias,
        /// What the server said, without any password.
        cause: String,
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
            | Self::WrongProduct { alias, .. }
            | Self::NotEncrypted { alias, .. }
            | Self::Setup { alias, .. }
            | Self::Authentication { alias, .. }
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
            Self::WrongProduct { alias, wanted, found } => write!(
                f,
                "the server of database `{alias}` is {found}, but the configuration asks for {wanted}; write \
                 `{}` for any server of the family",
                wanted.engine()
            ),
            Self::NotEncrypted { alias, cause } => {
                write!(f, "database `{alias}` is not connected: {}", cause.trim_end())
            }
            Self::Setup { alias, cause } => f.write_str(&ConnectFault::Setup.describe(alias, cause)),
            Self::Authentication { alias, cause } => {
                f.write_str(&ConnectFault::Authentication.describe(alias, cause))
            }
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
