//! Connections to a server itself, and not to the database that is made or dropped there.

use super::TaskError;
use crate::config::Database;
use crate::engine::create::ServerPlace;
use crate::engine::{Access, DatabaseUrl, RoutedConnection};

/// The name of a database, or an error that says that there is none.
pub(super) fn name_of(server: &ServerPlace, database: &Database) -> Result<String, TaskError> {
    server.name.clone().ok_or_else(|| TaskError::Nameless { alias: database.alias.clone() })
}

/// Connects to the server that has a database.
///
/// # Errors
/// What the first attempt said.
pub(super) fn open<C: RoutedConnection>(server: &ServerPlace, database: &Database) -> Result<C, TaskError> {
    let unreachable = |cause: String| TaskError::Unreachable { alias: database.alias.clone(), cause };
    let mut settings = database.pool.clone();
    settings.statement_timeout = None;
    let settings = settings.connect(Access::ReadWrite);
    let open = |url: DatabaseUrl| C::open(&url, &settings).map_err(|error| unreachable(error.to_string()));
    let mut first = None;
    for url in server.databases.server_urls(&database.url) {
        match url.map_err(|error| unreachable(error.to_string())).and_then(open) {
            Ok(opened) => return Ok(opened.conn),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| unreachable("its server has no other database".to_owned())))
}
