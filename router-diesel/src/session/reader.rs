//! What a session knows of one cluster: the node that it reads from, and what that must have.

use std::time::{Duration, Instant};

use crate::engine::position::Position;

/// How long reads stay on the primary once no replica had caught up, before the replicas are asked again.
const STAY_ON_PRIMARY: Duration = Duration::from_millis(100);

/// What a session knows of one cluster.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) cluster: usize,
    /// The node that serves this session's reads, until it can no longer.
    pub(super) node: Option<usize>,
    /// Whether that node has all that is needed.
    pub(super) verified: bool,
    /// What a replica must have replayed.
    pub(super) need: Option<Position>,
    /// Whether that came with a token, so that it may be of another history than the cluster.
    pub(super) is_foreign: bool,
    /// Whether the primary was used since `need` was asked.
    pub(super) outdated: bool,
    /// Whether the read under way is all that outdated `need`: if it fails, nothing was seen.
    pub(super) is_first_use: bool,
    /// Whether the read under way is the first from `node`: if it fails, nothing was seen there.
    pub(super) is_new: bool,
    /// Since when `node` serves. A connection that was opened later may lead to a server that was rebuilt since.
    pub(super) since: Instant,
    /// Until when reads stay on the primary.
    on_primary_until: Option<Instant>,
}

impl Reader {
    pub(super) fn new(cluster: usize) -> Self {
        Self {
            cluster,
            node: None,
            verified: false,
            need: None,
            is_foreign: false,
            outdated: false,
            is_first_use: false,
            is_new: false,
            since: Instant::now(),
            on_primary_until: None,
        }
    }

    /// Begins with what a token needs.
    pub(super) fn of_token(cluster: usize, need: Position) -> Self {
        Self { need: Some(need), is_foreign: true, ..Self::new(cluster) }
    }

    /// The node that serves this session's reads now.
    pub(super) fn kept(&self) -> Option<usize> {
        self.node.filter(|_| self.verified)
    }

    /// Whether it is too early to ask the replicas again.
    pub(super) fn stays_on_primary(&self) -> bool {
        self.on_primary_until.is_some_and(|until| Instant::now() < until)
    }

    /// Puts off asking the replicas, as none of them had caught up.
    pub(super) fn stay_on_primary(&mut self, now: Instant) {
        self.on_primary_until = Some(now + STAY_ON_PRIMARY);
    }

    /// Takes in what a replica must have replayed from now on, as this cluster's primary gave it.
    pub(super) fn set_need(&mut self, need: Position) {
        self.need = Some(need);
        self.is_foreign = false;
        self.outdated = false;
        self.verified = false;
    }
}
