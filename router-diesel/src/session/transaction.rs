//! Transactions that only read.

use diesel::QueryResult;
use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::result::Error as DieselError;

use super::manager::{OpenTransaction, RollBackOnPanic};
use super::settings::local::WaitingFor;
use super::{ReadSession, Session, SessionTransactionManager};
use crate::engine::transaction::Snapshot;
use crate::engine::{RoutedConnection, is_lost};
use crate::error::{Error, ErrorKind};
use crate::statement::effects::When;
use crate::topology::DatabaseId;
use crate::topology::pool::{NodeConnection, NodeTransactionManager};

impl<C: RoutedConnection> Session<C> {
    /// Runs a closure in a transaction that sees one snapshot of one database and cannot write.
    ///
    /// PostgreSQL and MariaDB are told that it reads only, at the isolation level `REPEATABLE READ`; SQLite's
    /// transactions are snapshots anyway. A write does not compile, and one hidden in a `SELECT` is refused.
    ///
    /// # Errors
    /// The closure's own, or that the transaction could not begin or end.
    pub fn read_only_transaction<T, E>(
        &mut self,
        f: impl FnOnce(&mut ReadSession<'_, C>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        // Inside of another transaction it is a savepoint, and that one may still write.
        let read_only = self.depth() == 0;
        let outer = std::mem::replace(&mut self.read_only, read_only);
        let mut session = ResetReadOnly { session: self, outer };
        SessionTransactionManager::begin_transaction(session.get())?;
        let mut guard = RollBackOnPanic::new(session.get());
        let result = f(&mut guard.conn().read());
        guard.disarm();
        drop(guard);
        // Nothing was written, so to roll back is the cheaper and always possible end.
        let ended = SessionTransactionManager::rollback_transaction(session.get());
        let value = result?;
        ended?;
        Ok(value)
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Opens the transaction that was waiting for its first statement, with its savepoints, on a node of a
    /// database.
    ///
    /// Nothing has run in it yet, so where its connection turns out to be lost it begins on a new one.
    pub(super) fn begin_on(&mut self, database: DatabaseId, node: DatabaseId) -> Result<(), Error> {
        match self.try_to_begin_on(database, node) {
            Err(error) if error.as_diesel().is_some_and(is_lost) && !self.is_stateful(node) => {
                self.try_to_begin_on(database, node).map_err(|again| match again.kind() {
                    ErrorKind::Diesel => again,
                    _ => error,
                })
            }
            begun => begun,
        }
    }

    fn try_to_begin_on(&mut self, database: DatabaseId, node: DatabaseId) -> Result<(), Error> {
        let depth = self.depth();
        let read_only = self.read_only;
        self.admit_waiting(database, node)?;
        self.node(node)?;
        let waiting = self.waiting_on(node)?;
        let position = self.position(node).expect("the connection was just checked out");
        let conn = &mut self.held[position].checkout;
        let outer_depth = conn.depth();
        for level in 0..depth {
            let begun = begin_level(conn, level, read_only && outer_depth == 0, &waiting);
            if let Err(error) = begun {
                roll_back(conn, error.begun);
                return Err(error.cause);
            }
        }
        self.open = Some(OpenTransaction { database, node, outer_depth });
        Ok(())
    }
}

/// Why a level of a transaction could not begin, and how many levels had begun by then.
struct NotBegun {
    begun: u32,
    cause: Error,
}

/// Begins one level, the outermost read-only where that is wanted, and makes the settings that wait for it.
fn begin_level<C: RoutedConnection>(
    conn: &mut NodeConnection<C>,
    level: u32,
    reads_only: bool,
    waiting: &WaitingFor,
) -> Result<(), NotBegun> {
    let begun = begin(conn, level, reads_only, waiting).inspect_err(|_| {
        // What was sent before BEGIN would hold for the next transaction on this connection.
        if level == 0 && waiting.any(When::Before) {
            conn.discard();
        }
    });
    begun.map_err(|cause| NotBegun { begun: level, cause })?;
    waiting.send(When::After, level + 1, conn).map_err(|cause| NotBegun { begun: level + 1, cause })
}

/// Sends what comes before BEGIN, and BEGIN or SAVEPOINT.
fn begin<C: RoutedConnection>(
    conn: &mut NodeConnection<C>,
    level: u32,
    reads_only: bool,
    waiting: &WaitingFor,
) -> Result<(), Error> {
    if level == 0 {
        waiting.send(When::Before, 1, conn)?;
    }
    if level == 0 && reads_only {
        begin_read_only(conn)?;
    } else {
        NodeTransactionManager::begin_transaction(conn)?;
    }
    Ok(())
}

/// Rolls back so many levels. A connection where that fails is closed, to the same effect.
fn roll_back<C: RoutedConnection>(conn: &mut NodeConnection<C>, levels: u32) {
    for _ in 0..levels {
        if NodeTransactionManager::rollback_transaction(conn).is_err() {
            conn.discard();
        }
    }
}

/// Gives a session its mode back, after a panic too.
struct ResetReadOnly<'s, C: RoutedConnection> {
    session: &'s mut Session<C>,
    outer: bool,
}

impl<C: RoutedConnection> ResetReadOnly<'_, C> {
    fn get(&mut self) -> &mut Session<C> {
        self.session
    }
}

impl<C: RoutedConnection> Drop for ResetReadOnly<'_, C> {
    fn drop(&mut self) {
        self.session.read_only = self.outer;
    }
}

/// BEGIN, and what makes it one read-only snapshot on this engine.
fn begin_read_only<C: RoutedConnection>(node: &mut NodeConnection<C>) -> QueryResult<()> {
    match node.engine().spec().read_only_snapshot() {
        Snapshot::Always => NodeTransactionManager::begin_transaction(node),
        Snapshot::After(statement) => {
            NodeTransactionManager::begin_transaction(node)?;
            node.batch_execute(statement).inspect_err(|_| node.discard())
        }
        Snapshot::Before(statement) => {
            node.batch_execute(statement)?;
            NodeTransactionManager::begin_transaction(node).inspect_err(|_| node.discard())
        }
    }?;
    node.begun_to_read();
    Ok(())
}
