//! How transactions of SQLite begin.

use super::Sqlite;
use crate::engine::transaction::{Snapshot, Transactions};

impl Transactions for Sqlite {
    fn read_only_snapshot(&self) -> Snapshot {
        Snapshot::Always
    }
}
