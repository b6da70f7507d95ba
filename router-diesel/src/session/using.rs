//! A database chosen by hand.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
    TransactionManager, TransactionManagerStatus,
};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::result::Error as DieselError;
use diesel::{ConnectionResult, QueryResult};

use super::manager::run_transaction;
use super::scope::Restore;
use super::{Session, SessionTransactionManager, no_url};
use crate::engine::RoutedConnection;
use crate::error::Error;

/// A session whose statements all go to one database: what [`Session::using`] returns.
pub struct Using<'s, C: RoutedConnection>(Restore<'s, C>);

impl<C: RoutedConnection> fmt::Debug for Using<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Using").field(&self.0).finish()
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Overrules the routers for the statements made through what this returns.
    ///
    /// The database's `operations` still hold, and so does an open transaction. A function that takes `&mut Session` is
    /// called as `f(&mut *conn.using("archive")?)`, or under [`Scope::using`](crate::Scope::using).
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer } }
    /// # fn demo(conn: &mut router_diesel::Session<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// let old = posts::table.select(posts::id).load::<i32>(&mut conn.using("archive")?)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// No database has that name.
    pub fn using(&mut self, alias: impl AsRef<str>) -> Result<Using<'_, C>, Error> {
        self.follow();
        let database = self.topology.routing().find(alias.as_ref())?;
        let inner = self.state.on(database);
        Ok(Using(Restore::new(self, inner)))
    }
}

impl<C: RoutedConnection> Deref for Using<'_, C> {
    type Target = Session<C>;

    fn deref(&self) -> &Session<C> {
        self.0.as_session()
    }
}

impl<C: RoutedConnection> DerefMut for Using<'_, C> {
    fn deref_mut(&mut self) -> &mut Session<C> {
        self.0.session()
    }
}

impl<C: RoutedConnection> Borrow<Session<C>> for Using<'_, C> {
    fn borrow(&self) -> &Session<C> {
        self
    }
}

impl<C: RoutedConnection> BorrowMut<Session<C>> for Using<'_, C> {
    fn borrow_mut(&mut self) -> &mut Session<C> {
        self
    }
}

impl<C: RoutedConnection> SimpleConnection for Using<'_, C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        (**self).batch_execute(query)
    }
}

impl<C: RoutedConnection> ConnectionSealed for Using<'_, C> {}

impl<C: RoutedConnection> Connection for Using<'_, C> {
    type Backend = C::Backend;
    type TransactionManager = UsingTransactionManager;

    /// Fails: it is opened by [`Session::using`].
    fn establish(_: &str) -> ConnectionResult<Self> {
        no_url()
    }

    fn transaction<T, E, F>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<DieselError>,
    {
        run_transaction(self, f)
    }

    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        (**self).begin_test_transaction()
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        (**self).execute_returning_count(source)
    }

    fn transaction_state(&mut self) -> &mut Session<C> {
        self
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        (**self).instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        (**self).set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        (**self).set_prepared_statement_cache_size(size);
    }
}

impl<B: 'static, C: RoutedConnection + LoadConnection<B>> LoadConnection<B> for Using<'_, C> {
    type Cursor<'conn, 'query>
        = <Session<C> as LoadConnection<B>>::Cursor<'conn, 'query>
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
        <Session<C> as LoadConnection<B>>::load(self, source)
    }
}

impl<Changes, Output, C> UpdateAndFetchResults<Changes, Output> for Using<'_, C>
where
    C: RoutedConnection,
    Session<C>: UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        (**self).update_and_fetch(changeset)
    }
}

/// Forwards to [`SessionTransactionManager`].
#[derive(Debug)]
pub struct UsingTransactionManager;

impl<C: RoutedConnection> TransactionManager<Using<'_, C>> for UsingTransactionManager {
    type TransactionStateData = Session<C>;

    fn begin_transaction(conn: &mut Using<'_, C>) -> QueryResult<()> {
        SessionTransactionManager::begin_transaction(&mut **conn)
    }

    fn rollback_transaction(conn: &mut Using<'_, C>) -> QueryResult<()> {
        SessionTransactionManager::rollback_transaction(&mut **conn)
    }

    fn commit_transaction(conn: &mut Using<'_, C>) -> QueryResult<()> {
        SessionTransactionManager::commit_transaction(&mut **conn)
    }

    fn transaction_manager_status_mut<'c>(conn: &'c mut Using<'_, C>) -> &'c mut TransactionManagerStatus {
        SessionTransactionManager::transaction_manager_status_mut(&mut **conn)
    }
}
