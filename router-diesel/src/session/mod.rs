//! A connection that routes each statement by itself.
//!
//! [`Session`] does the I/O that the decisions ask for and owns nothing of their insides: it learns what a statement is,
//! has `decision` say where it goes, checks that node's connection out, and runs the statement there.
//!
//! - `open` are the doors of [`Databases`] that lead here. `connection` has Diesel's traits, `manager`, `build` and
//!   `transaction` the transactions.
//! - `statement` takes one statement from its text to its connection; `cluster` does that for reads of a cluster,
//!   and `again` for reads that are tried a second time.
//! - `held` are the connections that a session holds; `follow` takes up a newer topology when it holds none.
//! - `settings` are what a session sets for a transaction or for all of its connections; `state` is what its statements
//!   left on one.
//! - `after_commit` runs what waits for the end of the transaction.
//! - `copy` is what Diesel has for one engine alone.
//! - `lend` hands a held connection to a closure, as Diesel's own type.
//! - `scope`, `using` and `read` narrow what may be done; `token` hands on what was seen.

mod after_commit;
mod again;
mod build;
mod cluster;
mod connection;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod copy;
mod explain;
mod follow;
mod held;
mod instrumentation;
mod lend;
mod manager;
mod open;
mod read;
mod rendered;
mod save;
mod scope;
mod settings;
mod shared;
mod state;
mod statement;
#[cfg(all(test, feature = "sqlite"))]
mod swap;
mod token;
mod transaction;
mod using;

use std::fmt;
use std::sync::Arc;

use diesel::ConnectionError;
use diesel::connection::{CacheSize, TransactionManagerStatus};
use router_core::Alias;

use crate::databases::Databases;
use crate::decision::Marks;
use crate::decision::freshness::Freshness;
use crate::engine::RoutedConnection;
use crate::engine::transaction::TransactionOptions;
use crate::error::Error;
use crate::topology::{ClusterId, DatabaseId, Topology};

use after_commit::Callback;
pub use build::TransactionBuilder;
use held::Held;
use instrumentation::SessionInstrumentation;
use manager::OpenTransaction;
pub use manager::SessionTransactionManager;
pub use read::{ReadQuery, ReadSession};
pub use scope::Scope;
use scope::State;
use settings::carried::Carried;
use settings::local::Waiting;
use state::Stateful;
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
    topology: Arc<Topology<C>>,
    held: Vec<Held<C>>,
    state: State,
    only: Option<Vec<DatabaseId>>,
    /// What must be shown of each cluster that was used.
    fresh: Vec<(ClusterId, Freshness)>,
    /// The databases on whose connections a statement has left something behind: a setting, a temporary table.
    stateful: Vec<Stateful>,
    /// Where the earlier statements ran that a later one may ask about.
    marks: Marks,
    /// What is set on every connection.
    settings: Option<Box<Carried>>,
    /// The settings that wait for the transaction's first statement, or were sent with it.
    waiting: Vec<Waiting>,
    /// What runs once the transaction is committed.
    callbacks: Vec<Callback>,
    status: TransactionManagerStatus,
    open: Option<OpenTransaction>,
    isolation: Isolation,
    read_only: bool,
    /// How the next transaction begins.
    begins: TransactionOptions,
    instrumentation: SessionInstrumentation,
    statement_cache: Option<CacheSize>,
}

/// Whether what the session does is rolled back in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    None,
    TestTransactions,
}

impl<C: RoutedConnection> fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routing = self.topology.routing();
        f.debug_struct("Session")
            .field("connections", &self.connected().collect::<Vec<_>>())
            .field("transaction", &self.open.map(|open| routing.alias(open.database)))
            .field("scope", &self.state)
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Session<C> {
    fn new(databases: Databases<C>) -> Self {
        Self {
            topology: databases.topology(),
            databases,
            held: Vec::new(),
            state: State::default(),
            only: None,
            fresh: Vec::new(),
            stateful: Vec::new(),
            marks: Marks::default(),
            settings: None,
            waiting: Vec::new(),
            callbacks: Vec::new(),
            status: TransactionManagerStatus::default(),
            open: None,
            isolation: Isolation::None,
            read_only: false,
            begins: TransactionOptions::default(),
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
        self.held.iter().map(|held| self.topology.routing().alias(held.database))
    }

    /// Tells the session that one of its databases was written to by other means: through a check-out of
    /// [`Databases::write`], or a pool. What it reads after that, and its [`token`](Self::token), take that in.
    ///
    /// # Errors
    /// No database has that name.
    pub fn written_elsewhere(&mut self, alias: impl AsRef<str>) -> Result<(), Error> {
        self.follow();
        let database = self.topology.routing().find(alias.as_ref())?;
        self.note_use(database);
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
        self.follow();
        let routing = self.topology.routing();
        let only = aliases.into_iter().map(|alias| routing.find(alias.as_ref()));
        self.only = Some(only.collect::<Result<_, _>>()?);
        Ok(())
    }
}

impl<C: RoutedConnection> Drop for Session<C> {
    fn drop(&mut self) {
        // A transaction that is still open ends with its connection, which its pool then closes.
        self.open = None;
        self.silence();
        self.release();
    }
}

/// What Diesel is told where it asks a session to connect by URL.
fn no_url<T>() -> Result<T, ConnectionError> {
    Err(ConnectionError::BadConnection("a session is opened by `Databases::session`, not from a URL".into()))
}
