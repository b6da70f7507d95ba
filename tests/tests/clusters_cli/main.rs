//! What `dbrouter` says of clusters on real servers.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_cli::{Exit, Program};
use router_tests::mariadb::MariaDbCluster;
use router_tests::pgbouncer::PgBouncer;
use router_tests::postgres::PostgresCluster;
use router_tests::proxy::Proxy;
use router_tests::{ClusterDatabase, PASSWORD, Stop, require};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a configuration.
struct World(TempDir);

/// How a command ended.
#[derive(Debug)]
struct Ended {
    exit: Exit,
    stdout: String,
}

/// What `health` gives a database that says nothing of how long it may take to connect. It is long, so that what is
/// waited for in vain is told from a machine that is busy: there, too, all is known long before.
const PATIENT: &str = ", pool: { connection_timeout: 1m }";

/// No test waits longer than this, which is less than what `health` does in vain.
const LIMIT: Duration = Duration::from_secs(30);

impl World {
    /// The databases in the order given, each by its alias, its URL and its other keys.
    fn new<const N: usize>(databases: [(&str, &str, &str); N]) -> Self {
        let entries = databases.map(|(alias, url, keys)| {
            let pool = if keys.contains("pool:") { "" } else { PATIENT };
            format!("  {alias}: {{ url: '{url}'{keys}{pool} }}\n")
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("databases.yml"), format!("databases:\n{}", entries.concat()))
            .unwrap();
        Self(folder)
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) -> Ended {
        let none: [(&str, &str); 0] = [];
        let program = Program::new().config(self.0.path().join("databases.yml")).variables(none);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let arguments = std::iter::once("dbrouter").chain(arguments);
        let exit = program.run(arguments, &mut stdout, &mut stderr);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(stdout), text(stderr));
        assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
        assert_eq!(stderr, "");
        Ended { exit, stdout }
    }

    /// How `health` ends, and what it says of each database.
    fn health(&self) -> (Exit, Vec<Value>) {
        let ended = self.run(["health", "--format", "json"]);
        let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
        (ended.exit, answer["databases"].as_array().unwrap().clone())
    }
}

/// The standing of each database.
fn standings(databases: &[Value]) -> Vec<&str> {
    databases.iter().map(|database| database["standing"].as_str().unwrap()).collect()
}

const REPLICA: &str = ", replica_of: default";

fn of_postgres(database: &ClusterDatabase, keys: &str) -> World {
    World::new([
        ("default", database.url(), keys),
        ("first", database.replica_url(0), &format!("{REPLICA}{keys}")),
        ("second", database.replica_url(1), REPLICA),
    ])
}

#[test]
fn nodes_of_postgres_that_are_well() {
    let Some(cluster) = require(PostgresCluster::start(2)) else { return };
    let database = cluster.database("blog").unwrap();
    let world = of_postgres(&database, "");

    let start = Instant::now();
    let (exit, databases) = world.health();
    assert_eq!(exit, Exit::Fine, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "up", "up"]);
    assert!(start.elapsed() < LIMIT, "there is nothing to wait for");
    for (database, role) in databases.iter().zip(["primary", "replica", "replica"]) {
        assert_eq!(database["role"], role);
        assert!(database["position"].as_str().unwrap().starts_with("timeline 1 at 0/"), "{database}");
        assert_eq!(database["lag_ms"].as_f64().is_some(), role == "replica", "{database}");
        assert_eq!(database["why"], Value::Null);
    }

    let text = world.run(["health", "-d", "second"]).stdout;
    assert!(text.contains("; replica of default, "), "{text}");
    assert!(text.contains(" behind (timeline 1 at 0/"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let ended = world.run(["check", "--connect"]);
    assert_eq!(ended.exit, Exit::Fine);
    assert!(!ended.stdout.contains('['), "{ended:?}");
}

#[test]
fn a_replica_that_says_nothing_is_waited_for_no_longer_than_any_database() {
    let Some(cluster) = require(PostgresCluster::start(1)) else { return };
    let database = cluster.database("blog").unwrap();
    let proxy = Proxy::to(cluster.replica(0).port()).unwrap();
    let keys = format!("{REPLICA}, pool: {{ connection_timeout: 500ms }}");
    let url = proxy.url_through(database.replica_url(0));
    let patient = World::new([("default", database.url(), ""), ("copy", &url, REPLICA)]);
    assert_eq!(standings(&patient.health().1), ["up", "up"]);
    let world = World::new([("default", database.url(), ""), ("copy", &url, &keys)]);
    proxy.stall().unwrap();
    let start = Instant::now();
    let (exit, databases) = world.health();
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    assert_eq!(exit, Exit::Unreachable, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "unreachable"]);
    assert_eq!(databases[1]["error"], "no answer within 500ms");
}

