use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use crate::HarnessError;

pub(crate) mod mariadb;
pub(crate) mod postgres;

/// A place in a server's log of statements: what is logged later comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// A statement that a server says it was sent.
///
/// A prepared statement is one entry each time it is executed. Preparing it is none, though it is a round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedStatement {
    /// The server's number for the connection.
    pub connection: u64,
    /// The connection's database.
    pub database: String,
    /// The statement as the server logs it: PostgreSQL with its placeholders, MariaDB with their values.
    pub sql: String,
}

/// Marks the end of a log.
pub(crate) fn mark(log: &Path) -> Result<Mark, HarnessError> {
    let length = fs::metadata(log).map(|metadata| metadata.len());
    length.map(Mark).map_err(HarnessError::io("mark the statement log"))
}

/// The log before and after a mark.
pub(crate) fn split(log: &Path, mark: Mark) -> Result<(String, String), HarnessError> {
    fn read(log: &Path, mark: Mark) -> io::Result<(String, String)> {
        let mut log = File::open(log)?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        log.by_ref().take(mark.0).read_to_end(&mut before)?;
        log.seek(SeekFrom::Start(mark.0))?;
        log.read_to_end(&mut after)?;
        Ok((String::from_utf8_lossy(&before).into_owned(), String::from_utf8_lossy(&after).into_owned()))
    }
    read(log, mark).map_err(HarnessError::io("read the statement log"))
}
