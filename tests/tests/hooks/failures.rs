//! Functions of the program that fail, panic or hang: the connection is closed, and the error says which function it was.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Connection as _, SimpleConnection as _, TransactionManager as _};
use diesel::prelude::*;
use router_diesel::config::Config;
use router_diesel::migrate::FailureKind;
use router_diesel::tasks::{TaskError, Tasks};
use router_diesel::{AnyConnection, Databases, Error, ErrorKind};
use router_tests::require;
use router_tests::sqlite::Sqlite;

use crate::world::{Engine, World, eventually, ping, posts, said};

on!(
    [Sqlite, Postgres, MariaDb],
    one_that_fails_is_an_error_of_its_own_kind,
    one_that_panics_is_an_error_of_its_own_kind,
    one_that_hangs_is_given_up_and_blocks_no_other_database,
    one_that_leaves_a_transaction_open_is_refused,
    migrations_and_tasks_name_it_and_are_not_to_be_tried_again,
    a_connection_on_which_it_failed_is_closed,
);

/// The error names the database and the line of the hook, and is not to be tried again.
fn is_of_setup(error: &Error, cause: &str) {
    let message = said(error, &[]);
    assert_eq!(error.kind(), ErrorKind::Setup, "{message}");
    assert!(!error.is_retryable(), "{message}");
    assert_eq!(error.alias().unwrap(), "blog_db");
    assert!(message.contains("`blog_db`") && message.contains(cause), "{message}");
    assert!(message.contains("`on_connect` hook of ") && message.contains("failures.rs:"), "{message}");
}

fn one_that_fails_is_an_error_of_its_own_kind(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let databases = world
        .builder(world.url(), "")
        .on_connect(
            move |_, _: &mut AnyConnection| {
                if switch.load(Ordering::Relaxed) { Err("no such extension") } else { Ok(()) }
            },
        )
        .build()
        .unwrap();
    is_of_setup(&ping(&databases).unwrap_err(), "failed: no such extension");
    is_of_setup(&databases.read(posts::table).unwrap_err(), "failed: no such extension");
    let error = posts::table.count().get_result::<i64>(&mut databases.session()).unwrap_err();
    is_of_setup(Error::from_diesel(&error).unwrap(), "failed: no such extension");
    // It is not given up for good.
    fails.store(false, Ordering::Relaxed);
    eventually("the hook to work", || ping(&databases).is_ok());
}

fn one_that_panics_is_an_error_of_its_own_kind(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let databases = world
        .builder(world.url(), "")
        .on_connect(|alias, _: &mut AnyConnection| -> Result<(), String> { panic!("no hook for {alias}") })
        .build()
        .unwrap();
    is_of_setup(&ping(&databases).unwrap_err(), "panicked: no hook for blog_db");
    // Whatever the program says is shown without its secrets, here and in every log.
    let databases = world
        .builder(world.url(), "")
        .on_connect(|_, _: &mut AnyConnection| Err("cannot reach https://vault:hunter2@vault.internal/"))
        .build()
        .unwrap();
    let error = ping(&databases).unwrap_err();
    said(&error, &["hunter2"]);
    is_of_setup(&error, "https://vault:***@vault.internal/");
}

/// A hook that hangs until the test drops a channel.
fn hang() -> (mpsc::Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (end, ended) = mpsc::channel::<()>();
    let ended: Mutex<Receiver<()>> = Mutex::new(ended);
    // Only the end of the channel ends it.
    let wait = move || {
        let _ = ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
    };
    (end, wait)
}

fn one_that_hangs_is_given_up_and_blocks_no_other_database(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let (end, hang) = hang();
    let other = require(Sqlite::start()).unwrap();
    let other = other.database("other").unwrap();
    let yaml = format!(
        "databases:
  default: {{ url: '{}' }}
  blog_db: {{ url: '{}', pool: {{ connection_timeout: 1s }} }}
",
        other.url(),
        world.url()
    );
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let databases = Databases::<AnyConnection>::builder(config)
        .on_connect(move |alias, _: &mut AnyConnection| {
            if alias == "blog_db" {
                counter.fetch_add(1, Ordering::Relaxed);
                hang();
            }
            Ok::<_, String>(())
        })
        .build()
        .unwrap();
    // Far more attempts than may hang at once.
    for _ in 0..10 {
        let error = ping(&databases).unwrap_err();
        let causes = ["did not end within", "has not ended after", "earlier calls have not ended"];
        let message = error.to_string();
        let cause = causes.iter().find(|cause| message.contains(**cause));
        is_of_setup(&error, cause.unwrap_or_else(|| panic!("{message}")));
        databases.ping("default").unwrap();
    }
    // Three may hang, and some others may have begun before those were late.
    assert!(calls.load(Ordering::Relaxed) <= 6, "{} calls hang", calls.load(Ordering::Relaxed));
    drop(end);
    eventually("the hook to work", || ping(&databases).is_ok());
}

fn one_that_leaves_a_transaction_open_is_refused(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let databases = world
        .builder(world.url(), "")
        .on_connect(|_, conn: &mut AnyConnection| {
            <AnyConnection as diesel::Connection>::TransactionManager::begin_transaction(conn)
        })
        .build()
        .unwrap();
    is_of_setup(&ping(&databases).unwrap_err(), "left a transaction open");
    let databases = world
        .builder(world.url(), "")
        .on_connect(|_, conn: &mut AnyConnection| conn.transaction(|conn| conn.batch_execute("SELECT 1")))
        .build()
        .unwrap();
    ping(&databases).unwrap();
}

