//! How a transaction begins that only reads.

/// How an engine begins its transactions.
pub(crate) trait Transactions {
    /// What makes the next transaction one snapshot of the database that cannot write.
    fn read_only_snapshot(&self) -> Snapshot;
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
