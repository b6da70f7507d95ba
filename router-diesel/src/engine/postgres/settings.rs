//! Settings of PostgreSQL.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::Ask;
use crate::engine::records::RecordTables as _;
use crate::engine::settings::{Risk, Settings, is_plain};

impl Settings for Postgres {
    fn has_settings(&self) -> bool {
        true
    }

    fn is_setting(&self, name: &str) -> bool {
        is_plain(name)
    }

    fn risk(&self, name: &str) -> Risk {
        match name {
            "search_path"
            | "role"
            | "session_authorization"
            | "row_security"
            | "session_replication_role"
            | "standard_conforming_strings"
            | "client_encoding" => Risk::Meaning,
            "default_transaction_read_only" | "transaction_read_only" => Risk::Guard,
            _ => Risk::None,
        }
    }

    fn local(&self, name: &str, value: &str) -> Option<String> {
        // How the transaction is must be said before its first query, and `SELECT set_config` is one.
        match self.shapes_transaction(name) {
            true => Some(format!("SET LOCAL {name} = {}", self.quoted(value))),
            false => Some(format!("SELECT set_config({}, {}, true)", self.quoted(name), self.quoted(value))),
        }
    }

    fn shapes_transaction(&self, name: &str) -> bool {
        matches!(
            name,
            "transaction" | "transaction_isolation" | "transaction_deferrable" | "transaction_read_only"
        )
    }

    /// One question: the columns of a row are computed from left to right.
    fn apply(&self, conn: &mut dyn Ask, settings: &[(&str, &str)]) -> QueryResult<Vec<Option<String>>> {
        let one = |(name, value): &(&str, &str)| {
            let (name, value) = (self.quoted(name), self.quoted(value));
            format!(
                "SELECT current_setting({name}, true) AS value, set_config({name}, {value}, false) AS applied"
            )
        };
        conn.texts(&settings.iter().map(one).collect::<Vec<_>>().join(" UNION ALL "))
    }

    fn forget_last_id(&self) -> Option<&'static str> {
        Some("DISCARD SEQUENCES")
    }

    /// A name that was not set before has an empty value afterwards: PostgreSQL cannot forget it.
    fn restore(&self, conn: &mut dyn Ask, settings: &[(&str, Option<&str>)]) -> QueryResult<()> {
        let one = |(name, value): &(&str, Option<&str>)| {
            let value = value.map_or("NULL".to_owned(), |value| self.quoted(value));
            format!("set_config({}, {value}, false)", self.quoted(name))
        };
        conn.run(&format!("SELECT {}", settings.iter().map(one).collect::<Vec<_>>().join(", ")))
    }
}
