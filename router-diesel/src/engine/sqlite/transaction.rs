//! How transactions of SQLite begin.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::Ask;
use crate::engine::transaction::{
    Begin, Lock, TransactionOptions, Transactions, has_savepoint, set_savepoint,
};

impl Transactions for Sqlite {
    /// Every transaction is a snapshot and serializable, until it writes. That it only reads is left to the session.
    fn begin(&self, options: TransactionOptions) -> Result<Begin, &'static str> {
        if options.isolation.is_some() {
            return Err("isolation levels, as its transactions are always serializable");
        }
        if options.deferrable.is_some() {
            return Err("deferrable transactions");
        }
        let begin = options.lock.map(|lock| match lock {
            Lock::Immediate => "BEGIN IMMEDIATE".to_owned(),
            Lock::Exclusive => "BEGIN EXCLUSIVE".to_owned(),
        });
        Ok(Begin { before: None, begin })
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
