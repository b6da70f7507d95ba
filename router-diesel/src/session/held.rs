//! The connections that a session holds.

use super::settings::carried::Applied;
use super::{Isolation, Session};
use crate::databases::checkout::check_out;
use crate::engine::{RoutedConnection, is_lost};
use crate::error::{Error, ErrorKind};
use crate::topology::DatabaseId;
use crate::topology::pool::{Checkout, NodeConnection, NodeTransactionManager, Patience};
use diesel::QueryResult;
use diesel::connection::{CacheSize, Connection, TransactionManager};

/// A connection that a session holds.
pub(super) struct Held<C: RoutedConnection> {
    pub(super) database: DatabaseId,
    pub(super) checkout: Checkout<C>,
    /// What the session has set on it.
    pub(super) applied: Applied,
    /// Whether the session has begun to insert on it.
    pub(super) has_inserted: bool,
}

impl<C: RoutedConnection> Session<C> {
    /// Gives back every connection but that of an open transaction. The next statement checks out anew.
    pub fn release(&mut self) {
        let open = self.open.map(|open| open.node);
        for position in (0..self.held.len()).rev() {
            if Some(self.held[position].database) != open {
                self.give_back(position);
            }
        }
        self.stateful.retain(|state| Some(state.database) == open);
    }

    /// Where a connection to a database is among those that the session holds.
    #[inline]
    pub(super) fn position(&self, database: DatabaseId) -> Option<usize> {
        self.held.iter().position(|held| held.database == database)
    }

    /// Whether the session holds a connection to a database that is not known to be lost.
    #[inline]
    pub(super) fn holds(&self, database: DatabaseId) -> bool {
        self.held.iter().any(|held| held.database == database && !held.checkout.is_lost())
    }

    /// Gives back one connection, as it was when the session got it.
    pub(super) fn give_back(&mut self, position: usize) {
        let Held { database, mut checkout, applied, .. } = self.held.swap_remove(position);
        self.marks.left(database);
        let base = self.databases.base_depth();
        if base > 0 || self.isolation == Isolation::TestTransactions {
            checkout.roll_back_to(base);
        }
        self.leave_nothing(database, &mut checkout, &applied);
        if !checkout.is_silenced() {
            self.instrumentation.leave(&mut checkout);
        }
        if self.statement_cache.is_some() {
            let pool = &self.topology.routing().declared(database).pool;
            let size = if pool.prepared_statements { CacheSize::Unbounded } else { CacheSize::Disabled };
            checkout.set_prepared_statement_cache_size(size);
        }
    }

    /// The session's connection to a database: the one that it holds, or a new check-out.
    #[inline]
    pub(super) fn node(&mut self, database: DatabaseId) -> Result<&mut NodeConnection<C>, Error> {
        self.node_with(database, Patience::Wait)
    }

    pub(super) fn node_with(
        &mut self,
        database: DatabaseId,
        patience: Patience,
    ) -> Result<&mut NodeConnection<C>, Error> {
        let position = self.node_at_with(database, patience)?;
        Ok(&mut self.held[position].checkout)
    }

    /// Where the session's connection to a database is among those that it holds: a new check-out if there was none.
    #[inline]
    pub(super) fn node_at(&mut self, database: DatabaseId) -> Result<usize, Error> {
        self.node_at_with(database, Patience::Wait)
    }

    fn node_at_with(&mut self, database: DatabaseId, patience: Patience) -> Result<usize, Error> {
        let position = self.hold(database, patience)?;
        if self.settings.is_some() { self.with_settings(database, position, patience) } else { Ok(position) }
    }

    /// As [`node_at`](Self::node_at), without the session's settings on it.
    pub(super) fn hold(&mut self, database: DatabaseId, patience: Patience) -> Result<usize, Error> {
        let in_transaction = self.open.is_some_and(|open| open.node == database);
        let position = match self.position(database) {
            Some(position) if in_transaction || !self.held[position].checkout.is_lost() => position,
            lost => {
                if let Some(position) = lost {
                    self.lose(position);
                }
                self.has_its_state(database)?;
                self.check_out_anew(database, patience)?
            }
        };
        if self.held[position].checkout.is_silenced() {
            self.instrumentation.join_again(&mut self.held[position].checkout);
        }
        Ok(position)
    }

    fn check_out_anew(&mut self, database: DatabaseId, patience: Patience) -> Result<usize, Error> {
        let checkout = self.check_out(database, patience)?;
        self.held.push(Held { database, checkout, applied: Applied::default(), has_inserted: false });
        Ok(self.held.len() - 1)
    }

    /// Makes the session's settings on a held connection. One that turns out to be lost is replaced once.
    fn with_settings(
        &mut self,
        database: DatabaseId,
        position: usize,
        patience: Patience,
    ) -> Result<usize, Error> {
        match self.apply_settings(position) {
            Ok(()) => Ok(position),
            Err(error) if error.as_diesel().is_some_and(is_lost) && self.position(database).is_none() => {
                self.has_its_state(database)?;
                let position = self.check_out_anew(database, patience)?;
                self.apply_settings(position)?;
                Ok(position)
            }
            Err(error) => Err(error),
        }
    }

    #[cold]
    fn check_out(&mut self, database: DatabaseId, patience: Patience) -> Result<Checkout<C>, Error> {
        let mut checkout = match check_out(&self.topology, database, Patience::Pass) {
            Err(error) if error.kind() == ErrorKind::Exhausted && patience == Patience::Wait => {
                self.make_room();
                check_out(&self.topology, database, patience)?
            }
            checkout => checkout?,
        };
        if self.isolation == Isolation::TestTransactions {
            begin_test_transaction(&mut checkout, self.databases.base_depth())?;
        }
        self.instrumentation.join(&mut checkout);
        if let Some(size) = self.statement_cache {
            checkout.set_prepared_statement_cache_size(size);
        }
        Ok(checkout)
    }

    /// Gives back what the session holds before it waits for more: two sessions that each wait for a connection of
    /// the other's would wait in vain. What a statement has left behind on a connection stays with the session.
    fn make_room(&mut self) {
        let is_free = self.open.is_none() && !self.is_in_test_transaction() && self.stateful.is_empty();
        if is_free {
            self.release();
        }
    }
}

/// Begins a test transaction; a savepoint in that of the pool, where every database is in one anyway.
pub(super) fn begin_test_transaction<C: RoutedConnection>(
    checkout: &mut Checkout<C>,
    base: u32,
) -> QueryResult<()> {
    if base == 0 {
        checkout.begin_test_transaction()
    } else {
        NodeTransactionManager::begin_transaction(checkout)
    }
}
