//! What every database of MySQL and MariaDB has.

use super::Mysql;
use crate::engine::system::SystemTables;

impl SystemTables for Mysql {
    fn system_schemas(&self) -> &'static [&'static str] {
        &["information_schema", "mysql", "performance_schema", "sys"]
    }

    fn is_system_table(&self, _: &str) -> bool {
        false
    }
}
