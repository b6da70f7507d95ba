//! How a file of SQLite is told from another, and what belongs to it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::Sqlite;
use crate::engine::DatabaseUrl;
use crate::engine::create::{FileDatabases, Place, Places};

impl Places for Sqlite {
    fn place(&self, url: &DatabaseUrl) -> Place {
        url.file().map_or(Place::Memory, |path| Place::File(path, &Sqlite))
    }

    /// Parameters may keep SQLite from making it, and are SQLite's to judge.
    fn file_to_make(&self, url: &DatabaseUrl) -> Option<PathBuf> {
        let uri = url.expose().strip_prefix("file:");
        if uri.is_some_and(|uri| uri.contains("mode=") || uri.contains("vfs=")) {
            return None;
        }
        url.file().filter(|path| !path.exists())
    }
}

impl FileDatabases for Sqlite {
    /// By its first bytes, or since it is empty: to SQLite, an empty file is an empty database.
    fn is_database(&self, path: &Path) -> io::Result<bool> {
        const MAGIC: &[u8] = b"SQLite format 3\0";
        let mut start = Vec::new();
        File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
        Ok(start.is_empty() || start == MAGIC)
    }

    fn beside(&self, path: &Path) -> Vec<PathBuf> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            name.into()
        };
        ["-journal", "-shm", "-wal"].map(beside).into()
    }
}
