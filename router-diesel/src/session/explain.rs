//! Why a session would send a statement where it would.

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};
use router_core::{Operation, Role};

use super::Session;
use super::reader::Reader;
use super::replica::ReplicaRead;
use crate::decision::{Explanation, NodeRoute, Prepared, Serves};
use crate::engine::RoutedConnection;
use crate::engine::position::Coverage;
use crate::topology::{Cluster, Member, PRIMARY, View};

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
        let prepared = self.databases.prepare(query)?;
        let routing = self.databases.routing();
        let mut explanation = routing.explain(&prepared, self.circumstances());
        let database = explanation.alias().ok().and_then(|alias| routing.index(alias.as_str()));
        if let Some(database) = database
            && let Some(Member { cluster, .. }) = self.databases.clusters().member(database)
        {
            let cluster = self.databases.clusters().get(cluster);
            explanation.set_nodes(match self.replica_read(database, &prepared) {
                Some(read) => self.explain_read(cluster, read),
                None => self.explain_no_replica(cluster, database, &prepared),
            });
        }
        Ok(explanation)
    }

    /// Why a statement goes to one node and could go to no other.
    fn explain_no_replica(&self, cluster: &Cluster, database: usize, prepared: &Prepared) -> Vec<NodeRoute> {
        let (serving, why) = if let Some(open) = self.open {
            (open.node, "the open transaction is there")
        } else if self.state.using.is_some() {
            (database, "it was chosen by hand")
        } else if prepared.statement.operation() != Operation::Read {
            (database, "it is the primary, and the statement does more than read")
        } else if self.state.role == Some(Role::Writing) {
            (database, "the scope reads where it writes")
        } else if self.stateful.contains(&database) {
            (database, "a statement has left something behind on its connection")
        } else if self.depth() > 0 {
            (database, "a transaction begins with it")
        } else if !prepared.names_a_table() {
            (database, "the statement names no table")
        } else {
            (database, "the statement is not known to only read, or it is in a test transaction")
        };
        let serving = cluster.node_of(serving);
        cluster
            .aliases()
            .enumerate()
            .map(|(node, alias)| {
                let (serves, why) = match node == serving {
                    true => (Serves::Yes, why.to_owned()),
                    false => (Serves::No, format!("the statement goes to `{}`", cluster.alias_of(serving))),
                };
                NodeRoute::new(alias.clone(), serves, why)
            })
            .collect()
    }

    /// Which nodes may serve a read, by what is known without asking them.
    fn explain_read(&self, cluster: &Cluster, read: ReplicaRead) -> Vec<NodeRoute> {
        let view = cluster.view();
        let chances: Vec<Chance> =
            (0..cluster.len()).map(|node| self.chance(cluster, &view, read, node)).collect();
        let open = chances.iter().filter(|chance| !matches!(chance, Chance::No(_))).count();
        let by_policy = format!("by {}", cluster.policy());
        let routes = cluster.aliases().zip(chances).enumerate().map(|(node, (alias, chance))| {
            let (serves, why) = match chance {
                Chance::Kept => (Serves::Yes, "this session reads from it".to_owned()),
                Chance::Picked if open == 1 => (Serves::Yes, "no other may".to_owned()),
                Chance::Picked => (Serves::Maybe, by_policy.clone()),
                Chance::Asked(what) => (Serves::Maybe, what),
                Chance::No(_) if open == 0 && node == PRIMARY && view.primary_may_serve() => {
                    (Serves::Yes, "no replica may".to_owned())
                }
                Chance::No(why) => (Serves::No, why),
            };
            NodeRoute::new(alias.clone(), serves, why)
        });
        routes.collect()
    }

    fn chance(&self, cluster: &Cluster, view: &View, read: ReplicaRead, node: usize) -> Chance {
        let reader = self.reader_of(read);
        let kept = reader.and_then(Reader::kept).filter(|node| view.may_serve(*node));
        if !view.may_serve(node) {
            return Chance::No(match node {
                PRIMARY if view.primary_may_serve() => "it reads only where no replica can".to_owned(),
                PRIMARY => cluster.why_not_primary().unwrap_or_default(),
                _ => view.standing(node).to_string(),
            });
        }
        match kept {
            Some(kept) if kept == node => return Chance::Kept,
            Some(kept) => return Chance::No(format!("this session reads from `{}`", cluster.alias_of(kept))),
            None => {}
        }
        if read.is_for_another(node) {
            return Chance::No("the routers chose another".to_owned());
        }
        let Some(reader) = reader.filter(|_| node != PRIMARY) else { return Chance::Picked };
        if reader.stays_on_primary() {
            return Chance::No("no replica had caught up a moment ago".to_owned());
        }
        if reader.outdated {
            return Chance::Asked("if it has all that the primary has now".to_owned());
        }
        let Some(need) = &reader.need else { return Chance::Picked };
        if reader.is_foreign && cluster.window_coverage(need).is_none() {
            match cluster.known_position(PRIMARY).map(|primary| need.same_history(&primary)) {
                Some(Ok(())) => {}
                Some(Err(why)) => return Chance::No(why.to_string()),
                None => return Chance::Asked("if its primary is of the token's history".to_owned()),
            }
        }
        match cluster.known_coverage(node, need) {
            Some(Coverage::Covered) => Chance::Picked,
            Some(Coverage::Incomparable(why)) => Chance::No(why.to_string()),
            Some(behind @ Coverage::Behind(_)) if !cluster.has_positions() => Chance::No(behind.to_string()),
            Some(behind @ Coverage::Behind(_)) => Chance::Asked(format!("if it is no longer {behind}")),
            None => Chance::Asked("if it has all that the session needs".to_owned()),
        }
    }
}

/// Whether a node would serve a read.
enum Chance {
    /// The session reads from it already.
    Kept,
    /// The policy may choose it.
    Picked,
    /// It must say first how far it is.
    Asked(String),
    No(String),
}
