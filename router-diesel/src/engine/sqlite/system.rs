//! What every database of SQLite has.

use super::Sqlite;
use crate::engine::system::{SystemTables, is_one_of};

impl SystemTables for Sqlite {
    fn system_schemas(&self) -> &'static [&'static str] {
        &[]
    }

    fn is_system_table(&self, name: &str) -> bool {
        is_one_of(name, &["sqlite_master", "sqlite_schema", "sqlite_sequence"])
    }
}
