//! What a session hands on to whoever reads next.

use std::sync::Arc;

use diesel::connection::TransactionManagerStatus;

use super::Session;
use crate::databases::Databases;
use crate::decision::ClusterError;
use crate::decision::freshness::{Freshness, Need};
use crate::decision::token::Token;
use crate::engine::RoutedConnection;
use crate::engine::observe;
use crate::engine::position::Position;
use crate::error::Error;
use crate::topology::cluster::Evidence;
use crate::topology::{Cluster, ClusterId, NodeId, PRIMARY};

impl<C: RoutedConnection> Session<C> {
    /// Starts a session that has the needs of a token.
    pub(super) fn after(databases: &Databases<C>, token: &Token) -> Self {
        let mut session = databases.session();
        let clusters = session.topology.clusters().iter().enumerate();
        let fresh = clusters.filter_map(|(index, cluster)| {
            let need = token.need(cluster.alias())?.clone();
            Some((ClusterId::new(index), Freshness::of_token(need)))
        });
        session.fresh = fresh.collect();
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
            let alias = self.open.map(|open| self.topology.routing().alias(open.database).clone());
            return Err(ClusterError::OpenTransaction { alias }.into());
        }
        let mut token = Token::default();
        for index in 0..self.fresh.len() {
            let (id, _) = self.fresh[index];
            let cluster = Arc::clone(self.topology.cluster(id));
            if let Some(position) = self.seen(id, &cluster) {
                token.set(cluster.alias(), position);
            }
        }
        Ok(token.encode(self.databases.token_keys()))
    }

    /// How far a cluster must be to have what was written to it and read from it.
    fn seen(&mut self, id: ClusterId, cluster: &Cluster<C>) -> Option<Position> {
        if *self.freshness(id).need() == Need::WhereThePrimaryIs {
            let primary = self.topology.database(id, PRIMARY);
            let position = self.ask(primary, observe::written).unwrap_or(Position::Unknown);
            self.freshness(id).primary_is_at(position);
        } else if cluster.settings().evidence == Evidence::Positions
            && let Some(replica) = self.freshness(id).replica()
        {
            return Some(self.shown_by(id, cluster, replica));
        }
        self.freshness(id).need().position().cloned()
    }

    /// How far a replica is, and so what was read there at most, with what was needed of it.
    fn shown_by(&mut self, id: ClusterId, cluster: &Cluster<C>, replica: NodeId) -> Position {
        let database = self.topology.database(id, replica);
        let shown = self.ask(database, observe::replayed).ok().and_then(|observation| observation.position);
        let shown = match (shown, cluster.replayed(PRIMARY)) {
            (Some(shown), Some(primary)) => shown.of_primary(&primary.position),
            (shown, _) => shown.unwrap_or(Position::Unknown),
        };
        match self.freshness(id).need().position().cloned() {
            Some(need) => need.join(shown),
            None => shown,
        }
    }
}
