//! How transactions of MySQL and MariaDB begin.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::Ask;
use crate::engine::transaction::{
    Access, Begin, IsolationLevel, TransactionOptions, Transactions, has_savepoint, set_savepoint,
};

impl Transactions for Mysql {
    /// MySQL and MariaDB take it as said of the next transaction, and refuse it in an open one (error 1568).
    fn begin(&self, options: TransactionOptions) -> Result<Begin, &'static str> {
        if options.deferrable.is_some() {
            return Err("deferrable transactions");
        }
        if options.lock.is_some() {
            return Err("immediate or exclusive transactions");
        }
        let isolation = options.named_isolation().map(IsolationLevel::sql);
        let said: Vec<_> = isolation.into_iter().chain(options.access.map(Access::sql)).collect();
        let before = (!said.is_empty()).then(|| format!("SET TRANSACTION {}", said.join(", ")));
        Ok(Begin { before, begin: None })
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
