//! Transactions of which a program says how they begin.

use diesel::result::Error as DieselError;

use super::manager::run_transaction;
use super::scope::{Scope, State};
use super::{Isolation, Session};
use crate::decision::{RouteError, SettingError};
use crate::engine::RoutedConnection;
use crate::engine::transaction::{Access, IsolationLevel, Lock, TransactionOptions};
use crate::error::Error;

/// Says how a transaction begins: what [`Session::build_transaction`] returns.
///
/// It has the options of all engines, as the first statement decides on the database. If that database's engine does not
/// take an option, the statement fails (`Setting`). In a test transaction the transaction is a savepoint, and the server
/// keeps to its own ways.
///
/// ```no_run
/// # use diesel::prelude::*;
/// # diesel::table! { posts { id -> Integer } }
/// # #[cfg(feature = "postgres")]
/// # fn demo(conn: &mut router_diesel::Session<PgConnection>) -> QueryResult<i64> {
/// conn.build_transaction().serializable().read_only().deferrable().run(|conn| posts::table.count().get_result(conn))
/// # }
/// ```
#[must_use = "a transaction runs when `run` is called"]
#[derive(Debug)]
pub struct TransactionBuilder<'s, C: RoutedConnection> {
    session: &'s mut Session<C>,
    options: TransactionOptions,
}

impl<C: RoutedConnection> Session<C> {
    /// Says how a transaction begins: isolation level, access, deferrable or not, and on SQLite which lock it takes at
    /// once. It follows the route as every transaction does.
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_, C> {
        TransactionBuilder { session: self, options: TransactionOptions::default() }
    }

    /// Runs a closure in a transaction that takes SQLite's write lock as it begins, as `SqliteConnection` does.
    ///
    /// # Errors
    /// As [`TransactionBuilder::run`].
    pub fn immediate_transaction<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        self.build_transaction().immediate().run(f)
    }

    /// Runs a closure in a transaction that keeps other connections from the SQLite file, as `SqliteConnection` does.
    ///
    /// # Errors
    /// As [`TransactionBuilder::run`].
    pub fn exclusive_transaction<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        self.build_transaction().exclusive().run(f)
    }

    /// Whether the transaction that waits for its first statement may begin on a replica.
    pub(super) fn may_begin_on_replica(&self) -> bool {
        self.read_only && self.depth() == 1 && self.begins.isolation != Some(IsolationLevel::Serializable)
    }
}

impl<C: RoutedConnection> TransactionBuilder<'_, C> {
    /// Sees what is committed when each of its statements begins. PostgreSQL, MySQL and MariaDB.
    pub fn read_committed(self) -> Self {
        self.isolation(IsolationLevel::ReadCommitted)
    }

    /// Sees also what is not committed yet. MySQL and MariaDB; PostgreSQL takes it for read committed.
    pub fn read_uncommitted(self) -> Self {
        self.isolation(IsolationLevel::ReadUncommitted)
    }

    /// Sees what was committed when its first statement began. PostgreSQL, MySQL and MariaDB.
    pub fn repeatable_read(self) -> Self {
        self.isolation(IsolationLevel::RepeatableRead)
    }

    /// Has the effect that it would have alone, one transaction after the other. PostgreSQL, MySQL and MariaDB. It runs
    /// on no replica, as PostgreSQL's standbys do not take it.
    pub fn serializable(self) -> Self {
        self.isolation(IsolationLevel::Serializable)
    }

    fn isolation(mut self, level: IsolationLevel) -> Self {
        self.options.isolation = Some(level);
        self
    }

    /// Only reads: statements that write are refused, and a replica may serve it. All engines.
    pub fn read_only(mut self) -> Self {
        self.options.access = Some(Access::ReadOnly);
        self
    }

    /// May write, also where the server's default is to read only. PostgreSQL, MySQL and MariaDB.
    ///
    /// It is refused where writes are prevented, and on databases and replicas that only read.
    pub fn read_write(mut self) -> Self {
        self.options.access = Some(Access::ReadWrite);
        self
    }

    /// Waits, as a serializable transaction that only reads, until it can run without a conflict. PostgreSQL.
    pub fn deferrable(mut self) -> Self {
        self.options.deferrable = Some(true);
        self
    }

    /// Does not wait so. PostgreSQL.
    pub fn not_deferrable(mut self) -> Self {
        self.options.deferrable = Some(false);
        self
    }

    /// Takes the file's write lock as it begins, so that it never fails later for want of it. SQLite.
    pub fn immediate(mut self) -> Self {
        self.options.lock = Some(Lock::Immediate);
        self
    }

    /// Takes the lock that keeps other connections from the file. SQLite.
    pub fn exclusive(mut self) -> Self {
        self.options.lock = Some(Lock::Exclusive);
        self
    }

    /// Runs a closure in the transaction.
    ///
    /// # Errors
    /// - The closure's own.
    /// - `AlreadyInTransaction`: one is open.
    /// - No engine of the file takes one of the options.
    /// - The options allow writes where they are prevented.
    pub fn run<T, E>(self, f: impl FnOnce(&mut Session<C>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        let Self { session, options } = self;
        session.follow();
        if session.depth() > 0 {
            return Err(DieselError::AlreadyInTransaction.into());
        }
        session.admit_options(options).map_err(DieselError::from)?;
        let with = WithOptions::new(session, options);
        run_transaction(with.session, f)
    }
}

impl<C: RoutedConnection> Session<C> {
    fn admit_options(&self, options: TransactionOptions) -> Result<(), Error> {
        let engines = self.topology.routing().engines();
        let refusals =
            engines.iter().map(|engine| engine.spec().begin(options).err().map(|what| (*engine, what)));
        if let Some(Some((engine, what))) = refusals.min_by_key(Option::is_some) {
            return Err(SettingError::NoSuchOption { engine, what }.into());
        }
        if options.access == Some(Access::ReadWrite) && self.state.prevent_writes {
            let what = "this transaction asks for `read_write`".to_owned();
            return Err(RouteError::WritesPrevented { what, tables: Vec::new() }.into());
        }
        Ok(())
    }

    /// Whether every transaction is inside of a test transaction.
    pub(super) fn is_in_test_transaction(&self) -> bool {
        self.isolation == Isolation::TestTransactions || self.databases.base_depth() > 0
    }
}

/// A session whose next transaction begins in a certain way. What was before is back when this is dropped.
pub(super) struct WithOptions<'s, C: RoutedConnection> {
    pub(super) session: &'s mut Session<C>,
    begins: TransactionOptions,
    read_only: bool,
    state: State,
}

impl<'s, C: RoutedConnection> WithOptions<'s, C> {
    pub(super) fn new(session: &'s mut Session<C>, options: TransactionOptions) -> Self {
        let reads_only = options.access == Some(Access::ReadOnly);
        let scope = if reads_only { Scope::reading() } else { Scope::default() };
        let state = session.state.within(scope, session.topology.routing());
        Self {
            begins: std::mem::replace(&mut session.begins, options),
            read_only: std::mem::replace(&mut session.read_only, reads_only),
            state: std::mem::replace(&mut session.state, state),
            session,
        }
    }
}

impl<C: RoutedConnection> Drop for WithOptions<'_, C> {
    fn drop(&mut self) {
        self.session.begins = self.begins;
        self.session.read_only = self.read_only;
        self.session.state = std::mem::take(&mut self.state);
    }
}
