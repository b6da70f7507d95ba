//! What r2d2 asks when it opens, tests and takes back a connection.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use diesel::connection::CacheSize;
use diesel::r2d2::{Error as ManagerError, ManageConnection};
use router_core::Alias;

use super::{Isolation, NodeConnection, Vitals};
use crate::backend::{Access, RoutedConnection};
use crate::config::{Database, DatabaseUrl, PoolSettings};

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
    pub(crate) fn new(
        database: &Database,
        access: Access,
        isolation: Isolation,
        vitals: Arc<Vitals>,
    ) -> Self {
        Self {
            alias: database.alias.clone(),
            url: database.url.clone(),
            settings: database.pool.clone(),
            access,
            isolation,
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

    pub(super) fn isolation(&self) -> Isolation {
        self.isolation
    }

    pub(super) fn failures(&self) -> Failures {
        self.failures.clone()
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
        let connected = self.open();
        if let Err(error) = &connected {
            tracing::warn!(alias = %self.alias, cause = %error, "could not connect");
        }
        self.failures.note(connected.as_ref().err());
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
        let mut conn = C::open(&self.url, &self.settings, self.access)?;
        if !self.settings.prepared_statements {
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        let mut node = NodeConnection::new(conn, self.alias.clone(), self.access, Arc::clone(&self.vitals));
        if self.isolation == Isolation::TestTransaction {
            diesel::Connection::begin_test_transaction(&mut node)?;
        }
        Ok(node)
    }
}

/// What the last attempt to connect said and when, where it failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures(Arc<Mutex<Option<(Instant, String)>>>);

impl Failures {
    /// The last failure, if it came at or after `start` and nothing has connected since.
    pub(super) fn since(&self, start: Instant) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| *at >= start).map(|(_, cause)| cause.clone())
    }

    /// The last failure, if nothing has connected since.
    pub(super) fn last(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, cause)| cause.clone())
    }

    fn note(&self, error: Option<&ManagerError>) {
        let failure = error.map(|error| (Instant::now(), error.to_string()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}
