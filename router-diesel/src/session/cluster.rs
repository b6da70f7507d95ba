//! Reads of a cluster: on the replica that the session keeps, or on the node that the decision names.

use std::sync::Arc;
use std::time::Instant;

use diesel::QueryResult;
use diesel::connection::LoadConnection;
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use polonius_the_crab::{ForLt, PoloniusResult, polonius};

use super::Session;
use super::shared::Shared;
use super::statement::ClusterRead;
use crate::databases::finder::{Finder, Links, Served};
use crate::decision::freshness::{Freshness, Search};
use crate::engine::observe::{self, Observation};
use crate::engine::position::Position;
use crate::engine::{RoutedConnection, is_lost};
use crate::error::Error;
use crate::statement::effects::Facts;
use crate::topology::pool::{NodeConnection, Patience};
use crate::topology::{Cluster, ClusterId, DatabaseId, NodeId, PRIMARY};

impl<C: RoutedConnection> Session<C> {
    /// Runs a read on a node of its cluster: on another, then on the primary, where one fails because it is gone.
    pub(super) fn load_from_cluster<'conn, 'query, B, T>(
        &'conn mut self,
        read: ClusterRead,
        source: T,
    ) -> Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>, Error>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let source = Shared::new(source);
        let mut search = Search::new(read.only);
        let start = Instant::now();
        let mut is_first = true;
        let mut session = self;
        loop {
            let node = session.node_for(read, &mut search)?;
            let attempt = source.clone();
            let outcome = polonius::<
                _,
                _,
                ForLt!(
                    <'any> = Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'any, 'query>, Error>
                ),
            >(session, |session| {
                let position = match session.node_at(node) {
                    Ok(position) => position,
                    Err(error) => return PoloniusResult::Owned(error),
                };
                session.marks.made(Facts::ENDED, node);
                let conn = &mut *session.held[position].checkout;
                conn.next_is(read.number);
                match <NodeConnection<C> as LoadConnection<B>>::load(conn, attempt) {
                    Ok(cursor) => {
                        session.marks.made(read.makes, node);
                        PoloniusResult::Borrowing(Ok(cursor))
                    }
                    Err(error) => PoloniusResult::Owned(error.into()),
                }
            });
            match outcome {
                PoloniusResult::Borrowing(cursor) => return cursor,
                PoloniusResult::Owned { value: error, input_borrow } => {
                    session = input_borrow;
                    if std::mem::take(&mut is_first) && session.may_try_node_again(read, node, start, &error)
                    {
                        continue;
                    }
                    session.try_another(read, &mut search, node, error)?;
                }
            }
        }
    }

    /// Whether the same node may serve a read after all, because its plans were stale. Who stands in for a node that is
    /// gone is the search's to say.
    fn may_try_node_again(
        &mut self,
        read: ClusterRead,
        node: DatabaseId,
        start: Instant,
        error: &Error,
    ) -> bool {
        let is_lost = error.as_diesel().is_some_and(is_lost);
        read.may_run_again && self.open.is_none() && !is_lost && self.is_mended(node, start, error)
    }

    /// The node for a read. The session holds a connection to it, in the transaction where one begins.
    pub(super) fn node_for(&mut self, read: ClusterRead, search: &mut Search) -> Result<DatabaseId, Error> {
        loop {
            let node = match self.kept_node(read, search) {
                Some(node) => self.topology.database(read.cluster, node),
                None => self.find_node(read, search)?,
            };
            if !self.is_transaction_pending() {
                return Ok(node);
            }
            // Nothing was read yet, so a transaction that cannot begin here may begin elsewhere.
            match self.begin_on(read.database, node) {
                Ok(()) => return Ok(node),
                Err(error) => self.try_another(read, search, node, error)?,
            }
        }
    }

    /// The node that the session already reads from, if it may go on.
    #[inline]
    fn kept_node(&self, read: ClusterRead, search: &Search) -> Option<NodeId> {
        let freshness = self.known_freshness(read.cluster)?;
        let node = freshness.ready(search, &**self.topology.cluster(read.cluster))?;
        let database = self.topology.database(read.cluster, node);
        if !self.holds(database) {
            return None;
        }
        tracing::trace!(alias = %self.topology.routing().alias(database), reason = %Served::Kept, "reads");
        Some(node)
    }

    #[cold]
    fn find_node(&mut self, read: ClusterRead, search: &mut Search) -> Result<DatabaseId, Error> {
        self.databases.watch_clusters();
        let cluster = Arc::clone(self.topology.cluster(read.cluster));
        // A policy of the program's own may panic, so what the session must be shown stays here meanwhile.
        let mut freshness = self.freshness(read.cluster).clone();
        let mut links = Nodes { session: self, cluster: &cluster, id: read.cluster };
        let found = Finder::new(&cluster, &mut freshness, search).find(&mut links);
        *self.freshness(read.cluster) = freshness;
        let (node, served) = found?;
        tracing::trace!(alias = %cluster.alias_of(node), reason = %served, "reads");
        Ok(self.topology.database(read.cluster, node))
    }

    /// Takes in why a node did not serve a read: an error that is not the node's fault is the read's own.
    #[cold]
    fn try_another(
        &mut self,
        read: ClusterRead,
        search: &mut Search,
        database: DatabaseId,
        error: Error,
    ) -> Result<(), Error> {
        let Some(member) = self.topology.member(database).filter(|_| self.open.is_none()) else {
            return Err(error);
        };
        let cluster = Arc::clone(self.topology.cluster(read.cluster));
        let freshness = self.freshness(read.cluster);
        let goes_on = Finder::new(&cluster, freshness, search).failed(member.node, &error);
        if goes_on { Ok(()) } else { Err(error) }
    }

    pub(super) fn known_freshness(&self, cluster: ClusterId) -> Option<&Freshness> {
        self.fresh.iter().find(|(known, _)| *known == cluster).map(|(_, freshness)| freshness)
    }

    pub(super) fn freshness(&mut self, cluster: ClusterId) -> &mut Freshness {
        let position = self.fresh.iter().position(|(known, _)| *known == cluster);
        let position = position.unwrap_or_else(|| {
            self.fresh.push((cluster, Freshness::default()));
            self.fresh.len() - 1
        });
        &mut self.fresh[position].1
    }

    /// Asks a database for its position, outside of a transaction. A connection that turns out to be lost, as after a
    /// restart of the server, says nothing of the server: it is replaced once.
    pub(super) fn ask<T>(
        &mut self,
        database: DatabaseId,
        question: fn(&mut C) -> QueryResult<T>,
    ) -> Result<T, Error> {
        self.marks.overwritten(database);
        let conn = self.node(database)?;
        match conn.watch(question) {
            Err(_) if conn.is_lost() => Ok(self.node(database)?.watch(question)?),
            answer => Ok(answer?),
        }
    }
}

