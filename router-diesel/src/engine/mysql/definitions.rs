//! Definitions and transactions in MySQL and MariaDB.

use super::Mysql;
use crate::engine::definitions::Definitions;

impl Definitions for Mysql {
    /// Each definition commits by itself, and commits what was done before it.
    fn are_transactional(&self) -> bool {
        false
    }
}
