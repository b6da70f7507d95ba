//! A migrating process is killed at moments that nobody chose, and many migrate at once.
//!
//! The processes are this very test program, started again to run one ignored test.

use std::process::{Child, Command, Stdio};

use router_diesel::RoutedConnection;
use router_diesel::migrate::{FailureKind, Resolution};

use crate::world::{Engine, World};

/// Where a child finds the file of its databases, and which engine they are of.
const FILE: &str = "ROUTER_TESTS_MIGRATE_FILE";
const ENGINE: &str = "ROUTER_TESTS_MIGRATE_ENGINE";
/// How many processes are killed for each engine. Few by default, as each takes a while.
const ROUNDS: &str = "ROUTER_TESTS_KILLS";

const MIGRATIONS: usize = 12;

/// What a child does: it migrates everything, and fails if that fails.
#[test]
#[ignore = "started by the other tests of this module"]
fn child() {
    let Ok(file) = std::env::var(FILE) else { return };
    match std::env::var(ENGINE).as_deref() {
        Ok("Sqlite") => migrate::<diesel::SqliteConnection>(&file),
        Ok("Postgres") => migrate::<diesel::PgConnection>(&file),
        _ => migrate::<diesel::MysqlConnection>(&file),
    }
}

fn migrate<C: RoutedConnection>(file: &str) {
    let databases = router_diesel::Databases::<C>::from_file(file).unwrap();
    databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}"));
}

fn start<C: RoutedConnection>(world: &World<C>) -> Child {
    let file = world.path("databases.yml");
    if !file.exists() {
        world.write("databases.yml", &world.yaml);
    }
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::child"])
        .env(FILE, file)
        .env(ENGINE, format!("{:?}", world.engine))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Each migration makes a table and leaves one row behind, so that whatever ran twice or in part can be seen.
fn project<C: RoutedConnection>(world: &World<C>) {
    for app in ["blog", "shop"] {
        world.write(
            &format!("{app}/100_log/up.sql"),
            &format!("CREATE TABLE {app}_log (number INTEGER NOT NULL);\n"),
        );
        for number in 1..MIGRATIONS {
            world.write(
                &format!("{app}/{}_more/up.sql", 100 + number),
                &format!(
                    "CREATE TABLE {app}_{number} (id INTEGER);\nINSERT INTO {app}_log VALUES ({number});\n"
                ),
            );
        }
    }
}

/// Every migration left its row once, and is recorded.
#[track_caller]
fn is_whole<C: RoutedConnection>(world: &World<C>) {
    for (alias, app) in [("blog_db", "blog"), ("shop_db", "shop")] {
        let sql = format!("SELECT CAST(number AS CHAR(3)) AS value FROM {app}_log ORDER BY number");
        let rows: Vec<usize> =
            world.texts(alias, &sql).iter().map(|number| number.trim().parse().unwrap()).collect();
        assert_eq!(rows, (1..MIGRATIONS).collect::<Vec<_>>(), "{app}");
    }
    let status = world.migrator().status().unwrap();
    assert!(status.is_clean(), "{:?}", crate::world::told(&status));
}

fn killed<C: RoutedConnection>(engine: Engine) {
    let rounds = std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
    // How long a process takes here when nobody kills it: the shortest of some, as the others would have most killed
    // after their end.
    let mut whole = std::time::Duration::MAX;
    for _ in 0..3 {
        let Some(world) = World::<C>::start(engine, "") else { return };
        project(&world);
        let begin = std::time::Instant::now();
        assert!(start(&world).wait_with_output().unwrap().status.success());
        whole = whole.min(begin.elapsed());
        is_whole(&world);
    }
    let (mut interrupted, mut resolved) = (0, 0);
    for round in 0..rounds {
        let Some(world) = World::<C>::start(engine, "") else { return };
        project(&world);
        let mut child = start(&world);
        std::thread::sleep(whole.mul_f64((round as f64 + 0.5) / rounds as f64));
        child.kill().unwrap();
        child.wait().unwrap();
        let (left, dirty) = finish(&world);
        interrupted += usize::from(left > 0);
        resolved += dirty;
        is_whole(&world);
    }
    eprintln!(
        "{engine:?}: {interrupted} of {rounds} processes were killed before their end; {resolved} migrations were dirty"
    );
}

/// Runs what is left, as the next process would. Where the engine cannot roll back, says what a person would see.
/// Gives how many were left, and how many were dirty.
fn finish<C: RoutedConnection>(world: &World<C>) -> (usize, usize) {
    let (mut done, mut dirty) = (0, 0);
    for _ in 0..5 {
        let error = match world.migrator().migrate() {
            Ok(report) => return (done + report.done(), dirty),
            Err(error) => error,
        };
        done += error.report.done();
        assert_eq!((error.kind(), world.engine), (FailureKind::Refused, Engine::MariaDb), "{error}");
        for failure in error.failed {
            dirty += 1;
            let id = failure.migration.unwrap();
            let alias = if id.app == "blog" { "blog_db" } else { "shop_db" };
            let number: usize = id.version.as_str().parse::<usize>().unwrap() - 100;
            let table = if number == 0 { format!("{}_log", id.app) } else { format!("{}_{number}", id.app) };
            let has_table = world.tables(alias).split(' ').any(|name| name == table);
            let has_row = number == 0
                || has_table && {
                    let sql = format!("SELECT 'x' AS value FROM {}_log WHERE number = {number}", id.app);
                    !world.texts(alias, &sql).is_empty()
                };
            let resolution = match (has_table, has_row) {
                (true, true) => Resolution::Applied,
                (true, false) => {
                    world.execute(alias, &format!("DROP TABLE {table}"));
                    Resolution::Reverted
                }
                (false, _) => Resolution::Reverted,
            };
            world.migrator().resolve(id.app.as_str(), id.version, resolution).unwrap();
        }
    }
    panic!("it never ends");
}

fn many<C: RoutedConnection>(engine: Engine) {
    let Some(world) = World::<C>::start(engine, "") else { return };
    project(&world);
    let children: Vec<Child> = (0..16).map(|_| start(&world)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    is_whole(&world);
}

macro_rules! crashes {
    ($name:ident, $connection:ty, $engine:ident) => {
        mod $name {
            #[test]
            fn a_killed_process_leaves_no_wrong_record() {
                super::killed::<$connection>(crate::world::Engine::$engine);
            }

            #[test]
            fn sixteen_processes_run_each_migration_once() {
                super::many::<$connection>(crate::world::Engine::$engine);
            }
        }
    };
}

crashes!(sqlite, diesel::SqliteConnection, Sqlite);
crashes!(postgres, diesel::PgConnection, Postgres);
crashes!(mariadb, diesel::MysqlConnection, MariaDb);
