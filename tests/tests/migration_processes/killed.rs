//! A process that migrates is killed, fifty times on each engine, and one that reverts twenty times.
//!
//! The moments are spread over the run: after the so many-th thing that the process told, and a while.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use router_diesel::migrate::Resolution;

use crate::world::{Ended, Engine, Records, World};

crate::on_each_engine!(killed_while_it_migrates, killed_while_it_reverts);

const VERSIONS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// How much of a migration is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Present {
    Nothing,
    Part,
    Whole,
}

fn killed_while_it_migrates(engine: Engine) {
    kill_leaves_no_wrong_record(engine, Way::Up, 50);
}

fn killed_while_it_reverts(engine: Engine) {
    kill_leaves_no_wrong_record(engine, Way::Back, 20);
}

/// What the process does that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It migrates empty databases.
    Up,
    /// It reverts everything.
    Back,
}

fn kill_leaves_no_wrong_record(engine: Engine, way: Way, times: usize) {
    let (mut kills, mut halfway, mut dirty) = (0, 0, 0);
    for records in [Records::Beside, Records::OnDefault] {
        let Some(world) = World::start(engine, records) else { return };
        for version in VERSIONS {
            let table = if version == "1" { "CREATE TABLE runs (version VARCHAR(10) NOT NULL);" } else { "" };
            let sql = format!(
                "{table} CREATE TABLE first_{version} (id INTEGER);
                INSERT INTO runs VALUES ('{version}');
                CREATE TABLE last_{version} (id INTEGER);"
            );
            world.write(&format!("blog/{version}_table/up.sql"), &sql);
            let rows = match version {
                "1" => "DROP TABLE runs;".to_owned(),
                _ => format!("DELETE FROM runs WHERE version = '{version}';"),
            };
            let sql = format!("DROP TABLE first_{version}; {rows} DROP TABLE last_{version};");
            world.write(&format!("blog/{version}_table/down.sql"), &sql);
        }
        let whole = time_whole_run(&world);
        let mut left = times / 2;
        while left > 0 {
            match way {
                Way::Up => world.clear(),
                // All of it again, where the last one had ended before it was killed.
                Way::Back => assert_eq!(world.process(&[]).end().code, Some(0)),
            }
            if !kill_once(&world, way, whole) {
                continue;
            }
            left -= 1;
            kills += 1;
            // Every other time the next run begins while the server still serves the last one.
            if left.is_multiple_of(2) {
                world.wait_for_quiet();
                halfway += usize::from(check_records(&world));
            }
            dirty += usize::from(finish(&world));
        }
    }
    assert_eq!(kills, times);
    assert!(halfway > times / 25, "only {halfway} were killed half-way");
    assert!(engine == Engine::MariaDb || dirty == 0, "{dirty} were dirty");
}

/// How long all of it takes, first thing to last.
fn time_whole_run(world: &World) -> Duration {
    let mut process = world.process(&[]);
    let start = Instant::now();
    process.go();
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    start.elapsed()
}

/// Whether it was killed before it had ended.
fn kill_once(world: &World, way: Way, whole: Duration) -> bool {
    let steps = 2 * VERSIONS.len();
    let mut process = match way {
        Way::Up => world.process(&[]),
        Way::Back => world.process(&["blog_db", "5"]),
    };
    process.go();
    for _ in 0..random(steps) {
        process.line();
    }
    let step = whole.as_micros() as usize / steps;
    std::thread::sleep(Duration::from_micros(random(2 * step) as u64));
    process.kill();
    process.end().code.is_none()
}

/// A number below `end`.
fn random(end: usize) -> usize {
    // The keys are new each time.
    (RandomState::new().hash_one(0) % end as u64) as usize
}

/// How much of each migration is there, by the engine's own catalogue.
fn present(world: &World) -> BTreeMap<String, Present> {
    let (tables, runs) = (world.tables("blog_db"), world.runs());
    let has = |name: String| usize::from(tables.contains(&name));
    VERSIONS
        .into_iter()
        .map(|version| {
            let rows = runs.iter().filter(|run| *run == version).count();
            let parts = has(format!("first_{version}")) + rows + has(format!("last_{version}"));
            let present = match parts {
                0 if version == "1" && has("runs".to_owned()) == 1 => Present::Part,
                0 => Present::Nothing,
                3 if rows == 1 => Present::Whole,
                _ => Present::Part,
            };
            (version.to_owned(), present)
        })
        .collect()
}

/// Compares records with what is there, and tells whether some but not all is there.
fn check_records(world: &World) -> bool {
    let (records, present) = (world.recorded(), present(world));
    let rolls_back = world.engine != Engine::MariaDb;
    for (version, present) in &present {
        let record = records.get(version).map(String::as_str);
        let may_be = match (record, present) {
            (Some("applied"), Present::Whole) | (None, Present::Nothing) => true,
            (Some("applied") | None, _) => false,
            // In one transaction with what it is about, a record has no other state.
            _ if rolls_back && world.records == Records::Beside => false,
            (Some("applying" | "reverting"), present) => rolls_back && *present != Present::Part,
            (Some("running" | "undoing"), _) => !rolls_back,
            _ => false,
        };
        assert!(may_be, "{version} is recorded as {record:?}, and {present:?} of it is there");
    }
    present.values().any(|it| *it != Present::Nothing) && present.values().any(|it| *it != Present::Whole)
}

/// Runs what is left, as a person would, and tells whether something was dirty.
fn finish(world: &World) -> bool {
    let ended = world.process(&[]).end();
    let is_dirty = ended.code == Some(5);
    if is_dirty {
        resolve(world, &ended);
        let ended = world.process(&[]).end();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
    } else {
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
    }
    assert_eq!(world.runs(), VERSIONS);
    assert!(present(world).values().all(|it| *it == Present::Whole));
    assert_eq!(world.recorded().into_values().collect::<Vec<_>>(), ["applied"; VERSIONS.len()]);
    assert!(world.databases.migrator().status().unwrap().is_clean());
    is_dirty
}

/// Does what the error says.
fn resolve(world: &World, ended: &Ended) {
    world.wait_for_quiet();
    let present = present(world);
    let records = world.recorded();
    let dirty: Vec<_> = records.iter().filter(|(_, state)| *state != "applied").collect();
    let [(version, _)] = dirty[..] else { panic!("{records:?}") };
    for word in [
        &format!("migration `{version}_table` of app `blog` is dirty on `blog_db`"),
        &format!("blog/{version}_table"),
        &format!("`dbrouter resolve blog {version} --applied --database blog_db`"),
        &format!("`dbrouter resolve blog {version} --reverted --database blog_db`"),
    ] {
        assert!(ended.errors.contains(word), "{word}: {}", ended.errors);
    }
    let resolution = match present[version] {
        Present::Whole => Resolution::Applied,
        Present::Part | Present::Nothing => {
            world.execute("blog_db", &format!("DROP TABLE IF EXISTS first_{version}, last_{version}"));
            if version == "1" {
                world.execute("blog_db", "DROP TABLE IF EXISTS runs");
            } else {
                world.execute("blog_db", &format!("DELETE FROM runs WHERE version = '{version}'"));
            }
            Resolution::Reverted
        }
    };
    world.databases.migrator().resolve("blog", version.as_str(), resolution).unwrap();
}
