//! A connection that routes each statement by itself.
//!
//! [`Session`] walks the five steps and owns nothing of their insides: it asks [`Databases`] what a
//! statement is and where it goes, checks that database's connection out, and runs the statement there.

mod connection;
mod explain;
mod instrumentation;
mod read;
mod reader;
mod rendered;
mod replica;
mod save;
mod scope;
mod shared;
mod token;
mod transaction;
mod using;

use std::fmt;

use diesel::connection::{CacheSize, Connection, TransactionManager, TransactionManagerStatus};
use diesel::{ConnectionError, QueryResult};
use router_core::Alias;

use crate::databases::Databases;
use crate::decision::{Circumstances, Prepared, Transaction};
use crate::engine::RoutedConnection;
use crate::error::{Error, ErrorKind};
use crate::topology::pool::{Checkout, NodeConnection, NodeTransactionManager, Patience};

pub use connection::SessionTransactionManager;
use instrumentation::SessionInstrumentation;
pub use read::{ReadQuery, ReadSession};
use reader::Reader;
pub use scope::Scope;
use scope::State;
pub use using::{Using, UsingTransactionManager};

/// A `diesel::Connection` that sends each statement to the database that it belongs to.
///
/// It checks connections out lazily, at most one for each database, and gives them back when it is dropped or
/// at [`release`](Self::release). Make one for each request or job.
///
/// A transaction follows the route: its BEGIN waits for the first statement and runs on the database that
/// the statement's tables are written to. Until the transaction ends, a statement for another database is
/// refused.
///
/// ```no_run
/// use diesel::prelude::*;
/// use router_diesel::Databases;
///
/// diesel::table! { posts { id -> Integer, title -> Text } }
///
/// # fn demo(databases: &Databases<SqliteConnection>) -> QueryResult<()> {
/// let mut conn = databases.session();
/// conn.transaction(|conn| {
///     diesel::insert_into(posts::table).values(posts::title.eq("routed")).execute(conn)?;
///     posts::table.count().get_result::<i64>(conn)
/// })?;
/// # Ok(()) }
/// ```
pub struct Session<C: RoutedConnection> {
    databases: Databases<C>,
    nodes: Vec<(usize, Checkout<C>)>,
    state: State,
    only: Option<Vec<usize>>,
    /// One for each cluster that was used.
    readers: Vec<Reader>,
    /// The databases on whose connections a statement has left something behind: a setting, a temporary table.
    stateful: Vec<usize>,
    status: TransactionManagerStatus,
    open: Option<OpenTransaction>,
    isolation: Isolation,
    read_only: bool,
    instrumentation: SessionInstrumentation,
    statement_cache: Option<CacheSize>,
}

/// The database on which a transaction is open.
#[derive(Debug, Clone, Copy)]
struct OpenTransaction {
    /// The database that the routers chose.
    database: usize,
    /// Where it is open: that database, or a replica of it if the transaction only reads.
    node: usize,
    /// How deep the connection already was: 1 inside of a test transaction.
    outer_depth: u32,
}

/// Whether what the session does is rolled back in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    None,
    TestTransactions,
}

