//! The fourth step, first half: whether the replicas of a database may serve a statement.

use std::fmt;

use router_core::{Operation, Role};

use super::RouteError;
use super::circumstances::{Circumstances, Transaction};
use super::route::permit_primary;
use crate::engine::RoutedConnection;
use crate::statement::Reading;
use crate::topology::{DatabaseId, Member, NodeId, PRIMARY, Prepared, Routing, Topology};

/// Which nodes of a cluster may serve a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This one alone.
    Only(NodeId, OnPrimary),
    /// Where the transaction is open.
    Open(DatabaseId),
    /// A replica, and the primary where none will do; or the one replica that the routers chose.
    Replicas(Option<NodeId>),
}

/// Why a statement is not left to the replicas of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnPrimary {
    /// The open transaction is there.
    InTransaction,
    /// The statement asks about earlier ones on the connection there.
    Asked,
    /// The caller chose the database, through [`Session::using`](crate::Session::using).
    ByHand,
    /// The statement does more than read.
    Writes,
    /// The scope reads where it writes.
    WritingScope,
    /// A statement has left something behind on the session's connection to the primary: a setting, a temporary table.
    SessionState,
    /// A transaction begins with the statement, and it may write.
    BeginsTransaction,
    /// The statement names no table, so it asks for the session's own state, or for the server's.
    NoTable,
    /// The statement could not be parsed as a whole, so it may do more than read.
    NotParsed,
    /// The statement was run through `execute` or `batch_execute`. These return no rows, so their caller wants an effect.
    WantsNoRows,
    /// The session, or the databases, are in a test transaction, whose writes no replica has.
    TestTransaction,
}

impl fmt::Display for OnPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InTransaction => "the open transaction is there",
            Self::Asked => "the statement asks about earlier ones on the connection there",
            Self::ByHand => "it was chosen by hand",
            Self::Writes => "it is the primary, and the statement does more than read",
            Self::WritingScope => "the scope reads where it writes",
            Self::SessionState => "a statement has left something behind on its connection",
            Self::BeginsTransaction => "a transaction begins with it",
            Self::NoTable => "the statement names no table",
            Self::NotParsed => "the statement could not be parsed as a whole, so it may do more than read",
            Self::WantsNoRows => "it was run for its effect, as it returns no rows",
            Self::TestTransaction => "it is in a test transaction",
        })
    }
}

/// What a session knows that bears on whether replicas may serve it.
#[derive(Clone, Copy)]
pub(crate) struct Standpoint<'a> {
    pub(crate) circumstances: Circumstances<'a>,
    /// Whether a statement has left something behind on the session's connection to the primary.
    pub(crate) has_session_state: bool,
    pub(crate) wants: Wants,
}

/// What the caller of a statement wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Rows,
    /// An effect: `execute` and `batch_execute` return no rows.
    Effect,
}

/// Says which nodes of a cluster may serve a statement that was routed to one of them.
///
/// A statement that no replica may serve goes to the primary, also where the routers chose a replica: what the statement
/// needs is on the primary alone. A database that the caller chose by hand stays what it is.
///
/// # Errors
/// The routers chose a replica, the statement needs the primary, and the primary may not be read, or not touched at all.
#[inline]
pub(crate) fn reach(
    routing: &Routing,
    prepared: &Prepared,
    place: Place,
    standpoint: Standpoint<'_>,
) -> Result<Reach, RouteError> {
    let reach = reach_of(prepared, place.member, standpoint);
    if let Reach::Only(PRIMARY, _) = reach {
        permit_primary(routing, place.routed, place.primary, standpoint.circumstances)?;
    }
    Ok(reach)
}

/// Where a statement was routed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) routed: DatabaseId,
    /// The node of its cluster that this is.
    pub(crate) member: Member,
    /// The primary of that cluster.
    pub(crate) primary: DatabaseId,
}

impl Place {
    /// The place of a database; nothing where it has no replica and is none.
    #[inline]
    pub(crate) fn of<C: RoutedConnection>(topology: &Topology<C>, routed: DatabaseId) -> Option<Self> {
        let member = topology.member(routed)?;
        Some(Self { routed, member, primary: topology.database(member.cluster, PRIMARY) })
    }
}

#[inline]
fn reach_of(prepared: &Prepared, member: Member, standpoint: Standpoint<'_>) -> Reach {
    let Standpoint { circumstances, has_session_state, wants } = standpoint;
    let statement = &prepared.statement;
    let is_open = match circumstances.transaction {
        Transaction::On { node, .. } => return Reach::Open(node),
        Transaction::Pending { is_snapshot } => !is_snapshot,
        Transaction::None => false,
    };
    let only = |why| Reach::Only(PRIMARY, why);
    if circumstances.using.is_some() {
        Reach::Only(member.node, OnPrimary::ByHand)
    } else if statement.operation() != Operation::Read {
        only(OnPrimary::Writes)
    } else if circumstances.role == Some(Role::Writing) {
        only(OnPrimary::WritingScope)
    } else if has_session_state {
        only(OnPrimary::SessionState)
    } else if is_open {
        only(OnPrimary::BeginsTransaction)
    } else if !prepared.names_a_table() {
        only(OnPrimary::NoTable)
    } else if statement.reading() != Reading::Parsed || !statement.transaction_controls().is_empty() {
        only(OnPrimary::NotParsed)
    } else if wants == Wants::Effect {
        only(OnPrimary::WantsNoRows)
    } else if circumstances.in_test_transaction {
        only(OnPrimary::TestTransaction)
    } else {
        Reach::Replicas((member.node != PRIMARY).then_some(member.node))
    }
}
