//! How a transaction begins that only reads, and whether one that was begun is still open.

use diesel::QueryResult;

use super::Ask;

/// How an engine begins its transactions.
pub(crate) trait Transactions {
    /// What makes the next transaction one snapshot of the database that cannot write.
    fn read_only_snapshot(&self) -> Snapshot;

    /// Marks the open transaction, so that [`is_marked`](Self::is_marked) knows it again.
    ///
    /// # Errors
    /// What Diesel says of the statement.
    fn mark(&self, conn: &mut dyn Ask) -> QueryResult<String>;

    /// Whether the transaction that was marked is still open: statements of somebody else may have ended it, and begun
    /// another.
    fn is_marked(&self, conn: &mut dyn Ask, mark: &str) -> bool;

    /// Whether a transaction is open on a connection which is used for nothing more afterwards. One that was lost has
    /// none.
    fn is_open(&self, conn: &mut dyn Ask) -> bool;

    /// What gives the rights of the connection's own user back to an open transaction, whatever role somebody else's
    /// statements took in it. `None` where that cannot keep the router from writing its records.
    fn own_rights(&self) -> Option<&'static str> {
        None
    }
}

/// The name of the savepoint that marks a transaction.
const MARK: &str = "dbrouter_mark";

/// Marks a transaction by a savepoint, which ends with it.
pub(super) fn set_savepoint(conn: &mut dyn Ask) -> QueryResult<String> {
    conn.run(&format!("SAVEPOINT {MARK}"))?;
    Ok(MARK.to_owned())
}

/// Whether a savepoint is there, which is gone afterwards.
pub(super) fn has_savepoint(conn: &mut dyn Ask, mark: &str) -> bool {
    conn.run(&format!("RELEASE SAVEPOINT {mark}")).is_ok()
}

/// What is said beside BEGIN so that a transaction is one snapshot and cannot write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// Nothing: every transaction is a snapshot, until it writes.
    Always,
    /// A statement before BEGIN, about the next transaction.
    Before(&'static str),
    /// A statement after BEGIN, about the open transaction.
    After(&'static str),
}
