//! Which nodes of a cluster may serve, as a state machine: events and the time in, standings out.
//!
//! It reads no clock, opens no connection and starts no thread. A time is the time since any start, the same for all
//! calls.
//!
//! Where the rules come from: that the last target is never banned, that a ban is lifted by an answer and not by the
//! clock, that the first reason is kept, and that a connection which was out is closed on its return, is what pgcat,
//! pgdog and ProxySQL arrived at. That the lag of a promoted replica is forgotten, and that an unknown lag is too much,
//! mends faults that such tools have had.

mod event;
mod lag;
mod node;
mod standing;
mod view;

use std::time::Duration;

pub(crate) use event::{Actions, Change, Event, Observation};
pub(crate) use lag::Progress;
pub use standing::Standing;
pub(crate) use view::View;

use super::ids::{NodeId, PRIMARY};
use crate::config::{HealthSettings, Offline, PrimaryReads};
use crate::engine::Role;
use lag::{Added, History};
use node::{Grade, Node};

/// A node as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct NodeSettings {
    /// How far it may lag behind and still serve; of no meaning for the primary.
    pub(crate) max_lag: Option<Duration>,
}

/// How often to ask the nodes, and how long to wait for each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// The nodes of one cluster.
#[derive(Debug)]
pub(crate) struct Health<P> {
    settings: HealthSettings,
    primary_reads: PrimaryReads,
    offline: Option<Offline>,
    nodes: Vec<Node<P>>,
    history: History<P>,
    /// The primary's return, if it was ever down.
    back: Option<Back>,
    /// The standings that were told of last.
    told: Vec<Standing>,
}

/// The primary has come back, and its replicas have not all been asked since.
#[derive(Debug)]
struct Back {
    /// When it last answered before.
    judged_at: Duration,
    until: Duration,
}

impl<P: Progress> Health<P> {
    /// A cluster of which nothing is known yet. The primary is the first node.
    pub(crate) fn new(
        settings: HealthSettings,
        nodes: Vec<NodeSettings>,
        primary_reads: PrimaryReads,
        offline: Option<Offline>,
    ) -> Self {
        let nodes: Vec<Node<P>> = nodes.into_iter().map(Node::new).collect();
        let mut health = Self {
            settings,
            primary_reads,
            offline,
            nodes,
            history: History::new(),
            back: None,
            told: Vec::new(),
        };
        health.told = health.standings(Duration::ZERO);
        health
    }

    /// How often to ask the nodes, and how long to wait.
    ///
    /// As the file says, or four times within the shortest `max_lag` where that is more often: how far a replica is
    /// behind is not known more finely than the primary is asked, and a healthy replica must not seem to lag.
    pub(crate) fn pace(&self) -> Pace {
        let shortest = self.nodes.iter().skip(1).filter_map(|node| node.settings.max_lag).min();
        let HealthSettings { interval, timeout, .. } = self.settings;
        match shortest.map(|max_lag| max_lag / 4) {
            Some(quarter) => Pace { interval: interval.min(quarter), timeout: timeout.min(quarter) },
            None => Pace { interval, timeout },
        }
    }

    /// Takes note of an event, and says what is to be done. A node that is not there is of no consequence.
    ///
    /// - A lost connection makes a node suspect: it may have been that connection alone. So does a failed probe, as a
    ///   server may pause for a moment. The node is asked at once; a second failure bans it. A connection that cannot
    ///   be made bans at once.
    /// - A ban lasts at least `ban`, and then until the node answers a question that was sent after it failed. Later
    ///   failures change neither its time nor its reason: the first one says what happened.
    /// - An answered statement says nothing of a replica's ban: it may have been on its way before. It does say that a
    ///   primary is up, which is never banned.
    /// - Draining and `offline` overrule all of that.
    pub(crate) fn handle(&mut self, now: Duration, node: NodeId, event: Event<P>) -> Actions {
        let judged_at = self.judged_at(now);
        let was_down = self.primary_is_down();
        let Some(this) = self.nodes.get_mut(node.index()) else { return Actions::default() };
        let mut probe_in = None;
        match event {
            Event::Served => {
                let news = !this.seen || (node == PRIMARY && this.trouble.is_some());
                if !news {
                    return Actions::default();
                }
                this.seen = true;
                if node == PRIMARY {
                    this.trouble = None;
                }
            }
            Event::ConnectFailed(reason) => this.fail(now, Grade::Failed, reason),
            Event::ReadFailed(reason) | Event::ProbeFailed(reason) => {
                if this.trouble.is_none() {
                    probe_in = Some(Duration::ZERO);
                }
                this.fail(now, Grade::Suspect, reason);
            }
            Event::Probed(observation) => {
                let ban = if node == PRIMARY { Duration::ZERO } else { self.settings.ban };
                probe_in = this.answered(now, ban, observation.sent_at);
                self.observed(node, observation);
            }
            Event::Drain => this.drained = true,
            Event::Undrain => {
                this.drained = false;
                probe_in = Some(Duration::ZERO);
            }
        }
        if was_down && !self.primary_is_down() {
            let Pace { interval, timeout } = self.pace();
            self.back = Some(Back { judged_at, until: now + interval + timeout });
        }
        Actions { probe_in, ..self.settle(now) }
    }

