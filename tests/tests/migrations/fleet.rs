//! Many small databases, migrated side by side. `benches/migrate.rs` says how long that takes.

use diesel::SqliteConnection;
use router_diesel::config::Config;
use router_diesel::{Databases, migrate_fn};
use tempfile::TempDir;

const MIGRATIONS: usize = 20;

struct Fleet {
    databases: Databases<SqliteConnection>,
    folder: TempDir,
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
        Self { databases, folder }
    }
}

#[test]
fn each_of_a_fleet_is_migrated_by_several_jobs() {
    let fleet = Fleet::new(12);
    let report = fleet.databases.migrator().jobs(3).migrate().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.done(), 12 * MIGRATIONS);
    assert!(fleet.databases.migrator().status().unwrap().is_clean());
    assert!(fleet.databases.migrator().plan().unwrap().is_empty());
}

/// Each commit of SQLite waits for the disk four times, so their number is what a fleet costs.
#[test]
fn a_new_database_takes_one_commit_for_each_migration() {
    let fleet = Fleet::new(1);
    let first = fleet.folder.path().join("migrations/000_more/up.sql");
    let good = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, "CREATE TABEL tenant_0 (id INTEGER);").unwrap();
    fleet.databases.migrator().migrate().unwrap_err();
    let file = fleet.folder.path().join("0.sqlite3");
    assert!(std::fs::read(&file).unwrap().is_empty(), "not even the table of records is made");

    std::fs::write(&first, good).unwrap();
    assert_eq!(fleet.databases.migrator().migrate().unwrap().done(), MIGRATIONS);
    // The file change counter: https://sqlite.org/fileformat.html#file_change_counter
    let header: [u8; 4] = std::fs::read(&file).unwrap()[24..28].try_into().unwrap();
    assert_eq!(u32::from_be_bytes(header), MIGRATIONS as u32);
}
