//! What happens to a node, and what is to be done about it.

use std::time::Duration;

use super::Standing;
use crate::engine::Role;
use crate::topology::ids::NodeId;

/// Something that happened to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event<P> {
    /// No connection could be made, for this reason.
    ConnectFailed(String),
    /// A statement failed because its connection was lost, for this reason.
    ReadFailed(String),
    /// A statement came back, with whatever answer.
    Served,
    /// The node answered the health query.
    Probed(Observation<P>),
    /// The health query failed or took too long, for this reason.
    ProbeFailed(String),
    /// An operator takes the node out of use.
    Drain,
    /// An operator gives it back.
    Undrain,
}

/// What a node said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation<P> {
    pub(crate) role: Role,
    /// How far it is; nothing where the server cannot say, or may not.
    pub(crate) position: Option<P>,
    /// When it was asked.
    pub(crate) sent_at: Duration,
}

/// What is to be done after an event, and what to tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Actions {
    /// The nodes whose connections are to be closed: idle ones at once, others on their return.
    pub(crate) drop_connections: Vec<NodeId>,
    /// How soon the node that the event was about is to be asked, if that is sooner than it would be.
    pub(crate) probe_in: Option<Duration>,
    /// The standings that are of another kind than before. The view is to be published again if there are any.
    pub(crate) changes: Vec<Change>,
}

/// A node that stands otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) node: NodeId,
    pub(crate) from: Standing,
    pub(crate) to: Standing,
}
