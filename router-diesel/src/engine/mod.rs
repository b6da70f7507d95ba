//! What an engine must offer so that its connections can be routed.
//!
//! [`RoutedConnection`] is implemented for Diesel's three connections and for [`AnyConnection`], which holds
//! whichever of them the URL asks for. Each engine has one file of the same shape.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod any;
pub(crate) mod identity;
#[cfg(feature = "mysql")]
mod mysql;
pub(crate) mod observe;
pub(crate) mod position;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::query_builder::QueryFragment;
use diesel::r2d2::R2D2Connection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{ConnectionResult, QueryResult};

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use any::{AnyConnection, MultiBackend, MultiField, MultiRawValue, MultiRow};

use crate::config::{DatabaseUrl, Engine, PoolSettings};
use crate::statement::Dialect;

/// A connection that can be routed: one of Diesel's, or [`AnyConnection`].
///
/// Each implementation knows how to open a connection from a checked URL, how to render a query of its
/// backend, and how to tell a lost connection from a failed statement.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no connection that can be routed",
    label = "not a routed connection",
    note = "use `SqliteConnection`, `PgConnection`, `MysqlConnection` or `AnyConnection`, and enable the \
            feature `sqlite`, `postgres` or `mysql` of router-diesel"
)]
pub trait RoutedConnection: LoadConnection + R2D2Connection + Send + Sized + 'static {
    /// Whether every connection of this type speaks the dialect in which [`render`](Self::render) writes.
    const ONE_DIALECT: bool = true;

    /// Whether connections to this engine can be opened.
    fn supports(engine: Engine) -> bool;

    /// The dialect in which [`render`](Self::render) writes.
    fn dialect() -> Dialect;

    /// Opens a connection and applies the settings that live in it: time limits and the read-only state.
    ///
    /// # Errors
    /// What Diesel says when the server refuses or cannot be reached, or that the engine is not supported.
    fn open(url: &DatabaseUrl, settings: &PoolSettings, access: Access) -> ConnectionResult<Self>;

    /// Writes the SQL of a query, with placeholders where its values go.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    fn render<T>(query: &T) -> QueryResult<String>
    where
        T: QueryFragment<Self::Backend>;

    /// The engine of this very connection.
    fn engine(&self) -> Engine;

    /// Runs a query whose one column is a text called `value`, and gives that of each row.
    ///
    /// This is how the router reads the catalogues of servers without knowing the backend's types.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>>;
}

/// A row of [`RoutedConnection::texts`].
#[derive(diesel::QueryableByName)]
struct TextRow {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    value: Option<String>,
}

/// What the server lets a connection do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything that the user may do.
    ReadWrite,
    /// Reading only: the server itself refuses writes.
    ReadOnly,
}

/// What a server is in its cluster, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing is replicated to it.
    Primary,
    /// It replays what another server wrote.
    Replica,
    /// It does not tell: MariaDB or MySQL where it was a replica and may still be one, or SQLite. It is then taken for
    /// what the file says.
    Unknown,
}

/// What an error says of the connection that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The statement failed, the connection is well.
    Fine,
    /// Nobody can tell from the error alone: ask the server before the connection is used again.
    Suspect,
    /// The connection is gone.
    Lost,
}

/// Judges a connection by an error that came from it.
///
/// PostgreSQL says "terminating connection" and libpq "server closed the connection"; MariaDB's and MySQL's
/// client library says "Lost connection" (CR 2013) and "gone away" (CR 2006), which Diesel hands on as text.
pub(crate) fn verdict(error: &DieselError) -> Verdict {
    const LOST: [&str; 7] = [
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "could not receive data from server",
        "SSL connection has been closed",
        "Lost connection to",
        "gone away",
    ];
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
        | DieselError::BrokenTransactionManager => Verdict::Lost,
        DieselError::DatabaseError(
            DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand,
            information,
        ) => {
            if LOST.iter().any(|text| information.message().contains(text)) {
                Verdict::Lost
            } else {
                Verdict::Suspect
            }
        }
        _ => Verdict::Fine,
    }
}

/// Whether a read failed because of the node that it ran on, and may succeed on another.
///
/// A standby of PostgreSQL also cancels a read that stands in the way of what it replays (SQLSTATE 40001,
/// "conflict with recovery").
pub(crate) fn read_failed_for_its_node(error: &DieselError) -> bool {
    let conflicts_with_replay = || match error {
        DieselError::DatabaseError(_, information) => {
            information.message().contains("conflict with recovery")
        }
        _ => false,
    };
    verdict(error) == Verdict::Lost || conflicts_with_replay()
}

/// A duration in whole milliseconds, at least one.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}
