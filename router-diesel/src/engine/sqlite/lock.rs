//! What is locked of a database of SQLite.

use super::Sqlite;
use crate::engine::DatabaseUrl;
use crate::engine::lock::{Locking, Locks};

impl Locks for Sqlite {
    /// A database in memory is this process's own.
    fn locking(&self, url: &DatabaseUrl) -> Locking {
        url.file().map_or(Locking::Nothing, Locking::File)
    }
}
