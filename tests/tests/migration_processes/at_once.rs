//! Sixteen processes over one pair of empty databases.

use crate::world::{Engine, Records, World};

crate::on_each_engine!(beside_the_tables, elsewhere);

const PROCESSES: usize = 16;

fn beside_the_tables(engine: Engine) {
    each_migration_runs_once(engine, Records::Beside);
}

fn elsewhere(engine: Engine) {
    each_migration_runs_once(engine, Records::OnDefault);
}

fn each_migration_runs_once(engine: Engine, records: Records) {
    let Some(world) = World::start(engine, records) else { return };
    world.write("users/1_users/up.sql", "CREATE TABLE users (id INTEGER)");
    world.write("users/3_first/up.sql", "INSERT INTO users VALUES (1)");
    world.write("blog/1_runs/up.sql", "CREATE TABLE runs (version VARCHAR(10) NOT NULL)");
    for version in 2..=5 {
        // A second time it would leave a trace, and then fail.
        let sql = format!(
            "INSERT INTO runs VALUES ('{version}'); CREATE TABLE first_{version} (id INTEGER PRIMARY KEY)"
        );
        world.write(&format!("blog/{version}_table/up.sql"), &sql);
    }
    // It waits for whoever sits in a transaction, so for the lock, if that did.
    world.write("blog/6_index/up.sql", "CREATE INDEX runs_by_version ON runs (version)");
    world
        .write("blog/6_index/up.postgres.sql", "CREATE INDEX CONCURRENTLY runs_by_version ON runs (version)");
    world.write("blog/6_index/metadata.toml", "run_in_transaction = false");

    let mut processes: Vec<_> = (0..PROCESSES).map(|_| world.process(&[])).collect();
    processes.iter_mut().for_each(|process| process.go());
    let mut finished = Vec::new();
    for process in processes {
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        finished.extend(ended.lines.into_iter().filter(|line| line.starts_with("finished")));
    }

    finished.sort_unstable();
    let blog = ["1_runs", "2_table", "3_table", "4_table", "5_table", "6_index"];
    let expected: Vec<_> = (blog.iter().map(|name| format!("finished blog/{name}")))
        .chain(["1_users", "3_first"].map(|name| format!("finished users/{name}")))
        .collect();
    assert_eq!(finished, expected, "each migration is run by one process");
    assert_eq!(world.runs(), ["2", "3", "4", "5"]);
    assert_eq!(world.recorded().into_values().collect::<Vec<_>>(), ["applied"; 6]);
    assert!(world.databases.migrator().status().unwrap().is_clean());
}
