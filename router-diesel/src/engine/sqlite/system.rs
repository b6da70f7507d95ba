//! What every database of SQLite has.

use super::Sqlite;
use crate::engine::system::{SystemTables, is_one_of};

/// How the tables begin that answer as a PRAGMA does: `SELECT * FROM pragma_database_list`.
const PRAGMA: &str = "pragma_";

impl SystemTables for Sqlite {
    fn system_schemas(&self) -> &'static [&'static str] {
        &[]
    }

    fn is_system_table(&self, name: &str) -> bool {
        is_one_of(name, &["sqlite_master", "sqlite_schema", "sqlite_sequence"])
            || !name.eq_ignore_ascii_case("pragma_optimize")
                && name.get(..PRAGMA.len()).is_some_and(|start| start.eq_ignore_ascii_case(PRAGMA))
    }
}
