//! A topology is replaced under load: no statement fails, nothing is leaked, and sessions follow.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;

use super::Session;
use crate::config::Config;
use crate::databases::Databases;
use crate::topology::{Node, Topology};

diesel::table! { posts { id -> Integer, title -> Text } }
diesel::table! { products { id -> Integer, name -> Text } }

const SWAPS: usize = 1_000;
const THREADS: usize = 4;

/// The files of two primaries and a replica, each with both tables.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["default", "shop", "replica"] {
            let mut conn = SqliteConnection::establish(folder.path().join(name).to_str().unwrap()).unwrap();
            conn.batch_execute(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
                 CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
            )
            .unwrap();
        }
        Self(folder)
    }

    /// A file: in another order each second time, with another pool of the shop's each third, and a name of its own.
    fn config(&self, turn: usize) -> Config {
        let url = |name: &str| format!("url: 'sqlite://{}'", self.0.path().join(name).display());
        let mut databases = [
            format!("  default: {{ {}, apps: [blog], pool: {{ max_size: 8 }} }}\n", url("default")),
            format!(
                "  shop_db: {{ {}, apps: [shop], pool: {{ max_size: {} }} }}\n",
                url("shop"),
                6 + turn % 3
            ),
            format!("  replica: {{ {}, replica_of: default, pool: {{ max_size: 8 }} }}\n", url("replica")),
            format!("  turn_{turn}: {{ {} }}\n", url("shop")),
        ];
        if turn % 2 == 1 {
            databases.reverse();
        }
        let apps = "apps: { blog: { tables: [posts] }, shop: { tables: [products] } }\n";
        let yaml = format!("{apps}default: default\ndatabases:\n{}", databases.concat());
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Statements of a request: on both databases, alone and in a transaction, and on the replica.
fn request(conn: &mut Session<SqliteConnection>) -> QueryResult<()> {
    products::table.count().get_result::<i64>(conn)?;
    posts::table.count().get_result::<i64>(conn)?;
    conn.transaction(|conn| {
        // The write first: SQLite gives a reader that becomes a writer no time to wait for the lock.
        diesel::update(products::table.find(1)).set(products::name.eq("x")).execute(conn)?;
        products::table.select(products::name).load::<String>(conn)
    })?;
    Ok(())
}

/// Ends the other threads, also where this one panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn replaced_a_thousand_times_under_load() {
    let files = Files::new();
    let databases = Databases::<SqliteConnection>::builder(files.config(0)).build().unwrap();
    let is_over = AtomicBool::new(false);
    let requests = AtomicUsize::new(0);
    let mut earlier: Vec<Weak<Topology<SqliteConnection>>> = Vec::new();
    let mut shops: Vec<Weak<Node<SqliteConnection>>> = Vec::new();
    let default = Arc::downgrade(databases.topology().node(databases.routing().find("default").unwrap()));

    let mut long_lived = databases.session();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    request(&mut databases.session()).unwrap();
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        for turn in 1..=SWAPS {
            let topology = databases.topology();
            earlier.push(Arc::downgrade(&topology));
            shops.push(Arc::downgrade(topology.node(topology.routing().find("shop_db").unwrap())));
            drop(topology);
            databases.replace(files.config(turn)).unwrap();

            // While it holds a connection, a session stays where it is; then it follows.
            request(&mut long_lived).unwrap();
            if turn > 1 {
                let stays = long_lived.using(format!("turn_{turn}")).is_err();
                assert!(stays, "it holds a connection, so it stays at turn {}", turn - 1);
            }
            long_lived.release();
            assert!(long_lived.using(format!("turn_{turn}")).is_ok(), "it follows to turn {turn}");
            assert!(long_lived.using(format!("turn_{}", turn - 1)).is_err(), "it has left turn {}", turn - 1);
            request(&mut long_lived).unwrap();
        }
    });
    assert!(requests.load(Ordering::Relaxed) >= THREADS);

    // What did not change is the same node still; what nobody uses any more is gone.
    drop(long_lived);
    let topology = databases.topology();
    let now = |alias: &str| Arc::downgrade(topology.node(topology.routing().find(alias).unwrap()));
    assert!(default.ptr_eq(&now("default")), "a node that did not change is shared");
    assert_eq!(
        earlier.iter().filter(|topology| topology.strong_count() > 0).count(),
        0,
        "topologies are left"
    );
    let left = shops.iter().filter(|shop| shop.strong_count() > 0 && !shop.ptr_eq(&now("shop_db")));
    assert_eq!(left.count(), 0, "nodes are left");
    let pool = databases.pool("default").unwrap();
    assert_eq!(pool.state().connections, pool.state().idle_connections, "connections are left");
}

#[test]
fn what_a_session_must_be_shown_outlives_a_topology() {
    let files = Files::new();
    let databases = Databases::<SqliteConnection>::builder(files.config(0)).build().unwrap();
    let mut conn = databases.session();
    diesel::insert_into(posts::table).values(posts::title.eq("mine")).execute(&mut conn).unwrap();
    conn.release();
    databases.replace(files.config(1)).unwrap();
    // The replica never gets it, so whoever reads there misses it.
    assert_eq!(posts::table.count().get_result::<i64>(&mut conn).unwrap(), 1);
    assert_eq!(posts::table.count().get_result::<i64>(&mut databases.session()).unwrap(), 0);
}

#[test]
fn what_a_statement_says_is_learnt_once_and_where_it_goes_again() {
    let files = Files::new();
    let databases = Databases::<SqliteConnection>::builder(files.config(0)).build().unwrap();
    let query = posts::table.count();
    let (before, earlier) = (databases.topology(), databases.topology().prepare(&query).unwrap());
    databases.replace(files.config(1)).unwrap();
    let (after, later) = (databases.topology(), databases.topology().prepare(&query).unwrap());
    assert!(Arc::ptr_eq(before.statements().readings(), after.statements().readings()));
    assert!(Arc::ptr_eq(&earlier.statement, &later.statement), "it is read once");
    assert!(!Arc::ptr_eq(&earlier, &later), "where it goes belongs to one topology");
}

#[test]
fn a_session_explains_what_it_will_do_after_a_swap() {
    let files = Files::new();
    let alone = format!(
        "apps: {{ blog: {{ tables: [posts] }} }}\ndatabases: {{ default: {{ url: 'sqlite://{}', apps: [blog] }} }}",
        files.0.path().join("default").display()
    );
    let config = Config::loader().yaml(alone, "databases.yml").load().unwrap();
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
    let conn = databases.session();
    assert!(conn.explain(&posts::table.count()).unwrap().nodes().is_empty());
    databases.replace(files.config(0)).unwrap();
    assert_eq!(conn.explain(&posts::table.count()).unwrap().node().unwrap(), "replica");
}

#[test]
fn a_cluster_that_did_not_change_keeps_what_is_known_of_it() {
    let files = Files::new();
    let databases = Databases::<SqliteConnection>::builder(files.config(0)).build().unwrap();
    databases.drain("replica").unwrap();
    databases.replace(files.config(1)).unwrap();
    let status = databases.cluster("default").unwrap();
    assert_eq!(status.nodes[1].standing.to_string(), "drained");
}
