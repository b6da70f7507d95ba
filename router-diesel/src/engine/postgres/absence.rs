//! Whether a server has a database of a name.

use diesel::{ConnectionError, QueryResult};

use super::Postgres;
use crate::engine::absence::{Absence, Connector};
use crate::engine::records::RecordTables as _;
use crate::engine::url::percent::decoded;
use crate::engine::url::server::Sections;
use crate::engine::{Ask, DatabaseUrl};

/// Databases that are on every server, unless somebody dropped the first.
pub(super) const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

impl Absence for Postgres {
    fn absent(&self, url: &DatabaseUrl, error: &ConnectionError, connect: Connector<'_>) -> Option<String> {
        let sections = Sections::of(url.expose());
        let name = name(&sections)?;
        let answer = MAINTENANCE.into_iter().filter(|other| *other != name).find_map(|other| {
            let other = sections.with_name(other, "dbname").parse().ok()?;
            is_absent(&mut *connect(&other).ok()?, &name).ok()
        });
        answer.unwrap_or_else(|| says_absent(error)).then_some(name)
    }
}

/// The name of the database as libpq reads it: parameters go before what stands before them, and the user's name
/// stands for the database's where there is no other.
pub(super) fn name(sections: &Sections<'_>) -> Option<String> {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let parameter = |name: &str| sections.parameter(name).and_then(some);
    let user = || sections.user().and_then(|user| some(decoded(user)));
    parameter("dbname").or_else(|| some(decoded(sections.name))).or_else(|| parameter("user")).or_else(user)
}

/// The server cuts a name that is too long, as the type `name` does.
fn is_absent(conn: &mut dyn Ask, name: &str) -> QueryResult<bool> {
    let name = Postgres.quoted(name);
    let found = conn.texts(&format!("SELECT '1' AS value FROM pg_database WHERE datname = {name}::name"))?;
    Ok(found.is_empty())
}

/// Whether the server's own words say it.
///
/// This reads a text, where no other database of the server lets this user in, so that nobody can be asked. A server
/// that speaks another language than English then leaves out a hint.
fn says_absent(error: &ConnectionError) -> bool {
    let text = error.to_string();
    text.contains("database \"") && text.contains("\" does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_data() {
        for (url, expected, other) in [
            (
                "postgres://u:p%40@h:5433/b%22log?sslmode=require",
                Some("b\"log"),
                "postgres://u:p%40@h:5433/x?sslmode=require",
            ),
            ("postgres://h?dbname=blog&user=u&password=p", Some("blog"), "postgres://h/x?user=u&password=p"),
            ("postgres://u@a:1,b:2", Some("u"), "postgres://u@a:1,b:2/x"),
            ("postgres://h", None, "postgres://h/x"),
        ] {
            let sections = Sections::of(url);
            assert_eq!(name(&sections).as_deref(), expected, "{url}");
            assert_eq!(sections.with_name("x", "dbname"), other);
        }
    }
}
