//! Many small databases: that each is migrated, and how long it takes beside Diesel's own harness.

use std::time::{Duration, Instant};

use diesel::{Connection, SqliteConnection};
use router_diesel::config::Config;
use router_diesel::migrate::diesel_migrations::{FileBasedMigrations, MigrationHarness};
use router_diesel::{Databases, migrate_fn};
use tempfile::TempDir;

const MIGRATIONS: usize = 20;

struct Fleet {
    folder: TempDir,
    databases: Databases<SqliteConnection>,
    size: usize,
}

impl Fleet {
    /// So many files of SQLite, on each of which the app `tenant` is migrated.
    fn new(size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MIGRATIONS {
            let migration = folder.path().join(format!("migrations/{:03}_more", number));
            std::fs::create_dir_all(&migration).unwrap();
            let up = format!("CREATE TABLE tenant_{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n");
            std::fs::write(migration.join("up.sql"), up).unwrap();
            std::fs::write(migration.join("down.sql"), format!("DROP TABLE tenant_{number};\n")).unwrap();
        }
        let at = folder.path().display();
        let mut yaml = format!("apps: {{ tenant: {{ migrations: '{at}/migrations' }} }}\ndatabases:\n");
        for number in 0..size {
            let alias = if number == 0 { "default".to_owned() } else { format!("tenant_{number}") };
            yaml.push_str(&format!("  {alias}: {{ url: 'sqlite://{at}/{number}.sqlite3' }}\n"));
        }
        let config = Config::loader()
            .yaml(&yaml, "databases.yml")
            .variables(Vec::<(String, String)>::new())
            .load()
            .unwrap();
        let databases = Databases::builder(config).router(migrate_fn(|_, _, _| Some(true))).build().unwrap();
        Self { folder, databases, size }
    }

    fn by_us(&self, jobs: usize) -> Duration {
        let start = Instant::now();
        let report = self.databases.migrator().jobs(jobs).migrate().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.done(), self.size * MIGRATIONS);
        start.elapsed()
    }

    fn by_diesel(&self) -> Duration {
        let start = Instant::now();
        for number in 0..self.size {
            let file = self.folder.path().join(format!("{number}.sqlite3"));
            let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
            let migrations = FileBasedMigrations::from_path(self.folder.path().join("migrations")).unwrap();
            assert_eq!(conn.run_pending_migrations(migrations).unwrap().len(), MIGRATIONS);
        }
        start.elapsed()
    }
}

#[test]
fn each_of_a_fleet_is_migrated_by_several_jobs() {
    let fleet = Fleet::new(12);
    fleet.by_us(3);
    assert!(fleet.databases.migrator().status().unwrap().is_clean());
    assert!(fleet.databases.migrator().plan().unwrap().is_empty());
}

/// `cargo test --release -p router-tests --test migrations -- --ignored fleet --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_fleet_beside_diesels_harness() {
    let size = std::env::var("ROUTER_TESTS_FLEET").ok().and_then(|size| size.parse().ok()).unwrap_or(1000);
    for _ in 0..2 {
        let diesel = Fleet::new(size).by_diesel();
        let one = Fleet::new(size).by_us(1);
        let two = Fleet::new(size).by_us(2);
        eprintln!(
            "{size} databases with {MIGRATIONS} migrations: Diesel's harness {diesel:.2?}, one job {one:.2?} \
             ({:.2} times), two jobs {two:.2?} ({:.2} times)",
            one.as_secs_f64() / diesel.as_secs_f64(),
            two.as_secs_f64() / diesel.as_secs_f64(),
        );
    }
}
