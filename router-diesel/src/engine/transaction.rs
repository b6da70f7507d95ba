//! How a transaction begins that only reads, and whether one that was begun is still open.

use std::num::NonZeroU32;

use diesel::QueryResult;
use diesel::connection::{Connection, TransactionManager as _};

use super::Ask;

/// How an engine begins its transactions.
pub(crate) trait Transactions {
    /// How a transaction begins with these options.
    ///
    /// # Errors
    /// The option that the engine does not have.
    fn begin(&self, options: TransactionOptions) -> Result<Begin, &'static str>;

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

/// How many transactions are open on a connection, one inside of the other, by Diesel's count. `None` where nobody can
/// tell any more.
pub(crate) fn depth<C: Connection>(conn: &mut C) -> Option<u32> {
    let status = C::TransactionManager::transaction_manager_status_mut(conn);
    status.transaction_depth().ok().map(|depth| depth.map_or(0, NonZeroU32::get))
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

/// How a transaction is to be. What is left out is as the server has it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TransactionOptions {
    pub(crate) isolation: Option<IsolationLevel>,
    pub(crate) access: Option<Access>,
    pub(crate) deferrable: Option<bool>,
    pub(crate) lock: Option<Lock>,
    /// One snapshot of the database, however the engine makes one.
    pub(crate) is_snapshot: bool,
}

impl TransactionOptions {
    /// One snapshot of the database that cannot write.
    pub(crate) const READ_ONLY_SNAPSHOT: Self = Self {
        isolation: None,
        access: Some(Access::ReadOnly),
        deferrable: None,
        lock: None,
        is_snapshot: true,
    };

    /// The level to name, on an engine where a snapshot has one.
    pub(super) fn named_isolation(self) -> Option<IsolationLevel> {
        self.isolation.or(self.is_snapshot.then_some(IsolationLevel::RepeatableRead))
    }
}

/// How transactions are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl IsolationLevel {
    /// As SQL writes it.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "ISOLATION LEVEL READ UNCOMMITTED",
            Self::ReadCommitted => "ISOLATION LEVEL READ COMMITTED",
            Self::RepeatableRead => "ISOLATION LEVEL REPEATABLE READ",
            Self::Serializable => "ISOLATION LEVEL SERIALIZABLE",
        }
    }
}

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

impl Access {
    /// As SQL writes it.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::ReadOnly => "READ ONLY",
            Self::ReadWrite => "READ WRITE",
        }
    }
}

/// Which lock a transaction takes as it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Immediate,
    Exclusive,
}

/// The statements with which a transaction begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Begin {
    /// A statement before BEGIN, about the next transaction.
    pub(crate) before: Option<String>,
    /// What is sent instead of a plain BEGIN.
    pub(crate) begin: Option<String>,
}
