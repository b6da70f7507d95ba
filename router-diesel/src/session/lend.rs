//! Diesel's own connection, lent to a closure within the session's transaction.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use diesel::connection::{Connection, Instrumentation, InstrumentationEvent};
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use router_core::Operation;

use super::Session;
use super::statement::Target;
use crate::decision::freshness::Search;
use crate::decision::{RouteError, Wants, route};
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::statement::Reading;
use crate::statement::effects::Facts;
use crate::statement::variables::Variables;
use crate::topology::{Prepared, Topology};

impl<C: RoutedConnection> Session<C> {
    /// Lends the connection to the database where the tables of a query are written, as Diesel's own type.
    ///
    /// Use it for what only that type can do: COPY, `LISTEN`, `serialize_database_to_buffer`, a `MigrationHarness`, or a
    /// function that takes `&mut PgConnection`. Its statements are not routed. SQL functions of your own belong in
    /// `on_connect` of the builder, so that each connection has them. The closure runs within the session's
    /// transaction and test transaction, and its settings hold. A transaction that waits for its first statement begins.
    ///
    /// It counts as a write: later reads and the [`token`](Self::token) take in what the closure did. If its statements leave
    /// something on the connection, the router closes it, as for the session's own statements. So it does if the closure
    /// replaces the instrumentation, as nobody saw what was done, and on SQLite always, as methods change it there past all
    /// statements.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer, title -> Text } }
    /// # fn demo(session: &mut router_diesel::Session<SqliteConnection>) -> QueryResult<()> {
    /// session.transaction(|session| {
    ///     diesel::insert_into(posts::table).values(posts::title.eq("routed")).execute(session)?;
    ///     let copy = session.with_connection(posts::table, |conn| QueryResult::Ok(conn.serialize_database_to_buffer()))?;
    ///     assert!(!copy.is_empty());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// - The closure's own.
    /// - The query has no single database, or that database may not be written here.
    /// - The closure left a transaction open, or ended one that it did not begin (`TransactionControl`). The connection is
    ///   closed then, which rolls back what is still open. What the closure has committed stays. Call
    ///   [`release`](Self::release) if the session had left something on the connection.
    pub fn with_connection<Q, T, E>(
        &mut self,
        query: Q,
        f: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
        E: From<DieselError>,
    {
        let position = self.position_to_write(query)?;
        self.note_methods(position);
        self.lend(position, f)
    }

    /// As [`with_connection`](Self::with_connection), for statements of ours alone.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn with_connection_for_statements<Q, T, E>(
        &mut self,
        query: Q,
        f: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
        E: From<DieselError>,
    {
        let position = self.position_to_write(query)?;
        self.lend(position, f)
    }

    /// As [`with_connection`](Self::with_connection), for a database by name.
    ///
    /// # Errors
    /// As [`with_connection`](Self::with_connection), or no database has that name.
    pub fn with_connection_to<T, E>(
        &mut self,
        alias: impl AsRef<str>,
        f: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        let mut there = self.using(alias).map_err(DieselError::from)?;
        let no_table = there.topology.prepare_text("SELECT 1");
        let position = there.position_to_lend(&no_table).map_err(DieselError::from)?;
        there.note_methods(position);
        there.lend(position, f)
    }

    /// Lends the connection that a read of the query's tables would get now: to a replica where one may serve it.
    ///
    /// Otherwise it is as [`with_connection`](Self::with_connection). Scopes that prevent writes allow it. A replica's
    /// server refuses writes; on a primary the closure must not write.
    ///
    /// # Errors
    /// As [`with_connection`](Self::with_connection), or the database may not be read.
    pub fn with_read_connection<Q, T, E>(
        &mut self,
        query: Q,
        f: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
        E: From<DieselError>,
    {
        self.follow();
        let prepared = self.topology.prepare(&query.as_query())?;
        let position = self.position_to_read(&prepared).map_err(DieselError::from)?;
        self.note_methods(position);
        self.lend(position, f)
    }

    /// Where the connection's own methods change it past all statements, nobody sees what a closure leaves.
    fn note_methods(&mut self, position: usize) {
        let database = self.held[position].database;
        let may_close = self.may_close(database);
        let checkout = &mut self.held[position].checkout;
        if may_close && checkout.engine().spec().has_methods_past_sql() {
            checkout.retire_for_state();
        }
    }

    /// The connection to the database where the tables of a query are written.
    fn position_to_write<Q>(&mut self, query: Q) -> QueryResult<usize>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
    {
        self.follow();
        let prepared = self.topology.prepare(&query.as_query())?;
        Ok(self.position_to_lend(&prepared)?)
    }

    fn position_to_lend(&mut self, prepared: &Prepared) -> Result<usize, Error> {
        if self.circumstances().prevent_writes {
            let what = "a connection that is lent may write; lend one with `with_read_connection`".to_owned();
            return Err(RouteError::WritesPrevented { what, tables: prepared.table_names() }.into());
        }
        let database =
            route(self.topology.routing(), prepared, Operation::Write, self.circumstances())?.database;
        let node = self.open.map_or(database, |open| open.node);
        if self.is_transaction_pending() {
            self.begin_on(database, node)?;
        }
        self.node_at(node)
    }

    fn position_to_read(&mut self, prepared: &Prepared) -> Result<usize, Error> {
        let node = match self.target(prepared, Wants::Rows)? {
            Target::Replicas(read) => self.node_for(read, &mut Search::new(read.only))?,
            Target::Node { database, node } => {
                if self.is_transaction_pending() {
                    self.begin_on(database, node)?;
                }
                node
            }
        };
        self.node_at(node)
    }

    fn lend<T, E>(&mut self, position: usize, f: impl FnOnce(&mut C) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        // What a failed INSERT of the closure leaves must not be another user's id.
        self.begin_to_insert(position).map_err(DieselError::from)?;
        let mut lent = Lent::new(self, position);
        let result = f(lent.conn());
        let ended = lent.take_back();
        let value = result?;
        ended.map_err(DieselError::from)?;
        Ok(value)
    }
}

/// A held connection that a closure has. It is closed if the closure panics.
struct Lent<'s, C: RoutedConnection> {
    session: &'s mut Session<C>,
    position: usize,
    depth: Option<u32>,
    seen: Arc<Mutex<Seen>>,
    is_back: bool,
}

impl<'s, C: RoutedConnection> Lent<'s, C> {
    fn new(session: &'s mut Session<C>, position: usize) -> Self {
        let seen = Arc::default();
        let witness = Witness {
            outer: session.instrumentation.for_connection(&session.held[position].checkout),
            judge: judge_of(&session.topology),
            seen: Arc::clone(&seen),
            is_diesels: false,
            in_transaction: session.held[position].checkout.depth() > 0,
            running: None,
        };
        let checkout = &mut session.held[position].checkout;
        let depth = checkout.valid_depth();
        checkout.set_instrumentation(witness);
        Self { session, position, depth, seen, is_back: false }
    }

