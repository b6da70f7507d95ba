//! Connections to a server itself, and not to the database that is made or dropped there.

use super::TaskError;
use crate::config::Database;
use crate::engine::create::ServerPlace;
use crate::engine::{Access, DatabaseUrl, OpenError, RoutedConnection};

/// The name of a database, or an error that says that there is none.
pub(super) fn name_of(server: &ServerPlace, database: &Database) -> Result<String, TaskError> {
    server.name.clone().ok_or_else(|| TaskError::Nameless { alias: database.alias.clone() })
}

/// Connects to the server that has a database.
///
/// # Errors
/// What the first attempt said.
pub(super) fn open<C: RoutedConnection>(server: &ServerPlace, database: &Database) -> Result<C, TaskError> {
    let not_connected =
        |failed: OpenError| TaskError::not_connected(&database.alias, failed.fault, failed.error.to_string());
    let unreachable = |cause: String| TaskError::not_connected(&database.alias, None, cause);
    let mut settings = database.pool.clone();
    settings.statement_timeout = None;
    let settings = settings.connect(Access::ReadWrite);
    let opener = database.opener();
    let open = |url: DatabaseUrl| opener.for_url(url).open(&settings).map_err(not_connected);
    let mut first = None;
    for url in server.databases.server_urls(&database.url) {
        match url.map_err(|error| unreachable(error.to_string())).and_then(open) {
            Ok(opened) => return Ok(opened.conn),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| unreachable("its server has no other database".to_owned())))
}
