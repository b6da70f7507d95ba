//! How transactions of SQLite begin.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::Ask;
use crate::engine::transaction::{Snapshot, Transactions, has_savepoint, set_savepoint};

impl Transactions for Sqlite {
    fn read_only_snapshot(&self) -> Snapshot {
        Snapshot::Always
    }

    fn mark(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        set_savepoint(conn)
    }

    fn is_marked(&self, conn: &mut dyn Ask, mark: &str) -> bool {
        has_savepoint(conn, mark)
    }

    /// A transaction can only begin where none is open. As it begins, it takes no lock.
    fn is_open(&self, conn: &mut dyn Ask) -> bool {
        conn.run("BEGIN DEFERRED").is_err()
    }

    /// A connection may have been told to write nothing.
    fn own_rights(&self) -> Option<&'static str> {
        Some("PRAGMA query_only = 0")
    }
}
