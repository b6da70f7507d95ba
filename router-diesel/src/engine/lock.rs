//! How a physical database is locked, so that one process at a time changes it.

use std::fmt;
use std::path::PathBuf;

use diesel::QueryResult;

use super::{Ask, DatabaseUrl};

/// How an engine locks its databases.
pub(crate) trait Locks {
    /// What is locked of the database that a URL leads to.
    fn locking(&self, url: &DatabaseUrl) -> Locking;
}

/// What is locked of a database.
pub(crate) enum Locking {
    /// The operating system locks a file beside this one.
    File(PathBuf),
    /// The server gives the lock to a connection.
    Server(&'static dyn ServerLocks),
    /// Nothing: no other process can reach the database.
    Nothing,
}

/// Locks that a server gives to a connection. The server takes the lock back when the connection ends.
pub(crate) trait ServerLocks: Sync {
    /// Names the connection after its holder, and keeps the server from closing it while it idles.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn prepare(&self, conn: &mut dyn Ask, marker: &str) -> QueryResult<()>;

    /// Asks for the lock once, and says whether the connection has it now. The server must not wait: see
    /// [`crate::lock`].
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn try_lock(&self, conn: &mut dyn Ask) -> QueryResult<bool>;

    /// Whether this very connection has the lock.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn is_locked(&self, conn: &mut dyn Ask) -> QueryResult<bool>;

    /// Gives the lock back.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn unlock(&self, conn: &mut dyn Ask) -> QueryResult<()>;

    /// Who has the lock, as far as this user may see. `None` where nobody has it now.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn holder(&self, conn: &mut dyn Ask) -> QueryResult<Option<LockHolder>>;
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockHolder {
    /// The program, the host and the process as it named itself, else the server's name for its connection.
    pub who: String,
    /// Where its connection comes from, for databases on servers.
    pub from: Option<String>,
    /// Since when it holds the lock, or since when it is connected.
    pub since: Option<String>,
    /// The statement that ends its connection, for databases on servers.
    pub end_with: Option<String>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)?;
        for text in [&self.from, &self.since].into_iter().flatten() {
            write!(f, ", {text}")?;
        }
        Ok(())
    }
}

/// Whether the first answer to a question is `1`.
pub(super) fn is_one(conn: &mut dyn Ask, sql: &str) -> QueryResult<bool> {
    Ok(conn.texts(sql)?.first().and_then(Option::as_deref) == Some("1"))
}
