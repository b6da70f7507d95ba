//! What a replica must have before it may serve a session, and whether it has that.

use std::time::{Instant, SystemTime};

use super::{Nodes, POLL};
use crate::decision::passed::Shortfall;
use crate::engine::position::{Coverage, Position, Why};
use crate::time::Now;
use crate::topology::{NodeId, PRIMARY};

/// What a replica must have before it may serve a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Need {
    /// Nothing: any replica will do.
    #[default]
    Nothing,
    /// What the cluster's primary had there.
    Of(Position),
    /// The same by a token, which may be of another history than the cluster.
    OfToken(Position),
    /// All that the primary has now: ask it where it is.
    WhereThePrimaryIs,
}

/// Whether a node has what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It has all of it.
    HasAll,
    /// It lacks something, or cannot show that it does not.
    Lacks(Shortfall),
    /// It must be asked how far it is.
    Ask,
}

/// Whether a token is of the history that a cluster is in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// It is, or the need is no token's.
    Same,
    /// It is not, or nobody can tell.
    Other(Why),
    /// The primary must be asked where it is.
    Ask,
}

impl Need {
    pub(super) fn is_something(&self) -> bool {
        matches!(self, Self::Of(_) | Self::OfToken(_))
    }

    /// The same from the same source, at another position.
    pub(super) fn at(self, position: Position) -> Self {
        match self {
            Self::OfToken(_) => Self::OfToken(position),
            Self::Nothing | Self::Of(_) | Self::WhereThePrimaryIs => Self::Of(position),
        }
    }

    /// The position, where it is known.
    pub(crate) fn position(&self) -> Option<&Position> {
        match self {
            Self::Of(position) | Self::OfToken(position) => Some(position),
            Self::Nothing | Self::WhereThePrimaryIs => None,
        }
    }

    /// Whether a node has what is needed, by what is known of it. An answer counts if it was given to a question at or
    /// after `since`.
    pub(crate) fn judge(&self, nodes: &dyn Nodes, node: NodeId, since: Instant, now: Now) -> Judgement {
        let needed = match self {
            Self::Nothing => return Judgement::HasAll,
            Self::WhereThePrimaryIs => return Judgement::Ask,
            Self::Of(needed) | Self::OfToken(needed) => needed,
        };
        if let Some(coverage) = by_the_clock(needed, nodes, now.wall) {
            return coverage.into();
        }
        match nodes.replayed(node).filter(|known| known.asked >= since) {
            Some(known) => match known.position.covers(needed) {
                Coverage::Covered => Judgement::HasAll,
                _ if now.steady.saturating_duration_since(known.asked) >= POLL => Judgement::Ask,
                coverage => coverage.into(),
            },
            None => Judgement::Ask,
        }
    }

    /// Whether a node at a position, which it gave just now, has what is needed.
    pub(super) fn judge_at(&self, position: Option<&Position>) -> Judgement {
        match (self.position(), position) {
            (None, _) => Judgement::HasAll,
            (Some(needed), Some(position)) => position.covers(needed).into(),
            (Some(_), None) => Judgement::Lacks(Why::Unknown.into()),
        }
    }

    /// What a node may lack by all that is known of it, however old that is: for people.
    pub(crate) fn known_shortfall(&self, nodes: &dyn Nodes, node: NodeId, now: Now) -> Option<Coverage> {
        let needed = self.position()?;
        let known = || nodes.replayed(node).map(|known| known.position.covers(needed));
        by_the_clock(needed, nodes, now.wall).or_else(known)
    }

    /// Whether what a token needs can be compared with this cluster at all.
    pub(crate) fn history(&self, nodes: &dyn Nodes) -> History {
        let Self::OfToken(needed) = self else { return History::Same };
        match (needed, nodes.replayed(PRIMARY)) {
            (Position::Time { .. }, _) => History::Same,
            (Position::Unknown, _) => History::Other(Why::Unknown),
            (_, None) => History::Ask,
            (needed, Some(primary)) => match needed.same_history(&primary.position) {
                Ok(()) => History::Same,
                Err(why) => History::Other(why),
            },
        }
    }

    /// Whether any server of the cluster can tell by itself whether the token is of its history. One that seems to be, and
    /// is not, lacks only what a failover has lost.
    pub(crate) fn names_its_history(&self) -> bool {
        self.position().is_some_and(Position::names_its_history)
    }

    /// Takes in that the need is of the cluster's own history.
    pub(super) fn is_of_this_history(&mut self) {
        if let Self::OfToken(position) = self {
            *self = Self::Of(position.clone());
        }
    }
}

impl From<Coverage> for Judgement {
    fn from(coverage: Coverage) -> Self {
        match coverage {
            Coverage::Covered => Self::HasAll,
            lacks => Self::Lacks(Shortfall::new(lacks)),
        }
    }
}

/// Whether a replica may show what was written, where the clock decides; nothing where positions do.
fn by_the_clock(needed: &Position, nodes: &dyn Nodes, now: SystemTime) -> Option<Coverage> {
    let is_time = matches!(needed, Position::Time { .. });
    is_time.then(|| needed.after_window(nodes.terms().window, now))
}
