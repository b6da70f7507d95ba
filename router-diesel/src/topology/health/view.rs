//! What all that is known amounts to: how each node stands, and what reads can choose from.

use std::sync::Arc;
use std::time::Duration;

use super::node::Trouble;
use super::{Health, PRIMARY, Progress, Standing};
use crate::config::{Offline, PrimaryReads};
use crate::topology::ids::NodeId;

/// What a read can choose from at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// The nodes among which a read chooses, in file order: the healthy ones; where there are none the suspects; where
    /// there are none of those either, the primary if it may serve reads.
    pub(crate) targets: Vec<NodeId>,
    /// The nodes that a read may try after those, in this order: suspects, then the primary.
    pub(crate) fallbacks: Vec<NodeId>,
    /// How each node stands.
    pub(crate) standings: Vec<Standing>,
}

impl<P: Progress> Health<P> {
    /// What reads can choose from.
    ///
    /// `primary_reads` says when the primary serves reads: `never`, after the replicas (`fallback`), or among them
    /// (`always`). Without any replica that is not `offline`, it serves them whatever that says.
    pub(crate) fn view(&self, now: Duration) -> View {
        let standings = self.standings(now);
        let may_read = self.primary_may_read();
        let always = may_read && (self.primary_reads == PrimaryReads::Always || !self.has_replicas());
        let of = |wanted: fn(&Standing) -> bool| -> Vec<NodeId> {
            let may_read = self.ids().filter(|node| always || *node != PRIMARY);
            may_read.filter(|node| wanted(&standings[node.index()])).collect()
        };
        let mut targets = of(Standing::is_healthy);
        let mut fallbacks = of(|standing| matches!(standing, Standing::Suspect { .. }));
        if targets.is_empty() {
            targets = std::mem::take(&mut fallbacks);
        }
        if may_read && !targets.contains(&PRIMARY) && !fallbacks.contains(&PRIMARY) {
            let last = if targets.is_empty() { &mut targets } else { &mut fallbacks };
            last.push(PRIMARY);
        }
        View { targets, fallbacks, standings }
    }

    /// The nodes, the primary first.
    fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<P> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    fn has_replicas(&self) -> bool {
        self.nodes.len() > 1 && self.offline != Some(Offline::Replicas)
    }

    /// Whether the primary may serve reads at all.
    fn primary_may_read(&self) -> bool {
        let allowed = self.primary_reads != PrimaryReads::Never || !self.has_replicas();
        let drained = self.nodes.first().is_none_or(|primary| primary.drained);
        allowed && !drained && self.offline != Some(Offline::Primary)
    }

    pub(super) fn standings(&self, now: Duration) -> Vec<Standing> {
        let mut standings: Vec<Standing> = self.ids().map(|node| self.standing_alone(now, node)).collect();
        let is_target = |(node, standing): (NodeId, &Standing)| match node {
            PRIMARY => self.primary_may_read() && !matches!(standing, Standing::Down { .. }),
            _ => standing.may_serve(),
        };
        if !self.ids().zip(&standings).any(is_target)
            && let Some((node, reason)) = self.last_banned(now, &standings)
        {
            standings[node.index()] = Standing::Suspect { reason };
        }
        standings
    }

    /// The replica that was banned last and is kept out by nothing but its ban. A primary that is down is no target
    /// that would make up for it.
    fn last_banned(&self, now: Duration, standings: &[Standing]) -> Option<(NodeId, Arc<str>)> {
        let banned = self.ids().filter(|node| {
            matches!(standings[node.index()], Standing::Banned { .. })
                && self.too_far_behind(now, *node).is_none()
        });
        let since = |node: &NodeId| self.nodes[node.index()].trouble.as_ref().map(|trouble| trouble.since);
        // Of equals the first in the file.
        let last = banned.rev().max_by_key(since)?;
        Some((last, Arc::clone(&self.nodes[last.index()].trouble.as_ref()?.reason)))
    }

    /// How a node stands, whatever the others do.
    fn standing_alone(&self, now: Duration, id: NodeId) -> Standing {
        let node = &self.nodes[id.index()];
        let is_primary = id == PRIMARY;
        let offline = if is_primary { Offline::Primary } else { Offline::Replicas };
        if self.offline == Some(offline) {
            Standing::Offline
        } else if node.drained {
            Standing::Drained
        } else if !is_primary && node.other_role {
            Standing::NotAReplica
        } else if !is_primary && node.other_cluster {
            Standing::OtherCluster
        } else if let Some(Trouble { since, reason, .. }) = node.failure() {
            let reason = Arc::clone(reason);
            if is_primary {
                Standing::Down { elapsed: now.saturating_sub(*since), reason }
            } else {
                Standing::Banned { remaining: (*since + self.settings.ban).saturating_sub(now), reason }
            }
        } else if node.other_role {
            Standing::NotAPrimary
        } else if let Some(behind) = self.too_far_behind(now, id) {
            behind
        } else if let Some(Trouble { reason, .. }) = &node.trouble {
            Standing::Suspect { reason: Arc::clone(reason) }
        } else if node.seen {
            Standing::Up
        } else {
            Standing::Untested
        }
    }

    /// What is wrong with a replica's lag, if anything.
    ///
    /// Where an operator took the primary out of use, `max_lag` is not asked for: reads are to go to the replicas, and
    /// there is nothing to measure them by.
    fn too_far_behind(&self, now: Duration, id: NodeId) -> Option<Standing> {
        let node = &self.nodes[id.index()];
        let limit =
            node.settings.max_lag.filter(|_| id != PRIMARY && self.offline != Some(Offline::Primary))?;
        let Some(fresh_as_of) = node.fresh_as_of else { return Some(Standing::LagUnknown { limit }) };
        let lag = self.judged_at(now).saturating_sub(fresh_as_of);
        (lag > limit).then_some(Standing::Lagging { lag, limit })
    }
}
