//! The transactions of a session: BEGIN waits for the first statement, savepoints are Diesel's.

use std::borrow::BorrowMut;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use diesel::QueryResult;
use diesel::connection::{TransactionDepthChange, TransactionManager, TransactionManagerStatus};
use diesel::result::Error as DieselError;

use super::settings::local::End;
use super::{Isolation, Session};
use crate::engine::RoutedConnection;
use crate::topology::DatabaseId;
use crate::topology::pool::{NodeConnection, NodeTransactionManager};

/// The database on which a transaction is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenTransaction {
    /// The database that the routers chose.
    pub(super) database: DatabaseId,
    /// Where it is open: that database, or a replica of it if the transaction only reads.
    pub(super) node: DatabaseId,
    /// How deep the connection already was: 1 inside of a test transaction.
    pub(super) outer_depth: u32,
}

/// Runs a closure in a transaction of a session, or of what stands for one.
pub(super) fn run_transaction<S, C, T, E>(
    conn: &mut S,
    f: impl FnOnce(&mut S) -> Result<T, E>,
) -> Result<T, E>
where
    S: BorrowMut<Session<C>>,
    C: RoutedConnection,
    E: From<DieselError>,
{
    let session = (*conn).borrow_mut();
    SessionTransactionManager::begin_transaction(session)?;
    let mut guard = RollBackOnPanic::new(conn);
    let result = f(guard.conn);
    guard.disarm();
    let session = (*guard.conn).borrow_mut();
    match result {
        Ok(value) => {
            SessionTransactionManager::commit_transaction(session)?;
            Ok(value)
        }
        Err(error) => match SessionTransactionManager::rollback_transaction(session) {
            // The closure's own error says more than that its transaction is broken.
            Ok(()) | Err(DieselError::BrokenTransactionManager) => Err(error),
            Err(rollback_error) => Err(rollback_error.into()),
        },
    }
}

/// Rolls a session back to where it was when a closure panics.
pub(super) struct RollBackOnPanic<'s, S: BorrowMut<Session<C>>, C: RoutedConnection> {
    conn: &'s mut S,
    depth: u32,
    armed: bool,
    connection: PhantomData<fn() -> C>,
}

impl<'s, S: BorrowMut<Session<C>>, C: RoutedConnection> RollBackOnPanic<'s, S, C> {
    /// Called just after the transaction began.
    pub(super) fn new(conn: &'s mut S) -> Self {
        let depth = (*conn).borrow().depth();
        Self { conn, depth, armed: true, connection: PhantomData }
    }

    pub(super) fn conn(&mut self) -> &mut S {
        self.conn
    }

    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl<S: BorrowMut<Session<C>>, C: RoutedConnection> Drop for RollBackOnPanic<'_, S, C> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let session = (*self.conn).borrow_mut();
        session.silence();
        while self.armed && session.depth() >= self.depth {
            if SessionTransactionManager::rollback_transaction(session).is_err() {
                session.break_transaction();
            }
        }
    }
}

/// Transactions that follow the route: BEGIN waits for the first statement, savepoints are Diesel's.
#[derive(Debug)]
pub struct SessionTransactionManager;

impl<C: RoutedConnection> Session<C> {
    /// How many transactions are open, one inside of the other. A test transaction, which Diesel counts, is none of them.
    pub(super) fn depth(&self) -> u32 {
        let test = u32::from(self.isolation == Isolation::TestTransactions);
        match &self.status {
            TransactionManagerStatus::Valid(status) => {
                status.transaction_depth().map_or(0, NonZeroU32::get).saturating_sub(test)
            }
            TransactionManagerStatus::InError => 0,
        }
    }

    /// Counts the session's test transaction as Diesel does.
    pub(super) fn count_test_transaction(&mut self) -> QueryResult<()> {
        self.change_depth(TransactionDepthChange::IncreaseDepth)
    }

    fn change_depth(&mut self, change: TransactionDepthChange) -> QueryResult<()> {
        match &mut self.status {
            TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
            TransactionManagerStatus::InError => Err(DieselError::BrokenTransactionManager),
        }
    }

    pub(super) fn is_transaction_pending(&self) -> bool {
        self.open.is_none() && self.depth() > 0
    }

    /// The connection of the open transaction.
    fn open_node(&mut self) -> Option<&mut NodeConnection<C>> {
        let node = self.open?.node;
        self.held.iter_mut().find(|held| held.database == node).map(|held| &mut *held.checkout)
    }

    /// Ends one level, on the connection too where there is one.
    fn leave(&mut self, end: impl FnOnce(&mut NodeConnection<C>) -> QueryResult<()>) -> QueryResult<()> {
        self.status.transaction_depth()?;
        if self.depth() == 0 {
            return Err(DieselError::NotInTransaction);
        }
        let Some(open) = self.open else {
            return self.change_depth(TransactionDepthChange::DecreaseDepth);
        };
        let Some(node) = self.open_node() else {
            return self.change_depth(TransactionDepthChange::DecreaseDepth);
        };
        // A transaction whose connection is gone is gone with it, whatever its closures think.
        let result = if node.is_lost() { Err(DieselError::BrokenTransactionManager) } else { end(node) };
        if node.is_lost() {
            self.change_depth(TransactionDepthChange::DecreaseDepth)?;
            if self.depth() == 0 {
                self.open = None;
            }
            return result;
        }
        // Diesel's own count is the truth: a failed COMMIT may have rolled back, or left things open.
        let remaining = node.valid_depth().map(|depth| depth.saturating_sub(open.outer_depth));
        match remaining {
            Some(remaining) => {
                while self.depth() > remaining {
                    self.change_depth(TransactionDepthChange::DecreaseDepth)?;
                }
            }
            None => {
                node.discard();
                self.change_depth(TransactionDepthChange::DecreaseDepth)?;
            }
        }
        if self.depth() == 0 {
            self.open = None;
            self.note_commit(open.node);
        }
        result
    }

    /// Takes in that a level of the transaction has ended.
    fn settle(&mut self, end: End) {
        self.settle_settings(end);
        self.settle_callbacks(end);
    }

    /// Marks a transaction that cannot be rolled back: its connection is closed, which has that effect, and
    /// whatever is still to run in the transactions around it fails.
    fn break_transaction(&mut self) {
        if let Some(node) = self.open_node() {
            node.discard();
        }
    }
}

impl<C: RoutedConnection> TransactionManager<Session<C>> for SessionTransactionManager {
    type TransactionStateData = Session<C>;

    fn begin_transaction(session: &mut Session<C>) -> QueryResult<()> {
        session.status.transaction_depth()?;
        if let Some(node) = session.open_node() {
            NodeTransactionManager::begin_transaction(node)?;
        }
        session.change_depth(TransactionDepthChange::IncreaseDepth)
    }

    fn rollback_transaction(session: &mut Session<C>) -> QueryResult<()> {
        let result = session.leave(NodeTransactionManager::rollback_transaction);
        session.settle(End::RollBack);
        result
    }

    fn commit_transaction(session: &mut Session<C>) -> QueryResult<()> {
        let result = session.leave(NodeTransactionManager::commit_transaction);
        session.settle(if result.is_ok() { End::Commit } else { End::RollBack });
        result
    }

    fn transaction_manager_status_mut(session: &mut Session<C>) -> &mut TransactionManagerStatus {
        &mut session.status
    }
}
