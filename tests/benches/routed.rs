//! What routing costs: each routed call against the plain one, in turn, in one run.
//!
//! `cargo bench -p router-tests --bench routed` prints a ratio for each pair: the median over all rounds of
//! routed time by plain time, where a round times both, in alternating order.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(missing_docs, reason = "Diesel's macro writes public items")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use router_diesel::config::Config;
use router_diesel::{Databases, RoutedConnection, Session};
use router_tests::postgres::{Postgres, PostgresCluster};
use router_tests::sqlite::Sqlite;

diesel::table! {
    posts { id -> Integer, user_id -> Integer, title -> Text }
}

const TABLE: &str =
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title VARCHAR(100) NOT NULL)";
const ROWS: i32 = 1_000;

fn main() {
    // `cargo test --benches` runs this with `--test`: once each, to see that it works.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 300 } else { 1 };
    println!("{:<48} {:>10} {:>10} {:>8}", "", "plain", "routed", "ratio");

    let sqlite = Sqlite::start().expect("a folder");
    let database = sqlite.database("blog").expect("a file");
    let databases = databases::<SqliteConnection>(database.url());
    let pool = plain_pool::<SqliteConnection>(database.url().trim_start_matches("sqlite://"));
    // Without a write-ahead log an insert is two waits for the disk, and the noise of those is all one sees.
    pool.get().expect("a connection").batch_execute("PRAGMA journal_mode = WAL").expect("a log");
    fill(&mut pool.get().expect("a connection"));
    statements("SQLite file", &databases, &pool, rounds, 200, 5);
    from_replica(database.url(), &pool, rounds);

    match Postgres::start() {
        Ok(server) => {
            keep_apart(&server);
            let database = server.database("blog").expect("a database");
            let databases = self::databases::<PgConnection>(database.url());
            let pool = plain_pool::<PgConnection>(database.url());
            fill(&mut pool.get().expect("a connection"));
            statements("PostgreSQL on loopback", &databases, &pool, rounds, 20, 10);
            check_out(&databases, &pool, rounds);
            match PostgresCluster::start(1) {
                Ok(cluster) => after_token(&cluster, rounds),
                Err(error) => println!("PostgreSQL with a replica: {error}"),
            }
        }
        Err(error) => println!("PostgreSQL: {error}"),
    }
}

/// Puts this process on one processor and the server on another, where there are two and `taskset` is there.
///
/// Left alone, the kernel may put one connection's server process beside the client and the other's across, and
/// a round trip then costs three times as much for one of the two that are compared.
fn keep_apart(server: &Postgres) {
    let pid = std::fs::read_to_string(server.folder().join("data/postmaster.pid")).unwrap_or_default();
    let server_pid = pid.lines().next().unwrap_or_default().to_owned();
    for (processor, pid) in [("0", std::process::id().to_string()), ("1", server_pid)] {
        let pinned = std::process::Command::new("taskset")
            .args(["--all-tasks", "--cpu-list", "--pid", processor, &pid])
            .output()
            .is_ok_and(|output| output.status.success());
        if !pinned {
            println!("not pinned to processor {processor}: expect noise");
        }
    }
}

fn databases<C: RoutedConnection>(url: &str) -> Databases<C> {
    let yaml = format!(
        "apps: {{ blog: {{ tables: [posts] }} }}
databases:
  default: {{ url: '{url}' }}
  blog_db: {{ url: '{url}', apps: [blog] }}
  shop_db: {{ url: '{url}' }}"
    );
    let config = Config::loader().yaml(yaml, "databases.yml").load().expect("a sound file");
    Databases::builder(config).build().expect("sound rules")
}

/// Diesel's pool with r2d2's defaults.
fn plain_pool<C: RoutedConnection>(url: &str) -> Pool<ConnectionManager<C>> {
    Pool::builder().max_size(2).build(ConnectionManager::new(url)).expect("a pool")
}

fn fill<C: SimpleConnection>(conn: &mut C) {
    conn.batch_execute(TABLE).expect("a table");
    let rows: Vec<String> = (0..ROWS).map(|id| format!("({id}, {}, 'post number {id}')", id % 7)).collect();
    conn.batch_execute(&format!("INSERT INTO posts (id, user_id, title) VALUES {}", rows.join(", ")))
        .expect("rows");
}

/// Expands to the same statements for both kinds of connection.
macro_rules! statements {
    ($connection:ty) => {
        impl Statements for $connection {
            fn point_read(&mut self, id: i32) -> (i32, i32, String) {
                posts::table.find(id).first(self).expect("the row is there")
            }
            fn insert(&mut self, id: i32) -> usize {
                diesel::insert_into(posts::table)
                    .values((posts::id.eq(id), posts::user_id.eq(1), posts::title.eq("a new post")))
                    .execute(self)
                    .expect("the row is new")
            }
        }
    };
}

trait Statements {
    fn point_read(&mut self, id: i32) -> (i32, i32, String);
    fn insert(&mut self, id: i32) -> usize;
}

type Plain<C> = diesel::r2d2::PooledConnection<ConnectionManager<C>>;
statements!(Plain<SqliteConnection>);
statements!(Session<SqliteConnection>);
statements!(Plain<PgConnection>);
statements!(Session<PgConnection>);

