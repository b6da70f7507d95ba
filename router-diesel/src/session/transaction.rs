//! Transactions that only read.

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::result::Error as DieselError;

use super::build::WithOptions;
use super::manager::{OpenTransaction, RollBackOnPanic};
use super::settings::local::WaitingFor;
use super::{ReadSession, Session, SessionTransactionManager};
use crate::decision::SettingError;
use crate::engine::transaction::{Access, Begin, TransactionOptions};
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
        let options = if self.depth() == 0 { TransactionOptions::READ_ONLY_SNAPSHOT } else { self.begins };
        let with = WithOptions::new(self, options);
        SessionTransactionManager::begin_transaction(with.session)?;
        let mut guard = RollBackOnPanic::new(&mut *with.session);
        let result = f(&mut guard.conn().read());
        guard.disarm();
        drop(guard);
        // Nothing was written, so to roll back is the cheaper and always possible end.
        let ended = SessionTransactionManager::rollback_transaction(with.session);
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
        let options = self.begins;
        self.admit_waiting(database, node)?;
        self.node(node)?;
        let position = self.position(node).expect("the connection was just checked out");
        let outer_depth = self.held[position].checkout.depth();
        let waiting = self.waiting_on(node, outer_depth > 0)?;
        let conn = &mut self.held[position].checkout;
        // In a test transaction it is a savepoint.
        let options = if outer_depth == 0 { options } else { TransactionOptions::default() };
        for level in 0..depth {
            let begun = begin_level(conn, level, options, &waiting);
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

/// Begins one level, the outermost with its options, and makes the settings that wait for it.
fn begin_level<C: RoutedConnection>(
    conn: &mut NodeConnection<C>,
    level: u32,
    options: TransactionOptions,
    waiting: &WaitingFor,
) -> Result<(), NotBegun> {
    let begun = if level == 0 {
        begin(conn, options, waiting)
    } else {
        NodeTransactionManager::begin_transaction(conn).map_err(Error::from)
    };
    begun.map_err(|cause| NotBegun { begun: level, cause })?;
    waiting.send(When::After, level + 1, conn).map_err(|cause| NotBegun { begun: level + 1, cause })
}

/// Sends what comes before BEGIN, and BEGIN.
fn begin<C: RoutedConnection>(
    conn: &mut NodeConnection<C>,
    options: TransactionOptions,
    waiting: &WaitingFor,
) -> Result<(), Error> {
    let engine = conn.engine();
    let begin = engine.spec().begin(options).map_err(|what| SettingError::NoSuchOption { engine, what })?;
    let is_announced = begin.before.is_some() || waiting.any(When::Before);
    let begun = begin_as(conn, &begin, waiting).inspect_err(|_| {
        // What was sent before BEGIN would hold for the next transaction on this connection.
        if is_announced {
            conn.discard();
        }
    });
    if begun.is_ok() && options.access == Some(Access::ReadOnly) {
        conn.begun_to_read();
    }
    begun
}

fn begin_as<C: RoutedConnection>(
    conn: &mut NodeConnection<C>,
    begin: &Begin,
    waiting: &WaitingFor,
) -> Result<(), Error> {
    if let Some(before) = &begin.before {
        conn.batch_execute(before)?;
    }
    waiting.send(When::Before, 1, conn)?;
    match &begin.begin {
        Some(sql) => conn.watch(|conn| conn.begin(sql))?,
        None => NodeTransactionManager::begin_transaction(conn)?,
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