/// A session behind the pooler gets the server's connection that `health` had, and must be able to write.
#[test]
fn what_is_asked_through_a_pooler_leaves_nothing_behind() {
    let Some(cluster) = require(PostgresCluster::start(1)) else { return };
    let database = cluster.database("blog").unwrap();
    let one = [("default_pool_size", "1")];
    let Some(pooler) = require(PgBouncer::start_with(cluster.primary(), &one)) else { return };
    let url = pooler.url_through(database.url());
    let keys = ", pool: { prepared_statements: false }";
    let world = World::new([("default", &url, keys), ("copy", database.replica_url(0), REPLICA)]);
    let (exit, databases) = world.health();
    assert_eq!(exit, Exit::Fine, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "up"]);
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute("CREATE TABLE posts (id serial)").unwrap();
}

#[test]
fn a_replica_of_postgres_that_lags() {
    let Some(cluster) = require(PostgresCluster::start(2)) else { return };
    let database = cluster.database("blog").unwrap();
    let world = World::new([
        ("default", database.url(), ""),
        ("first", database.replica_url(0), ", replica_of: default, max_lag: 2s"),
        ("second", database.replica_url(1), REPLICA),
    ]);
    let mut conn = PgConnection::establish(database.url()).unwrap();
    conn.batch_execute("CREATE TABLE beats (id serial)").unwrap();
    cluster.wait_until_caught_up().unwrap();
    // A node has a quarter of `max_lag` to answer, or what `health` says: both are half a second.
    cluster.set_apply_delay(0, Duration::from_secs(3)).unwrap();

    let (is_over, beats) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        // A failure of the test must not leave it waiting for this.
        let end = SetWhenDropped(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                conn.batch_execute("INSERT INTO beats DEFAULT VALUES").unwrap();
                beats.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let wait_for_beats = || {
            let (start, until) = (Instant::now(), beats.load(Ordering::Relaxed) + 5);
            while beats.load(Ordering::Relaxed) < until {
                assert!(start.elapsed() < LIMIT, "nothing is written");
                thread::sleep(Duration::from_millis(5));
            }
        };
        // Filled with what is delayed.
        wait_for_beats();
        let (exit, databases) = world.health();
        let text = world.run(["health", "-d", "first"]);
        let paused = of_postgres(&database, ", pool: { connection_timeout: 500ms }");
        cluster.pause_replay(0).unwrap();
        wait_for_beats();
        // On a busy machine even to connect may take longer than it may: then it is asked once more.
        let paused_since = Instant::now();
        let (took, (exit_paused, databases_paused), text_paused) = loop {
            let start = Instant::now();
            let health = paused.health();
            let took = start.elapsed();
            let text = paused.run(["health", "-d", "first"]);
            let is_quick = took < Duration::from_secs(3);
            if health.0 == Exit::Fine && text.exit == Exit::Fine && is_quick || paused_since.elapsed() > LIMIT
            {
                break (took, health, text.stdout);
            }
        };
        drop(end);

        assert_eq!(exit, Exit::Found, "{databases:?}");
        assert_eq!(standings(&databases), ["up", "lagging", "up"]);
        assert!(databases[1]["lag_ms"].as_f64().unwrap() >= 2_900.0, "{databases:?}");
        assert!(databases[1]["why"].as_str().unwrap().ends_with(" > 2 s"), "{databases:?}");
        assert_eq!(text.exit, Exit::Found);
        assert!(text.stdout.contains("; serves no reads: lagging "), "{text:?}");
        // Without a limit it serves, however far it is behind.
        assert_eq!(exit_paused, Exit::Fine, "{databases_paused:?}");
        assert_eq!(standings(&databases_paused), ["up", "up", "up"]);
        assert_eq!(databases_paused[1]["lag_ms"], Value::Null);
        assert!(took < Duration::from_secs(3), "no longer than a server may take to connect: {took:?}");
        assert!(text_paused.contains("; replica of default, lag unknown (timeline 1 at 0/"), "{text_paused}");
    });
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nodes_of_postgres_that_are_not_what_the_file_says() {
    let Some(mut cluster) = require(PostgresCluster::start(2)) else { return };
    let database = cluster.database("blog").unwrap();
    cluster.promote(1).unwrap();
    let world = of_postgres(&database, "");
    let (exit, databases) = world.health();
    assert_eq!(exit, Exit::Found, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "up", "not_a_replica"]);
    let ended = world.run(["check", "--connect"]);
    assert_eq!(ended.exit, Exit::Found);
    assert!(ended.stdout.contains("; serves no reads: is a primary, not a replica\n"), "{ended:?}");
    let finding =
        "\nerror[NotAReplica]: `second` is declared a replica of `default`, and its server is a primary\n";
    assert!(ended.stdout.contains(finding), "{ended:?}");

    let world =
        World::new([("default", database.replica_url(0), ""), ("copy", database.replica_url(0), REPLICA)]);
    let (exit, databases) = world.health();
    assert_eq!(exit, Exit::Found, "{databases:?}");
    assert_eq!(standings(&databases), ["not_a_primary", "up"]);
    let text = world.run(["health", "-d", "default"]).stdout;
    assert!(
        text.contains("; declared primary (") && text.contains("; is a replica, not a primary\n"),
        "{text}"
    );
    let report: Value =
        serde_json::from_str(&world.run(["check", "--connect", "--format", "json"]).stdout).unwrap();
    assert_eq!(report["problems"][0]["code"], "NotAPrimary");
    assert_eq!(report["problems"][0]["severity"], "error");
    assert_eq!(report["problems"][1]["code"], "SameDatabase");
    assert_eq!(report["problems"][1]["severity"], "note");

    cluster.replica_mut(0).stop(Stop::Kill).unwrap();
    let (exit, databases) = of_postgres(&database, "").health();
    assert_eq!(exit, Exit::Unreachable, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "unreachable", "not_a_replica"]);
}

