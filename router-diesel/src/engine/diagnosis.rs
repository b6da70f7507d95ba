//! What a driver's error says of the connection and the server that it came from.
//!
//! Servers and client libraries write their messages in many languages, so no decision hangs on the text of one. What
//! the kind of an error does not tell, the connection itself is asked: see [`verdict`].

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::{Engine, RoutedConnection};

/// How an engine reads the errors of its driver.
pub(crate) trait Diagnose {
    /// What an error of this kind says by itself.
    fn diagnose(&self, kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> Diagnosis;

    /// Whether the error says that the server refuses every write, and not this connection or transaction alone.
    fn takes_no_writes(&self, kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> bool;
}

/// What an error says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// The server answered. The statement failed, and the connection works.
    Answered,
    /// The server cancelled a read, because the read stood in the way of what the server replays.
    Cancelled,
    /// The error does not tell, and probably the server answered. The connection is pinged before its next user
    /// gets it.
    PingLater,
    /// The error does not tell. The connection is pinged on the spot.
    PingNow,
    /// The connection is gone.
    Lost,
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection works.
    Fine,
    /// Nobody knows. The connection is pinged before its next user gets it.
    Suspect,
    /// The connection is gone.
    Lost,
}

/// What an error says by itself, on an engine.
pub(crate) fn diagnose(engine: Engine, error: &DieselError) -> Diagnosis {
    match error {
        DieselError::BrokenTransactionManager => Diagnosis::Lost,
        DieselError::DatabaseError(kind, information) => engine.spec().diagnose(kind, &**information),
        _ => Diagnosis::Answered,
    }
}

/// Judges a connection by an error that came from it, and pings it where the error does not tell.
///
/// The ping costs a round trip, and only after an error. A client library that knows its connection to be gone
/// fails at once, without one.
pub(crate) fn verdict<C: RoutedConnection>(conn: &mut C, error: &DieselError) -> Verdict {
    match diagnose(conn.engine(), error) {
        Diagnosis::Answered | Diagnosis::Cancelled => Verdict::Fine,
        Diagnosis::PingLater => Verdict::Suspect,
        Diagnosis::PingNow if answers(conn) => Verdict::Fine,
        Diagnosis::PingNow | Diagnosis::Lost => Verdict::Lost,
    }
}

/// Whether the server answers on this connection. To refuse, as PostgreSQL does in a failed transaction, is an answer.
fn answers<C: RoutedConnection>(conn: &mut C) -> bool {
    let engine = conn.engine();
    match conn.ping() {
        Ok(()) => true,
        Err(error) => {
            matches!(diagnose(engine, &error), Diagnosis::Answered | Diagnosis::PingLater)
        }
    }
}

/// Whether a read failed because of the node that it ran on, and may succeed on another.
///
/// Ask this of errors that passed a [`NodeConnection`](crate::topology::pool::NodeConnection), which has given a lost
/// connection the kind `ClosedConnection`. A read that a replica cancels, because it stands in the way of what the
/// replica replays, is a `SerializationFailure`: PostgreSQL says so by SQLSTATE 40001, and MySQL and MariaDB by a
/// deadlock (1213) with the thread that replays. Nobody else writes on a replica. On a primary the same kind may be of
/// two transactions of the service's own; to read once more is right then too.
pub(crate) fn read_failed_for_its_node(error: &DieselError) -> bool {
    matches!(
        error,
        DieselError::BrokenTransactionManager
            | DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::SerializationFailure,
                _
            )
    )
}
