//! A connection that remembers whose it is and how it fares.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, InstrumentationEvent, LoadConnection,
    SimpleConnection, TransactionManager, TransactionManagerStatus, get_default_instrumentation,
};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::r2d2::R2D2Connection;
use diesel::result::Error as DieselError;
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use polonius_the_crab::{ForLt, PoloniusResult, polonius};
use router_core::Alias;

use super::plans::Plans;
use super::state::State;
use super::vitals::{InUse, Vitals};
use crate::engine::transaction::depth;
use crate::engine::{Access, Opened, RoutedConnection, Server, Verdict};

/// A connection of a pool: a `diesel::Connection` that forwards everything to the one it holds.
///
/// It dereferences to Diesel's own connection, so a function that wants `&mut PgConnection` takes it as it
/// is. What is done that way is out of its sight, so it is tested at its next check-out.
pub struct NodeConnection<C> {
    conn: C,
    alias: Alias,
    state: State,
}

impl<C> fmt::Debug for NodeConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConnection")
            .field("alias", &self.alias)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> NodeConnection<C> {
    pub(super) fn new(opened: Opened<C>, alias: Alias, access: Access, vitals: Arc<Vitals>) -> Self {
        let now = Instant::now();
        let Opened { conn, server } = opened;
        let plans_go_stale = server.product.engine().spec().plans_go_stale();
        vitals.note_server(&server);
        let state = State {
            server,
            access,
            reads_only: false,
            verdict: Verdict::Fine,
            last_known_good: now,
            handed_out: now,
            retired: false,
            came_back: false,
            silenced: false,
            plans: Plans::new(plans_go_stale),
            opened: now,
            losses_then: vitals.losses(),
            generation: vitals.generation(),
            vitals,
            in_use: None,
        };
        Self { conn, alias, state }
    }

    /// The database that the connection belongs to.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        &self.alias
    }

    /// Which product the server is, and in which version, as it said when the connection was opened.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.state.server
    }

    /// When the connection was opened.
    pub(crate) fn opened(&self) -> Instant {
        self.state.opened
    }

    /// Notes that a session asks for the last id that was generated on the connection.
    pub(crate) fn asks_for_its_last_id(&self) {
        self.state.vitals.note_asks_for_last_id();
    }

    /// Whether the last id that was generated on the connection may be one of an earlier user, and somebody may ask for
    /// it.
    pub(crate) fn may_have_a_foreign_id(&self) -> bool {
        self.state.came_back && self.state.vitals.asks_for_last_id()
    }

    /// Notes that the connection is handed out.
    pub(super) fn goes_out(&mut self) {
        self.state.handed_out = Instant::now();
        self.state.in_use = Some(InUse::count(self.state.vitals.in_use()));
        if self.state.silenced {
            self.speak();
        }
    }

    /// Whether the connection may be handed out without asking the server. Called as it is handed out.
    pub(super) fn is_trusted(&self, validate_after: Duration) -> bool {
        let state = &self.state;
        state.verdict == Verdict::Fine
            && !self.is_expired()
            && state.losses_then == state.vitals.losses()
            && state.handed_out.duration_since(state.last_known_good) < validate_after
    }

    /// Notes that the connection comes back, and when it was last known to work. Of one that was held for
    /// long nobody knows when it was last used, so it is tested before it is next handed out.
    pub(super) fn came_back(&mut self, validate_after: Duration) {
        let state = &mut self.state;
        state.in_use = None;
        state.came_back = true;
        let now = Instant::now();
        if now.duration_since(state.handed_out) < validate_after {
            state.last_known_good = now;
        }
    }

    fn is_expired(&self) -> bool {
        self.state.generation != self.state.vitals.generation()
    }

    /// Asks the server whether the connection works.
    pub(super) fn validate(&mut self) -> QueryResult<()> {
        if self.state.verdict == Verdict::Lost || self.is_expired() {
            return Err(DieselError::BrokenTransactionManager);
        }
        let losses = self.state.vitals.losses();
        self.watch(C::ping)?;
        self.state.verdict = Verdict::Fine;
        self.state.losses_then = losses;
        self.state.last_known_good = Instant::now();
        Ok(())
    }

    /// Whether the connection is to be closed instead of given back.
    pub(super) fn is_unusable(&mut self, depth: u32) -> bool {
        let State { verdict, retired, .. } = self.state;
        verdict == Verdict::Lost
            || retired
            || self.state.plans.are_worn_out()
            || self.is_expired()
            || self.valid_depth() != Some(depth)
            || self.conn.is_broken()
    }

    /// Rolls back what is open beyond a depth. Where that fails, the connection is closed, to the same effect.
    pub(crate) fn roll_back_to(&mut self, depth: u32) {
        while self.depth() > depth {
            if NodeTransactionManager::rollback_transaction(self).is_err() {
                return self.discard();
            }
        }
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.state.verdict == Verdict::Lost
    }

    /// How many transactions are open on it, or `None` where nobody can tell any more.
    pub(crate) fn valid_depth(&mut self) -> Option<u32> {
        depth(&mut self.conn)
    }

    /// How many transactions are open on it.
    pub(crate) fn depth(&mut self) -> u32 {
        self.valid_depth().unwrap_or(0)
    }

    /// Has the connection closed when it comes back, though it works: a transaction may be open on it that
    /// Diesel knows nothing of.
    pub(crate) fn retire(&mut self) {
        self.state.retired = true;
    }

    /// The same, because a statement left something behind on the connection.
    pub(crate) fn retire_for_state(&mut self) {
        self.state.vitals.note_state_closed();
        self.retire();
    }

    /// Has the connection report nothing until it is next handed out: the program's own code is not called while the
    /// stack unwinds.
    pub(crate) fn silence(&mut self) {
        self.conn.set_instrumentation(Silent);
        self.state.silenced = true;
    }

    pub(crate) fn is_silenced(&self) -> bool {
        self.state.silenced
    }

    /// Has a connection that was silenced report again as a new one does.
    pub(crate) fn speak(&mut self) {
        self.state.silenced = false;
        self.conn.set_instrumentation(get_default_instrumentation());
    }

    /// Gives the next read a number by which it is known again, in case that Diesel has no id for it.
    #[inline]
    pub(crate) fn next_is(&mut self, number: u64) {
        self.state.plans.next_is(number);
    }

    /// Whether the last read failed and made the connection forget its prepared statements, so that it may work now.
    pub(crate) fn has_forgotten_plans(&self) -> bool {
        self.state.plans.are_forgotten()
    }

    /// Makes sure that the connection is closed when it comes back to its pool.
    pub(crate) fn discard(&mut self) {
        self.state.verdict = Verdict::Lost;
    }

    /// Notes that the open transaction was begun to read only, so that a write refused in it says nothing of the
    /// server.
    pub(crate) fn begun_to_read(&mut self) {
        self.state.reads_only = true;
    }

    fn ended_a_transaction(&mut self) {
        if self.valid_depth().is_none_or(|depth| depth == 0) {
            self.state.reads_only = false;
        }
    }

    /// Runs a call on the held connection and takes in what its error says.
    pub(crate) fn watch<T>(&mut self, call: impl FnOnce(&mut C) -> QueryResult<T>) -> QueryResult<T> {
        let Self { conn, alias, state } = self;
        call(conn).map_err(|error| state.observe(alias, conn, error))
    }
}

