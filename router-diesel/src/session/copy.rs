//! What Diesel implements for one engine's connection alone, and Rust's rules let a session have too.

#[cfg(feature = "sqlite")]
use diesel::QueryResult;
use diesel::associations::HasTable;
#[cfg(feature = "sqlite")]
use diesel::query_builder::InsertStatement;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::query_source::Table;
#[cfg(feature = "postgres")]
use diesel::result::Error as DieselError;

use super::Session;

/// COPY FROM on a session: it goes where the table is written.
#[cfg(feature = "postgres")]
impl<T, A> diesel::ExecuteCopyFromDsl<Session<diesel::PgConnection>> for diesel::pg::CopyFromQuery<T, A>
where
    T: HasTable<Table = T> + Table + AsQuery,
    T::Query: QueryFragment<diesel::pg::Pg> + QueryId,
    Self: diesel::ExecuteCopyFromDsl<diesel::PgConnection>,
    <Self as diesel::ExecuteCopyFromDsl<diesel::PgConnection>>::Error: From<DieselError>,
{
    type Error = <Self as diesel::ExecuteCopyFromDsl<diesel::PgConnection>>::Error;

    fn execute(self, session: &mut Session<diesel::PgConnection>) -> Result<usize, Self::Error> {
        session.with_connection_for_statements(T::table(), |conn| {
            diesel::ExecuteCopyFromDsl::<diesel::PgConnection>::execute(self, conn)
        })
    }
}

#[cfg(feature = "sqlite")]
impl Session<diesel::SqliteConnection> {
    /// Runs an INSERT of several rows and loads what it returns, as `get_results` does on a `SqliteConnection`.
    ///
    /// Diesel inserts several rows on SQLite one by one, in a transaction. It implements that for its own connection alone,
    /// and so `get_results` of such an INSERT does not compile on a session.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer, title -> Text } }
    /// # fn demo(conn: &mut router_diesel::Session<SqliteConnection>) -> QueryResult<()> {
    /// let rows = [posts::title.eq("one"), posts::title.eq("two")];
    /// let insert = diesel::insert_into(posts::table).values(&rows).returning(posts::id);
    /// let ids: Vec<i32> = conn.load_batch(insert)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`with_connection`](Self::with_connection), and the database's own.
    pub fn load_batch<'query, T, V, Op, Ret, U>(
        &mut self,
        insert: InsertStatement<T, V, Op, Ret>,
    ) -> QueryResult<Vec<U>>
    where
        T: HasTable<Table = T> + Table + AsQuery,
        T::Query: QueryFragment<diesel::sqlite::Sqlite> + QueryId,
        InsertStatement<T, V, Op, Ret>:
            diesel::query_dsl::methods::LoadQuery<'query, diesel::SqliteConnection, U>,
    {
        use diesel::query_dsl::methods::LoadQuery as _;
        self.with_connection_for_statements(T::table(), |conn| insert.internal_load(conn)?.collect())
    }
}
