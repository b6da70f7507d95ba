//! Which nodes of a cluster may serve, as a state machine: events and the time in, standings out.
//!
//! It reads no clock, opens no connection and starts no thread. A time is the time since any start, the same for all
//! calls. Node 0 is the primary; 1, 2 and so on are the replicas in file order.
//!
//! Where the rules come from: that the last target is never banned, that a ban is lifted by an answer and not by the
//! clock, that the first reason is kept, and that a connection which was out is closed on its return, is how pgcat and
//! its like behave after years of incidents. Forgetting the lag of a replica that was promoted, and taking an unknown lag
//! for too much, mend faults of other tools.

mod event;
mod lag;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use router_core::Alias;

pub(crate) use event::{Actions, Change, Event, Observation, Role};
pub(crate) use lag::Progress;
pub use standing::Standing;

use crate::config::{HealthSettings, Offline, PrimaryReads};
use lag::{Added, History};

/// The primary's index.
pub(crate) const PRIMARY: usize = 0;

/// A node as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct NodeSettings {
    pub(crate) alias: Alias,
    /// How far it may lag behind and still serve; of no meaning for the primary.
    pub(crate) max_lag: Option<Duration>,
}

/// How often to ask the nodes, and how long to wait for each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// What a read can choose from at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// The nodes among which a read chooses, in file order: the healthy ones; where there are none the suspects; where
    /// there are none of those either, the primary if it may serve reads.
    pub(crate) targets: Vec<usize>,
    /// The nodes that a read may try after those, in this order: suspects, then the primary.
    pub(crate) fallbacks: Vec<usize>,
    /// How each node stands.
    pub(crate) standings: Vec<Standing>,
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

#[derive(Debug)]
struct Node<P> {
    settings: NodeSettings,
    drained: bool,
    /// Whether it ever answered anything.
    seen: bool,
    trouble: Option<Trouble>,
    /// Whether it says that it is what the file does not say it is.
    other_role: bool,
    /// The newest answer's time, and its position.
    asked_at: Option<Duration>,
    position: Option<P>,
    /// Since when it can lack anything of the primary's.
    fresh_as_of: Option<Duration>,
}

/// The primary has come back, and its replicas have not all been asked since.
#[derive(Debug)]
struct Back {
    /// When it last answered before.
    judged_at: Duration,
    until: Duration,
}

/// A failure that no answer has made good yet.
#[derive(Debug)]
struct Trouble {
    /// When it failed first; when it was banned, from then on.
    since: Duration,
    reason: Arc<str>,
    grade: Grade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Suspect,
    Failed,
}

