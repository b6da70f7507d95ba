//! Finds the node that serves a read: does what the decision asks for, until it names one.

use std::fmt;
use std::time::{Duration, Instant};

use router_core::Alias;

use crate::decision::freshness::{Event, Failure, Freshness, Search, Step};
use crate::decision::{ClusterError, Passed, why_no_replica};
use crate::engine::position::Position;
use crate::engine::{RoutedConnection, is_lost, was_cancelled_by_replica};
use crate::error::{Error, ErrorKind};
use crate::text::one_line;
use crate::time::Now;
use crate::topology::health::Event as HealthEvent;
use crate::topology::pool::Patience;
use crate::topology::{Cluster, Fallback, NodeId, PRIMARY};

/// The connections of whoever reads to the nodes of one cluster.
pub(crate) trait Links {
    /// Connects to a node, where there is no connection that works yet. Gives when the connection was opened.
    fn connect(&mut self, node: NodeId, patience: Patience) -> Result<Instant, Error>;

    /// Gives the connection to a node back, if there is one.
    fn give_back(&mut self, node: NodeId);

    /// Asks the primary where it is.
    fn ask_primary(&mut self) -> Result<Position, Error>;

    /// Asks a node how far it has replayed, and has the cluster know it.
    fn ask(&mut self, node: NodeId) -> Result<Option<Position>, Error>;
}

/// Why a node serves a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// The session has read from it before, and nothing came between.
    Kept,
    /// It was chosen, and has all that is needed.
    Chosen,
    /// It is the primary, and no replica may serve.
    Fallback(Fallback),
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("this session reads from it"),
            Self::Chosen => f.write_str("it was chosen"),
            Self::Fallback(fallback) => fallback.fmt(f),
        }
    }
}

/// Finds the node of a cluster for one read.
pub(crate) struct Finder<'a, C: RoutedConnection> {
    cluster: &'a Cluster<C>,
    freshness: &'a mut Freshness,
    search: &'a mut Search,
}

impl<'a, C: RoutedConnection> Finder<'a, C> {
    pub(crate) fn new(cluster: &'a Cluster<C>, freshness: &'a mut Freshness, search: &'a mut Search) -> Self {
        Self { cluster, freshness, search }
    }

    /// Finds a node that may serve. `links` then has a connection to it.
    ///
    /// # Errors
    /// No node may serve, or an error that is no node's fault.
    pub(crate) fn find(&mut self, links: &mut impl Links) -> Result<(NodeId, Served), Error> {
        let mut event = Event::Began;
        loop {
            let step = self.freshness.handle(self.search, self.cluster, Now::read(), event);
            event = match step {
                Step::Serve(node) => {
                    self.tell_of(node);
                    return Ok((node, Served::Chosen));
                }
                Step::Primary(fallback) => return self.fall_back(links, fallback),
                Step::Wait(pause) => self.pause(pause),
                Step::GiveBack(node) => {
                    links.give_back(node);
                    Event::Done
                }
                Step::Connect(node, patience) => match links.connect(node, patience) {
                    Ok(opened) => Event::Connected { opened },
                    Err(error) => self.fails(node, error)?,
                },
                Step::Ask(node) => match links.ask(node) {
                    Ok(position) => Event::At(position),
                    Err(error) => self.fails(node, error)?,
                },
                Step::AskPrimary => {
                    let position = links.ask_primary()?;
                    self.cluster.answered(PRIMARY);
                    Event::PrimaryAt(position)
                }
                Step::AskHistory => match links.ask(PRIMARY) {
                    Ok(_) => Event::HistoryAsked,
                    Err(error) if self.goes_on_without_history(&error) => Event::HistoryUnknown,
                    Err(error) => return Err(error),
                },
            };
        }
    }

    /// Whether the replicas can tell the history where the primary cannot be asked.
    fn goes_on_without_history(&self, error: &Error) -> bool {
        (error.blames_node().is_some() || error.is_of_connecting())
            && self.freshness.need().names_its_history()
    }

    fn pause(&self, pause: Duration) -> Event {
        std::thread::sleep(pause);
        Event::Done
    }

    /// Takes in that a node failed. Where another node may serve, that is the next event.
    fn fails(&mut self, node: NodeId, error: Error) -> Result<Event, Error> {
        if self.failed(node, &error) { Ok(Event::Failed) } else { Err(error) }
    }

