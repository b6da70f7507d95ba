//! SQLite has no positions: after a commit, a clock keeps reads on the primary for a while.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

use crate::world::{File, count, execute, insert};

const WINDOW: Duration = Duration::from_secs(2);

/// A replica that is refreshed by hand: it has one row, and the primary two more than it after each write.
struct Copies {
    primary: TestDatabase,
    replica: TestDatabase,
}

impl Copies {
    fn start() -> Option<Self> {
        let sqlite = require(Sqlite::start())?;
        let copies =
            Self { primary: sqlite.database("main").unwrap(), replica: sqlite.database("copy").unwrap() };
        execute(copies.primary.url(), "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)");
        execute(copies.primary.url(), "INSERT INTO posts (id, title) VALUES (1, 'copied')");
        copies.refresh();
        Some(copies)
    }

    /// Makes the replica what the primary is.
    fn refresh(&self) {
        let path = |database: &TestDatabase| database.url().trim_start_matches("sqlite://").to_owned();
        std::fs::copy(path(&self.primary), path(&self.replica)).unwrap();
    }

    fn file(&self) -> File {
        File::of(self.primary.url(), &[self.replica.url()]).with("primary_window: 2s")
    }
}

#[test]
fn reads_stay_on_the_primary_for_a_while_after_a_write() {
    let Some(copies) = Copies::start() else { return };
    let databases = copies.file().build();
    let mut conn = databases.session();
    assert_eq!(count(&mut conn).unwrap(), 1);
    let written = Instant::now();
    insert(&mut conn, 2).unwrap();
    let token = conn.token().unwrap();
    assert_eq!(count(&mut conn).unwrap(), 2);
    assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), 2);
    // Whoever wrote nothing reads from the replica, which lacks it.
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    // As soon as the window is over, whoever has the token does so too.
    let mut seen = 2;
    while seen == 2 {
        seen = count(&mut databases.session_after(&token).unwrap()).unwrap();
        assert!(written.elapsed() < WINDOW * 5, "reads stay on the primary");
    }
    assert!(written.elapsed() >= WINDOW, "the replica served after {:?}", written.elapsed());
    assert_eq!(seen, 1);
    // What a session has read on the primary it does not lose either: each read there begins the window anew.
    let mut conn = databases.session_after(&token).unwrap();
    let read = Instant::now();
    assert_eq!(conn.transaction(count).unwrap(), 2);
    assert_eq!(count(&mut conn).unwrap(), 2);
    assert!(read.elapsed() < WINDOW, "the machine is too slow to tell");
    std::thread::sleep(WINDOW + Duration::from_millis(100));
    assert_eq!(count(&mut conn).unwrap(), 1);
    copies.refresh();
    assert_eq!(count(&mut databases.session()).unwrap(), 2);
}

#[test]
fn the_window_begins_with_the_commit() {
    let Some(copies) = Copies::start() else { return };
    let databases = copies.file().build();
    let mut conn = databases.session();
    conn.transaction(|conn| {
        insert(conn, 2)?;
        // Longer than the window: counted from the statement it would be over.
        std::thread::sleep(WINDOW + Duration::from_millis(300));
        QueryResult::Ok(())
    })
    .unwrap();
    let committed = Instant::now();
    let seen = count(&mut conn).unwrap();
    let token = conn.token().unwrap();
    let seen_after = count(&mut databases.session_after(&token).unwrap()).unwrap();
    assert!(committed.elapsed() < WINDOW, "the machine is too slow to tell");
    assert_eq!((seen, seen_after), (2, 2));
    // What was rolled back was never written, and needs nothing.
    let mut conn = databases.session();
    let rolled_back: QueryResult<()> = conn.transaction(|conn| {
        insert(conn, 3)?;
        Err(diesel::result::Error::RollbackTransaction)
    });
    assert!(rolled_back.is_err());
    assert!((1..=2).contains(&count(&mut conn).unwrap()));
}
