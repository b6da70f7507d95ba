//! The doors of [`Databases`] that lead to sessions.

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};

use super::{Scope, Session};
use crate::databases::Databases;
use crate::decision::token::Token;
use crate::decision::{ClusterError, Explanation};
use crate::engine::RoutedConnection;
use crate::error::Error;

impl<C: RoutedConnection> Databases<C> {
    /// Opens a session: a `diesel::Connection` that routes each statement by itself.
    ///
    /// One session serves one request or one job. It checks out nothing until its first statement.
    #[must_use]
    pub fn session(&self) -> Session<C> {
        Session::new(self.clone())
    }

    /// Opens a session that shows no less than the session did whose [`token`](Session::token) this is.
    ///
    /// Until a replica has all of it, reads wait for up to `wait_for_replica`, then go to the primary. So they do
    /// where the token is of another timeline or server than the cluster is now.
    ///
    /// # Errors
    /// The text is no token of these databases: cut off, made up, or signed with another key. Where a fresh answer
    /// matters more than that, go on with [`session_on_primaries`](Self::session_on_primaries).
    pub fn session_after(&self, token: impl AsRef<str>) -> Result<Session<C>, Error> {
        let token = Token::decode(token.as_ref(), self.token_keys()).map_err(ClusterError::from)?;
        Ok(Session::after(self, &token))
    }

    /// Opens a session that reads where it writes, as in a [`Scope::writing`]: from the primaries. For whom
    /// [`session_after`](Self::session_after) refuses a token.
    #[must_use]
    pub fn session_on_primaries(&self) -> Session<C> {
        let mut session = self.session();
        session.state = session.state.within(Scope::read_where_written(), session.topology.routing());
        session
    }

    /// Says where a query would go and why, with what each router answered, as a new session would send it.
    /// Nothing is run.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    pub fn explain<T>(&self, query: &T) -> QueryResult<Explanation>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.session().explain(query)
    }
}