fn migrations_and_tasks_name_it_and_are_not_to_be_tried_again(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, 'a')");
    world.write("seed.sql", "INSERT INTO posts (id, title) VALUES (2, 'b')");
    let seeds = world.folder.path().join("seed.sql");
    let databases = world
        .builder(world.url(), &format!(", seeds: '{}'", seeds.display()))
        .on_connect(|_, conn: &mut AnyConnection| conn.batch_execute("SELECT * FROM nothing_of_that_name"))
        .build()
        .unwrap();
    let error = databases.migrator().migrate().unwrap_err();
    let message = said(&error, &[]);
    assert_eq!(error.kind(), FailureKind::Setup, "{message}");
    assert!(!error.is_retryable(), "{message}");
    assert!(message.contains("`blog_db`") && message.contains("failures.rs:"), "{message}");
    assert!(message.contains("nothing_of_that_name"), "{message}");

    let report = Tasks::<AnyConnection>::new(databases.routing()).seed().unwrap();
    let failures: Vec<&TaskError> = report.failures().collect();
    let [error] = failures[..] else { panic!("{report}") };
    let message = said(error, &[]);
    assert!(matches!(error, TaskError::NotConnected { .. }) && !error.is_unreachable(), "{message}");
    assert!(message.contains("`blog_db`") && message.contains("failures.rs:"), "{message}");
}

fn a_connection_on_which_it_failed_is_closed(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&numbers);
    let number = match engine {
        Engine::Sqlite => "SELECT '0' AS value",
        Engine::Postgres => "SELECT pg_backend_pid()::text AS value",
        Engine::MariaDb => "SELECT CAST(CONNECTION_ID() AS CHAR) AS value",
    };
    let databases = world
        .builder(world.url(), "")
        .on_connect(move |_, conn: &mut AnyConnection| -> Result<(), String> {
            let number = crate::world::text(conn, number).map_err(|error| error.to_string())?;
            seen.lock().unwrap().push(number);
            if seen.lock().unwrap().len() % 2 == 0 { Err("even".to_owned()) } else { panic!("odd") }
        })
        .build()
        .unwrap();
    eventually("two attempts", || {
        ping(&databases).unwrap_err();
        numbers.lock().unwrap().len() >= 2
    });
    // r2d2 would try again.
    drop(databases);
    if engine == Engine::Sqlite {
        // The file is free: nobody holds a connection to it.
        return world.admin("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT");
    }
    let observer = world.builder(world.url(), "").build().unwrap();
    let mut conn = observer.connection("blog_db").unwrap();
    eventually("the connections to be closed", || {
        let numbers = numbers.lock().unwrap().join(", ");
        let count = match engine {
            Engine::Postgres => {
                format!("SELECT count(*)::text AS value FROM pg_stat_activity WHERE pid IN ({numbers})")
            }
            _ => format!(
                "SELECT CAST(COUNT(*) AS CHAR) AS value FROM information_schema.processlist WHERE id IN ({numbers})"
            ),
        };
        crate::world::text(&mut *conn, &count).unwrap() == "0"
    });
}

/// Where a replica cannot be set up, the primary serves; where the primary cannot, that is the error.
#[test]
fn a_replica_that_cannot_be_set_up_is_passed_over() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let (primary, copy) = (sqlite.database("main").unwrap(), sqlite.database("copy").unwrap());
    for url in [primary.url(), copy.url()] {
        let path = url.trim_start_matches("sqlite://");
        let mut conn = SqliteConnection::establish(path).unwrap();
        conn.batch_execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)").unwrap();
    }
    let yaml = format!(
        "databases:
  blog_db: {{ url: '{}' }}
  copy: {{ url: '{}', replica_of: blog_db }}
",
        primary.url(),
        copy.url()
    );
    for (broken, works) in [("copy", true), ("", true), ("*", false)] {
        let config = Config::loader().yaml(&yaml, "databases.yml").load().unwrap();
        let databases = Databases::<AnyConnection>::builder(config)
            .on_connect(
                move |alias, _: &mut AnyConnection| {
                    if broken == "*" || alias == broken { Err("broken") } else { Ok(()) }
                },
            )
            .build()
            .unwrap();
        let count = posts::table.count().get_result::<i64>(&mut databases.session());
        match count {
            Ok(count) => assert!(works && count == 0, "{broken}"),
            Err(error) => {
                assert!(!works, "{broken}: {error}");
                is_of_setup(Error::from_diesel(&error).unwrap(), "broken");
            }
        }
    }
}

/// A hook for one type of connection is not left out in silence on another.
#[test]
fn a_hook_for_another_type_of_connection_is_an_error() {
    let Some(world) = World::start(Engine::Sqlite) else { return };
    world.write("seed.sql", "INSERT INTO posts (id, title) VALUES (2, 'b')");
    let seeds = world.folder.path().join("seed.sql");
    let config = world.config(world.url(), &format!(", seeds: '{}'", seeds.display()));
    let databases = Databases::<SqliteConnection>::builder(config)
        .on_connect(|_, _: &mut SqliteConnection| Ok::<_, String>(()))
        .build()
        .unwrap();
    let report = Tasks::<AnyConnection>::new(databases.routing()).seed().unwrap();
    let message = report.failures().map(ToString::to_string).collect::<String>();
    assert!(message.contains("SqliteConnection") && message.contains("failures.rs:"), "{message}");
    assert!(Tasks::<SqliteConnection>::new(databases.routing()).seed().unwrap().is_success());
}
