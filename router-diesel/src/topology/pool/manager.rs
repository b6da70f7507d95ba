//! What r2d2 asks when it opens, tests and takes back a connection.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::r2d2::{Error as ManagerError, ManageConnection};
use router_core::Alias;

use super::{Isolation, NodeConnection, PoolError, Vitals};
use crate::config::PoolSettings;
use crate::engine::reach::{FailedAttempt, is_out_of_reach};
use crate::engine::{
    Access, ConnectFault, NotEncrypted, OpenError, Opener, RoutedConnection, Server, WrongProduct,
};
use crate::topology::node::NodeSettings;

/// Opens, tests and takes back the connections of one database.
///
/// It differs from Diesel's `ConnectionManager` in what its connections remember: the alias that their
/// errors name, when they were last known to work, and whether they failed.
pub struct Manager<C> {
    alias: Alias,
    opener: Opener,
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
            opener: self.opener.clone(),
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
            opener: node.opener.clone(),
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

    /// What of the program's own code has been running for longest to open a connection, and for how long.
    pub(super) fn running_hook(&self) -> Option<(String, Duration)> {
        self.opener.calls().longest()
    }

    /// Changes whenever the node is taken out of use, and its connections are closed.
    pub(super) fn generation(&self) -> u64 {
        self.vitals.generation()
    }
}

impl<C> fmt::Debug for Manager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("alias", &self.alias)
            .field("url", self.opener.url())
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> ManageConnection for Manager<C> {
    type Connection = NodeConnection<C>;
    type Error = ManagerError;

    fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let connected = self.open()?;
        self.failures.note(None);
        Ok(connected)
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
        let opened = self.opener.open(&self.settings.connect(self.access)).map_err(|error| {
            self.note(self.failure(&error));
            error.error
        })?;
        let mut node = NodeConnection::new(opened, self.alias.clone(), self.access, Arc::clone(&self.vitals));
        if self.isolation == Isolation::TestTransaction {
            diesel::Connection::begin_test_transaction(&mut node).inspect_err(|error| {
                let (at, cause) = (Instant::now(), error.to_string());
                self.note(FailedConnect { at, cause, reason: WhyNoConnection::Refused });
            })?;
        }
        Ok(node)
    }

    fn note(&self, failure: FailedConnect) {
        tracing::warn!(alias = %self.alias, cause = %failure.cause, "could not connect");
        self.failures.note(Some(failure));
    }

    /// What an attempt to connect says that failed.
    fn failure(&self, OpenError { error, took, fault }: &OpenError) -> FailedConnect {
        let (cause, settings) = (error.to_string(), self.settings.connect(self.access));
        let url = self.opener.url();
        let attempt = FailedAttempt { url, settings: &settings, took: *took, cause: &cause };
        let reason = match (fault, WrongProduct::in_error(error), NotEncrypted::in_error(error)) {
            (Some(fault), ..) => WhyNoConnection::Fault(*fault),
            (None, Some(wrong), _) => WhyNoConnection::WrongProduct(wrong),
            (None, None, Some(_)) => WhyNoConnection::NotEncrypted,
            (None, None, None) if is_out_of_reach(&attempt) => WhyNoConnection::OutOfReach,
            (None, None, None) => WhyNoConnection::Refused,
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
    /// Another attempt would fail too. Those that are connected may be served.
    Fault(ConnectFault),
    /// The server is not what the configuration asks for.
    WrongProduct(WrongProduct),
    /// The connection is not encrypted as its URL asks.
    NotEncrypted,
}

impl FailedConnect {
    /// Whether a server listens that refused this attempt alone, so that open connections may still work.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.reason, WhyNoConnection::Refused | WhyNoConnection::Fault(_))
    }

    /// The error of a check-out.
    pub(super) fn into_error(self, alias: Alias) -> PoolError {
        match self.reason {
            WhyNoConnection::WrongProduct(WrongProduct { wanted, found }) => {
                PoolError::WrongProduct { alias, wanted, found }
            }
            WhyNoConnection::NotEncrypted => PoolError::NotEncrypted { alias, cause: self.cause },
            WhyNoConnection::Fault(ConnectFault::Setup) => PoolError::Setup { alias, cause: self.cause },
            WhyNoConnection::Fault(ConnectFault::Authentication) => {
                PoolError::Authentication { alias, cause: self.cause }
            }
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
