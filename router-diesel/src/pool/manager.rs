//! What r2d2 asks when it opens, tests and takes back a connection.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use diesel::connection::CacheSize;
use diesel::r2d2::{Error as ManagerError, HandleError, ManageConnection};
use router_core::Alias;

use super::node::Losses;
use super::{Isolation, NodeConnection};
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
    losses: Losses,
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
            losses: self.losses.clone(),
            connection: PhantomData,
        }
    }
}

impl<C> Manager<C> {
    pub(crate) fn new(database: &Database, access: Access, isolation: Isolation) -> Self {
        Self {
            alias: database.alias.clone(),
            url: database.url.clone(),
            settings: database.pool.clone(),
            access,
            isolation,
            failures: Failures { alias: database.alias.as_str().into(), last: Arc::default() },
            losses: Losses::default(),
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
        let mut conn = C::open(&self.url, &self.settings, self.access)?;
        if !self.settings.prepared_statements {
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        let mut node = NodeConnection::new(conn, self.alias.clone(), self.losses.clone());
        if self.isolation == Isolation::TestTransaction {
            diesel::Connection::begin_test_transaction(&mut node)?;
        }
        Ok(node)
    }

    fn is_valid(&self, conn: &mut Self::Connection) -> Result<(), Self::Error> {
        // A test transaction lives and dies with its connection, so it is never asked.
        if self.isolation == Isolation::TestTransaction || conn.is_trusted(self.settings.validate_after) {
            return Ok(());
        }
        Ok(conn.validate()?)
    }

    fn has_broken(&self, conn: &mut Self::Connection) -> bool {
        conn.came_back(self.settings.validate_after);
        let keep_open = self.isolation == Isolation::TestTransaction;
        std::thread::panicking() && !keep_open || conn.is_unusable(keep_open)
    }
}

/// What the last failed attempt to connect said, and when.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    alias: Arc<str>,
    last: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Failures {
    /// The last failure, if it came at or after `start`.
    pub(super) fn since(&self, start: Instant) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| *at >= start).map(|(_, cause)| cause.clone())
    }
}

impl HandleError<ManagerError> for Failures {
    fn handle_error(&self, error: ManagerError) {
        let cause = error.to_string();
        tracing::warn!(alias = %self.alias, %cause, "could not connect");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), cause));
    }
}
