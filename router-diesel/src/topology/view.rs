//! Who may serve at one moment, as sessions see it.

use std::time::Duration;

use super::balance::{Balance, Candidate, pick};
use super::health::{self, Standing};
use super::ids::{NodeId, PRIMARY};

/// The standing of every node, and those among which a policy chooses. Sessions share it and never change it.
#[derive(Debug, Default)]
pub(crate) struct View {
    standings: Vec<Standing>,
    lags: Vec<Option<Duration>>,
    /// The nodes among which the policy chooses, and those that follow where none of them will do. The primary is
    /// among them only if it serves reads as the replicas do.
    nodes: Vec<NodeId>,
    candidates: Vec<Candidate>,
    suspects: Vec<NodeId>,
    primary_may_serve: bool,
}

impl View {
    /// `always` says whether the primary serves reads as the replicas do.
    pub(crate) fn new(
        view: health::View,
        lags: Vec<Option<Duration>>,
        always: bool,
        candidate: impl Fn(NodeId) -> Candidate,
    ) -> Self {
        let health::View { targets, fallbacks, standings } = view;
        let primary_may_serve = targets.contains(&PRIMARY) || fallbacks.contains(&PRIMARY);
        let kept = |nodes: Vec<NodeId>| -> Vec<NodeId> {
            nodes.into_iter().filter(|node| always || *node != PRIMARY).collect()
        };
        let (nodes, suspects) = (kept(targets), kept(fallbacks));
        let candidates = nodes.iter().map(|node| candidate(*node)).collect();
        Self { standings, lags, nodes, candidates, suspects, primary_may_serve }
    }

    /// The node that a policy chooses, of those that were not passed over.
    pub(crate) fn pick(&self, balance: &dyn Balance, passed: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        if !self.nodes.iter().any(|node| passed(*node)) {
            let picked = pick(balance, &self.candidates).map(|index| self.nodes[index]);
            return picked.or_else(|| self.suspect(passed));
        }
        let left = self.nodes.iter().zip(&self.candidates).filter(|(node, _)| !passed(**node));
        let (nodes, candidates): (Vec<NodeId>, Vec<Candidate>) =
            left.map(|(node, candidate)| (*node, candidate.clone())).unzip();
        pick(balance, &candidates).map(|index| nodes[index]).or_else(|| self.suspect(passed))
    }

    fn suspect(&self, passed: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.suspects.iter().copied().find(|node| !passed(*node))
    }

    #[inline]
    pub(crate) fn may_serve(&self, node: NodeId) -> bool {
        self.nodes.contains(&node) || self.suspects.contains(&node)
    }

    /// Whether the primary may serve a read that no replica can.
    pub(crate) fn primary_may_serve(&self) -> bool {
        self.primary_may_serve
    }

    pub(crate) fn lag(&self, node: NodeId) -> Option<Duration> {
        self.lags[node.index()]
    }

    pub(crate) fn standing(&self, node: NodeId) -> &Standing {
        &self.standings[node.index()]
    }
}
