//! What runs on each new connection.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_diesel::config::Config;
use router_diesel::migrate::Migrator;
use router_diesel::tasks::Tasks;
use router_diesel::{Alias, AnyConnection, Databases};
use router_tests::postgres::Postgres;
use router_tests::require;

use crate::world::{Engine, World, eventually, posts, text};

on!(
    [Sqlite, Postgres, MariaDb],
    it_runs_wherever_a_connection_is_opened,
    it_runs_once_for_each_connection,
    several_run_in_order_and_after_the_routers_own_settings,
    test_transactions_begin_after_it,
);

fn it_runs_wherever_a_connection_is_opened(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    // A migration whose statements work on a marked connection alone.
    world.migration(
        "1_insert",
        &format!("INSERT INTO posts (id, title) SELECT 1, value FROM ({}) AS marks", engine.marked()),
    );
    let seeds = world.folder.path().join("seeds/blog_db");
    std::fs::create_dir_all(&seeds).unwrap();
    std::fs::write(
        seeds.join("1.sql"),
        format!("INSERT INTO posts (id, title) SELECT 2, value FROM ({}) AS marks", engine.marked()),
    )
    .unwrap();
    let databases = world
        .builder(world.url(), "")
        .on_connect(move |alias, conn: &mut AnyConnection| {
            assert_eq!(alias, "blog_db");
            conn.batch_execute(engine.mark())
        })
        .build()
        .unwrap();

    // The router reads only there, after the hook has run.
    let plan = databases.migrator().plan().unwrap();
    assert_eq!(plan.databases[0].failures, []);
    assert_eq!(plan.databases[0].steps.len(), 1);
    databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}"));
    let tasks =
        Tasks::<AnyConnection>::new(databases.routing()).seed_folder(world.folder.path().join("seeds"));
    let report = tasks.seed().unwrap();
    assert!(report.is_success(), "{report}");
    let titles = posts::table.order(posts::id).select(posts::title);
    let mut conn = databases.session();
    assert_eq!(titles.load::<String>(&mut conn).unwrap(), ["marked", "marked"]);
    assert!(databases.migrator().status().unwrap().is_clean());

    let mut session = databases.session();
    session.transaction(|conn| posts::table.count().get_result::<i64>(conn)).unwrap();
    assert_eq!(text(&mut session.using("blog_db").unwrap(), engine.marked()).unwrap(), "marked");
    let mut checkouts = [
        databases.read(posts::table).unwrap(),
        databases.write(posts::table).unwrap(),
        databases.connection("blog_db").unwrap(),
        databases.pool("blog_db").unwrap().get().unwrap(),
    ];
    for conn in &mut checkouts {
        assert_eq!(text(&mut **conn, engine.marked()).unwrap(), "marked");
    }
}

fn it_runs_once_for_each_connection(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let databases = world
        .builder(world.url(), ", pool: { max_size: 3 }")
        .on_connect(move |_, _: &mut AnyConnection| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>(())
        })
        .build()
        .unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 0, "nothing is opened before it is used");
    for _ in 0..5 {
        let mut conn = databases.session();
        posts::table.count().get_result::<i64>(&mut conn).unwrap();
        posts::table.count().get_result::<i64>(&mut conn).unwrap();
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1, "one connection is used again and again");
    let held: Vec<_> = (0..3).map(|_| databases.connection("blog_db").unwrap()).collect();
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    drop(held);
    databases.ping("blog_db").unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    // A session that leaves state has its connection closed, and the next one is new.
    let mut conn = databases.session();
    conn.using("blog_db").unwrap().batch_execute(engine.mark()).unwrap();
    drop(conn);
    let held: Vec<_> = (0..3).map(|_| databases.connection("blog_db").unwrap()).collect();
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    drop(held);
}

