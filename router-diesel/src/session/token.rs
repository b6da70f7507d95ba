//! What a session hands on to whoever reads next.

use diesel::connection::TransactionManagerStatus;

use super::Session;
use super::reader::Reader;
use crate::decision::ClusterError;
use crate::decision::token::Token;
use crate::engine::RoutedConnection;
use crate::engine::observe;
use crate::engine::position::Position;
use crate::error::Error;
use crate::topology::PRIMARY;

impl<C: RoutedConnection> Session<C> {
    /// Starts a session that has the needs of a token.
    pub(crate) fn after(databases: crate::Databases<C>, token: &Token) -> Self {
        let clusters = databases.clusters();
        let readers = clusters.iter().enumerate().filter_map(|(index, cluster)| {
            let need = token.need(cluster.alias())?.clone();
            Some(Reader::of_token(index, need))
        });
        let readers = readers.collect();
        let mut session = Self::new(databases);
        session.readers = readers;
        session
    }

    /// A short text that says how far the session's databases were: for a cookie, a header or a job, so that whoever
    /// reads next sees no less than this session wrote and read.
    ///
    /// It asks each primary that was used, and each replica that was read from, one question; a session that used no
    /// cluster asks nothing. Go on with [`Databases::session_after`](crate::Databases::session_after), in any process.
    ///
    /// Where a server cannot be asked, the token says so, and reads after it go to the primary.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer, title -> Text } }
    /// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut conn = databases.session();
    /// diesel::insert_into(posts::table).values(posts::title.eq("new")).execute(&mut conn)?;
    /// let token = conn.token()?;
    ///
    /// // The next request, in this process or in another:
    /// let mut conn = databases.session_after(&token)?;
    /// let count = posts::table.count().get_result::<i64>(&mut conn)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A transaction is open: nobody else sees what it wrote before it is committed.
    pub fn token(&mut self) -> Result<String, Error> {
        let is_open = match &self.status {
            TransactionManagerStatus::Valid(status) => status.transaction_depth().is_some(),
            TransactionManagerStatus::InError => true,
        };
        if is_open {
            let alias = self.open.map(|open| self.databases.routing().alias(open.database).clone());
            return Err(ClusterError::OpenTransaction { alias }.into());
        }
        let mut token = Token::default();
        for index in 0..self.readers.len() {
            let cluster = self.databases.clusters().get(self.readers[index].cluster).clone();
            if let Some(position) = self.position(index) {
                token.set(cluster.alias(), position);
            }
        }
        Ok(self.databases.encode(&token))
    }

    /// What was written to a cluster and read from it.
    fn position(&mut self, index: usize) -> Option<Position> {
        let cluster = self.databases.clusters().get(self.readers[index].cluster).clone();
        let Reader { outdated, node, .. } = self.readers[index];
        let replica = node.filter(|node| *node != PRIMARY && cluster.has_positions());
        if outdated {
            let database = cluster.database(PRIMARY);
            let position = self.ask(database, observe::written).unwrap_or(Position::Unknown);
            let reader = &mut self.readers[index];
            reader.set_need(position);
        } else if let Some(node) = replica {
            // Whatever was read there, the replica has it now.
            let seen = self.ask(cluster.database(node), observe::replayed);
            let seen = seen.ok().and_then(|observation| observation.position);
            let seen = match (seen, cluster.known_position(PRIMARY)) {
                (Some(seen), Some(primary)) => seen.of_primary(&primary),
                (seen, _) => seen.unwrap_or(Position::Unknown),
            };
            return Some(match self.readers[index].need.clone() {
                Some(need) => need.join(seen),
                None => seen,
            });
        }
        self.readers[index].need.clone()
    }
}
