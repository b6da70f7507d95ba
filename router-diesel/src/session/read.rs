//! A session on which a write does not compile.

use std::fmt;

use diesel::QueryResult;
use diesel::query_builder::{AsQuery, BoxedSelectStatement, QueryFragment, QueryId, SelectStatement};
use diesel::query_dsl::RunQueryDsl;
use diesel::query_dsl::methods::LoadQuery;
use diesel::result::OptionalExtension;

use super::Session;
use super::scope::{Restore, Scope};
use crate::decision::Explanation;
use crate::engine::RoutedConnection;
use crate::error::Error;

/// A session that reads: what [`Session::read`] returns.
///
/// Ordinary `SELECT` statements run on it as they do on any connection. `execute` does not compile, nor does
/// `load` of an `INSERT`, an `UPDATE`, a `DELETE`, raw SQL, or a `SELECT` that locks rows. A `SELECT` that
/// writes through a function, such as `nextval`, is refused when it runs.
///
/// A bare table is read through the session's own [`load`](Self::load), or with a `select`:
///
/// ```no_run
/// # use diesel::prelude::*;
/// # diesel::table! { posts { id -> Integer, title -> Text } }
/// # fn demo(session: &mut router_diesel::Session<SqliteConnection>) -> QueryResult<()> {
/// let mut conn = session.read();
/// let all: Vec<(i32, String)> = conn.load(posts::table)?;
/// let titles = posts::table.select(posts::title).load::<String>(&mut conn)?;
/// # Ok(()) }
/// ```
///
/// ```compile_fail
/// # use diesel::prelude::*;
/// # diesel::table! { posts { id -> Integer, title -> Text } }
/// # fn demo(session: &mut router_diesel::Session<SqliteConnection>) {
/// diesel::delete(posts::table).execute(&mut session.read());
/// # }
/// ```
pub struct ReadSession<'s, C: RoutedConnection>(Restore<'s, C>);

impl<C: RoutedConnection> fmt::Debug for ReadSession<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadSession").field(&self.0).finish()
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Reads only, until what this returns is dropped: writes on it do not compile.
    #[must_use]
    pub fn read(&mut self) -> ReadSession<'_, C> {
        let inner = self.state.within(Scope::reading(), self.topology.routing());
        ReadSession(Restore::new(self, inner))
    }
}

impl<C: RoutedConnection> ReadSession<'_, C> {
    /// Loads all rows of a query or a table.
    ///
    /// # Errors
    /// The router's, and Diesel's own.
    pub fn load<'query, Q, U>(&mut self, query: Q) -> QueryResult<Vec<U>>
    where
        Q: AsQuery,
        Q::Query: ReadQuery + LoadQuery<'query, Session<C>, U>,
    {
        query.as_query().internal_load(self.0.session())?.collect()
    }

    /// Loads the first row of a query or a table, or `NotFound`.
    ///
    /// # Errors
    /// The router's, and Diesel's own.
    pub fn get_result<'query, Q, U>(&mut self, query: Q) -> QueryResult<U>
    where
        Q: AsQuery,
        Q::Query: ReadQuery + LoadQuery<'query, Session<C>, U>,
    {
        match query.as_query().internal_load(self.0.session())?.next() {
            Some(row) => row,
            None => Err(diesel::result::Error::NotFound),
        }
    }

    /// Loads the first row of a query or a table, if there is one.
    ///
    /// # Errors
    /// The router's, and Diesel's own.
    pub fn get_optional<'query, Q, U>(&mut self, query: Q) -> QueryResult<Option<U>>
    where
        Q: AsQuery,
        Q::Query: ReadQuery + LoadQuery<'query, Session<C>, U>,
    {
        self.get_result(query).optional()
    }

    /// Makes a setting that holds until the transaction ends: [`Session::set_local`].
    ///
    /// # Errors
    /// As [`Session::set_local`].
    pub fn set_local(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<(), Error> {
        self.0.session().set_local(name, value)
    }

    /// Says where this session would send a query now and why. Nothing is run.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    pub fn explain<T>(&self, query: &T) -> QueryResult<Explanation>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.0.as_session().explain(query)
    }

    /// Reads from one database, whatever the routers say.
    ///
    /// # Errors
    /// No database has that name.
    pub fn using(&mut self, alias: impl AsRef<str>) -> Result<ReadSession<'_, C>, Error> {
        let session = self.0.session();
        session.follow();
        let database = session.topology.routing().find(alias.as_ref())?;
        let inner = session.state.on(database);
        Ok(ReadSession(Restore::new(session, inner)))
    }
}

/// A statement that only reads: a `SELECT` without a locking clause.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a statement that only reads",
    label = "a `ReadSession` runs `SELECT` statements without a locking clause",
    note = "run it on the session itself, outside of `read()`"
)]
pub trait ReadQuery {}

impl<F, S, D, W, O, L, G, H> ReadQuery for SelectStatement<F, S, D, W, O, L, G, H> {}

impl<ST, QS, DB, GB> ReadQuery for BoxedSelectStatement<'_, ST, QS, DB, GB> {}

impl<'query, 's, C, U, F, S, D, W, O, L, G, H> LoadQuery<'query, ReadSession<'s, C>, U>
    for SelectStatement<F, S, D, W, O, L, G, H>
where
    C: RoutedConnection,
    Self: LoadQuery<'query, Session<C>, U> + RunQueryDsl<ReadSession<'s, C>>,
{
    type RowIter<'conn>
        = <Self as LoadQuery<'query, Session<C>, U>>::RowIter<'conn>
    where
        ReadSession<'s, C>: 'conn;

    fn internal_load<'conn>(self, conn: &'conn mut ReadSession<'s, C>) -> QueryResult<Self::RowIter<'conn>> {
        self.internal_load(conn.0.session())
    }
}

impl<'query, 's, 'b, C, U, ST, QS, DB, GB> LoadQuery<'query, ReadSession<'s, C>, U>
    for BoxedSelectStatement<'b, ST, QS, DB, GB>
where
    C: RoutedConnection,
    Self: LoadQuery<'query, Session<C>, U> + RunQueryDsl<ReadSession<'s, C>>,
{
    type RowIter<'conn>
        = <Self as LoadQuery<'query, Session<C>, U>>::RowIter<'conn>
    where
        ReadSession<'s, C>: 'conn;

    fn internal_load<'conn>(self, conn: &'conn mut ReadSession<'s, C>) -> QueryResult<Self::RowIter<'conn>> {
        self.internal_load(conn.0.session())
    }
}
