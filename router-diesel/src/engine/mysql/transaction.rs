//! How transactions of MySQL and MariaDB begin.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::Ask;
use crate::engine::transaction::{Snapshot, Transactions, has_savepoint, set_savepoint};

impl Transactions for Mysql {
    /// MySQL and MariaDB take it as said of the next transaction, and refuse it in an open one (error 1568).
    fn read_only_snapshot(&self) -> Snapshot {
        Snapshot::Before("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    }

    fn mark(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        set_savepoint(conn)
    }

    fn is_marked(&self, conn: &mut dyn Ask, mark: &str) -> bool {
        has_savepoint(conn, mark)
    }

    /// An isolation level can be chosen for the next transaction alone, and not while one is open. Whether there is a
    /// connection at all, another statement tells.
    fn is_open(&self, conn: &mut dyn Ask) -> bool {
        conn.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").is_err() && conn.run("SELECT 1").is_ok()
    }
}