    /// What has changed by time alone since the last call; to be called when [`Self::next_change`] has come.
    pub(crate) fn settle(&mut self, now: Duration) -> Actions {
        let standings = self.standings(now);
        let told = std::mem::replace(&mut self.told, standings.clone());
        let changes: Vec<Change> = told
            .into_iter()
            .zip(standings)
            .enumerate()
            .filter(|(_, (from, to))| std::mem::discriminant(from) != std::mem::discriminant(to))
            .map(|(node, (from, to))| Change { node: NodeId::new(node), from, to })
            .collect();
        let is_out = |standing: &Standing| {
            matches!(
                standing,
                Standing::Banned { .. } | Standing::Drained | Standing::NotAReplica | Standing::OtherCluster
            )
        };
        let drop_connections = changes
            .iter()
            .filter(|change| is_out(&change.to) && !is_out(&change.from))
            .map(|change| change.node)
            .collect();
        Actions { drop_connections, probe_in: None, changes }
    }

    /// When a standing changes by time alone: a ban has lasted long enough, or a limit of lag passes.
    pub(crate) fn next_change(&self, now: Duration) -> Option<Duration> {
        let bans = self
            .nodes
            .iter()
            .skip(1)
            .filter_map(|node| node.failure().map(|failure| failure.since + self.settings.ban));
        let limits = self.nodes.iter().skip(1).filter_map(|node| {
            // A lag at the limit is not above it.
            let limit = node.fresh_as_of? + node.settings.max_lag? + Duration::from_nanos(1);
            (self.judged_at(now) == now).then_some(limit)
        });
        let back = self.back.as_ref().map(|back| back.until);
        bans.chain(limits).chain(back).filter(|change| *change > now).min()
    }

    /// How far a replica is behind, at most; nothing where that is unknown.
    ///
    /// One that has all that the primary had when it was last asked is not behind at all, as long as that was asked when
    /// it should have been: the age of the question is not the replica's lag.
    pub(crate) fn lag(&self, now: Duration, node: NodeId) -> Option<Duration> {
        let fresh_as_of = self.nodes.get(node.index())?.fresh_as_of?;
        let lag = self.judged_at(now).saturating_sub(fresh_as_of);
        let Pace { interval, timeout } = self.pace();
        let has_all = self.history.newest() == Some(fresh_as_of);
        Some(if has_all && lag <= interval + timeout { Duration::ZERO } else { lag })
    }

    /// The time as of which lag is judged: now, or, while the primary is down, when it last answered.
    ///
    /// A dead primary takes no writes, so that nothing falls behind it, and reads go on; so it stays when it comes back,
    /// until all have been asked. One that is cut off from this process alone may take writes of others meanwhile; a
    /// replica that still follows it is then further behind than is known here.
    fn judged_at(&self, now: Duration) -> Duration {
        if self.primary_is_down() {
            return self.history.newest().unwrap_or(now);
        }
        self.back.as_ref().filter(|back| now < back.until).map_or(now, |back| back.judged_at)
    }

    fn primary_is_down(&self) -> bool {
        self.nodes.first().is_some_and(|primary| primary.failure().is_some())
    }

    /// Takes note of what a node said of itself.
    fn observed(&mut self, id: NodeId, observation: Observation<P>) {
        let Observation { role, position, sent_at } = observation;
        let node = &mut self.nodes[id.index()];
        // An answer that another has overtaken says nothing.
        if node.asked_at.is_some_and(|asked_at| sent_at < asked_at) {
            return;
        }
        node.asked_at = Some(sent_at);
        let other = if id == PRIMARY { Role::Replica } else { Role::Primary };
        node.other_role = role == other;
        match position.filter(|_| role != other) {
            Some(position) if id == PRIMARY => self.primary_at(sent_at, position),
            Some(position) => {
                node.fresh_as_of = self.history.covered_by(&position);
                node.other_cluster = self.history.is_foreign(&position).unwrap_or(node.other_cluster);
                node.position = Some(position);
            }
            // Nothing can be said of its lag; a primary's old lag least of all.
            None if id == PRIMARY => {
                self.history.clear();
                self.nodes.iter_mut().for_each(|node| node.fresh_as_of = None);
            }
            None => (node.position, node.fresh_as_of) = (None, None),
        }
    }

    fn primary_at(&mut self, sent_at: Duration, position: P) {
        let added = self.history.add(sent_at, position);
        if added == Added::TooLate {
            return;
        }
        for replica in self.nodes.iter_mut().skip(1) {
            let foreign = replica.position.as_ref().and_then(|position| self.history.is_foreign(position));
            replica.other_cluster = foreign.unwrap_or(replica.other_cluster);
            let covered = replica.position.as_ref().and_then(|position| self.history.covered_by(position));
            match added {
                // A replica that has this already, as in a cluster without writes, need not be asked again.
                Added::After => replica.fresh_as_of = covered.or(replica.fresh_as_of),
                _ => replica.fresh_as_of = covered,
            }
        }
    }
}

#[cfg(test)]
mod tests;
