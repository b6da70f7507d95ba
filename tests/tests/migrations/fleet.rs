//! Many small databases, migrated side by side. `benches/migrate.rs` says how long that takes.

use diesel::SqliteConnection;
use router_diesel::config::Config;
use router_diesel::{Databases, migrate_fn};
use tempfile::TempDir;

const MIGRATIONS: usize = 20;

struct Fleet {
    databases: Databases<SqliteConnection>,
    // It goes when the test ends.
    _folder: TempDir,
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
        Self { databases, _folder: folder }
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
