//! The parts of a server's URL, for the tasks that need another database on the same server, or another program.

use crate::config::{Database, DatabaseUrl, Engine};
use crate::engine::url::percent::decoded;
use crate::engine::{Access, RoutedConnection};

use super::TaskError;

/// The parts of a server's URL. It has no `Debug`, as it holds the password.
pub(super) struct ServerUrl {
    engine: Engine,
    /// Users, password, hosts and ports as they stand in the URL.
    authority: String,
    /// The name as the server gets it; nothing where the URL names none.
    pub(super) name: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// The parameters, decoded.
    pub(super) options: Vec<(String, String)>,
    /// The parameters as they stand in the URL, without the name.
    query: String,
}

impl ServerUrl {
    pub(super) fn read(url: &DatabaseUrl) -> Self {
        let engine = url.engine();
        let rest = url.expose().split_once("://").map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let options: Vec<(String, String)> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), decoded(value))).collect();
        let option = |name: &str| {
            let found = options.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let user_info = authority.rsplit_once('@').map(|(user_info, _)| user_info);
        let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, password)) => (decoded(user), decoded(password)),
            None => (String::new(), String::new()),
        };
        let some = |text: String| (!text.is_empty()).then_some(text);
        let (name, user, password) = match engine {
            // libpq takes parameters over what stands before them, and the user's name where no other is given.
            Engine::Postgres => {
                let user = option("user").or(some(user));
                let name = option("dbname").or(some(decoded(path))).or(user.clone());
                (name, user, option("password").or(some(password)))
            }
            // Diesel hands the name to MySQL's client as it stands in the URL.
            _ => (some(path.to_owned()), some(user), some(password)),
        };
        let query = pairs
            .iter()
            .filter(|(key, _)| *key != "dbname")
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join("&");
        Self { engine, authority: authority.to_owned(), name, user, password, options, query }
    }

    /// The name, or an error that says that there is none.
    pub(super) fn name_of(&self, database: &Database) -> Result<String, TaskError> {
        self.name.clone().ok_or_else(|| TaskError::Nameless { alias: database.alias.clone() })
    }

    /// The hosts and ports as they stand in the URL: `host:port,[ip]:port`.
    pub(super) fn hosts(&self) -> &str {
        self.authority.rsplit_once('@').map_or(self.authority.as_str(), |(_, hosts)| hosts)
    }

    /// The same server with another database. The name must need no encoding.
    fn with_plain_name(&self, name: &str) -> String {
        let question = if self.query.is_empty() { "" } else { "?" };
        format!("{}://{}/{name}{question}{}", self.engine, self.authority, self.query)
    }

    /// The URL as a program of the client may be told it in its arguments.
    pub(super) fn without_password(&self) -> String {
        let user = self.authority.rsplit_once('@').map(|(user_info, _)| {
            format!("{}@", user_info.split_once(':').map_or(user_info, |(user, _)| user))
        });
        let query: Vec<&str> =
            self.query.split('&').filter(|pair| !pair.starts_with("password=") && !pair.is_empty()).collect();
        let question = if query.is_empty() { "" } else { "?" };
        let name = encoded(self.name.as_deref().unwrap_or_default());
        let user = user.unwrap_or_default();
        format!("{}://{user}{}/{name}{question}{}", self.engine, self.hosts(), query.join("&"))
    }

    /// Connects to another database on the same server.
    pub(super) fn open<C: RoutedConnection>(&self, database: &Database, name: &str) -> Result<C, TaskError> {
        let unreachable = |cause: String| TaskError::Unreachable { alias: database.alias.clone(), cause };
        let url: DatabaseUrl = self
            .with_plain_name(name)
            .parse()
            .map_err(|error: crate::config::UrlError| unreachable(error.to_string()))?;
        let mut settings = database.pool.clone();
        settings.statement_timeout = None;
        C::open(&url, &settings.connect(Access::ReadWrite))
            .map(|opened| opened.conn)
            .map_err(|error| unreachable(error.to_string()))
    }

    /// Connects to a database of PostgreSQL's that is there on every server.
    pub(super) fn open_maintenance<C: RoutedConnection>(&self, database: &Database) -> Result<C, TaskError> {
        self.open(database, "postgres").or_else(|error| self.open(database, "template1").map_err(|_| error))
    }
}

/// A name as it stands in a URL.
pub(super) fn encoded(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A name as PostgreSQL and SQLite read it in a statement.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as MySQL and MariaDB read it in a statement.
pub(super) fn mysql_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as PostgreSQL and SQLite read it in a statement.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text as MySQL and MariaDB read it in a statement, whether or not a backslash counts there.
pub(super) fn mysql_literal(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if hex.is_empty() { "''".to_owned() } else { format!("CONVERT(X'{hex}' USING utf8mb4)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_data() {
        for (url, name, user, password, hosts, other) in [
            (
                "postgres://u:p%40@h:5433/b%22log?sslmode=require",
                "b\"log",
                "u",
                "p@",
                "h:5433",
                "postgres://u:p%40@h:5433/x?sslmode=require",
            ),
            (
                "postgres://h?dbname=blog&user=u&password=p",
                "blog",
                "u",
                "p",
                "h",
                "postgres://h/x?user=u&password=p",
            ),
            ("postgres://u@a:1,b:2", "u", "u", "", "a:1,b:2", "postgres://u@a:1,b:2/x"),
            ("postgres:///db?host=%2Frun%2Fpg", "db", "", "", "", "postgres:///x?host=%2Frun%2Fpg"),
            ("mysql://u:p@[::1]:3306/my-db", "my-db", "u", "p", "[::1]:3306", "mysql://u:p@[::1]:3306/x"),
        ] {
            let server = ServerUrl::read(&url.parse().unwrap());
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            assert_eq!(
                [
                    text(&server.name),
                    text(&server.user),
                    text(&server.password),
                    server.hosts().to_owned(),
                    server.with_plain_name("x")
                ],
                [name, user, password, hosts, other].map(str::to_owned),
                "{url}"
            );
            assert!(server.with_plain_name("x").parse::<DatabaseUrl>().is_ok());
            let shown = server.without_password();
            assert!(!shown.contains(":p") && !shown.contains("=p"), "{shown}");
            assert!(shown.parse::<DatabaseUrl>().is_ok(), "{shown}");
        }
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(identifier(r#"we"ird-name"#), r#""we""ird-name""#);
        assert_eq!(mysql_identifier("we`ird-name"), "`we``ird-name`");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(mysql_literal(r"\'"), "CONVERT(X'5c27' USING utf8mb4)");
    }
}
