//! One read's way to the node that serves it.

use std::time::{Duration, Instant};

use super::need::History;
use super::{Freshness, Judgement, Need, Nodes, POLL, Proof, Serving};
use crate::decision::passed::{Passed, PassedOver};
use crate::engine::position::Position;
use crate::time::Now;
use crate::topology::pool::Patience;
use crate::topology::{Fallback, NodeId, PRIMARY};

/// One read's way to the node that serves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// The one node that may serve, where the routers chose one.
    only: Option<NodeId>,
    passed: PassedOver,
    /// The nodes that lack something in this round.
    behind: PassedOver,
    at: At,
    patience: Option<Patience>,
    deadline: Option<Instant>,
    history: Compared,
    /// What was needed before this read used the primary: if it fails there, nothing was seen.
    before: Option<Need>,
    /// The node of which this read is the first: if it fails there, nothing was seen.
    first_from: Option<NodeId>,
}

/// Whether what is needed must be of the history that the primary is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Compared {
    #[default]
    WithThePrimary,
    /// The primary cannot be asked, and each replica tells its history itself.
    WithEachReplica,
}

/// What a search waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// Its beginning.
    #[default]
    Begin,
    /// A connection to the node that the session reads from.
    Return(NodeId),
    /// A connection to the primary, which serves as the replicas do.
    Primary,
    /// Where the primary is, to try a replica then.
    Need(NodeId),
    /// Of which history the primary is, to try a replica then.
    History(NodeId),
    /// A connection to a replica.
    Connection(NodeId),
    /// How far a replica is.
    Position(NodeId),
    /// That the replicas catch up.
    Pause,
    /// The read itself, which runs on this node.
    Read(NodeId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The read begins.
    Began,
    /// The session holds a connection to the node, which was opened then.
    Connected { opened: Instant },
    /// The node failed, and [`Freshness::failed`] has been told.
    Failed,
    /// The primary said where it is.
    PrimaryAt(Position),
    /// The primary was asked of which history it is. What it said is known of it now.
    HistoryAsked,
    /// The primary cannot be asked of which history it is.
    HistoryUnknown,
    /// The replica said how far it is, if it could.
    At(Option<Position>),
    /// The pause is over, or the connection given back.
    Done,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Give the connection to this node back, then go on.
    GiveBack(NodeId),
    /// Connect to this node.
    Connect(NodeId, Patience),
    /// Ask the primary where it is.
    AskPrimary,
    /// Ask the primary of which history it is.
    AskHistory,
    /// Ask this node how far it is.
    Ask(NodeId),
    /// Pause for so long.
    Wait(Duration),
    /// Read from this node.
    Serve(NodeId),
    /// Read from the primary: no replica may serve, for this reason.
    Primary(Fallback),
}

/// Why a node did not serve a read, where another may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// All its connections are in use.
    Busy,
    /// No connection can be made to it.
    Unreachable,
    /// The connection was lost, or the node cancelled the read.
    Lost,
}

impl Search {
    /// `only` is the one node that may serve, where the routers chose one.
    pub(crate) fn new(only: Option<NodeId>) -> Self {
        Self { only, ..Self::default() }
    }

    /// The nodes that were passed over so far, each with why.
    pub(crate) fn why_passed(&self, node: NodeId) -> Option<&Passed> {
        self.behind.why(node).or_else(|| self.passed.why(node))
    }

    fn is_passed(&self, node: NodeId) -> bool {
        self.passed.contains(node) || self.behind.contains(node)
    }

    pub(crate) fn is_for_another(&self, node: NodeId) -> bool {
        self.only.is_some_and(|only| only != node)
    }
}

impl Freshness {
    /// The node that serves this read without any question, if it can still be used.
    #[inline]
    pub(crate) fn ready(&self, search: &Search, nodes: &dyn Nodes) -> Option<NodeId> {
        let node = self.proven()?;
        let is_right = !search.is_for_another(node) && !search.passed.contains(node) && nodes.may_serve(node);
        is_right.then_some(node)
    }

    /// Takes in that a node failed, for a reason that is its own. Says whether another may serve the read; if not, the
    /// failure is the read's.
    ///
    /// Where the primary serves as the replicas do, they may serve in its place. Where its connection is lost, as after a
    /// restart, it is tried once more on a new one.
    pub(crate) fn failed(
        &mut self,
        search: &mut Search,
        nodes: &dyn Nodes,
        (node, failure, reason): (NodeId, Failure, String),
        now: Now,
    ) -> bool {
        let may_go_on = node != PRIMARY || failure == Failure::Lost || nodes.may_serve(PRIMARY);
        if !may_go_on || search.passed.contains(node) {
            return false;
        }
        if node == PRIMARY
            && let Some(before) = search.before.take()
        {
            self.need = before;
        }
        if self.kept() == Some(node) {
            self.forget(search.first_from, nodes.terms(), now);
        }
        search.passed.push(
            node,
            match failure {
                Failure::Busy => Passed::Busy(reason),
                Failure::Unreachable | Failure::Lost => Passed::Failed(reason),
            },
        );
        true
    }

