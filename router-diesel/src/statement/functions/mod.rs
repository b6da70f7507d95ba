//! Functions whose call is a write, however innocent the SELECT around it.
//!
//! Besides those that change something there are those that answer for one connection (`lastval`, `changes`) or for
//! one server (`pg_current_wal_lsn`, `GET_LOCK`): asked elsewhere they err, or worse, they answer.

use std::collections::HashMap;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::Dialect;
use super::effects::Facts;
use crate::text::names::split_name;

/// What a call leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing on the connection itself.
    Write,
    /// Something that stays with the connection, such as a lock or a setting.
    Session,
    /// Nothing: it asks about earlier statements on its connection.
    Asks(Facts),
    /// A value that later statements may ask about.
    Makes(Facts),
}

/// The name of a function, as a statement calls it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called<'n> {
    pub(super) schema: Option<&'n str>,
    pub(super) name: &'n str,
    pub(super) is_quoted: bool,
    /// Whether the call has no arguments.
    pub(super) is_bare: bool,
}

/// What is known of a function that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// It has an effect, or asks about its connection.
    Effect(Effect),
    /// The engine has it built in, and it has no effect.
    Harmless,
    /// It is somebody's own.
    Unknown,
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
    "set_limit",
    "setseed",
    "setval",
    "txid_current",
];

/// PostgreSQL's by their beginning. `dblink` runs whatever text it is given.
const POSTGRES_PREFIXES: &[&str] =
    &["dblink", "pg_advisory_", "pg_file_", "pg_replication_origin_", "pg_stat_reset", "pg_try_advisory_"];

/// MySQL's and MariaDB's, in order.
const MYSQL: &[&str] = &[
    "found_rows",
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

/// Those that leave something on the connection, in order: locks that outlive the transaction, settings, backups, and slots
/// that may be temporary.
const SESSION: &[&str] = &[
    "dblink_connect",
    "dblink_connect_u",
    "fts3_tokenizer",
    "get_lock",
    "load_extension",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_backup_start",
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_replication_origin_session_setup",
    "pg_start_backup",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "service_get_read_locks",
    "service_get_write_locks",
    "set_config",
    "set_limit",
    "setseed",
];

/// The functions that write: the dialect's own, and those that the caller named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteFunctions {
    dialect: Dialect,
    names: &'static [&'static str],
    prefixes: &'static [&'static str],
    /// The caller's: by name, the schemas in which it writes. None is every schema.
    custom: Named,
    /// Those of the caller's that leave something on their connection.
    of_state: Named,
    /// Those of the caller's that have no effect.
    of_reading: Named,
}

/// Functions by name, with the schemas in which each is meant. None is every schema.
type Named = HashMap<Box<str>, Vec<Option<Box<str>>>>;

impl WriteFunctions {
    pub(super) fn new(dialect: Dialect) -> Self {
        let (names, prefixes) = match dialect {
            Dialect::Sqlite => (SQLITE, [].as_slice()),
            Dialect::Postgres => (POSTGRES, POSTGRES_PREFIXES),
            Dialect::Mysql => (MYSQL, [].as_slice()),
        };
        Self {
            dialect,
            names,
            prefixes,
            custom: HashMap::new(),
            of_state: HashMap::new(),
            of_reading: HashMap::new(),
        }
    }

    /// Adds a function that writes: `name` or `schema.name`, in any case, with or without `()`.
    pub(super) fn add(&mut self, name: &str) {
        add(&mut self.custom, name);
    }

    /// Adds a function that leaves something on its connection.
    pub(super) fn add_of_state(&mut self, name: &str) {
        add(&mut self.of_state, name);
    }

    /// Adds a function that has no effect.
    pub(super) fn add_of_reading(&mut self, name: &str) {
        add(&mut self.of_reading, name);
    }

    /// What is known of a function that is called so.
    pub(super) fn call(&self, called: Called<'_>) -> Call {
        if let Some(effect) = self.effect(called) {
            return Call::Effect(effect);
        }
        if self.is_harmless(called) { Call::Harmless } else { Call::Unknown }
    }

    fn is_harmless(&self, called: Called<'_>) -> bool {
        let name = called.name.to_ascii_lowercase();
        if is_meant(&self.of_reading, called.schema, &name) {
            return true;
        }
        // PostgreSQL folds only a name without quotes.
        let is_other = called.is_quoted && self.dialect.folds_names() && name != called.name;
        match harmless(self.dialect).get(name.as_str()) {
            Some(Form::Any) if !is_other => {
                called.schema.is_none_or(|schema| schema.eq_ignore_ascii_case("pg_catalog"))
            }
            Some(Form::Unquoted) => called.schema.is_none() && !called.is_quoted,
            _ => false,
        }
    }