impl<C: RoutedConnection> fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routing = self.databases.routing();
        f.debug_struct("Session")
            .field("connections", &self.connected().collect::<Vec<_>>())
            .field("transaction", &self.open.map(|open| routing.alias(open.database)))
            .field("scope", &self.state)
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Session<C> {
    /// One that reads where it writes.
    pub(crate) fn on_primaries(databases: Databases<C>) -> Self {
        let mut session = Self::new(databases);
        session.state = session.state.within(Scope::read_where_written());
        session
    }

    pub(crate) fn new(databases: Databases<C>) -> Self {
        Self {
            databases,
            nodes: Vec::new(),
            state: State::default(),
            only: None,
            readers: Vec::new(),
            stateful: Vec::new(),
            status: TransactionManagerStatus::default(),
            open: None,
            isolation: Isolation::None,
            read_only: false,
            instrumentation: SessionInstrumentation::default(),
            statement_cache: None,
        }
    }

    /// The databases that this session routes to.
    #[must_use]
    pub fn databases(&self) -> &Databases<C> {
        &self.databases
    }

    /// The databases of which the session holds a connection now.
    pub fn connected(&self) -> impl Iterator<Item = &Alias> {
        self.nodes.iter().map(|(database, _)| self.databases.routing().alias(*database))
    }

    /// Gives back every connection but that of an open transaction. The next statement checks out anew.
    pub fn release(&mut self) {
        let open = self.open.map(|open| open.node);
        self.stateful.retain(|database| Some(*database) == open);
        for position in (0..self.nodes.len()).rev() {
            if Some(self.nodes[position].0) != open {
                self.give_back(position);
            }
        }
    }

    /// Gives back one connection, as it was when the session got it.
    fn give_back(&mut self, position: usize) {
        let (database, mut checkout) = self.nodes.swap_remove(position);
        let base = self.databases.base_depth();
        if base > 0 || self.isolation == Isolation::TestTransactions {
            checkout.roll_back_to(base);
        }
        self.instrumentation.leave(&mut checkout);
        if self.statement_cache.is_some() {
            let pool = &self.databases.config().databases[database].pool;
            let size = if pool.prepared_statements { CacheSize::Unbounded } else { CacheSize::Disabled };
            checkout.set_prepared_statement_cache_size(size);
        }
    }

    /// Tells the session that one of its databases was written to by other means: through a check-out of
    /// [`Databases::write`], or a pool. What it reads after that, and its [`token`](Self::token), take that in.
    ///
    /// # Errors
    /// No database has that name.
    pub fn written_elsewhere(&mut self, alias: impl AsRef<str>) -> Result<(), Error> {
        let database = self.databases.routing().find(alias.as_ref())?;
        self.note_use(database, false);
        Ok(())
    }

    /// For tests: from now on a statement for any other database fails and names it.
    ///
    /// # Errors
    /// One of the names is no database's.
    pub fn allow_only<I>(&mut self, aliases: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let routing = self.databases.routing();
        let only = aliases.into_iter().map(|alias| routing.find(alias.as_ref()));
        self.only = Some(only.collect::<Result<_, _>>()?);
        Ok(())
    }

    fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            using: self.state.using,
            transaction: match (&self.open, &self.status) {
                (Some(open), _) => Transaction::On(open.database),
                (None, TransactionManagerStatus::Valid(status)) if status.transaction_depth().is_some() => {
                    Transaction::Pending
                }
                _ => Transaction::None,
            },
            role: self.state.role,
            prevent_writes: self.state.prevent_writes,
            only: self.only.as_deref().or_else(|| self.databases.only()),
        }
    }

    /// The database of a statement.
    fn route(&self, prepared: &Prepared) -> QueryResult<usize> {
        let routing = self.databases.routing();
        let operation = prepared.statement.operation();
        let database = routing
            .route(prepared, operation, self.circumstances())
            .map_err(|error| diesel::result::Error::from(Error::from(error)))?;
        tracing::trace!(
            alias = %routing.alias(database),
            %operation,
            tables = ?prepared.statement.tables(),
            "routed"
        );
        Ok(database)
    }

    /// The connection on which a statement runs, inside the transaction where there is one.
    fn connection_for(&mut self, prepared: &Prepared) -> QueryResult<&mut NodeConnection<C>> {
        let database = self.route(prepared)?;
        self.connection_to(database, prepared)
    }

    /// The connection to a database that was chosen for a statement, never to one of its replicas.
    fn connection_to(&mut self, database: usize, prepared: &Prepared) -> QueryResult<&mut NodeConnection<C>> {
        if self.is_transaction_pending() {
            self.begin_on(database, database)?;
        }
        let in_transaction = self.open.is_some();
        let index = self.open.map_or(database, |open| open.node);
        let leaves_state = prepared.statement.sets_session_state();
        if leaves_state || self.databases.clusters().member(index).is_some() {
            // A server that cannot be reached was not used.
            self.node(index)?;
            self.note_use(index, leaves_state);
        }
        let node = self.node(index)?;
        if !prepared.statement.transaction_controls().is_empty() {
            node.retire();
        }
        if in_transaction && node.is_lost() {
            return Err(diesel::result::Error::BrokenTransactionManager);
        }
        Ok(node)
    }

    fn is_transaction_pending(&self) -> bool {
        self.open.is_none() && self.depth() > 0
    }

    /// The session's connection to a database: the one that it holds, or a new check-out.
    #[inline]
    fn node(&mut self, database: usize) -> QueryResult<&mut NodeConnection<C>> {
        self.node_with(database, Patience::Wait)
    }

    fn node_with(&mut self, database: usize, patience: Patience) -> QueryResult<&mut NodeConnection<C>> {
        let in_transaction = self.open.is_some_and(|open| open.node == database);
        let held = self.nodes.iter().position(|(held, _)| *held == database);
        let position = match held {
            Some(position) if in_transaction || !self.nodes[position].1.is_lost() => position,
            lost => {
                if let Some(position) = lost {
                    self.nodes.swap_remove(position);
                }
                let checkout = self.check_out(database, patience)?;
                self.nodes.push((database, checkout));
                self.nodes.len() - 1
            }
        };
        Ok(&mut self.nodes[position].1)
    }

    #[cold]
    fn check_out(&mut self, database: usize, patience: Patience) -> QueryResult<Checkout<C>> {
        let mut checkout = match self.databases.check_out_with(database, Patience::Pass) {
            Err(error) if error.kind() == ErrorKind::Exhausted && patience == Patience::Wait => {
                self.make_room();
                self.databases.check_out_with(database, patience)?
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
        let is_free = self.open.is_none()
            && self.isolation == Isolation::None
            && self.databases.base_depth() == 0
            && self.stateful.is_empty();
        if is_free {
            self.release();
        }
    }

    /// Opens the transaction that was waiting for its first statement, with its savepoints, on a node of a
    /// database.
    fn begin_on(&mut self, database: usize, node: usize) -> QueryResult<()> {
        let depth = self.status.transaction_depth()?.map_or(0, std::num::NonZeroU32::get);
        let read_only = self.read_only;
        let index = node;
        let node = self.node(index)?;
        let outer_depth = node.depth();
        for level in 0..depth {
            let begun = if level == 0 && read_only && outer_depth == 0 {
                transaction::begin_read_only(node)
            } else {
                NodeTransactionManager::begin_transaction(node)
            };
            if let Err(error) = begun {
                for _ in 0..level {
                    if NodeTransactionManager::rollback_transaction(node).is_err() {
                        node.discard();
                    }
                }
                return Err(error);
            }
        }
        self.open = Some(OpenTransaction { database, node: index, outer_depth });
        Ok(())
    }
}

impl<C: RoutedConnection> Drop for Session<C> {
    fn drop(&mut self) {
        // A transaction that is still open ends with its connection, which its pool then closes.
        self.open = None;
        self.release();
    }
}

/// Begins a test transaction; a savepoint in that of the pool, where every database is in one anyway.
fn begin_test_transaction<C: RoutedConnection>(checkout: &mut Checkout<C>, base: u32) -> QueryResult<()> {
    if base == 0 {
        checkout.begin_test_transaction()
    } else {
        NodeTransactionManager::begin_transaction(checkout)
    }
}

/// What Diesel is told where it asks a session to connect by URL.
fn no_url<T>() -> Result<T, ConnectionError> {
    Err(ConnectionError::BadConnection("a session is opened by `Databases::session`, not from a URL".into()))
}
