//! What it costs to migrate many databases: the migrator with one job and with two, and Diesel's own harness over
//! them one by one.
//!
//! `cargo bench -p router-tests --bench migrate` takes 100 SQLite databases with 20 migrations each;
//! `cargo bench -p router-tests --bench migrate -- 1000` as many as it says. Each way has new files in each round,
//! another way begins each round, and what is printed is the median round. The files are where `TMPDIR` is.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::config::Config;
use router_diesel::migrate::diesel_migrations::{FileBasedMigrations, MigrationHarness as _};
use router_diesel::migrate_fn;

const MIGRATIONS: usize = 20;

/// A way to migrate so many databases of a new folder.
type Way = fn(&Path, usize);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this with `--test`: once, to see that it works.
    let (default, rounds) = if arguments.iter().any(|it| it == "--bench") { (100, 6) } else { (3, 1) };
    let count = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(default);

    let ways: [(&str, Way); 3] = [
        ("Diesel's harness, one by one", |folder, count| diesels_own(folder, count)),
        ("migrator, 1 job", |folder, count| migrator(folder, count, 1)),
        ("migrator, 2 jobs", |folder, count| migrator(folder, count, 2)),
    ];
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..rounds {
        for turn in 0..ways.len() {
            let index = (round + turn) % ways.len();
            let folder = new_folder();
            times[index].push(time(folder.path(), count, ways[index].1));
            if index == 1 {
                times[3].push(time(folder.path(), count, ways[index].1));
            }
        }
    }

    println!("{count} SQLite databases, {MIGRATIONS} migrations each, {rounds} rounds");
    let medians = times.map(median);
    let names = ways.iter().map(|(name, _)| *name).chain(["migrator, 1 job, nothing to do"]);
    for (name, time) in names.zip(medians) {
        let ratio = time.as_secs_f64() / medians[0].as_secs_f64();
        println!("{name:<34} {:>9.1} ms {ratio:>7.3}", time.as_secs_f64() * 1e3);
    }
    println!("2 jobs by 1 job {:.3}", medians[2].as_secs_f64() / medians[1].as_secs_f64());
}

/// How long a way takes. What was removed before is on the disk by then, so that nobody pays for the last turn.
fn time(folder: &Path, count: usize, way: Way) -> Duration {
    File::open(folder).and_then(|folder| folder.sync_all()).expect("a folder can be synced");
    let start = Instant::now();
    way(folder, count);
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A folder with an app's migrations and no database yet.
fn new_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 1..=MIGRATIONS {
        let migration = folder.path().join(format!("migrations/2024010100{number:04}_table_{number}"));
        fs::create_dir_all(&migration).expect("a folder");
        let up = format!(
            "CREATE TABLE tenant_{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
             CREATE INDEX tenant_{number}_by_name ON tenant_{number} (name);\n"
        );
        fs::write(migration.join("up.sql"), up).expect("a file");
        fs::write(migration.join("down.sql"), format!("DROP TABLE tenant_{number};\n")).expect("a file");
    }
    folder
}

fn diesels_own(folder: &Path, count: usize) {
    let migrations = FileBasedMigrations::from_path(folder.join("migrations")).expect("migrations");
    for number in 0..count {
        let file = folder.join(format!("{number}.sqlite3"));
        let mut conn = SqliteConnection::establish(file.to_str().expect("UTF-8")).expect("a connection");
        let done = conn.run_pending_migrations(migrations.clone()).expect("they run");
        assert_eq!(done.len(), MIGRATIONS);
    }
}

/// One app on all databases, as a router says.
fn migrator(folder: &Path, count: usize, jobs: usize) {
    let root = folder.display();
    let mut yaml = format!("apps: {{ tenant: {{ migrations: '{root}/migrations' }} }}\ndatabases:\n");
    for number in 0..count {
        let alias = if number == 0 { "default".to_owned() } else { format!("tenant_{number}") };
        yaml += &format!("  {alias}: {{ url: 'sqlite://{root}/{number}.sqlite3' }}\n");
    }
    let config = Config::from_yaml(&yaml).expect("a sound file");
    let databases = Databases::<SqliteConnection>::builder(config)
        .router(migrate_fn(|_, _, _| Some(true)))
        .build()
        .expect("databases");
    let done = databases.migrator().jobs(jobs).migrate().expect("they run").done();
    assert!(done == count * MIGRATIONS || done == 0, "{done}");
}