    /// Takes in what happened, and says what is to be done next.
    pub(crate) fn handle(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now, event: Event) -> Step {
        match (search.at, event) {
            (At::Begin | At::Read(_), Event::Began | Event::Failed) => self.begin(search, nodes, now),
            (At::Begin, Event::Done) => self.choose(search, nodes, now),
            (At::Return(_), Event::Failed) => self.choose(search, nodes, now),
            (At::Return(node), Event::Connected { opened }) => {
                self.returned(search, nodes, node, opened, now)
            }
            (At::Primary, Event::Connected { .. }) => self.serve_primary(search, nodes, now),
            (At::Primary | At::Connection(_) | At::Position(_), Event::Failed) => {
                self.next(search, nodes, now)
            }
            (At::Need(node), Event::PrimaryAt(position)) => {
                self.primary_is_at(position);
                self.compare(search, nodes, node)
            }
            (At::History(node), Event::HistoryAsked) => match self.need.history(nodes) {
                // A primary that was asked and says nothing is of no known history.
                History::Ask => Step::Primary(Fallback::Incomparable),
                _ => self.compare(search, nodes, node),
            },
            (At::History(node), Event::HistoryUnknown) if self.need.names_its_history() => {
                search.history = Compared::WithEachReplica;
                Self::connect(search, node)
            }
            (At::Connection(node), Event::Connected { opened }) => {
                self.connected(search, nodes, node, opened, now)
            }
            (At::Position(node), Event::At(position)) => {
                let judgement = self.need.judge_at(position.as_ref());
                self.judged(search, nodes, node, judgement, now)
            }
            (At::Pause, Event::Done) => self.next(search, nodes, now),
            // Whatever else a caller says has no meaning here; the primary has all there is.
            _ => Step::Primary(Fallback::NoReplica),
        }
    }

    /// Begins, also anew after the read failed on a node.
    fn begin(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) -> Step {
        search.behind.clear();
        (search.patience, search.deadline, search.at) = (None, None, At::Begin);
        search.history = Compared::default();
        if self.rests(now) && nodes.primary_may_serve() {
            return Step::Primary(Fallback::Rests);
        }
        let Some(kept) = self.kept() else { return self.choose(search, nodes, now) };
        if self.leaves(kept, search, nodes) {
            self.forget(search.first_from, nodes.terms(), now);
            return if nodes.may_serve(kept) {
                self.choose(search, nodes, now)
            } else {
                Step::GiveBack(kept)
            };
        }
        if kept == PRIMARY {
            return self.choose(search, nodes, now);
        }
        search.at = At::Return(kept);
        Step::Connect(kept, Patience::Pass)
    }

    /// Whether a read leaves the node that the session reads from.
    fn leaves(&self, kept: NodeId, search: &Search, nodes: &dyn Nodes) -> bool {
        !nodes.may_serve(kept) || search.passed.contains(kept) || search.is_for_another(kept)
    }

    /// What will be known once a read has begun, as far as no server need be asked: for those who explain it.
    pub(crate) fn once_begun(&self, search: &Search, nodes: &dyn Nodes, now: Now) -> Self {
        let mut begun = self.clone();
        if self.kept().is_some_and(|kept| self.leaves(kept, search, nodes)) {
            begun.forget(search.first_from, nodes.terms(), now);
        }
        begun
    }

    /// Leaves a node whose server may have been rebuilt since it showed something: the connection is newer.
    fn returned(
        &mut self,
        search: &mut Search,
        nodes: &dyn Nodes,
        node: NodeId,
        opened: Instant,
        now: Now,
    ) -> Step {
        if self.serving.is_some_and(|serving| serving.node == node && opened > serving.since) {
            self.forget(search.first_from, nodes.terms(), now);
        }
        self.choose(search, nodes, now)
    }

    /// Chooses the first node to try. The policy is asked once for a read that is served: a second answer would be
    /// another's turn.
    fn choose(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) -> Step {
        match self.candidate(search, nodes) {
            // It has all there is, so nothing need be asked.
            Some(PRIMARY) => {
                search.at = At::Primary;
                Step::Connect(PRIMARY, Patience::Wait)
            }
            Some(node) => self.learn(search, nodes, node, now),
            None => Step::Primary(Fallback::NoReplica),
        }
    }

