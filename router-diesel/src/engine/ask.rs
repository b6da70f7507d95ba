//! Questions to a connection, whatever its type.

use diesel::QueryResult;
use diesel::result::Error as DieselError;

/// A connection that can be asked in SQL, whatever its type.
///
/// Every [`RoutedConnection`](super::RoutedConnection) implements it. It is object-safe, so that what differs by
/// engine can be written once for all types of connections, as `&mut dyn Ask`.
pub trait Ask {
    /// Runs one or more statements and ignores their rows.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn run(&mut self, sql: &str) -> QueryResult<()>;

    /// Begins a transaction by a statement of the engine's own, and counts it as Diesel does.
    ///
    /// # Errors
    /// What Diesel says of the statement, or that a transaction is open already.
    fn begin(&mut self, sql: &str) -> QueryResult<()>;

    /// Runs a query whose one column is a text called `value`, and gives that of each row.
    ///
    /// This is how the router reads the catalogues of servers without knowing the backend's types.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>>;

    /// The same for the first row, whose value must not be null.
    ///
    /// # Errors
    /// What Diesel says of the query, or `NotFound`.
    fn text(&mut self, sql: &str) -> QueryResult<String> {
        self.texts(sql)?.into_iter().next().flatten().ok_or(DieselError::NotFound)
    }
}

/// A row of [`Ask::texts`].
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[derive(diesel::QueryableByName)]
pub(super) struct TextRow {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    value: Option<String>,
}

/// The values of an answer, for the implementations of [`Ask`].
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(super) fn values(rows: Vec<TextRow>) -> Vec<Option<String>> {
    rows.into_iter().map(|row| row.value).collect()
}
