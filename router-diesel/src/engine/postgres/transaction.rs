//! How transactions of PostgreSQL begin.

use super::Postgres;
use crate::engine::transaction::{Snapshot, Transactions};

impl Transactions for Postgres {
    /// PostgreSQL takes it as said of the transaction that is open.
    fn read_only_snapshot(&self) -> Snapshot {
        Snapshot::After("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    }
}
