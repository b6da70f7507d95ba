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
    /// The schema of a database, given a connection to it, without data, owners, privileges, versions of programs and
    /// the router's own tables. Its order is the same whenever the schema is.
    ///
    /// # Errors
    /// The server or a program of its client refuses.
    fn dump(&self, conn: &mut dyn Ask, url: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError>;

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
