//! Functions whose call is a write, however innocent the SELECT around it.
//!
//! Besides those that change something there are those that answer for one connection (`lastval`, `changes`) or for
//! one server (`pg_current_wal_lsn`, `GET_LOCK`): asked elsewhere they err, or worse, they answer.

use std::collections::HashMap;

use super::Dialect;

/// What a call leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing on the connection itself.
    Write,
    /// Something that stays with the connection, such as a lock or a setting.
    Session,
}

/// PostgreSQL's, in order.
const POSTGRES: &[&str] = &[
    "brin_desummarize_range",
    "brin_summarize_new_values",
    "brin_summarize_range",
    "currval",
    "gin_clean_pending_list",
    "lastval",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_export",
    "lo_from_bytea",
    "lo_import",
    "lo_lseek",
    "lo_lseek64",
    "lo_open",
    "lo_put",
    "lo_tell",
    "lo_tell64",
    "lo_truncate",
    "lo_truncate64",
    "lo_unlink",
    "loread",
    "lowrite",
    "nextval",
    "pg_backup_start",
    "pg_backup_stop",
    "pg_cancel_backend",
    "pg_clear_attribute_stats",
    "pg_clear_relation_stats",
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_create_restore_point",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_current_xact_id",
    "pg_drop_replication_slot",
    "pg_export_snapshot",
    "pg_import_system_collations",
    "pg_log_backend_memory_contexts",
    "pg_log_standby_snapshot",
    "pg_logical_emit_message",
    "pg_logical_slot_get_binary_changes",
    "pg_logical_slot_get_changes",
    "pg_notify",
    "pg_promote",
    "pg_reload_conf",
    "pg_replication_slot_advance",
    "pg_restore_attribute_stats",
    "pg_restore_relation_stats",
    "pg_rotate_logfile",
    "pg_start_backup",
    "pg_stat_statements_reset",
    "pg_stop_backup",
    "pg_switch_wal",
    "pg_sync_replication_slots",
    "pg_terminate_backend",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
    "set_config",
    "setseed",
    "setval",
    "txid_current",
];

/// PostgreSQL's by their beginning. `dblink` runs whatever text it is given.
const POSTGRES_PREFIXES: &[&str] =
    &["dblink", "pg_advisory_", "pg_file_", "pg_replication_origin_", "pg_stat_reset", "pg_try_advisory_"];

/// MySQL's and MariaDB's, in order.
const MYSQL: &[&str] = &[
    "get_lock",
    "is_free_lock",
    "is_used_lock",
    "last_insert_id",
    "lastval",
    "nextval",
    "release_all_locks",
    "release_lock",
    "row_count",
    "service_get_read_locks",
    "service_get_write_locks",
    "service_release_locks",
    "setval",
];

/// SQLite's, in order.
const SQLITE: &[&str] = &[
    "changes",
    "edit",
    "fts3_tokenizer",
    "last_insert_rowid",
    "load_extension",
    "total_changes",
    "writefile",
];

/// Those that leave something on the connection, in order: locks that outlive the transaction, settings.
const SESSION: &[&str] = &[
    "dblink_connect",
    "dblink_connect_u",
    "fts3_tokenizer",
    "get_lock",
    "load_extension",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_replication_origin_session_setup",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "service_get_read_locks",
    "service_get_write_locks",
    "set_config",
    "setseed",
];

/// The functions that write: the dialect's own, and those that the caller named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteFunctions {
    names: &'static [&'static str],
    prefixes: &'static [&'static str],
    /// The caller's: by name, the schemas in which it writes. None is every schema.
    custom: HashMap<Box<str>, Vec<Option<Box<str>>>>,
}

impl WriteFunctions {
    pub(super) fn new(dialect: Dialect) -> Self {
        let (names, prefixes) = match dialect {
            Dialect::Sqlite => (SQLITE, [].as_slice()),
            Dialect::Postgres => (POSTGRES, POSTGRES_PREFIXES),
            Dialect::Mysql => (MYSQL, [].as_slice()),
        };
        Self { names, prefixes, custom: HashMap::new() }
    }

    /// Adds a function: `name` or `schema.name`, in any case, with or without `()`.
    pub(super) fn add(&mut self, name: &str) {
        let name = name.trim().trim_end_matches("()").to_ascii_lowercase();
        let mut parts = name.rsplit('.').map(|part| part.trim().trim_matches(['"', '`']));
        let Some(name) = parts.next().filter(|name| !name.is_empty()) else { return };
        self.custom.entry(name.into()).or_default().push(parts.next().map(Into::into));
    }

    /// What the call of a function leaves behind, if the call is a write.
    pub(super) fn effect(&self, schema: Option<&str>, name: &str) -> Option<Effect> {
        let name = name.to_ascii_lowercase();
        if self.names.binary_search(&name.as_str()).is_ok()
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
        {
            return Some(match SESSION.binary_search(&name.as_str()) {
                Ok(_) => Effect::Session,
                Err(_) => Effect::Write,
            });
        }
        let schemas = self.custom.get(name.as_str())?;
        let here = schemas.iter().any(|known| match (known, schema) {
            (Some(known), Some(schema)) => schema.eq_ignore_ascii_case(known),
            _ => true,
        });
        here.then_some(Effect::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order() {
        for names in [POSTGRES, MYSQL, SQLITE, SESSION] {
            assert!(names.is_sorted(), "{names:?}");
        }
    }

    #[test]
    fn a_schema_narrows_a_function_of_your_own() {
        let mut functions = WriteFunctions::new(Dialect::Postgres);
        functions.add("Audit.Record()");
        functions.add("touch");
        assert_eq!(functions.effect(None, "RECORD"), Some(Effect::Write));
        assert_eq!(functions.effect(Some("AUDIT"), "record"), Some(Effect::Write));
        assert_eq!(functions.effect(Some("music"), "record"), None);
        assert_eq!(functions.effect(Some("any"), "touch"), Some(Effect::Write));
        assert_eq!(functions.effect(Some("pg_catalog"), "NextVal"), Some(Effect::Write));
        assert_eq!(functions.effect(None, "txid_current_snapshot"), None);
        assert_eq!(functions.effect(None, "pg_current_xact_id_if_assigned"), None);
    }
}
