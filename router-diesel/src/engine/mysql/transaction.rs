//! How transactions of MySQL and MariaDB begin.

use super::Mysql;
use crate::engine::transaction::{Snapshot, Transactions};

impl Transactions for Mysql {
    /// MySQL and MariaDB take it as said of the next transaction, and refuse it in an open one (error 1568).
    fn read_only_snapshot(&self) -> Snapshot {
        Snapshot::Before("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    }
}
