//! What every database of PostgreSQL has.

use super::Postgres;
use crate::engine::system::SystemTables;

impl SystemTables for Postgres {
    fn system_schemas(&self) -> &'static [&'static str] {
        &["pg_catalog", "information_schema"]
    }

    /// They are found without a schema, as `pg_catalog` is on every search path.
    fn is_system_table(&self, name: &str) -> bool {
        name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("pg_"))
    }
}
