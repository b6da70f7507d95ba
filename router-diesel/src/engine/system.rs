//! The schemas and tables that every database of an engine has.

use super::Engine;

/// What an engine brings along.
pub(crate) trait SystemTables {
    /// Schemas, in lower case, all of whose tables are the engine's own.
    fn system_schemas(&self) -> &'static [&'static str];

    /// Whether a table that is named without a schema is the engine's own. The name is in any case.
    fn is_system_table(&self, name: &str) -> bool;
}

/// Whether a table is one that every database of some engine has.
pub(crate) fn is_system_table(schema: Option<&str>, name: &str) -> bool {
    Engine::ALL.iter().map(|engine| engine.spec()).any(|spec| match schema {
        Some(schema) => is_one_of(schema, spec.system_schemas()),
        None => spec.is_system_table(name),
    })
}

/// Whether a name is one of those in a list, in any case.
pub(super) fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_as_data() {
        for (schema, name, is_system) in [
            (Some("pg_catalog"), "anything", true),
            (Some("INFORMATION_SCHEMA"), "tables", true),
            (Some("performance_schema"), "threads", true),
            (Some("public"), "pg_class", false),
            (None, "PG_class", true),
            (None, "pg", false),
            (None, "p\u{fc}_x", false),
            (None, "sqlite_master", true),
            (None, "sqlite_posts", false),
            (None, "posts", false),
        ] {
            assert_eq!(is_system_table(schema, name), is_system, "{schema:?}.{name}");
        }
    }
}
