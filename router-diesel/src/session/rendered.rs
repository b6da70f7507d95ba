//! A query and its text, so that a text that routing needed is not written a second time.

use std::cell::Cell;

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::internal::derives::multiconnection::AstPassHelper;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A query whose text is known.
///
/// Diesel writes the text of a query without a static id each time it runs: that of an update, a boxed query,
/// raw SQL. Routing has just done so to find the statement's tables, so it hands the text on.
pub(super) struct Rendered<T> {
    pub(super) sql: String,
    pub(super) query: T,
}

impl<T, DB> QueryFragment<DB> for Rendered<T>
where
    DB: Backend,
    T: QueryFragment<DB>,
{
    /// Writes the known text where the text is asked for; for all else, the query itself answers.
    ///
    /// A pass does not say what it asks for, but Diesel's conversion between backends calls this closure for
    /// the one pass that writes text. (To overrule `to_sql` is not enough: `&T` forwards `walk_ast` alone.)
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let writes_text = Cell::new(false);
        let mut pass = pass.cast_database::<DB>(
            |binds| binds,
            |builder| {
                writes_text.set(true);
                builder
            },
            |backend| backend,
            |lookup| lookup,
        );
        if writes_text.get() {
            pass.push_sql(&self.sql);
            return Ok(());
        }
        self.query.walk_ast(pass)
    }
}

impl<T> QueryId for Rendered<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: Query> Query for Rendered<T> {
    type SqlType = T::SqlType;
}
