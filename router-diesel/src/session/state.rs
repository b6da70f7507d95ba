//! What statements left behind on a session's connections.

use std::sync::atomic::Ordering;

use super::Session;
use super::settings::carried::Applied;
use crate::decision::RouteError;
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::topology::pool::Checkout;
use crate::topology::{DatabaseId, Prepared};

/// A database on whose connection a statement has left something behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stateful {
    pub(super) database: DatabaseId,
    /// Whether that connection is gone, so that statements after it would not find what they count on.
    is_lost: bool,
}

impl<C: RoutedConnection> Session<C> {
    /// Whether a statement has left something behind on the connection to a database.
    #[inline]
    pub(super) fn is_stateful(&self, database: DatabaseId) -> bool {
        self.stateful.iter().any(|state| state.database == database)
    }

    /// Notes that something may be left behind on the connection to a node, by a statement where one is known.
    #[cold]
    pub(super) fn note_state(&mut self, node: DatabaseId, prepared: Option<&Prepared>) {
        if !self.is_stateful(node) {
            self.stateful.push(Stateful { database: node, is_lost: false });
        }
        if let Some(prepared) = prepared
            && !prepared.has_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                alias = %self.topology.routing().alias(node),
                statement = prepared.statement.why(),
                "a statement leaves something behind on its connection, so the connection is closed when the session \
                 gives it back; `session.set` makes a setting that needs no new connection"
            );
        }
    }

    /// Drops a connection that is lost, with what was left behind on it.
    pub(super) fn lose(&mut self, position: usize) {
        let database = self.held.swap_remove(position).database;
        self.marks.left(database);
        self.lose_state(database);
    }

    /// Notes that what was left behind on the connection to a database is gone.
    pub(super) fn lose_state(&mut self, database: DatabaseId) {
        for state in self.stateful.iter_mut().filter(|state| state.database == database) {
            state.is_lost = true;
        }
    }

    /// Whether a new connection to a database will do, as nothing was left behind on one that is lost.
    pub(super) fn has_its_state(&self, database: DatabaseId) -> Result<(), Error> {
        if self.stateful.iter().any(|state| state.database == database && state.is_lost) {
            let alias = self.topology.routing().alias(database).clone();
            return Err(RouteError::StateLost { alias }.into());
        }
        Ok(())
    }

    /// Whether a connection may be closed because of what is on it. A database in memory ends with its connection, and so
    /// does a test transaction that sessions share.
    pub(super) fn may_close(&self, database: DatabaseId) -> bool {
        self.databases.base_depth() == 0 && !self.topology.routing().declared(database).url.is_in_memory()
    }

    /// Sees to it that the next user of a connection finds nothing of this session on it.
    pub(super) fn leave_nothing(&self, database: DatabaseId, checkout: &mut Checkout<C>, applied: &Applied) {
        if self.is_stateful(database) && self.may_close(database) {
            checkout.retire_for_state();
        } else {
            applied.restore(checkout);
        }
    }

    /// Has the session's connections report nothing from now on: where they are rolled back as the session is dropped or
    /// the stack unwinds, the program's own code must not run.
    pub(super) fn silence(&mut self) {
        if std::thread::panicking() || self.is_in_test_transaction() {
            self.held.iter_mut().for_each(|held| held.checkout.silence());
        }
    }
}
