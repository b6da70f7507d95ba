//! Diesel's connection traits for a session.

use std::borrow::BorrowMut;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
    TransactionDepthChange, TransactionManager, TransactionManagerStatus,
};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::{ConnectionResult, QueryResult};

use super::instrumentation::SessionInstrumentation;
use super::rendered::Rendered;
use super::{Isolation, Session, begin_test_transaction, no_url};
use crate::decision::Prepared;
use crate::engine::RoutedConnection;
use crate::topology::pool::{NodeConnection, NodeTransactionManager};

impl<C: RoutedConnection> SimpleConnection for Session<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let prepared = self.databases.prepare_text(query);
        self.connection_for(&prepared)?.batch_execute(query)
    }
}

impl<C: RoutedConnection> ConnectionSealed for Session<C> {}

impl<C: RoutedConnection> Connection for Session<C> {
    type Backend = C::Backend;
    type TransactionManager = SessionTransactionManager;

    /// Fails: a session is opened by [`Databases::session`](crate::Databases::session).
    fn establish(_: &str) -> ConnectionResult<Self> {
        no_url()
    }

    /// As Diesel's own, and rolls back when the closure panics too.
    fn transaction<T, E, F>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<DieselError>,
    {
        run_transaction(self, f)
    }

    /// From now on every database that the session touches is in a test transaction of its own, which is
    /// rolled back when the session is dropped.
    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        assert!(
            self.depth() == 0 && self.isolation == Isolation::None,
            "a test transaction begins outside of any other transaction"
        );
        let base = self.databases.base_depth();
        for (_, checkout) in &mut self.nodes {
            begin_test_transaction(checkout, base)?;
        }
        self.isolation = Isolation::TestTransactions;
        Ok(())
    }

    /// Runs the closure with every database in a test transaction, and rolls all of them back.
    fn test_transaction<T, E, F>(&mut self, f: F) -> T
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: std::fmt::Debug,
    {
        self.begin_test_transaction().expect("a test transaction can begin");
        let result = f(self);
        self.open = None;
        self.status = TransactionManagerStatus::default();
        self.release();
        self.isolation = Isolation::None;
        result.unwrap_or_else(|error| panic!("the test transaction did not succeed: {error:?}"))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        if T::query_id().is_none() && C::ONE_DIALECT {
            let sql = C::render(source)?;
            let prepared = self.databases.prepare_text(&sql);
            return self.connection_for(&prepared)?.execute_returning_count(&Rendered { sql, query: source });
        }
        let prepared = self.databases.prepare(source)?;
        self.connection_for(&prepared)?.execute_returning_count(source)
    }

    fn transaction_state(&mut self) -> &mut Self {
        self
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    /// Sets what all connections of this session report to while it holds them.
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = SessionInstrumentation::new(instrumentation);
        for (_, checkout) in &mut self.nodes {
            self.instrumentation.join(checkout);
        }
    }

    /// Sets the size for all connections of this session while it holds them.
    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.statement_cache = Some(size);
        for (_, checkout) in &mut self.nodes {
            checkout.set_prepared_statement_cache_size(size);
        }
    }
}

impl<B: 'static, C: RoutedConnection + LoadConnection<B>> LoadConnection<B> for Session<C> {
    type Cursor<'conn, 'query>
        = <NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>
    where
        Self: 'conn;
    type Row<'conn, 'query>
        = <C as LoadConnection<B>>::Row<'conn, 'query>
    where
        Self: 'conn;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<<Self as LoadConnection<B>>::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        if T::query_id().is_none() && C::ONE_DIALECT {
            let sql = C::render(&source)?;
            let prepared = self.databases.prepare_text(&sql);
            return self.load_prepared::<B, _>(&prepared, Rendered { sql, query: source });
        }
        let prepared = self.databases.prepare(&source)?;
        self.load_prepared::<B, _>(&prepared, source)
    }
}

impl<C: RoutedConnection> Session<C> {
    fn load_prepared<'conn, 'query, B, T>(
        &'conn mut self,
        prepared: &Prepared,
        source: T,
    ) -> QueryResult<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let database = self.route(prepared)?;
        if let Some(read) = self.replica_read(database, prepared) {
            return self.load_from_cluster::<B, T>(read, source);
        }
        <NodeConnection<C> as LoadConnection<B>>::load(self.connection_to(database, prepared)?, source)
    }
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
        let session = (*self.conn).borrow_mut();
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
    /// How many transactions are open, one inside of the other.
    pub(super) fn depth(&self) -> u32 {
        match &self.status {
            TransactionManagerStatus::Valid(status) => status.transaction_depth().map_or(0, NonZeroU32::get),
            TransactionManagerStatus::InError => 0,
        }
    }

    fn change_depth(&mut self, change: TransactionDepthChange) -> QueryResult<()> {
        match &mut self.status {
            TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
            TransactionManagerStatus::InError => Err(DieselError::BrokenTransactionManager),
        }
    }

    /// The connection of the open transaction.
    fn open_node(&mut self) -> Option<&mut NodeConnection<C>> {
        let node = self.open?.node;
        self.nodes.iter_mut().find(|(held, _)| *held == node).map(|(_, checkout)| &mut **checkout)
    }

    /// Ends one level, on the connection too where there is one.
    fn leave(&mut self, end: impl FnOnce(&mut NodeConnection<C>) -> QueryResult<()>) -> QueryResult<()> {
        if self.status.transaction_depth()?.is_none() {
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
        session.leave(NodeTransactionManager::rollback_transaction)
    }

    fn commit_transaction(session: &mut Session<C>) -> QueryResult<()> {
        session.leave(NodeTransactionManager::commit_transaction)
    }

    fn transaction_manager_status_mut(session: &mut Session<C>) -> &mut TransactionManagerStatus {
        &mut session.status
    }
}
