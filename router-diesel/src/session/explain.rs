//! Where a session would send a statement, and why.

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};

use super::Session;
use super::follow::Moved;
use crate::decision::freshness::Freshness;
use crate::decision::{Explanation, NodeRoute, OnPrimary, Reach, Scene, reach};
use crate::engine::RoutedConnection;
use crate::time::Now;
use crate::topology::{DatabaseId, Member, Prepared, Topology};

impl<C: RoutedConnection> Session<C> {
    /// Says where this session would send a query now and why. Nothing is run, and no server is asked.
    ///
    /// Where the database has replicas, [`Explanation::nodes`] says which of them would serve, and why the others
    /// would not.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    pub fn explain<T>(&self, query: &T) -> QueryResult<Explanation>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let topology = self.next_topology();
        let prepared = topology.prepare(query)?;
        let moved = self.moved(&topology);
        let mut circumstances = self.circumstances();
        circumstances.only = moved.only.as_deref().or_else(|| topology.only());
        let (explanation, route) = Explanation::new(topology.routing(), &prepared, circumstances);
        let member = route.and_then(|route| topology.member(route.database));
        Ok(match member {
            Some(member) => explanation.with_nodes(self.explain_nodes(&topology, &prepared, member)),
            None => explanation,
        })
    }

    fn explain_nodes(&self, topology: &Topology<C>, prepared: &Prepared, member: Member) -> Vec<NodeRoute> {
        let cluster = topology.cluster(member.cluster);
        let view = cluster.view();
        let scene = Scene {
            aliases: cluster.nodes().map(|(_, node)| node.alias()).collect(),
            policy: cluster.policy(),
            view: &view,
            nodes: &**cluster,
            now: Now::read(),
        };
        let node_of = |database: DatabaseId| topology.member(database).unwrap_or(member).node;
        match reach(prepared, member, self.standpoint(member.cluster)) {
            Reach::Only(node, why) => scene.only(node, why),
            Reach::Open(database) => scene.only(node_of(database), OnPrimary::InTransaction),
            Reach::Replicas(only) => {
                let Moved { fresh, .. } = self.moved(topology);
                let known = fresh.into_iter().find(|(cluster, _)| *cluster == member.cluster);
                let freshness = known.map_or_else(Freshness::default, |(_, freshness)| freshness);
                scene.read(&freshness, only, &|node| self.holds(topology.database(member.cluster, node)))
            }
        }
    }
}