#[test]
fn nodes_of_mariadb_that_are_well() {
    let Some(cluster) = require(MariaDbCluster::start(1)) else { return };
    let database = cluster.database("blog").unwrap();
    let world = World::new([("default", database.url(), ""), ("copy", database.replica_url(0), REPLICA)]);
    let (exit, databases) = world.health();
    assert_eq!(exit, Exit::Fine, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "up"]);
    assert!(databases[1]["lag_ms"].as_f64().is_some(), "{databases:?}");
    assert_eq!(databases[0]["position"], databases[1]["position"]);
    let ended = world.run(["check", "--connect"]);
    assert_eq!(ended.exit, Exit::Fine);
    assert!(!ended.stdout.contains('['), "{ended:?}");
}

/// OpenSSL cleans up at exit, under whichever thread is still connecting with it.
#[test]
fn a_process_ends_well_where_a_server_refuses() {
    const FILE: &str = "ROUTER_TESTS_FILE";
    if let Some(file) = std::env::var_os(FILE) {
        let none: [(&str, &str); 0] = [];
        let program = Program::new().config(file).variables(none);
        let exit = program.run(["dbrouter", "health"], &mut std::io::sink(), &mut std::io::sink());
        // At once, before the harness takes its time.
        std::process::exit(i32::from(exit != Exit::Unreachable));
    }
    let Some(cluster) = require(PostgresCluster::start(1)) else { return };
    let database = cluster.database("blog").unwrap();
    let wrong = |url: &str| url.replace(PASSWORD, "wrong");
    let (primary, copy) = (wrong(database.url()), wrong(database.replica_url(0)));
    let [a, b, c, d, e, f] = ["a", "b", "c", "d", "e", "f"].map(|alias| (alias, copy.as_str(), REPLICA));
    let world = World::new([("default", &primary, ""), a, b, c, d, e, f]);
    let test = thread::current().name().expect("a test's thread has its name").to_owned();
    for run in 0..40 {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.args(["--exact", &test]).env(FILE, world.0.path().join("databases.yml"));
        let ended = process.output().unwrap();
        assert!(ended.status.success(), "{run}: {ended:?}");
    }
}

#[test]
fn a_standby_of_another_cluster() {
    let Some(cluster) = require(PostgresCluster::start(1)) else { return };
    let Some(unrelated) = require(PostgresCluster::start_unrelated(1)) else { return };
    let database = cluster.database("blog").unwrap();
    let other = unrelated.database("blog").unwrap();
    let world = World::new([
        ("default", database.url(), ""),
        ("first", database.replica_url(0), REPLICA),
        ("second", other.replica_url(0), REPLICA),
    ]);
    let start = Instant::now();
    let (exit, databases) = world.health();
    assert!(start.elapsed() < LIMIT, "there is nothing to wait for");
    assert_eq!(exit, Exit::Found, "{databases:?}");
    assert_eq!(standings(&databases), ["up", "up", "other_cluster"]);
    assert_eq!(databases[2]["why"], "is of another cluster than its primary");
    let ended = world.run(["check", "--connect"]);
    assert_eq!(ended.exit, Exit::Found);
    assert!(ended.stdout.contains("; declared replica of default"), "{ended:?}");
    assert!(
        ended.stdout.contains("; serves no reads: is of another cluster than its primary\n"),
        "{ended:?}"
    );
    let finding = "\nerror[OtherCluster]: `second` is declared a replica of `default`, \
                   and its server is of another cluster, with other data\n";
    assert!(ended.stdout.contains(finding), "{ended:?}");
}
