//! How databases of MySQL and MariaDB are made and removed.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::create::{Place, Places, ServerDatabases, ServerPlace, Sessions};
use crate::engine::url::server::Sections;
use crate::engine::{Ask, DatabaseUrl, UrlError};

impl Places for Mysql {
    /// Diesel hands the name to the client's library as it stands in the URL.
    fn place(&self, url: &DatabaseUrl) -> Place {
        let sections = Sections::of(url.expose());
        let name = Some(sections.name).filter(|name| !name.is_empty()).map(str::to_owned);
        Place::Server(ServerPlace { hosts: sections.hosts().to_owned(), name, databases: &Mysql })
    }

    /// `lower_case_table_names` decides, which is 0 on Linux and 1 or 2 elsewhere.
    fn servers_may_ignore_case(&self) -> bool {
        true
    }
}

impl ServerDatabases for Mysql {
    /// A connection needs no database here.
    fn server_urls(&self, url: &DatabaseUrl) -> Vec<Result<DatabaseUrl, UrlError>> {
        vec![url.with_text(&Sections::of(url.expose()).with_name("", "dbname"))]
    }

    fn may_let_into_database_alone(&self) -> bool {
        false
    }

    fn has(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<bool> {
        let found = conn.texts(&format!(
            "SELECT '1' AS value FROM information_schema.schemata WHERE schema_name = {}",
            literal(name)
        ))?;
        Ok(!found.is_empty())
    }

    fn create(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()> {
        conn.run(&format!("CREATE DATABASE {}", identifier(name)))
    }

    fn sessions(&self) -> Option<&'static dyn Sessions> {
        None
    }

    fn drop(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()> {
        conn.run(&format!("DROP DATABASE IF EXISTS {}", identifier(name)))
    }
}

/// A name as a statement has it.
fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a statement has it, whether or not a backslash counts there, and in the collation of the connection.
fn literal(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if hex.is_empty() { "''".to_owned() } else { format!("CONVERT(X'{hex}' USING utf8mb4)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(identifier("we`ird-name"), "`we``ird-name`");
        assert_eq!(literal(r"\'"), "CONVERT(X'5c27' USING utf8mb4)");
    }
}