/// A session's connections to the nodes of one cluster.
pub(super) struct Nodes<'s, C: RoutedConnection> {
    pub(super) session: &'s mut Session<C>,
    pub(super) cluster: &'s Cluster<C>,
    pub(super) id: ClusterId,
}

impl<C: RoutedConnection> Nodes<'_, C> {
    fn database(&self, node: NodeId) -> DatabaseId {
        self.session.topology.database(self.id, node)
    }

    /// Asks the primary where it is, or a replica on the connection that the session holds to it.
    fn observe(&mut self, node: NodeId) -> Result<Observation, Error> {
        let database = self.database(node);
        match node {
            PRIMARY => self.session.ask(database, observe::replayed),
            _ => {
                self.session.marks.overwritten(database);
                let observed = self.session.node(database)?.watch(observe::replayed);
                observed.map_err(|error: DieselError| error.into())
            }
        }
    }
}

impl<C: RoutedConnection> Links for Nodes<'_, C> {
    fn connect(&mut self, node: NodeId, patience: Patience) -> Result<Instant, Error> {
        let database = self.database(node);
        Ok(self.session.node_with(database, patience)?.opened())
    }

    fn give_back(&mut self, node: NodeId) {
        let database = self.database(node);
        if let Some(position) = self.session.position(database) {
            self.session.lose_state(database);
            self.session.give_back(position);
        }
    }

    fn ask_primary(&mut self) -> Result<Position, Error> {
        let primary = self.database(PRIMARY);
        self.session.ask(primary, observe::written)
    }

    fn ask(&mut self, node: NodeId) -> Result<Option<Position>, Error> {
        let asked = Instant::now();
        let observation = self.observe(node)?;
        if node != PRIMARY {
            self.cluster.answered(node);
        }
        Ok(self.cluster.note_replayed(node, asked, &observation))
    }
}
