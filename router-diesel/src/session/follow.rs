//! Takes up a newer topology, when the session holds nothing of its own.

use std::sync::Arc;

use super::{Isolation, Session};
use crate::decision::freshness::{Freshness, Nodes as _};
use crate::engine::RoutedConnection;
use crate::time::Now;
use crate::topology::{ClusterId, DatabaseId, Topology};

/// What a session knows in terms of one topology.
pub(super) struct Moved {
    pub(super) fresh: Vec<(ClusterId, Freshness)>,
    pub(super) only: Option<Vec<DatabaseId>>,
}

impl<C: RoutedConnection> Session<C> {
    /// Takes the newest topology, if the session holds nothing of the one that it has. Each statement begins with this.
    #[inline]
    pub(super) fn follow(&mut self) {
        if self.holds_nothing() && !self.databases.is_newest(&self.topology) {
            let newest = self.databases.topology();
            let Moved { fresh, only } = self.moved(&newest);
            (self.fresh, self.only) = (fresh, only);
            self.topology = newest;
        }
    }

    /// Whether nothing ties the session to its topology: no connection, no transaction, no state, no database by hand.
    #[inline]
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
            && self.open.is_none()
            && self.depth() == 0
            && self.stateful.is_empty()
            && self.isolation == Isolation::None
            && self.state.using.is_none()
    }

    /// What the session knows, in terms of another topology. What it must be shown of a cluster is kept, as long as there
    /// is a primary of that name.
    #[cold]
    pub(super) fn moved(&self, to: &Topology<C>) -> Moved {
        if std::ptr::eq(to, &*self.topology) {
            return Moved { fresh: self.fresh.clone(), only: self.only.clone() };
        }
        let now = Now::read();
        let of_cluster = |(cluster, freshness): &(ClusterId, Freshness)| {
            let cluster = self.topology.cluster(*cluster);
            let mut freshness = freshness.clone();
            freshness.leave(cluster.terms(), now);
            Some((to.cluster_called(cluster.alias().as_str())?, freshness))
        };
        let of_database =
            |database: &DatabaseId| to.routing().id(self.topology.routing().alias(*database).as_str());
        Moved {
            fresh: self.fresh.iter().filter_map(of_cluster).collect(),
            only: self.only.as_ref().map(|only| only.iter().filter_map(of_database).collect()),
        }
    }

    /// The topology that the session's next statement will have.
    pub(super) fn next_topology(&self) -> Arc<Topology<C>> {
        if self.holds_nothing() { self.databases.topology() } else { Arc::clone(&self.topology) }
    }
}
