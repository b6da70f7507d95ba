//! Who may serve at one moment, as sessions see it.

use std::time::Duration;

use super::PRIMARY;
use super::balance::{Balance, Candidate, pick};
use super::health::{self, Standing};

/// The standing of every node, and those among which a policy chooses. Sessions share it and never change it.
#[derive(Debug, Default)]
pub(crate) struct View {
    standings: Vec<Standing>,
    lags: Vec<Option<Duration>>,
    /// The nodes among which the policy chooses, and those that follow where none of them will do. The primary is
    /// among them only if it serves reads as the replicas do.
    nodes: Vec<usize>,
    candidates: Vec<Candidate>,
    suspects: Vec<usize>,
    primary_may_serve: bool,
}

impl View {
    /// `always` says whether the primary serves reads as the replicas do.
    pub(super) fn new(
        view: health::View,
        lags: Vec<Option<Duration>>,
        always: bool,
        candidate: impl Fn(usize) -> Candidate,
    ) -> Self {
        let health::View { targets, fallbacks, standings } = view;
        let primary_may_serve = targets.contains(&PRIMARY) || fallbacks.contains(&PRIMARY);
        let kept = |nodes: Vec<usize>| -> Vec<usize> {
            nodes.into_iter().filter(|node| always || *node != PRIMARY).collect()
        };
        let (nodes, suspects) = (kept(targets), kept(fallbacks));
        let candidates = nodes.iter().map(|node| candidate(*node)).collect();
        Self { standings, lags, nodes, candidates, suspects, primary_may_serve }
    }

    /// The node that a policy chooses, of those that are not skipped.
    pub(crate) fn pick(&self, balance: &dyn Balance, skipped: &Skipped) -> Option<usize> {
        if skipped.is_empty() {
            return pick(balance, &self.candidates).map(|index| self.nodes[index]);
        }
        let left = self.nodes.iter().zip(&self.candidates).filter(|(node, _)| !skipped.contains(**node));
        let (nodes, candidates): (Vec<usize>, Vec<Candidate>) =
            left.map(|(node, candidate)| (*node, candidate.clone())).unzip();
        let suspect = || self.suspects.iter().copied().find(|node| !skipped.contains(*node));
        pick(balance, &candidates).map(|index| nodes[index]).or_else(suspect)
    }

    pub(crate) fn may_serve(&self, node: usize) -> bool {
        self.nodes.contains(&node) || self.suspects.contains(&node)
    }

    /// Whether the primary may serve a read that no replica can.
    pub(crate) fn primary_may_serve(&self) -> bool {
        self.primary_may_serve
    }

    pub(crate) fn lag(&self, node: usize) -> Option<Duration> {
        self.lags[node]
    }

    pub(crate) fn standing(&self, node: usize) -> &Standing {
        &self.standings[node]
    }
}

/// The nodes that do not serve one read, each with why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skipped(Vec<Skip>);

#[derive(Debug, Clone)]
struct Skip {
    node: usize,
    reason: String,
    is_busy: bool,
}

impl Skipped {
    pub(crate) fn push(&mut self, node: usize, reason: impl Into<String>) {
        self.0.push(Skip { node, reason: reason.into(), is_busy: false });
    }

    /// One that works, and has no free connection.
    pub(crate) fn push_busy(&mut self, node: usize, reason: impl Into<String>) {
        self.0.push(Skip { node, reason: reason.into(), is_busy: true });
    }

    /// Lets those be tried again that were only busy. Says whether there were any.
    pub(crate) fn forgive_busy(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|skip| !skip.is_busy);
        self.0.len() < before
    }

    pub(crate) fn contains(&self, node: usize) -> bool {
        self.0.iter().any(|skip| skip.node == node)
    }

    pub(crate) fn reason(&self, node: usize) -> Option<&str> {
        self.0.iter().rev().find(|skip| skip.node == node).map(|skip| skip.reason.as_str())
    }

    /// These and those.
    pub(crate) fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).cloned().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