    fn conn(&mut self) -> &mut C {
        &mut self.session.held[self.position].checkout
    }

    /// Takes in what the closure did.
    fn take_back(mut self) -> Result<(), Error> {
        self.is_back = true;
        let held = &mut self.session.held[self.position];
        let node = held.database;
        let depth = held.checkout.valid_depth();
        let is_witnessed = held.checkout.instrumentation().downcast_ref::<Witness>().is_some();
        self.session.instrumentation.join_again(&mut held.checkout);
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let moves_transaction = depth != self.depth || seen.moves_transaction;
        if moves_transaction {
            held.checkout.discard();
        }
        if seen.controls {
            held.checkout.retire();
        }
        if seen.leaves_state.is_some() || !is_witnessed {
            held.applied.forget();
            self.session.note_state(node, seen.leaves_state.as_deref());
        }
        self.session.marks.made(seen.makes.with(Facts::ENDED), node);
        self.session.marks.set_variables(Some(&seen.variables), node);
        self.session.note_use(node);
        if moves_transaction {
            let alias = self.session.topology.routing().alias(node).clone();
            return Err(RouteError::UnbalancedTransaction { alias, before: self.depth, after: depth }.into());
        }
        Ok(())
    }
}

impl<C: RoutedConnection> Drop for Lent<'_, C> {
    fn drop(&mut self) {
        if !self.is_back {
            let checkout = &mut self.session.held[self.position].checkout;
            checkout.silence();
            checkout.discard();
        }
    }
}

