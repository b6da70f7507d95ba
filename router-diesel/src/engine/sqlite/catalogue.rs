//! The catalogue of SQLite.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::Ask;
use crate::engine::catalogue::{Catalogue, TableEntry, entries};
use crate::engine::records::RecordTables as _;

impl Catalogue for Sqlite {
    fn tables(&self, conn: &mut dyn Ask) -> QueryResult<Vec<TableEntry>> {
        let columns = self.joined(&["'main'", "name", "'1'"]);
        entries(
            conn,
            &format!("SELECT {columns} AS value FROM sqlite_master WHERE type IN ('table', 'view')"),
        )
    }

    fn folds_case(&self) -> bool {
        true
    }

    /// A schema is another file that is attached.
    fn lists_every_schema(&self) -> bool {
        false
    }
}