    /// The node that the session reads from, else what the policy says.
    fn candidate(&self, search: &Search, nodes: &dyn Nodes) -> Option<NodeId> {
        if let Some(only) = search.only {
            return Some(only).filter(|node| !search.is_passed(*node) && nodes.may_serve(*node));
        }
        let kept = self.kept().filter(|node| !search.is_passed(*node));
        kept.or_else(|| nodes.pick(&|node| search.is_passed(node)))
    }

    /// Learns what a replica must have, before it is tried.
    fn learn(&mut self, search: &mut Search, nodes: &dyn Nodes, node: NodeId, now: Now) -> Step {
        search.deadline.get_or_insert(now.steady + nodes.terms().wait);
        if self.need == Need::WhereThePrimaryIs {
            search.at = At::Need(node);
            return Step::AskPrimary;
        }
        self.compare(search, nodes, node)
    }

    /// Makes sure that what is needed is of the cluster's history, before a replica is tried.
    fn compare(&mut self, search: &mut Search, nodes: &dyn Nodes, node: NodeId) -> Step {
        match self.need.history(nodes) {
            _ if search.history == Compared::WithEachReplica => Self::connect(search, node),
            History::Same => {
                self.need.is_of_this_history();
                Self::connect(search, node)
            }
            History::Other(_) => Step::Primary(Fallback::Incomparable),
            History::Ask => {
                search.at = At::History(node);
                Step::AskHistory
            }
        }
    }

    /// Tries a node. Nobody waits for a busy one while another may serve.
    fn connect(search: &mut Search, node: NodeId) -> Step {
        search.at = At::Connection(node);
        Step::Connect(node, search.patience.unwrap_or(Patience::Pass))
    }

    fn connected(
        &mut self,
        search: &mut Search,
        nodes: &dyn Nodes,
        node: NodeId,
        opened: Instant,
        now: Now,
    ) -> Step {
        if node == PRIMARY {
            return self.serve_primary(search, nodes, now);
        }
        // What is known of the node counts where it was learnt while this connection was open: a server that was
        // rebuilt since has lost its connections.
        let judgement = self.need.judge(nodes, node, opened, now);
        self.judged(search, nodes, node, judgement, now)
    }

    fn judged(
        &mut self,
        search: &mut Search,
        nodes: &dyn Nodes,
        node: NodeId,
        judgement: Judgement,
        now: Now,
    ) -> Step {
        match judgement {
            Judgement::HasAll => self.serve(search, node, now),
            Judgement::Ask => {
                search.at = At::Position(node);
                Step::Ask(node)
            }
            Judgement::Lacks(shortfall) => {
                search.behind.push(node, Passed::Lacks(shortfall));
                self.next(search, nodes, now)
            }
        }
    }

    /// Tries the next node, or ends the round.
    fn next(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) -> Step {
        match self.candidate(search, nodes) {
            Some(node) => self.learn(search, nodes, node, now),
            None => self.end_round(search, nodes, now),
        }
    }

    /// No node is left: waits for those that may catch up, or for those that are busy, else takes the primary.
    fn end_round(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) -> Step {
        if search.behind.is_empty() {
            let may_wait = search.patience.is_none() && !nodes.primary_may_serve();
            if may_wait && search.passed.forgive_busy() {
                search.patience = Some(Patience::Wait);
                return self.next(search, nodes, now);
            }
            return Step::Primary(Fallback::NoReplica);
        }
        let left = search.deadline.map_or(Duration::ZERO, |it| it.saturating_duration_since(now.steady));
        if left.is_zero() || !search.behind.may_catch_up() {
            self.rest(now);
            return Step::Primary(Fallback::Behind);
        }
        search.behind.clear();
        search.at = At::Pause;
        Step::Wait(POLL.min(left))
    }

    fn serve(&mut self, search: &mut Search, node: NodeId, now: Now) -> Step {
        let since = match self.serving {
            Some(serving) if serving.node == node => serving.since,
            _ => {
                search.first_from = Some(node);
                now.steady
            }
        };
        self.serving = Some(Serving { node, since, proof: Proof::Shown });
        search.at = At::Read(node);
        Step::Serve(node)
    }

    /// The primary serves as the replicas do, and goes on to.
    fn serve_primary(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) -> Step {
        self.read_primary(search, nodes, now);
        self.serve(search, PRIMARY, now)
    }

    /// Takes in that the primary serves this read.
    pub(crate) fn read_primary(&mut self, search: &mut Search, nodes: &dyn Nodes, now: Now) {
        if self.need != Need::WhereThePrimaryIs {
            search.before = Some(self.need.clone());
        }
        self.used_primary(nodes.terms(), now);
        search.at = At::Read(PRIMARY);
    }
}
