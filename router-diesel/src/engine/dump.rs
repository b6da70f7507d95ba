//! The schema of a database as a file of SQL: how it is written, and read back.

pub(super) mod clean;
pub(super) mod lines;

use std::borrow::Cow;
use std::process::Command;

use diesel::QueryResult;
use diesel::result::Error as DieselError;

use super::client::ClientError;
use super::{Ask, DatabaseUrl};

/// How an engine writes its schemas down.
pub(crate) trait Dumps {
    /// The schema of a database, given a connection to it, with the rows that the scope names and without owners,
    /// versions of programs and the router's own tables. Its order is the same whenever the schema is.
    ///
    /// # Errors
    /// The server or a program of its client refuses.
    fn dump(&self, conn: &mut dyn Ask, url: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError>;

    /// What a dump of this scope leaves out, as people read it.
    fn left_out(&self, scope: &Scope) -> Vec<String>;

    /// Whether a dump can have the grants.
    fn dumps_grants(&self) -> bool {
        false
    }

    /// How a dump is loaded into a database, given a connection to it.
    ///
    /// # Errors
    /// The server or a program of its client refuses.
    fn loading(&self, conn: &mut dyn Ask, url: &DatabaseUrl) -> Result<Loading, DumpError>;

    /// A dump without what the engine's own client program keeps for itself, with every other letter in its place.
    fn for_server<'s>(&self, dump: &'s str) -> Cow<'s, str> {
        dump.into()
    }

    /// The tables and views of a database, but for the router's own and what belongs to extensions.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn own_tables(&self, conn: &mut dyn Ask, scope: &Scope) -> QueryResult<Vec<String>>;
}

/// What of a database is dumped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The schemas that are databases of their own to the file, by other aliases.
    pub(crate) foreign_schemas: Vec<String>,
    /// The tables, each with its schema, whose rows are dumped too.
    pub(crate) rows_of: Vec<(String, String)>,
    /// Whether the dump is to have the grants, on an engine whose dump can.
    pub(crate) grants: bool,
}

impl Scope {
    /// What a dump of the rows of all tables would have and this one has not.
    pub(crate) fn rows(&self) -> String {
        let tables: Vec<_> = self.rows_of.iter().map(|(_, table)| format!("`{table}`")).collect();
        if tables.is_empty() {
            "rows".to_owned()
        } else {
            format!("rows, except those of {}", tables.join(", "))
        }
    }
}

/// The rows of each table in an order that does not depend on how they are stored. Other statements keep their places.
pub(super) fn sorted_inserts(lines: &[lines::Line<'_>]) -> String {
    let mut sorted = String::new();
    let mut inserts: Vec<String> = Vec::new();
    let flush = |inserts: &mut Vec<String>, sorted: &mut String| {
        inserts.sort();
        inserts.drain(..).for_each(|insert| sorted.push_str(&insert));
    };
    for line in lines {
        if line.is_code && line.text.starts_with("INSERT INTO ") {
            inserts.push(format!("{}\n", line.text));
        } else if let (false, Some(insert)) = (line.is_code, inserts.last_mut()) {
            insert.push_str(line.text);
            insert.push('\n');
        } else if !line.text.is_empty() || inserts.is_empty() {
            flush(&mut inserts, &mut sorted);
            sorted.push_str(line.text);
            sorted.push('\n');
        }
    }
    flush(&mut inserts, &mut sorted);
    sorted
}

/// How a dump is loaded.
pub(crate) enum Loading {
    /// The connection runs it in one transaction, after this statement.
    Transaction { setup: Option<&'static str> },
    /// A program of a package reads it, and keeps what came before an error.
    Program { command: Command, package: &'static str },
}

/// Why a schema was not read.
#[derive(Debug)]
pub(crate) enum DumpError {
    /// What Diesel said of a query.
    Refused(DieselError),
    /// What became of a program.
    Client(ClientError),
}

impl From<DieselError> for DumpError {
    fn from(error: DieselError) -> Self {
        Self::Refused(error)
    }
}

impl From<ClientError> for DumpError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

#[cfg(test)]
mod tests {
    use super::lines::{Quoting, lines};
    use super::*;

    #[test]
    fn rows_are_in_one_order_however_they_are_stored() {
        let dump = "INSERT INTO a VALUES (2, 'x\ny');\nINSERT INTO a VALUES (1, 'z');\n\nSELECT setval('s', 2);\n\nINSERT INTO b VALUES (1);\n";
        assert_eq!(
            sorted_inserts(&lines(dump, Quoting::Postgres)),
            "INSERT INTO a VALUES (1, 'z');\nINSERT INTO a VALUES (2, 'x\ny');\nSELECT setval('s', 2);\n\nINSERT INTO b VALUES (1);\n"
        );
    }
}
