//! What surrounds a statement and bears on where it goes.

use std::any::Any;
use std::sync::Arc;

use router_core::{Alias, Hints, Role};

use super::asked::Marks;
use crate::topology::DatabaseId;

/// What surrounds a statement and bears on where it goes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Circumstances<'a> {
    /// The database chosen by hand.
    pub(crate) using: Option<DatabaseId>,
    /// The open transaction, if any.
    pub(crate) transaction: Transaction,
    /// Whether this part of the program reads or writes.
    pub(crate) role: Option<Role>,
    /// Whether writes are refused.
    pub(crate) prevent_writes: bool,
    /// The only databases that may be touched.
    pub(crate) only: Option<&'a [DatabaseId]>,
    /// Whether every database is in a transaction that is rolled back in the end.
    pub(crate) in_test_transaction: bool,
    /// The name by which a database was chosen by hand that no database has.
    pub(crate) unknown: Option<&'a Alias>,
    /// What the routers are told.
    pub(crate) hints: &'a [Arc<dyn Any + Send + Sync>],
    /// Where the earlier statements of the session ran. Without a session there are none.
    pub(crate) marks: Option<&'a Marks>,
}

/// Whether a transaction is open, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Transaction {
    /// None is open.
    #[default]
    None,
    /// One is open, and its first statement has yet to choose its database.
    Pending {
        /// Whether it only reads, and no other is around it, so that a replica may serve it as one snapshot.
        is_snapshot: bool,
    },
    /// One is open.
    On {
        /// The database that the routers chose.
        database: DatabaseId,
        /// Where it is open: that database, or one of its replicas.
        node: DatabaseId,
    },
}

impl Transaction {
    pub(super) fn is_open(self) -> bool {
        self != Self::None
    }

    pub(super) fn database(self) -> Option<DatabaseId> {
        match self {
            Self::On { database, .. } => Some(database),
            Self::None | Self::Pending { .. } => None,
        }
    }
}

/// What the routers are told beside the model.
pub(crate) fn hints(circumstances: Circumstances<'_>) -> Hints<'_> {
    let hints = Hints::default().shared(circumstances.hints);
    match circumstances.role {
        Some(role) => hints.role(role),
        None => hints,
    }
}
