//! The catalogue of PostgreSQL.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::Ask;
use crate::engine::catalogue::{Catalogue, TableEntry, entries};
use crate::engine::records::RecordTables as _;

impl Catalogue for Postgres {
    fn tables(&self, conn: &mut dyn Ask) -> QueryResult<Vec<TableEntry>> {
        let visible = "CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN '1' ELSE '0' END";
        let columns = self.joined(&["n.nspname", "c.relname", visible]);
        let sql = format!(
            "SELECT {columns} AS value FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' \
             AND n.nspname NOT LIKE 'pg\\_%'"
        );
        entries(conn, &sql)
    }

    fn folds_case(&self) -> bool {
        false
    }

    fn lists_every_schema(&self) -> bool {
        true
    }
}
