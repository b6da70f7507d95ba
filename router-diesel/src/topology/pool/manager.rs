//! What r2d2 asks when it opens, tests and takes back a connection.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::r2d2::{Error as ManagerError, ManageConnection};
use router_core::Alias;

use super::{Isolation, NodeConnection, PoolError, Vitals};
use crate::config::{DatabaseUrl, PoolSettings};
use crate::engine::reach::{FailedAttempt, is_out_of_reach};
use crate::engine::{Access, NotEncrypted, RoutedConnection, Server, WrongProduct};
use crate::topology::node::NodeSettings;

/// Opens, tests and takes back the connections of one database.
///
/// It differs from Diesel's `ConnectionManager` in what its connections remember: the alias that their
/// errors name, when they were last known to work, and whether they failed.
pub struct Manager<C> {
    alias: Alias,
    url: DatabaseUrl,
    settings: PoolSettings,
    access: Access,
    isolation: Isolation,
    failures: Failures,
    vitals: Arc<Vitals>,
    // `fn() -> C`: a manager makes connections and holds none, so it is `Sync` whatever they are.
    connection: PhantomData<fn() -> C>,
}

impl<C> Clone for Manager<C> {
    fn clone(&self) -> Self {
        Self {
            alias: self.alias.clone(),
            url: self.url.clone(),
            settings: self.settings.clone(),
            access: self.access,
            isolation: self.isolation,
            failures: self.failures.clone(),
            vitals: Arc::clone(&self.vitals),
            connection: PhantomData,
        }
    }
}

impl<C> Manager<C> {
    pub(crate) fn new(node: &NodeSettings, vitals: Arc<Vitals>) -> Self {
        Self {
            alias: node.alias.clone(),
            url: node.url.clone(),
            settings: node.pool.clone(),
            access: node.access,
            isolation: node.isolation,
            failures: Failures::default(),
            vitals,
            connection: PhantomData,
        }
    }

    /// The database whose connections these are.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        &self.alias
    }

    /// Which product the database's server is, and in which version, by what it said when the last connection to it was
    /// opened. `None` until one has been.
    #[must_use]
    pub fn server(&self) -> Option<Server> {
        self.vitals.server()
    }

    pub(super) fn isolation(&self) -> Isolation {
        self.isolation
    }

    pub(super) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Changes whenever the node is taken out of use, and its connections are closed.
    pub(super) fn generation(&self) -> u64 {
        self.vitals.generation()
    }
}

impl<C> fmt::Debug for Manager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("alias", &self.alias).field("url", &self.url).finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> ManageConnection for Manager<C> {
    type Connection = NodeConnection<C>;
    type Error = ManagerError;

    fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let start = Instant::now();
        let connected = self.open();
        self.failures.note(connected.as_ref().err().map(|error| {
            tracing::warn!(alias = %self.alias, cause = %error, "could not connect");
            self.failure(error, start.elapsed())
        }));
        connected
    }

    fn is_valid(&self, conn: &mut Self::Connection) -> Result<(), Self::Error> {
        conn.goes_out();
        // A test transaction lives and dies with its connection, so it is never asked.
        if self.isolation == Isolation::TestTransaction || conn.is_trusted(self.settings.validate_after) {
            return Ok(());
        }
        Ok(conn.validate()?)
    }

    fn has_broken(&self, conn: &mut Self::Connection) -> bool {
        conn.came_back(self.settings.validate_after);
        match self.isolation {
            Isolation::None => std::thread::panicking() || conn.is_unusable(0),
            Isolation::TestTransaction => {
                conn.roll_back_to(1);
                conn.is_unusable(1)
            }
        }
    }
}

impl<C: RoutedConnection> Manager<C> {
    fn open(&self) -> Result<NodeConnection<C>, ManagerError> {
        let opened = C::open(&self.url, &self.settings.connect(self.access))?;
        let mut node = NodeConnection::new(opened, self.alias.clone(), self.access, Arc::clone(&self.vitals));
        if self.isolation == Isolation::TestTransaction {
            diesel::Connection::begin_test_transaction(&mut node)?;
        }
        Ok(node)
    }

    /// What an attempt to connect says that failed after `took`.
    fn failure(&self, error: &ManagerError, took: Duration) -> FailedConnect {
        let (cause, settings) = (error.to_string(), self.settings.connect(self.access));
        let attempt = FailedAttempt { url: &self.url, settings: &settings, took, cause: &cause };
        let (wrong_product, not_encrypted) = match error {
            ManagerError::ConnectionError(error) => {
                (WrongProduct::in_error(error), NotEncrypted::in_error(error))
            }
            _ => (None, None),
        };
        let reason = match wrong_product {
            Some(wrong) => WhyNoConnection::WrongProduct(wrong),
            None if not_encrypted.is_some() => WhyNoConnection::NotEncrypted,
            None if is_out_of_reach(&attempt) => WhyNoConnection::OutOfReach,
            None => WhyNoConnection::Refused,
        };
        FailedConnect { at: Instant::now(), cause, reason }
    }
}

/// An attempt to connect that failed.
#[derive(Debug, Clone)]
pub(super) struct FailedConnect {
    at: Instant,
    /// What the driver said.
    cause: String,
    reason: WhyNoConnection,
}

/// Why an attempt to connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhyNoConnection {
    /// Nobody answered.
    OutOfReach,
    /// Somebody listens there. Those that are connected may be served.
    Refused,
    /// The server is not what the configuration asks for.
    WrongProduct(WrongProduct),
    /// The connection is not encrypted as its URL asks.
    NotEncrypted,
}

impl FailedConnect {
    /// Whether a server listens that refused this attempt alone, so that open connections may still work.
    pub(super) fn is_refusal(&self) -> bool {
        self.reason == WhyNoConnection::Refused
    }

    /// The error of a check-out.
    pub(super) fn into_error(self, alias: Alias) -> PoolError {
        match self.reason {
            WhyNoConnection::WrongProduct(WrongProduct { wanted, found }) => {
                PoolError::WrongProduct { alias, wanted, found }
            }
            WhyNoConnection::NotEncrypted => PoolError::NotEncrypted { alias, cause: self.cause },
            WhyNoConnection::OutOfReach | WhyNoConnection::Refused => {
                PoolError::Unreachable { alias, cause: self.cause }
            }
        }
    }
}

/// The last attempt to connect, where it failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures(Arc<Mutex<Option<FailedConnect>>>);

impl Failures {
    /// The last failure, if it came at or after `start` and nothing has connected since.
    pub(super) fn since(&self, start: Instant) -> Option<FailedConnect> {
        self.last().filter(|failure| failure.at >= start)
    }

    /// The last failure, if nothing has connected since.
    pub(super) fn last(&self) -> Option<FailedConnect> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: Option<FailedConnect>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}
