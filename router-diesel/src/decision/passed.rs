//! Why a node does not serve a read.

use std::fmt;

use router_core::Alias;

use crate::engine::position::{Coverage, Why};
use crate::topology::{NodeId, PRIMARY, Standing, View};

/// Why a node does not serve a read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passed {
    /// It stands so that it may not serve.
    Standing(Standing),
    /// It is the primary, and reads only where no replica can.
    OnlyWhereNoReplicaCan,
    /// It is the primary, and `primary_reads` is `never`.
    NeverReads,
    /// The session reads from another node.
    SessionReadsFrom(Alias),
    /// The statement goes to another node, and to no other.
    GoesTo(Alias),
    /// The routers chose another replica.
    RoutersChoseAnother,
    /// The replicas were asked a moment ago, and none of them had caught up.
    NotCaughtUpAMomentAgo,
    /// It lacks what the session wrote or read elsewhere, or cannot show that it has it.
    Lacks(Shortfall),
    /// All its connections are in use.
    Busy(String),
    /// It failed, as a connection or as a server.
    Failed(String),
}

/// What a node lacks of what a session needs, or why that cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall(Coverage);

impl Shortfall {
    pub(crate) fn new(coverage: Coverage) -> Self {
        Self(coverage)
    }

    /// Whether waiting may help.
    pub(crate) fn may_catch_up(&self) -> bool {
        matches!(self.0, Coverage::Behind(_))
    }
}

impl From<Why> for Shortfall {
    fn from(why: Why) -> Self {
        Self(Coverage::Incomparable(why))
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Passed {
    /// Why the primary may not serve a read that no replica can; nothing where it may.
    pub(crate) fn of_primary(view: &View) -> Option<Self> {
        if view.primary_may_serve() {
            return None;
        }
        Some(match view.standing(PRIMARY) {
            standing @ (Standing::Offline | Standing::Drained) => Self::Standing(standing.clone()),
            _ => Self::NeverReads,
        })
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standing(standing) => standing.fmt(f),
            Self::OnlyWhereNoReplicaCan => f.write_str("it reads only where no replica can"),
            Self::NeverReads => f.write_str("`primary_reads` is `never`"),
            Self::SessionReadsFrom(alias) => write!(f, "this session reads from `{alias}`"),
            Self::GoesTo(alias) => write!(f, "the statement goes to `{alias}`"),
            Self::RoutersChoseAnother => f.write_str("the routers chose another"),
            Self::NotCaughtUpAMomentAgo => f.write_str("no replica had caught up a moment ago"),
            Self::Lacks(shortfall) => shortfall.fmt(f),
            Self::Busy(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// The nodes that were passed over for one read, each with why.
#[derive(Debug, Clone, Default)]
pub(crate) struct PassedOver(Vec<(NodeId, Passed)>);

impl PassedOver {
    pub(crate) fn push(&mut self, node: NodeId, why: Passed) {
        self.0.push((node, why));
    }

    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.0.iter().any(|(passed, _)| *passed == node)
    }

    /// Why a node was passed over last.
    pub(crate) fn why(&self, node: NodeId) -> Option<&Passed> {
        self.0.iter().rev().find(|(passed, _)| *passed == node).map(|(_, why)| why)
    }

    /// Lets those be tried again that were only busy. Says whether there were any.
    pub(crate) fn forgive_busy(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|(_, why)| !matches!(why, Passed::Busy(_)));
        self.0.len() < before
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether waiting may help any of them.
    pub(crate) fn may_catch_up(&self) -> bool {
        self.0.iter().any(|(_, why)| matches!(why, Passed::Lacks(shortfall) if shortfall.may_catch_up()))
    }
}