    /// Takes in that a node failed, and says whether another may serve the read.
    pub(crate) fn failed(&mut self, node: NodeId, error: &Error) -> bool {
        let failure = if node == PRIMARY { error.blames_node() } else { error.blames_replica() };
        let Some(failure) = failure else { return false };
        let reason = one_line(&error.to_string());
        let of_node = (node, failure, reason.clone());
        if !self.freshness.failed(self.search, self.cluster, of_node, Now::read()) {
            return false;
        }
        let event = match failure {
            // It is only in demand.
            Failure::Busy => None,
            Failure::Unreachable => Some(HealthEvent::ConnectFailed(reason.clone())),
            Failure::Lost => Some(HealthEvent::ReadFailed(reason.clone())),
        };
        let alias = self.cluster.alias_of(node);
        match event {
            Some(event) => {
                tracing::warn!(%alias, cause = %reason, "a node did not serve a read");
                self.cluster.tell(node, event);
            }
            None => tracing::debug!(%alias, cause = %reason, "a node did not serve a read"),
        }
        self.cluster.count(Fallback::OtherNode);
        true
    }

    /// Reads from the primary, since no replica may serve.
    fn fall_back(&mut self, links: &mut impl Links, fallback: Fallback) -> Result<(NodeId, Served), Error> {
        if let Some(why) = Passed::of_primary(&self.cluster.view()) {
            return Err(self.no_node(&why));
        }
        self.cluster.count(fallback);
        tracing::debug!(
            alias = %self.cluster.alias(),
            reason = %fallback,
            replicas = %self.passed_over(None),
            "a read fell back to the primary"
        );
        if let Err(error) = links.connect(PRIMARY, Patience::Wait) {
            return Err(match error.blames_node() {
                Some(_) => self.no_node(&error),
                None => error,
            });
        }
        self.freshness.read_primary(self.search, self.cluster, Now::read());
        Ok((PRIMARY, Served::Fallback(fallback)))
    }

    fn no_node(&self, primary: &dyn fmt::Display) -> Error {
        ClusterError::no_node(self.cluster, |node| self.search.why_passed(node), primary).into()
    }

    fn tell_of(&self, node: NodeId) {
        tracing::debug!(
            alias = %self.cluster.alias_of(node),
            passed_over = %self.passed_over(Some(node)),
            "chose a node to read from"
        );
    }

    /// The replicas with why they do not serve, except the one that does.
    fn passed_over(&self, serving: Option<NodeId>) -> InWords {
        let mut why = why_no_replica(self.cluster, |node| self.search.why_passed(node));
        why.retain(|(alias, _)| serving.is_none_or(|serving| alias != self.cluster.alias_of(serving)));
        InWords(why)
    }
}

/// Nodes with why they do not serve: `replica_1: behind by 48 kB; replica_2: drained`.
struct InWords(Vec<(Alias, String)>);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (alias, why)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{alias}: {why}")?;
        }
        Ok(())
    }
}

impl Error {
    /// What an error of a pool or a connection says of its node; nothing where the statement itself is at fault.
    pub(crate) fn blames_node(&self) -> Option<Failure> {
        match self.kind() {
            ErrorKind::Exhausted => Some(Failure::Busy),
            ErrorKind::Unreachable => Some(Failure::Unreachable),
            _ => self.as_diesel().filter(|error| is_lost(error)).map(|_| Failure::Lost),
        }
    }

    /// The same of a replica, which also cancels reads that stand in the way of what it replays. Where nobody can connect
    /// to it, another node may serve. Of the primary, the caller is told what is wrong, as to try again does not help.
    fn blames_replica(&self) -> Option<Failure> {
        let was_cancelled = || self.as_diesel().is_some_and(was_cancelled_by_replica);
        let failure = self.blames_node().or_else(|| self.is_of_connecting().then_some(Failure::Unreachable));
        failure.or_else(|| was_cancelled().then_some(Failure::Lost))
    }

    /// Whether nobody can connect to a node that answers.
    fn is_of_connecting(&self) -> bool {
        matches!(self.kind(), ErrorKind::Setup | ErrorKind::Authentication)
    }
}
