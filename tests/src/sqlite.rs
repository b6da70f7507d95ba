//! SQLite: a throw-away folder with one file per database.

use std::sync::Arc;

use tempfile::TempDir;

use crate::{HarnessError, TestDatabase, database};

/// A throw-away folder of SQLite files.
///
/// One file per database, since each connection of a pool to `:memory:` would be an empty database of its own.
#[derive(Debug)]
pub struct Sqlite {
    folder: Arc<TempDir>,
}

impl Sqlite {
    /// Makes the folder.
    ///
    /// # Errors
    /// If the folder for temporary files cannot be written.
    pub fn start() -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new()
            .prefix("router-sqlite-")
            .tempdir()
            .map_err(HarnessError::io("make a folder for SQLite files"))?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// A database in a file of its own, which appears with the first connection. The folder goes with the last of
    /// its databases.
    ///
    /// # Errors
    /// None today; the signature is that of the servers.
    ///
    /// # Panics
    /// If the name holds more than a-z, 0-9 and `_`.
    pub fn database(&self, name: &str) -> Result<TestDatabase, HarnessError> {
        let name = database::unique(name);
        let url = format!("sqlite://{}", self.folder.path().join(format!("{name}.sqlite3")).display());
        let folder = Arc::clone(&self.folder);
        Ok(TestDatabase::new(name, url, move || drop(folder)))
    }
}