fn several_run_in_order_and_after_the_routers_own_settings(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Arc::clone(&order);
        move |_: &Alias, conn: &mut AnyConnection| {
            let guard = match engine {
                Engine::Sqlite => "SELECT CAST(query_only AS TEXT) AS value FROM pragma_query_only",
                Engine::Postgres => "SELECT current_setting('default_transaction_read_only') AS value",
                Engine::MariaDb => "SELECT CAST(@@tx_read_only AS CHAR) AS value",
            };
            order.lock().unwrap().push((what, text(conn, guard)?));
            QueryResult::Ok(())
        }
    };
    let databases = world
        .builder(world.url(), ", operations: [read]")
        .on_connect(note("first"))
        .on_connect(note("second"))
        .build()
        .unwrap();
    databases.ping("blog_db").unwrap();
    let guard = match engine {
        Engine::Sqlite => "1",
        Engine::Postgres => "on",
        Engine::MariaDb => "ON",
    };
    let expected = [("first", guard.to_owned()), ("second", guard.to_owned())];
    assert_eq!(*order.lock().unwrap(), expected);
}

fn test_transactions_begin_after_it(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let databases = world
        .builder(world.url(), "")
        .test_transactions()
        .on_connect(move |_, conn: &mut AnyConnection| conn.batch_execute(engine.mark()))
        .build()
        .unwrap();
    let mut conn = databases.session();
    diesel::insert_into(posts::table)
        .values((posts::id.eq(1), posts::title.eq("gone")))
        .execute(&mut conn)
        .unwrap();
    drop(conn);
    assert_eq!(text(&mut *databases.connection("blog_db").unwrap(), engine.marked()).unwrap(), "marked");
    drop(databases);
    let databases = world.builder(world.url(), "").build().unwrap();
    assert_eq!(posts::table.count().get_result::<i64>(&mut databases.session()), Ok(0));
}

/// What SQLite has no other way for: a function and a collation of the program's own.
#[test]
fn functions_and_collations_of_sqlite_are_there_for_every_statement() {
    #[diesel::declare_sql_function]
    extern "SQL" {
        fn shout(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
    }

    let Some(world) = World::start(Engine::Sqlite) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, shout('a')), (2, shout('b'))");
    let databases = Databases::<SqliteConnection>::builder(world.config(world.url(), ""))
        .on_connect(|_, conn: &mut SqliteConnection| {
            shout_utils::register_impl(conn, |text: String| text.to_uppercase())?;
            conn.register_collation("ANY_CASE", |a, b| a.to_lowercase().cmp(&b.to_lowercase()))
        })
        .build()
        .unwrap();
    let migrator: Migrator<SqliteConnection> = databases.migrator();
    migrator.migrate().unwrap_or_else(|error| panic!("{error}"));
    let mut conn = databases.session();
    let titles =
        posts::table.filter(posts::title.eq(shout(posts::title))).order(posts::id).select(posts::title);
    assert_eq!(titles.load::<String>(&mut conn).unwrap(), ["A", "B"]);
    let mut conn = databases.read(posts::table).unwrap();
    let any_case = "SELECT title AS value FROM posts WHERE title = 'b' COLLATE ANY_CASE";
    assert_eq!(text(&mut *conn, any_case).unwrap(), "B");
}

/// The connections of the monitor and of locks are the router's own.
#[test]
fn health_checks_and_locks_have_connections_without_it() {
    let Some(server) = require(Postgres::start()) else { return };
    let (primary, replica) = (server.database("blog").unwrap(), server.database("copy").unwrap());
    let yaml = format!(
        "databases:
  blog_db: {{ url: '{}', health: {{ interval: 50ms }} }}
  copy: {{ url: '{}', replica_of: blog_db }}
",
        primary.url(),
        replica.url()
    );
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<PgConnection>::builder(config)
        .on_connect(|_, conn: &mut PgConnection| conn.batch_execute("SET application_name = 'marked'"))
        .build()
        .unwrap();
    let mut admin = PgConnection::establish(primary.url()).unwrap();
    let connections = "SELECT CAST(application_name AS text) AS value FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let mut names = || -> HashSet<String> {
        let rows: Vec<crate::world::Value> = diesel::sql_query(connections).load(&mut admin).unwrap();
        rows.into_iter().map(|row| row.value).collect()
    };
    databases.watch_clusters();
    eventually("the monitor to connect", || !names().is_empty());
    assert_eq!(names(), HashSet::from([String::new()]));
    let database = databases.config().database("blog_db").unwrap();
    let lock =
        router_diesel::tasks::lock::<PgConnection>(database, std::time::Duration::from_secs(30)).unwrap();
    assert!(!names().contains("marked"), "{:?}", names());
    drop(lock);
    databases.ping("blog_db").unwrap();
    assert!(names().contains("marked"));
}