    /// What the call of a function leaves behind, if anything.
    fn effect(&self, called: Called<'_>) -> Option<Effect> {
        let Called { schema, is_bare, .. } = called;
        let name = called.name.to_ascii_lowercase();
        if is_meant(&self.of_state, schema, &name) {
            return Some(Effect::Session);
        }
        if self.names.binary_search(&name.as_str()).is_ok()
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
        {
            return Some(match name.as_str() {
                "last_insert_id" if !is_bare => Effect::Makes(Facts::INSERTED),
                "nextval" | "setval" => Effect::Makes(Facts::INSERTED),
                "currval" | "last_insert_id" | "last_insert_rowid" | "lastval" => {
                    Effect::Asks(Facts::INSERTED)
                }
                "changes" | "total_changes" => Effect::Asks(Facts::CHANGED),
                "found_rows" => Effect::Asks(Facts::FOUND),
                "row_count" => Effect::Asks(Facts::ENDED),
                name if SESSION.binary_search(&name).is_ok() => Effect::Session,
                _ => Effect::Write,
            });
        }
        is_meant(&self.custom, schema, &name).then_some(Effect::Write)
    }
}

fn add(functions: &mut Named, name: &str) {
    let Some(parts) = split_name(name.trim().trim_end_matches("()")) else { return };
    let mut parts = parts.iter().rev().map(|part| part.trim().to_ascii_lowercase());
    let Some(name) = parts.next() else { return };
    functions.entry(name.into()).or_default().push(parts.next().map(Into::into));
}

/// Whether a call of a name in lower case may mean one of these functions.
fn is_meant(functions: &Named, schema: Option<&str>, name: &str) -> bool {
    functions.get(name).is_some_and(|schemas| {
        schemas.iter().any(|known| match (known, schema) {
            (Some(known), Some(schema)) => schema.eq_ignore_ascii_case(known),
            _ => true,
        })
    })
}

/// How a function that is built in may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Any,
    /// The grammar knows it by a keyword. In quotes it is the name of somebody's own function.
    Unquoted,
}

/// The functions that an engine has built in and that have no effect: what PostgreSQL 15's `pg_proc` calls immutable or
/// stable, MariaDB's `information_schema.SQL_FUNCTIONS`, SQLite's `pragma_function_list`, and what newer versions added.
fn harmless(dialect: Dialect) -> &'static FxHashMap<&'static str, Form> {
    static MAPS: [OnceLock<FxHashMap<&'static str, Form>>; 3] = [const { OnceLock::new() }; 3];
    let (map, text) = match dialect {
        Dialect::Sqlite => (&MAPS[0], include_str!("sqlite.txt")),
        Dialect::Postgres => (&MAPS[1], include_str!("postgres.txt")),
        Dialect::Mysql => (&MAPS[2], include_str!("mysql.txt")),
    };
    let line = |line: &'static str| match line.strip_suffix(" unquoted") {
        Some(name) => (name, Form::Unquoted),
        None => (line, Form::Any),
    };
    map.get_or_init(|| text.lines().map(line).collect())
}

#[cfg(test)]
mod keywords;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(functions: &WriteFunctions, schema: Option<&str>, name: &str, is_bare: bool) -> Call {
        functions.call(Called { schema, name, is_quoted: false, is_bare })
    }

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
        let writes = Call::Effect(Effect::Write);
        functions.add(r#"audit."Do It.Now""#);
        assert_eq!(call(&functions, Some("audit"), "Do It.Now", false), writes);
        assert_eq!(call(&functions, None, "RECORD", false), writes);
        assert_eq!(call(&functions, Some("AUDIT"), "record", false), writes);
        assert_eq!(call(&functions, Some("music"), "record", false), Call::Unknown);
        assert_eq!(call(&functions, Some("any"), "touch", true), writes);
        assert_eq!(
            call(&functions, Some("pg_catalog"), "NextVal", false),
            Call::Effect(Effect::Makes(Facts::INSERTED))
        );
        assert_eq!(call(&functions, None, "txid_current_snapshot", true), Call::Harmless);
        assert_eq!(call(&functions, None, "pg_current_xact_id_if_assigned", true), Call::Harmless);
    }

    #[test]
    fn no_function_with_an_effect_is_called_harmless() {
        for dialect in Dialect::ALL {
            let functions = WriteFunctions::new(dialect);
            for name in harmless(dialect).keys() {
                assert_eq!(call(&functions, None, name, false), Call::Harmless, "{name}");
            }
        }
    }

    #[test]
    fn quotes_make_a_keyword_the_name_of_a_function() {
        for (dialect, name, quoted) in [
            (Dialect::Postgres, "coalesce", Call::Unknown),
            (Dialect::Postgres, "lower", Call::Harmless),
            (Dialect::Postgres, "Lower", Call::Unknown),
            (Dialect::Mysql, "count", Call::Unknown),
            (Dialect::Mysql, "CONCAT", Call::Harmless),
            (Dialect::Sqlite, "Count", Call::Harmless),
        ] {
            let functions = WriteFunctions::new(dialect);
            let called = Called { schema: None, name, is_quoted: true, is_bare: false };
            assert_eq!(functions.call(called), quoted, "{name} in {dialect}");
            assert_eq!(call(&functions, None, name, false), Call::Harmless, "{name} in {dialect}");
        }
    }

    #[test]
    fn the_last_id_is_asked_for_or_set() {
        let functions = WriteFunctions::new(Dialect::Mysql);
        let asks = Call::Effect(Effect::Asks(Facts::INSERTED));
        assert_eq!(call(&functions, None, "LAST_INSERT_ID", true), asks);
        assert_eq!(
            call(&functions, None, "last_insert_id", false),
            Call::Effect(Effect::Makes(Facts::INSERTED))
        );
    }
}
