//! What an error says of the connection that it came from.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What an error says of the connection that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The statement failed, the connection is well.
    Fine,
    /// Nobody can tell from the error alone: ask the server before the connection is used again.
    Suspect,
    /// The connection is gone.
    Lost,
}

/// Judges a connection by an error that came from it.
///
/// PostgreSQL says "terminating connection" and libpq "server closed the connection"; MariaDB's and MySQL's
/// client library says "Lost connection" (CR 2013) and "gone away" (CR 2006), which Diesel hands on as text.
pub(crate) fn verdict(error: &DieselError) -> Verdict {
    const LOST: [&str; 7] = [
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "could not receive data from server",
        "SSL connection has been closed",
        "Lost connection to",
        "gone away",
    ];
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
        | DieselError::BrokenTransactionManager => Verdict::Lost,
        DieselError::DatabaseError(
            DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand,
            information,
        ) => {
            if LOST.iter().any(|text| information.message().contains(text)) {
                Verdict::Lost
            } else {
                Verdict::Suspect
            }
        }
        _ => Verdict::Fine,
    }
}

/// Whether a read failed because of the node that it ran on, and may succeed on another.
///
/// A standby of PostgreSQL also cancels a read that stands in the way of what it replays (SQLSTATE 40001,
/// "conflict with recovery").
pub(crate) fn read_failed_for_its_node(error: &DieselError) -> bool {
    let conflicts_with_replay = || match error {
        DieselError::DatabaseError(_, information) => {
            information.message().contains("conflict with recovery")
        }
        _ => false,
    };
    verdict(error) == Verdict::Lost || conflicts_with_replay()
}
