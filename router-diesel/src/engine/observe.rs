//! Asks a server for its position.
//!
//! Each question is one query, of functions and variables that every user may read by default. Where PostgreSQL's
//! administrator has revoked `pg_control_system()`, `pg_control_init()`, `pg_control_checkpoint()` or
//! `pg_control_recovery()`, there are no positions, and whoever must read fresh reads from the primary.
//!
//! Ask outside of a transaction: a question that PostgreSQL refuses would fail it.

use std::time::SystemTime;

use diesel::QueryResult;

use super::position::Position;
use super::{Access, Ask, RoutedConnection};

/// How an engine tells what a server is in its cluster, and how far it is.
pub(crate) trait Observe {
    /// Whether servers of this engine can have positions. Where they cannot, a window of time decides when a replica
    /// has a write.
    fn has_positions(&self) -> bool {
        true
    }

    /// Where the primary is after a write that was made on this connection, or before it, and is committed. `None`
    /// where this server has no positions; [`Position::Unknown`] where the position cannot be had.
    ///
    /// # Errors
    /// What Diesel says of the query, if the server cannot be asked at all.
    fn written(&self, conn: &mut dyn Ask) -> QueryResult<Option<Position>>;

    /// Where any server of a cluster is: how far it has replayed, or has written itself.
    ///
    /// # Errors
    /// What Diesel says of the query, if the server cannot be asked at all.
    fn replayed(&self, conn: &mut dyn Ask) -> QueryResult<Observation>;

    /// What a connection may do that only asks these questions. By default everything, so that no setting is made:
    /// a pooler would hand the server's connection on with it, to a user who wants to write.
    fn probe_access(&self) -> Access {
        Access::ReadWrite
    }
}

/// What a server is in its cluster, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing is replicated to it.
    Primary,
    /// It replays what another server wrote.
    Replica,
    /// It does not tell: MariaDB or MySQL where it was a replica and may still be one, or SQLite. It is then taken for
    /// what the file says.
    Unknown,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) role: Role,
    /// Nothing where the server has no positions, or this user may not know them.
    pub(crate) position: Option<Position>,
}

impl Observation {
    /// A server that has no position, or does not tell it.
    pub(super) fn without_position(role: Role) -> Self {
        Self { role, position: None }
    }
}

/// Where the primary is after a write that was made on this connection, or before it, and is committed.
///
/// An engine without positions, or without a binary log, gives the time. [`Position::Unknown`] where the position
/// cannot be had: on a standby, and where this user may not know it.
///
/// # Errors
/// What Diesel says of the query, if the server cannot be asked at all.
pub(crate) fn written<C: RoutedConnection>(conn: &mut C) -> QueryResult<Position> {
    let position = conn.engine().spec().written(conn)?;
    Ok(position.unwrap_or_else(|| Position::at(SystemTime::now())))
}

/// Where any server of a cluster is: how far it has replayed, or has written itself.
///
/// # Errors
/// What Diesel says of the query, if the server cannot be asked at all.
pub(crate) fn replayed<C: RoutedConnection>(conn: &mut C) -> QueryResult<Observation> {
    conn.engine().spec().replayed(conn)
}
