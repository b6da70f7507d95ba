//! What an operator is told of a cluster.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use router_core::Alias;

use super::{Cluster, PRIMARY, Standing};
use crate::engine::RoutedConnection;

/// Why a read was not served where it was first meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// The node failed, so another was tried.
    OtherNode,
    /// No replica may serve, so the primary did.
    NoReplica,
    /// No replica had all that the session wrote or read, so the primary served.
    Behind,
    /// A token is of another history than the cluster, so the primary served.
    Incomparable,
    /// No replica had caught up a moment ago, so none was asked again and the primary served.
    Rests,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherNode => "the node failed",
            Self::NoReplica => "no replica may serve",
            Self::Behind => "no replica has caught up",
            Self::Incomparable => "the token is of another history",
            Self::Rests => "no replica had caught up a moment ago",
        })
    }
}

/// How often each fallback happened.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    other_node: AtomicU64,
    no_replica: AtomicU64,
    behind: AtomicU64,
}

impl Fallbacks {
    pub(super) fn count(&self, fallback: Fallback) {
        let counter = match fallback {
            Fallback::OtherNode => &self.other_node,
            Fallback::NoReplica => &self.no_replica,
            Fallback::Behind | Fallback::Incomparable => &self.behind,
            // Counted when the replicas were asked.
            Fallback::Rests => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A cluster as it stands: what [`Databases::cluster`](crate::Databases::cluster) gives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The primary's alias, which is the cluster's name.
    pub alias: Alias,
    /// The primary, then the replicas in file order.
    pub nodes: Vec<NodeStatus>,
    /// How many reads went to another node because the first one failed, since the start.
    pub reads_retried: u64,
    /// How many reads the primary served because no replica might.
    pub reads_without_replica: u64,
    /// How many reads the primary served because no replica was known to have all that the session needs.
    pub reads_ahead_of_replicas: u64,
}

/// A node as it stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its alias.
    pub alias: Alias,
    /// Whether it is declared as a replica.
    pub is_replica: bool,
    /// Whether it serves reads, and why not.
    pub standing: Standing,
    /// How far it lags behind the primary at most; nothing where nobody knows.
    pub lag: Option<Duration>,
    /// How far it is in the engine's own words, such as `timeline 1 at 0/3000148`; nothing where nobody knows.
    pub position: Option<String>,
    /// How many of its connections are in use by this process.
    pub in_use: usize,
    /// How many of its connections were closed because a statement left something behind on them: a setting, a
    /// temporary table, a lock.
    pub closed_for_state: u64,
}

impl<C: RoutedConnection> Cluster<C> {
    pub(crate) fn status(&self) -> ClusterStatus {
        let view = self.view();
        let nodes = self.nodes().map(|(node, it)| NodeStatus {
            alias: it.alias().clone(),
            is_replica: node != PRIMARY,
            standing: view.standing(node).clone(),
            lag: view.lag(node),
            position: it.replayed().map(|known| known.position.to_string()),
            in_use: it.vitals().in_use().load(Ordering::Relaxed),
            closed_for_state: it.vitals().closed_for_state(),
        });
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClusterStatus {
            alias: self.alias().clone(),
            nodes: nodes.collect(),
            reads_retried: count(&self.fallbacks.other_node),
            reads_without_replica: count(&self.fallbacks.no_replica),
            reads_ahead_of_replicas: count(&self.fallbacks.behind),
        }
    }
}