fn statements<C: RoutedConnection>(
    engine: &str,
    databases: &Databases<C>,
    pool: &Pool<ConnectionManager<C>>,
    rounds: usize,
    reads: i32,
    inserts: i32,
) where
    Session<C>: Statements,
    Plain<C>: Statements,
{
    let mut plain = pool.get().expect("a connection");
    let mut routed = databases.session();
    compare(
        &format!("{engine}: point read"),
        rounds,
        reads,
        |i| drop(black_box(plain.point_read(i * 37 % ROWS))),
        |i| drop(black_box(routed.point_read(i * 37 % ROWS))),
    );
    let next = std::cell::Cell::new(ROWS);
    let id = || next.replace(next.get() + 1);
    compare(
        &format!("{engine}: insert"),
        rounds,
        inserts,
        |_| _ = black_box(plain.insert(id())),
        |_| _ = black_box(routed.insert(id())),
    );
}

/// A check-out with one query, against Diesel with r2d2's defaults.
fn check_out(
    databases: &Databases<PgConnection>,
    pool: &Pool<ConnectionManager<PgConnection>>,
    rounds: usize,
) {
    compare(
        "PostgreSQL: check-out and one query, session",
        rounds,
        20,
        |i| drop(black_box(pool.get().expect("a connection").point_read(i))),
        |i| drop(black_box(databases.session().point_read(i))),
    );
    compare(
        "PostgreSQL: check-out and one query, pool",
        rounds,
        20,
        |i| drop(black_box(pool.get().expect("a connection").point_read(i))),
        |i| {
            let mut conn = databases.pool("blog_db").expect("the alias").get().expect("a connection");
            drop(black_box(posts::table.find(i).first::<(i32, i32, String)>(&mut conn)));
        },
    );
}

/// A session's reads from a replica, against a plain connection to it. The replica is the primary's own file: only
/// the way to it is measured.
fn from_replica(url: &str, pool: &Pool<ConnectionManager<SqliteConnection>>, rounds: usize) {
    let yaml = format!(
        "databases:
  default: {{ url: '{url}' }}
  replica: {{ url: '{url}', replica_of: default }}"
    );
    let config = Config::loader().yaml(yaml, "databases.yml").load().expect("a sound file");
    let databases = Databases::<SqliteConnection>::builder(config).build().expect("sound rules");
    let mut plain = pool.get().expect("a connection");
    let mut routed = databases.session();
    compare(
        "SQLite file: point read from a replica",
        rounds,
        200,
        |i| drop(black_box(plain.point_read(i * 37 % ROWS))),
        |i| drop(black_box(routed.point_read(i * 37 % ROWS))),
    );
    assert_eq!(routed.connected().map(|alias| alias.as_str()).collect::<Vec<_>>(), ["replica"]);
}

/// A session and one read from a replica that has what its token needs, against one without a token.
fn after_token(cluster: &PostgresCluster, rounds: usize) {
    let database = cluster.database("blog").expect("a database");
    let yaml = format!(
        "databases:
  default: {{ url: '{}' }}
  replica: {{ url: '{}', replica_of: default }}",
        database.url(),
        database.replica_url(0)
    );
    let config = Config::loader().yaml(yaml, "databases.yml").load().expect("a sound file");
    let databases = Databases::<PgConnection>::builder(config).build().expect("sound rules");
    let mut writer = databases.session();
    fill(&mut writer);
    let token = writer.token().expect("a token");
    cluster.wait_until_caught_up().expect("a replica that follows");
    drop(databases.session().point_read(1));
    // The connection must have been open when the replica was last asked how far it is.
    std::thread::sleep(Duration::from_millis(1_200));
    compare(
        "PostgreSQL: session and one read, after a token",
        rounds,
        20,
        |i| drop(black_box(databases.session().point_read(i))),
        |i| drop(black_box(databases.session_after(&token).expect("a token").point_read(i))),
    );
    let status = databases.cluster("default").expect("a cluster");
    assert_eq!(status.reads_without_replica + status.reads_ahead_of_replicas, 0, "{status:?}");
}

fn compare(name: &str, rounds: usize, calls: i32, mut plain: impl FnMut(i32), mut routed: impl FnMut(i32)) {
    let time = |call: &mut dyn FnMut(i32)| {
        let start = Instant::now();
        (0..calls).for_each(call);
        start.elapsed()
    };
    // Once each, unmeasured: connections are opened and statements prepared.
    time(&mut plain);
    time(&mut routed);
    let mut pairs: Vec<(Duration, Duration)> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let plain = time(&mut plain);
                (plain, time(&mut routed))
            } else {
                let routed = time(&mut routed);
                (time(&mut plain), routed)
            }
        })
        .collect();
    let mut ratios: Vec<f64> =
        pairs.iter().map(|(plain, routed)| routed.as_secs_f64() / plain.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    pairs.sort();
    let plain = pairs[rounds / 2].0 / calls.unsigned_abs();
    pairs.sort_by_key(|(_, routed)| *routed);
    let routed = pairs[rounds / 2].1 / calls.unsigned_abs();
    println!("{name:<48} {plain:>10.2?} {routed:>10.2?} {:>8.3}", ratios[rounds / 2]);
}