impl<P: Progress> Health<P> {
    /// A cluster of which nothing is known yet. The primary is the first node.
    pub(crate) fn new(
        settings: HealthSettings,
        nodes: Vec<NodeSettings>,
        primary_reads: PrimaryReads,
        offline: Option<Offline>,
    ) -> Self {
        let node = |settings| Node {
            settings,
            drained: false,
            seen: false,
            trouble: None,
            other_role: false,
            asked_at: None,
            position: None,
            fresh_as_of: None,
        };
        let nodes: Vec<Node<P>> = nodes.into_iter().map(node).collect();
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
    pub(crate) fn handle(&mut self, now: Duration, node: usize, event: Event<P>) -> Actions {
        let judged_at = self.judged_at(now);
        let was_down = self.primary_is_down();
        let Some(this) = self.nodes.get_mut(node) else { return Actions::default() };
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
            .map(|(node, (from, to))| Change { node, from, to })
            .collect();
        let is_out = |standing: &Standing| {
            matches!(standing, Standing::Banned { .. } | Standing::Drained | Standing::NotAReplica)
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
        let bans = self.nodes.iter().skip(1).filter_map(|node| {
            let failed = node.trouble.as_ref().filter(|trouble| trouble.grade == Grade::Failed);
            failed.map(|trouble| trouble.since + self.settings.ban)
        });
        let limits = self.nodes.iter().skip(1).filter_map(|node| {
            // A lag at the limit is not above it.
            let limit = node.fresh_as_of?.saturating_add(node.settings.max_lag?) + Duration::from_nanos(1);
            (self.judged_at(now) == now).then_some(limit)
        });
        let back = self.back.as_ref().map(|back| back.until);
        bans.chain(limits).chain(back).filter(|change| *change > now).min()
    }

    /// How a node stands; nothing of a node that is not there.
    pub(crate) fn standing(&self, now: Duration, node: usize) -> Option<Standing> {
        self.standings(now).into_iter().nth(node)
    }

    /// A node's name.
    pub(crate) fn alias(&self, node: usize) -> Option<&Alias> {
        self.nodes.get(node).map(|node| &node.settings.alias)
    }

    /// How far a replica is behind, at most; nothing where that is unknown.
    ///
    /// One that has all that the primary had when it was last asked is not behind at all, as long as that was asked when
    /// it should have been: the age of the question is not the replica's lag.
    pub(crate) fn lag(&self, now: Duration, node: usize) -> Option<Duration> {
        let fresh_as_of = self.nodes.get(node)?.fresh_as_of?;
        let lag = self.judged_at(now).saturating_sub(fresh_as_of);
        let Pace { interval, timeout } = self.pace();
        let has_all = self.history.newest() == Some(fresh_as_of);
        Some(if has_all && lag <= interval + timeout { Duration::ZERO } else { lag })
    }

    /// What reads can choose from.
    ///
    /// `primary_reads` says when the primary serves reads: `never`, after the replicas (`fallback`), or among them
    /// (`always`). Without any replica that is not `offline`, it serves them whatever that says.
    pub(crate) fn view(&self, now: Duration) -> View {
        let standings = self.standings(now);
        let may_read = self.primary_may_read();
        let always = may_read && (self.primary_reads == PrimaryReads::Always || !self.has_replicas());
        let first = if always { PRIMARY } else { PRIMARY + 1 };
        let of = |wanted: fn(&Standing) -> bool| -> Vec<usize> {
            (first..standings.len()).filter(|node| wanted(&standings[*node])).collect()
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

    fn has_replicas(&self) -> bool {
        self.nodes.len() > 1 && self.offline != Some(Offline::Replicas)
    }

    /// Whether the primary may serve reads at all.
    fn primary_may_read(&self) -> bool {
        let allowed = self.primary_reads != PrimaryReads::Never || !self.has_replicas();
        let drained = self.nodes.first().is_none_or(|primary| primary.drained);
        allowed && !drained && self.offline != Some(Offline::Primary)
    }

    fn standings(&self, now: Duration) -> Vec<Standing> {
        let mut standings: Vec<Standing> =
            (0..self.nodes.len()).map(|node| self.standing_alone(now, node)).collect();
        let serves =
            |standing: &Standing| standing.is_healthy() || matches!(standing, Standing::Suspect { .. });
        let is_target = |(node, standing): (usize, &Standing)| match node {
            PRIMARY => self.primary_may_read() && !matches!(standing, Standing::Down { .. }),
            _ => serves(standing),
        };
        if !standings.iter().enumerate().any(is_target)
            && let Some((node, reason)) = self.last_banned(now, &standings)
        {
            standings[node] = Standing::Suspect { reason };
        }
        standings
    }

    /// The replica that was banned last and is kept out by nothing but its ban. A primary that is down is no target
    /// that would make up for it.
    fn last_banned(&self, now: Duration, standings: &[Standing]) -> Option<(usize, Arc<str>)> {
        let banned = (0..self.nodes.len()).filter(|node| {
            matches!(standings[*node], Standing::Banned { .. }) && self.too_far_behind(now, *node).is_none()
        });
        let since = |node: &usize| self.nodes[*node].trouble.as_ref().map(|trouble| trouble.since);
        // Of equals the first in the file.
        let last = banned.rev().max_by_key(since)?;
        Some((last, Arc::clone(&self.nodes[last].trouble.as_ref()?.reason)))
    }

    /// How a node stands, whatever the others do.
    fn standing_alone(&self, now: Duration, index: usize) -> Standing {
        let node = &self.nodes[index];
        let is_primary = index == PRIMARY;
        let offline = if is_primary { Offline::Primary } else { Offline::Replicas };
        let failed = node.trouble.as_ref().filter(|trouble| trouble.grade == Grade::Failed);
        if self.offline == Some(offline) {
            Standing::Offline
        } else if node.drained {
            Standing::Drained
        } else if !is_primary && node.other_role {
            Standing::NotAReplica
        } else if let Some(Trouble { since, reason, .. }) = failed {
            let reason = Arc::clone(reason);
            if is_primary {
                Standing::Down { elapsed: now.saturating_sub(*since), reason }
            } else {
                Standing::Banned { remaining: (*since + self.settings.ban).saturating_sub(now), reason }
            }
        } else if node.other_role {
            Standing::NotAPrimary
        } else if let Some(behind) = self.too_far_behind(now, index) {
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
    fn too_far_behind(&self, now: Duration, index: usize) -> Option<Standing> {
        let node = &self.nodes[index];
        let limit =
            node.settings.max_lag.filter(|_| index != PRIMARY && self.offline != Some(Offline::Primary))?;
        let Some(fresh_as_of) = node.fresh_as_of else { return Some(Standing::LagUnknown { limit }) };
        let lag = self.judged_at(now).saturating_sub(fresh_as_of);
        (lag > limit).then_some(Standing::Lagging { lag, limit })
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
        self.nodes.first().is_some_and(Node::has_failed)
    }

    /// Takes note of what a node said of itself.
    fn observed(&mut self, index: usize, observation: Observation<P>) {
        let Observation { role, position, sent_at } = observation;
        let node = &mut self.nodes[index];
        // An answer that another has overtaken says nothing.
        if node.asked_at.is_some_and(|asked_at| sent_at < asked_at) {
            return;
        }
        node.asked_at = Some(sent_at);
        let other = if index == PRIMARY { Role::Replica } else { Role::Primary };
        node.other_role = role == other;
        match position.filter(|_| role != other) {
            Some(position) if index == PRIMARY => self.primary_at(sent_at, position),
            Some(position) => {
                node.fresh_as_of = self.history.covered_by(&position);
                node.position = Some(position);
            }
            // Nothing can be said of its lag; a primary's old lag least of all.
            None if index == PRIMARY => {
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
            let covered = replica.position.as_ref().and_then(|position| self.history.covered_by(position));
            match added {
                // A replica that has this already, as in a cluster without writes, need not be asked again.
                Added::After => replica.fresh_as_of = covered.or(replica.fresh_as_of),
                _ => replica.fresh_as_of = covered,
            }
        }
    }
}

impl<P> Node<P> {
    fn has_failed(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.grade == Grade::Failed)
    }

    /// A failure: the first keeps its reason, a second one is a ban.
    fn fail(&mut self, now: Duration, grade: Grade, reason: String) {
        match &mut self.trouble {
            None => self.trouble = Some(Trouble { since: now, reason: reason.into(), grade }),
            Some(trouble) if trouble.grade == Grade::Suspect => {
                trouble.grade = Grade::Failed;
                trouble.since = now;
            }
            Some(_) => {}
        }
    }

    /// An answer: makes good what happened before it was asked for. Says when to ask again, where a ban must run out
    /// first.
    fn answered(&mut self, now: Duration, ban: Duration, sent_at: Duration) -> Option<Duration> {
        self.seen = true;
        let trouble = self.trouble.as_ref()?;
        if sent_at < trouble.since {
            return None;
        }
        let left = (trouble.since + ban).saturating_sub(now);
        if trouble.grade == Grade::Failed && !left.is_zero() {
            return Some(left);
        }
        self.trouble = None;
        None
    }
}

#[cfg(test)]
mod tests;
