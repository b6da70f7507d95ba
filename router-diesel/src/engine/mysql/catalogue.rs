//! The catalogue of MySQL and MariaDB.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::Ask;
use crate::engine::catalogue::{Catalogue, TableEntry, entries};
use crate::engine::records::RecordTables as _;

impl Catalogue for Mysql {
    fn tables(&self, conn: &mut dyn Ask) -> QueryResult<Vec<TableEntry>> {
        let columns = self.joined(&["table_schema", "table_name", "'1'"]);
        let sql = format!(
            "SELECT {columns} AS value FROM information_schema.tables WHERE table_schema = DATABASE()"
        );
        entries(conn, &sql)
    }

    fn folds_case(&self) -> bool {
        true
    }

    /// A schema is another database of the server.
    fn lists_every_schema(&self) -> bool {
        false
    }
}