/// Reports nothing.
struct Silent;

impl Instrumentation for Silent {
    fn on_connection_event(&mut self, _: InstrumentationEvent<'_>) {}
}

impl<C> Deref for NodeConnection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.conn
    }
}

impl<C> DerefMut for NodeConnection<C> {
    fn deref_mut(&mut self) -> &mut C {
        if self.state.verdict == Verdict::Fine {
            self.state.verdict = Verdict::Suspect;
        }
        &mut self.conn
    }
}

impl<C: RoutedConnection> SimpleConnection for NodeConnection<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.watch(|conn| conn.batch_execute(query))
    }
}

impl<C> ConnectionSealed for NodeConnection<C> {}

impl<C: RoutedConnection> Connection for NodeConnection<C> {
    type Backend = C::Backend;
    type TransactionManager = NodeTransactionManager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("a node's connection is checked out of its pool".into()))
    }

    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        self.watch(C::begin_test_transaction)
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.watch(|conn| conn.execute_returning_count(source))
    }

    fn transaction_state(&mut self) -> &mut Self {
        self
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.conn.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.conn.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.state.plans.are_kept(size != CacheSize::Disabled);
        self.conn.set_prepared_statement_cache_size(size);
    }
}

impl<B, C: RoutedConnection + LoadConnection<B>> LoadConnection<B> for NodeConnection<C> {
    type Cursor<'conn, 'query>
        = Rows<'conn, <C as LoadConnection<B>>::Cursor<'conn, 'query>>
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
        let Self { conn, alias, state } = self;
        if state.plans.go_stale() {
            state.plans.runs(T::query_id());
        }
        let outcome =
            polonius::<_, _, ForLt!(<'any> = <C as LoadConnection<B>>::Cursor<'any, 'query>)>(conn, |conn| {
                match <C as LoadConnection<B>>::load(conn, source) {
                    Ok(cursor) => PoloniusResult::Borrowing(cursor),
                    Err(error) => PoloniusResult::Owned(error),
                }
            });
        match outcome {
            PoloniusResult::Borrowing(cursor) => Ok(Rows { cursor, alias, state }),
            PoloniusResult::Owned { value: error, input_borrow: conn } => {
                state.plans.failed(conn, &error);
                Err(state.observe(alias, conn, error))
            }
        }
    }
}