/// What the statements of a closure came to.
#[derive(Debug, Default)]
struct Seen {
    /// The first statement that left something on the connection.
    leaves_state: Option<Arc<Prepared>>,
    /// Whether one of them controlled a transaction by hand.
    controls: bool,
    /// Whether one of them began a transaction by hand and left it open, or ended one that it did not begin.
    moves_transaction: bool,
    makes: Facts,
    variables: Variables,
}

impl Seen {
    /// Takes in a statement that begins. `in_transaction` is whether the connection was lent in a transaction.
    fn begins(&mut self, prepared: Arc<Prepared>, in_transaction: bool) {
        let statement = &prepared.statement;
        if let Some(variables) = &statement.effects().variables {
            self.variables.absorb(variables);
        }
        self.controls |= !statement.transaction_controls().is_empty();
        self.moves_transaction |= statement.moves_transaction(in_transaction);
        // A setting of the transaction may be one of the next transaction where none is open.
        let is_for_next = statement.effects().setting.is_some() && !in_transaction;
        if self.leaves_state.is_none() && (statement.may_leave_state() || is_for_next) {
            self.leaves_state = Some(prepared);
        }
    }
}

/// Reads the statements of a closure.
type Judge = Box<dyn Fn(&str) -> Arc<Prepared> + Send>;

fn judge_of<C: RoutedConnection>(topology: &Arc<Topology<C>>) -> Judge {
    let topology = Arc::clone(topology);
    Box::new(move |sql| topology.prepare_text(sql))
}

/// Sees what a closure runs, and reports it as before.
struct Witness {
    outer: Box<dyn Instrumentation>,
    judge: Judge,
    seen: Arc<Mutex<Seen>>,
    /// Whether the next statement is Diesel's own, which begins or ends a transaction and is counted.
    is_diesels: bool,
    /// Whether the connection was lent in a transaction.
    in_transaction: bool,
    /// What the statement that runs makes if it succeeds.
    running: Option<Facts>,
}

impl Instrumentation for Witness {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match &event {
            InstrumentationEvent::BeginTransaction { .. }
            | InstrumentationEvent::CommitTransaction { .. }
            | InstrumentationEvent::RollbackTransaction { .. } => self.is_diesels = true,
            InstrumentationEvent::StartQuery { query, .. } if !std::mem::take(&mut self.is_diesels) => {
                let prepared = judged(&*self.judge, &query.to_string());
                self.running = Some(prepared.statement.effects().makes);
                self.seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .begins(prepared, self.in_transaction);
            }
            InstrumentationEvent::FinishQuery { error: None, .. } => {
                if let Some(makes) = self.running.take() {
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.makes = seen.makes.with(makes);
                }
            }
            InstrumentationEvent::FinishQuery { .. } => self.running = None,
            _ => {}
        }
        self.outer.on_connection_event(event);
    }
}

/// What a statement is whose bound values Diesel writes behind it, in a comment to the end of the line. They are left out,
/// so that the text is known again, unless what only looks like their beginning stands inside of the statement.
fn judged(judge: &dyn Fn(&str) -> Arc<Prepared>, text: &str) -> Arc<Prepared> {
    let without = text.rsplit_once(" -- binds: ").filter(|(_, binds)| !binds.contains(['\n', '\r']));
    let known = without.map(|(sql, _)| judge(sql));
    known
        .filter(|prepared| prepared.statement.reading() != Reading::Unreadable)
        .unwrap_or_else(|| judge(text))
}
