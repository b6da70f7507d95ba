//! Where a session would send a statement, and why.

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};

use super::Session;
use crate::decision::freshness::Freshness;
use crate::decision::{Explanation, OnPrimary, Place, Reach, Scene, Standpoint, Wants, reach};
use crate::engine::RoutedConnection;
use crate::time::Now;
use crate::topology::{Member, Topology};

impl<C: RoutedConnection> Session<C> {
    /// Says where this session would send a query now and why. Nothing is run, and no server is asked.
    ///
    /// It speaks of a query whose rows are loaded. Through `execute` a read goes to the primary, as it is then run for an
    /// effect.
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
        let prepared = match Self::by_bound_values(&topology, &prepared, query) {
            Some(bound) => bound.prepared,
            None => prepared,
        };
        let moved = self.moved(&topology);
        let mut circumstances = self.circumstances();
        circumstances.only = moved.only.as_deref().or_else(|| topology.only());
        let (explanation, route) = Explanation::new(topology.routing(), &prepared, circumstances);
        let Some(route) = route else { return Ok(explanation) };
        let Some(place) = Place::of(&topology, route.database) else { return Ok(explanation) };
        if let Some(node) = route.node {
            let Some(member) = topology.member(node) else { return Ok(explanation) };
            let nodes = self.scene(&topology, member, |scene| scene.only(member.node, OnPrimary::Asked));
            return Ok(explanation.with_nodes(nodes));
        }
        // A session that takes up another topology holds nothing, and so has no state either.
        let standpoint = Standpoint { circumstances, ..self.standpoint(place.primary, Wants::Rows) };
        let member = place.member;
        let nodes = match reach(topology.routing(), &prepared, place, standpoint) {
            Err(refusal) => return Ok(explanation.refused(refusal)),
            Ok(Reach::Only(node, why)) => self.scene(&topology, member, |scene| scene.only(node, why)),
            Ok(Reach::Open(database)) => {
                let node = topology.member(database).unwrap_or(member).node;
                self.scene(&topology, member, |scene| scene.only(node, OnPrimary::InTransaction))
            }
            Ok(Reach::Replicas(only)) => {
                let known = moved.fresh.iter().find(|(cluster, _)| *cluster == member.cluster);
                let freshness = known.map_or_else(Freshness::default, |(_, freshness)| freshness.clone());
                let holds = |node| self.holds(topology.database(member.cluster, node));
                self.scene(&topology, member, |scene| scene.read(&freshness, only, &holds))
            }
        };
        Ok(explanation.with_nodes(nodes))
    }

    /// Hands a cluster as it is now to those who explain it.
    fn scene<T>(&self, topology: &Topology<C>, member: Member, tell: impl FnOnce(&Scene<'_>) -> T) -> T {
        let cluster = topology.cluster(member.cluster);
        let view = cluster.view();
        tell(&Scene {
            aliases: cluster.nodes().map(|(_, node)| node.alias()).collect(),
            policy: cluster.policy(),
            view: &view,
            nodes: &**cluster,
            now: Now::read(),
        })
    }
}
