//! Three SQLite files, of which two are copies of the first.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;

use crate::stage::Stage;

const NODES: [(&str, &str); 3] =
    [("default", "primary.sqlite3"), ("replica_1", "replica_1.sqlite3"), ("replica_2", "replica_2.sqlite3")];

/// `primary_window` of the file, and a little more: after it, reads trust the copies again.
const WINDOW: Duration = Duration::from_millis(2_100);

/// A primary and two copies of it in a folder of their own, which goes with this value.
#[derive(Debug)]
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let files = Self { folder: tempfile::tempdir()? };
        for (alias, file) in NODES {
            let mut conn = SqliteConnection::establish(&files.path(file)?)?;
            conn.batch_execute(&format!(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE this_node (alias TEXT NOT NULL);
                 INSERT INTO this_node VALUES ('{alias}');"
            ))?;
        }
        Ok(files)
    }

    fn path(&self, file: &str) -> Result<String, Box<dyn Error>> {
        let path: PathBuf = self.folder.path().join(file);
        Ok(path.to_str().ok_or("the folder's name is not UTF-8")?.to_owned())
    }

    /// Makes the posts of a copy those of the primary, as a scheduled job would.
    ///
    /// The rows are copied in one transaction through SQLite itself. Pooled connections to the copy stay open meanwhile:
    /// to write over their file would break it under them, and a new file in its place they would never see. This way a
    /// reader sees all rows of before or all rows of after.
    fn refresh(&self, copy: &str) -> Result<(), Box<dyn Error>> {
        let mut conn = SqliteConnection::establish(&self.path(copy)?)?;
        conn.batch_execute("PRAGMA busy_timeout = 5000")?;
        diesel::sql_query("ATTACH DATABASE ? AS source")
            .bind::<diesel::sql_types::Text, _>(self.path(NODES[0].1)?)
            .execute(&mut conn)?;
        conn.immediate_transaction(|conn| {
            conn.batch_execute(
                "CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL);
                 DELETE FROM posts;
                 INSERT INTO posts (id, title) SELECT id, title FROM source.posts;",
            )
        })?;
        Ok(())
    }
}

impl Stage for Files {
    fn title(&self) -> &'static str {
        "three SQLite files, of which two are copies that are refreshed on demand"
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![("PRIMARY_REPLICA_DIR".to_owned(), self.folder.path().display().to_string())]
    }

    fn who(&self) -> &'static str {
        "(SELECT alias FROM this_node)"
    }

    fn alias(&self, answer: &str) -> String {
        answer.to_owned()
    }

    /// A copy that nobody refreshes is late by itself.
    fn delay_replicas(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    /// Nobody can ask a copy how far it is, so besides the refresh this takes the window.
    fn catch_up(&mut self) -> Result<(), Box<dyn Error>> {
        for (_, copy) in &NODES[1..] {
            self.refresh(copy)?;
        }
        std::thread::sleep(WINDOW);
        Ok(())
    }

    /// A file has no server.
    fn kill(&mut self, _: usize) -> Result<bool, Box<dyn Error>> {
        Ok(false)
    }
}
