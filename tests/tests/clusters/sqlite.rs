//! SQLite has no positions: after a commit, a clock keeps reads on the primary for a while.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

use crate::world::{File, count, execute, insert};

const WINDOW: Duration = Duration::from_secs(2);

/// How often a scene is played that must be over within the window, as the machine may be busy.
const ATTEMPTS: u32 = 20;

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
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    let (mut id, mut rows) = (1, 1);
    let (written, token) = within_the_window(|| {
        let mut conn = databases.session();
        assert_eq!(count(&mut conn).unwrap(), 1);
        let written = Instant::now();
        (id, rows) = (id + 1, rows + 1);
        insert(&mut conn, id).unwrap();
        let token = conn.token().unwrap();
        let seen = count(&mut conn).unwrap();
        let seen_after = count(&mut databases.session_after(&token).unwrap()).unwrap();
        Scene { began: written, saw: [seen, seen_after], expected: [rows, rows], left: (written, token) }
    });
    // Whoever wrote nothing reads from the replica, which lacks it.
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    // As soon as the window is over, whoever has the token does so too.
    let mut seen = rows;
    while seen == rows {
        seen = count(&mut databases.session_after(&token).unwrap()).unwrap();
        assert!(written.elapsed() < WINDOW * 30, "reads stay on the primary");
    }
    assert!(written.elapsed() >= WINDOW, "the replica served after {:?}", written.elapsed());
    assert_eq!(seen, 1);
    // What a session has read on the primary it does not lose either: each read there begins the window anew.
    let mut conn = within_the_window(|| {
        let mut conn = databases.session_after(&token).unwrap();
        let began = Instant::now();
        let saw = [conn.transaction(count).unwrap(), count(&mut conn).unwrap()];
        Scene { began, saw, expected: [rows, rows], left: conn }
    });
    std::thread::sleep(WINDOW + Duration::from_millis(100));
    assert_eq!(count(&mut conn).unwrap(), 1);
    copies.refresh();
    assert_eq!(count(&mut databases.session()).unwrap(), rows);
}

#[test]
fn the_window_begins_with_the_commit() {
    let Some(copies) = Copies::start() else { return };
    let databases = copies.file().build();
    let (mut id, mut rows) = (1, 1);
    within_the_window(|| {
        let mut conn = databases.session();
        (id, rows) = (id + 1, rows + 1);
        conn.transaction(|conn| {
            insert(conn, id)?;
            // Longer than the window: counted from the statement it would be over.
            std::thread::sleep(WINDOW + Duration::from_millis(300));
            QueryResult::Ok(())
        })
        .unwrap();
        let began = Instant::now();
        let seen = count(&mut conn).unwrap();
        let token = conn.token().unwrap();
        let seen_after = count(&mut databases.session_after(&token).unwrap()).unwrap();
        Scene { began, saw: [seen, seen_after], expected: [rows, rows], left: () }
    });
    // What was rolled back was never written, and needs nothing.
    let mut conn = databases.session();
    let rolled_back: QueryResult<()> = conn.transaction(|conn| {
        insert(conn, id + 1)?;
        Err(diesel::result::Error::RollbackTransaction)
    });
    assert!(rolled_back.is_err());
    assert!((1..=rows).contains(&count(&mut conn).unwrap()));
}

/// What was seen after a moment at which the window began.
struct Scene<T> {
    began: Instant,
    saw: [i64; 2],
    expected: [i64; 2],
    left: T,
}

/// Plays a scene until one is over within the window: on a machine that is too slow for that it proves nothing.
fn within_the_window<T>(mut scene: impl FnMut() -> Scene<T>) -> T {
    for _ in 0..ATTEMPTS {
        let Scene { began, saw, expected, left } = scene();
        if began.elapsed() < WINDOW {
            assert_eq!(saw, expected);
            return left;
        }
    }
    panic!("the machine is too slow to tell");
}
