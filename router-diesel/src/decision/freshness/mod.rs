//! Which node of a cluster may serve a session's read: what it must have, and whether it has that.
//!
//! A state machine: what happened and the time go in, the next question comes out. It asks no server, opens no connection
//! and reads no clock. [`Freshness`] is what one session knows of one cluster, for as long as the session lives.
//! [`Search`] is one read's way to the node that serves it.
//!
//! ```text
//!            ┌─ Connect, Ask … ◄─┐
//!   begin ──►│                   │ answers, failures
//!            └─► Serve(node)  or  Primary(why)
//! ```
//! - A session keeps to one node of each cluster, so that its reads never go back in time.
//! - Whatever a session used the primary for, the next replica must have. Where the primary is *now* is all that counts:
//!   whatever was needed before, the primary has it or nobody does. So each use of the primary turns the need into the
//!   question where the primary is, which is asked when a replica is about to be read from, and not before.
//! - What a replica showed, the next one must have too. The primary has all of it.
//! - A position that came with a token may be of another history than the cluster. What was learnt here never is.

mod need;
mod search;

use std::time::{Duration, Instant};

pub(crate) use need::{History, Judgement, Need};
pub(crate) use search::{Event, Failure, Search, Step};

use crate::engine::RoutedConnection;
use crate::engine::position::Position;
use crate::time::Now;
use crate::topology::cluster::{Evidence, Settings};
use crate::topology::{Cluster, NodeId, PRIMARY, Replayed};

/// How often a read that waits for a replica asks it, at most. An answer is as good as new for as long.
pub(crate) const POLL: Duration = Duration::from_millis(2);

/// How long reads stay on the primary once no replica had caught up, before the replicas are asked again.
const STAY_ON_PRIMARY: Duration = Duration::from_millis(100);

/// What a cluster asks of those who read from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) evidence: Evidence,
    /// For how long after a use of the primary the replicas are not read, where a clock decides.
    pub(crate) window: Duration,
    /// How long a read waits for a replica that is behind.
    pub(crate) wait: Duration,
}

/// What is known of the nodes of a cluster at one moment.
pub(crate) trait Nodes {
    fn terms(&self) -> Terms;
    /// Whether a node may serve reads as the replicas do.
    fn may_serve(&self, node: NodeId) -> bool;
    /// Whether the primary may serve a read that no replica can.
    fn primary_may_serve(&self) -> bool;
    /// The node that the policy chooses, of those that were not passed over.
    fn pick(&self, passed: &dyn Fn(NodeId) -> bool) -> Option<NodeId>;
    /// How far a node was when it was last asked.
    fn replayed(&self, node: NodeId) -> Option<Replayed>;
}

impl<C: RoutedConnection> Nodes for Cluster<C> {
    fn terms(&self) -> Terms {
        self.settings().into()
    }

    #[inline]
    fn may_serve(&self, node: NodeId) -> bool {
        self.view().may_serve(node)
    }

    fn primary_may_serve(&self) -> bool {
        self.view().primary_may_serve()
    }

    fn pick(&self, passed: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.view().pick(self.balance(), passed)
    }

    fn replayed(&self, node: NodeId) -> Option<Replayed> {
        self.replayed(node)
    }
}

impl From<&Settings> for Terms {
    fn from(settings: &Settings) -> Self {
        let Settings { evidence, primary_window, wait_for_replica, .. } = settings;
        Self { evidence: *evidence, window: *primary_window, wait: *wait_for_replica }
    }
}

/// What a session knows of one cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Freshness {
    need: Need,
    serving: Option<Serving>,
    /// Until when reads stay on the primary.
    rests_until: Option<Instant>,
}

/// The node that serves a session's reads, until it can no longer.
#[derive(Debug, Clone, Copy)]
struct Serving {
    node: NodeId,
    /// Since when. A connection that was opened later may lead to a server that was rebuilt since.
    since: Instant,
    proof: Proof,
}

/// Whether a node has shown that it has what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Shown,
    /// Something was done since that it may lack.
    Wanted,
}

impl Freshness {
    /// Begins with what a token needs.
    pub(crate) fn of_token(need: Position) -> Self {
        Self { need: Need::OfToken(need), ..Self::default() }
    }

    /// Takes in that the session used the primary: to write, or to read what the replicas may lack.
    pub(crate) fn used_primary(&mut self, terms: Terms, now: Now) {
        if let Some(serving) = &mut self.serving {
            serving.proof = Proof::Wanted;
        }
        self.need = match terms.evidence {
            Evidence::Positions => Need::WhereThePrimaryIs,
            Evidence::Clock => Need::Of(Position::at(now.wall)),
        };
    }

    /// Takes in that a transaction on the primary has ended. Where a clock decides, it starts when others can see the
    /// write.
    pub(crate) fn committed(&mut self, terms: Terms, now: Now) {
        if terms.evidence == Evidence::Clock && self.need.is_something() {
            self.need = self.need.clone().at(Position::at(now.wall));
        }
    }

    /// Takes in where the primary is, or [`Position::Unknown`] where it could not be asked.
    pub(crate) fn primary_is_at(&mut self, position: Position) {
        self.need = Need::Of(position);
        if let Some(serving) = &mut self.serving {
            serving.proof = Proof::Wanted;
        }
    }

    /// Leaves the nodes that the session knows, as where another topology takes the place of theirs. What the session
    /// must be shown stays.
    pub(crate) fn leave(&mut self, terms: Terms, now: Now) {
        self.forget(None, terms, now);
    }

    /// What a replica must have.
    pub(crate) fn need(&self) -> &Need {
        &self.need
    }

    /// The replica that the session reads from.
    pub(crate) fn replica(&self) -> Option<NodeId> {
        self.serving.map(|serving| serving.node).filter(|node| *node != PRIMARY)
    }

    /// The node that serves the session's reads now, if nothing happened since that it may lack.
    #[inline]
    pub(crate) fn proven(&self) -> Option<NodeId> {
        self.serving.filter(|serving| serving.proof == Proof::Shown).map(|serving| serving.node)
    }

    /// Whether it is too early to ask the replicas again.
    pub(crate) fn rests(&self, now: Now) -> bool {
        self.rests_until.is_some_and(|until| now.steady < until)
    }

    fn rest(&mut self, now: Now) {
        self.rests_until = Some(now.steady + STAY_ON_PRIMARY);
    }

    fn kept(&self) -> Option<NodeId> {
        self.serving.map(|serving| serving.node)
    }

    /// Gives up the session's node. Whatever it showed, the next one must have too: that of which the read under way is
    /// the first from it has shown nothing.
    fn forget(&mut self, first_from: Option<NodeId>, terms: Terms, now: Now) {
        let Some(Serving { node, .. }) = self.serving.take() else { return };
        if node == PRIMARY || first_from == Some(node) {
            return;
        }
        self.used_primary(terms, now);
    }
}

#[cfg(test)]
mod tests;
