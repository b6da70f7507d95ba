//! How databases of PostgreSQL are made and removed.

use diesel::QueryResult;

use super::Postgres;
use super::absence::{MAINTENANCE, name};
use crate::engine::create::{Place, Places, ServerDatabases, ServerPlace, Sessions};
use crate::engine::records::RecordTables as _;
use crate::engine::url::server::Sections;
use crate::engine::{Ask, DatabaseUrl, UrlError};

impl Places for Postgres {
    fn place(&self, url: &DatabaseUrl) -> Place {
        let sections = Sections::of(url.expose());
        let hosts = sections.hosts().to_owned();
        Place::Server(ServerPlace { hosts, name: name(&sections), databases: &Postgres })
    }
}

impl ServerDatabases for Postgres {
    fn server_urls(&self, url: &DatabaseUrl) -> Vec<Result<DatabaseUrl, UrlError>> {
        let sections = Sections::of(url.expose());
        MAINTENANCE.map(|name| url.with_text(&sections.with_name(name, "dbname"))).into()
    }

    fn may_let_into_database_alone(&self) -> bool {
        true
    }

    fn has(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<bool> {
        let name = self.quoted(name);
        let found = conn.texts(&format!("SELECT '1' AS value FROM pg_database WHERE datname = {name}"))?;
        Ok(!found.is_empty())
    }

    fn create(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()> {
        conn.run(&format!("CREATE DATABASE {}", identifier(name)))
    }

    /// The first one that the search path names.
    fn make_schema(&self, conn: &mut dyn Ask) -> QueryResult<Option<String>> {
        let path = conn.text("SELECT current_setting('search_path') AS value")?;
        let Some(schema) = first_schema(&path) else { return Ok(None) };
        let found = format!("SELECT '1' AS value FROM pg_namespace WHERE nspname = {}", self.quoted(&schema));
        if !conn.texts(&found)?.is_empty() {
            return Ok(None);
        }
        conn.run(&format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(&schema)))?;
        Ok(Some(schema))
    }

    fn sessions(&self) -> Option<&'static dyn Sessions> {
        Some(&Postgres)
    }

    fn drop(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()> {
        conn.run(&format!("DROP DATABASE IF EXISTS {}", identifier(name)))
    }
}

impl Sessions for Postgres {
    fn list(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<Vec<String>> {
        let sessions = conn.texts(&format!(
            "SELECT format('%s (user `%s`, process %s of the server)', CASE application_name \
             WHEN '' THEN 'a connection' ELSE '`' || application_name || '`' END, usename, pid) \
             AS value FROM pg_stat_activity WHERE datname = {} ORDER BY pid",
            self.quoted(name)
        ))?;
        Ok(sessions.into_iter().flatten().collect())
    }

    /// Before version 13 there is no FORCE.
    fn end_and_drop(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()> {
        let version = conn.text("SELECT current_setting('server_version_num') AS value")?;
        if version.parse::<u32>().is_ok_and(|version| version >= 130_000) {
            return conn.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name)));
        }
        conn.texts(&format!(
            "SELECT pg_terminate_backend(pid)::text AS value FROM pg_stat_activity WHERE datname = {}",
            self.quoted(name)
        ))?;
        self.drop(conn, name)
    }
}

/// A name as a statement has it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The schema that a search path names first, if it is one that a user can make. That of the user's own name is there
/// or is passed over.
fn first_schema(path: &str) -> Option<String> {
    let path = path.trim();
    let schema = match path.strip_prefix('"') {
        Some(quoted) => {
            let mut name = String::new();
            let mut letters = quoted.chars().peekable();
            while let Some(letter) = letters.next() {
                if letter == '"' && letters.next_if_eq(&'"').is_none() {
                    break;
                }
                name.push(letter);
            }
            name
        }
        None => path.split(',').next().unwrap_or_default().trim().to_lowercase(),
    };
    let is_made = !schema.is_empty() && schema != "$user" && !schema.starts_with("pg_");
    is_made.then_some(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_schemas_as_data() {
        for (path, expected) in [
            ("", None),
            ("\"\"", None),
            ("\"$user\", public", None),
            ("public", Some("public")),
            ("Tenant_A, public", Some("tenant_a")),
            ("\"Tenant, \"\"A\"\"\", public", Some("Tenant, \"A\"")),
            ("pg_temp, public", None),
        ] {
            assert_eq!(first_schema(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(identifier(r#"we"ird-name"#), r#""we""ird-name""#);
    }
}