/// The rows of a query, read from a node's connection.
#[derive(Debug)]
pub struct Rows<'conn, I> {
    cursor: I,
    alias: &'conn Alias,
    state: &'conn mut State,
}

impl<I, R> Iterator for Rows<'_, I>
where
    I: Iterator<Item = QueryResult<R>>,
{
    type Item = QueryResult<R>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.cursor.next() {
            Some(Err(error)) => Some(Err(self.state.observe_unasked(self.alias, error))),
            row => row,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cursor.size_hint()
    }
}

impl<C: RoutedConnection> R2D2Connection for NodeConnection<C> {
    fn ping(&mut self) -> QueryResult<()> {
        self.watch(C::ping)
    }

    fn is_broken(&mut self) -> bool {
        self.is_unusable(0)
    }
}

impl<C: RoutedConnection + MigrationConnection> MigrationConnection for NodeConnection<C> {
    fn setup(&mut self) -> QueryResult<usize> {
        self.watch(C::setup)
    }
}

impl<Changes, Output, C> UpdateAndFetchResults<Changes, Output> for NodeConnection<C>
where
    C: RoutedConnection + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.watch(|conn| conn.update_and_fetch(changeset))
    }
}

/// Forwards to the transaction manager of the held connection.
#[derive(Debug)]
pub struct NodeTransactionManager;

impl<C: RoutedConnection> TransactionManager<NodeConnection<C>> for NodeTransactionManager {
    type TransactionStateData = NodeConnection<C>;

    fn begin_transaction(conn: &mut NodeConnection<C>) -> QueryResult<()> {
        conn.watch(C::TransactionManager::begin_transaction)
    }

    fn rollback_transaction(conn: &mut NodeConnection<C>) -> QueryResult<()> {
        conn.watch(C::TransactionManager::rollback_transaction).inspect(|()| conn.ended_a_transaction())
    }

    fn commit_transaction(conn: &mut NodeConnection<C>) -> QueryResult<()> {
        conn.watch(C::TransactionManager::commit_transaction).inspect(|()| conn.ended_a_transaction())
    }

    fn transaction_manager_status_mut(conn: &mut NodeConnection<C>) -> &mut TransactionManagerStatus {
        C::TransactionManager::transaction_manager_status_mut(&mut conn.conn)
    }
}
