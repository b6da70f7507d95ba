//! Servers whose messages are in German: what an error means does not depend on its words.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Bool;
use router_diesel::AnyConnection;
use router_diesel::tasks::{Created, Removal, TaskError, Tasks};
use router_tests::{Stop, with_language};

use crate::world::{Engine, QUIET, World, count, eventually, execute, insert, posts, warm_up};

crate::on_servers!(
    no_read_fails_while_a_replica_shuts_down,
    a_failed_statement_does_not_lose_its_connection,
    a_database_that_is_not_there_is_told_from_a_server_that_refuses,
    a_database_is_made_once_and_dropped_once,
);

fn no_read_fails_while_a_replica_shuts_down(engine: Engine) {
    let Some(mut world) = World::start(engine, 2).filter(World::speaks_german) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    // They spread over both replicas. The servers' logs, which would show it, are in German too.
    let mut sessions: Vec<_> = (0..8).map(|_| databases.session()).collect();
    for session in &mut sessions {
        assert_eq!(count(session), Ok(1));
    }

    world.stop_replica(0, Stop::Fast);
    for session in &mut sessions {
        assert_eq!(count(session), Ok(1));
    }
    for _ in 0..8 {
        assert_eq!(count(&mut databases.session()), Ok(1));
    }
    let status = databases.cluster("default").unwrap();
    assert!(status.reads_retried > 0, "{status:?}");
}

fn a_failed_statement_does_not_lose_its_connection(engine: Engine) {
    let Some(world) = World::start(engine, 1).filter(World::speaks_german) else { return };
    let databases = world.file().with(QUIET).build();
    let mut conn = databases.session();
    let fails = |conn: &mut router_diesel::Session<_>| {
        let error = conn.batch_execute("DELETE FROM posts WHERE nothing = 1").unwrap_err();
        assert!(matches!(&error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)), "{error:?}");
    };
    insert(&mut conn, 1).unwrap();
    fails(&mut conn);
    insert(&mut conn, 2).unwrap();
    let outcome = conn.transaction(|conn| {
        insert(conn, 3)?;
        fails(conn);
        insert(conn, 4)
    });
    // PostgreSQL fails the transaction, MariaDB the statement.
    let rows = match engine {
        Engine::Postgres => {
            outcome.unwrap_err();
            2
        }
        Engine::MariaDb => {
            outcome.unwrap();
            4
        }
    };
    assert_eq!(count(&mut conn), Ok(rows));
    insert(&mut conn, 5).unwrap();
}

#[test]
fn a_read_that_a_standby_cancels_in_german_goes_to_another_node() {
    is_cancelled("de", "de_DE", "existiert nicht");
}

#[test]
fn a_read_that_a_standby_cancels_in_french_goes_to_another_node() {
    is_cancelled("fr", "fr_FR", "n'existe pas");
}

#[test]
fn a_read_that_a_standby_cancels_in_spanish_goes_to_another_node() {
    is_cancelled("es", "es_ES", "no existe");
}

fn is_cancelled(language: &'static str, locale: &str, absent: &str) {
    let world = with_language(language, || World::start(Engine::Postgres, 1));
    let Some(world) = world.filter(|world| world.speaks(locale, absent)) else { return };
    world.write(1);
    world.catch_up();
    let replica = world.database.replica_url(0).to_owned();
    execute(&replica, "ALTER SYSTEM SET max_standby_streaming_delay = 0");
    execute(&replica, "SELECT pg_reload_conf()");
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let sleeps = "CAST(pg_sleep(CASE WHEN pg_is_in_recovery() THEN 60 ELSE 0 END) AS text) = ''";
            posts::table.filter(sql::<Bool>(sleeps)).count().get_result::<i64>(&mut databases.session())
        });
        let is_asleep = "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        let mut asker = diesel::PgConnection::establish(&replica).unwrap();
        eventually("the read to run on the replica", || asker.batch_execute(is_asleep).is_ok());
        // Nobody may read the table while this is replayed.
        world.execute("ALTER TABLE posts ADD COLUMN body TEXT");
        assert_eq!(reader.join().unwrap(), Ok(1));
    });
    let status = databases.cluster("default").unwrap();
    assert_eq!(status.reads_retried, 1, "{status:?}");
}

fn a_database_that_is_not_there_is_told_from_a_server_that_refuses(engine: Engine) {
    let Some(world) = World::start(engine, 1).filter(World::speaks_german) else { return };
    let url = world.database.url();
    let (server, name) = url.rsplit_once('/').unwrap();
    let (name, rest) = name.split_at(name.find('?').unwrap_or(name.len()));
    let yaml = format!(
        "databases:\n  default: {{ url: '{server}/{name}{rest}' }}\n  gone: {{ url: '{server}/no_such_one{rest}' }}\n"
    );
    let config = router_diesel::config::Config::from_yaml(&yaml).unwrap();
    let lock = |alias: &str| {
        let database = config.database(alias).unwrap();
        router_diesel::tasks::lock::<router_diesel::AnyConnection>(database, Duration::ZERO)
    };
    drop(lock("default").unwrap());
    let error = lock("gone").unwrap_err();
    let router_diesel::tasks::LockError::Unreachable { is_absent: true, cause, .. } = &error else {
        panic!("{error}")
    };
    assert!(!cause.contains("does not exist") && !cause.contains("Unknown database"), "{cause}");
    assert!(error.to_string().ends_with("; `dbrouter create --database gone` makes it"), "{error}");
}

fn a_database_is_made_once_and_dropped_once(engine: Engine) {
    let Some(world) = World::start(engine, 1).filter(World::speaks_german) else { return };
    let (server, name) = world.database.url().rsplit_once('/').unwrap();
    let rest = name.find('?').map_or("", |at| &name[at..]);
    let yaml = format!("databases: {{ default: {{ url: '{server}/made_here{rest}' }} }}");
    let config = router_diesel::config::Config::from_yaml(&yaml).unwrap();
    let routing = router_diesel::Routing::new(config).unwrap();
    let tasks = || Tasks::<AnyConnection>::new(&routing);
    let made = || tasks().create().unwrap().on("default").cloned();
    let removal = || tasks().drop().unwrap().on("default").map(|dropped| dropped.removal.clone());
    assert!(matches!(removal(), Some(Removal::NotThere(_))));
    assert!(matches!(made(), Some(Created::Created(_))));
    assert!(matches!(made(), Some(Created::AlreadyThere(_))));
    assert!(matches!(removal(), Some(Removal::Dropped(_))));
    assert!(matches!(removal(), Some(Removal::NotThere(_))));
    // What a task says of a database that is gone names it, and not the server's words.
    let report = tasks().dump_schema().unwrap();
    let error = report.failures().next().unwrap();
    assert!(matches!(error, TaskError::Absent { .. }), "{error}");
}

/// "Cached plan must not change result type", in German: no read fails, whichever connection of a pool it meets.
#[test]
fn a_changed_column_breaks_no_read() {
    let Some(world) = World::start(Engine::Postgres, 1).filter(World::speaks_german) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    let boxed = |conn: &mut router_diesel::Session<AnyConnection>| {
        posts::table.into_boxed().filter(posts::id.eq(1)).select(posts::title).load::<String>(conn)
    };
    let read = |conn: &mut router_diesel::Session<AnyConnection>| {
        posts::table.select((posts::id, posts::title)).load::<(i32, String)>(conn)
    };
    let mut sessions: Vec<_> = (0..6).map(|_| databases.session()).collect();
    for width in [150, 75, 125] {
        for conn in &mut sessions {
            read(conn).unwrap();
            boxed(conn).unwrap();
            conn.scoped(router_diesel::Scope::writing(), |conn| read(conn).and_then(|_| boxed(conn)))
                .unwrap();
        }
        world.execute(&format!("ALTER TABLE posts ALTER COLUMN title TYPE VARCHAR({width})"));
        world.catch_up();
        for (number, conn) in sessions.iter_mut().enumerate() {
            assert_eq!(read(conn).unwrap().len(), 1, "session {number}");
            assert_eq!(boxed(conn).unwrap().len(), 1, "session {number}");
            let on_primary =
                conn.scoped(router_diesel::Scope::writing(), |conn| read(conn).and_then(|_| boxed(conn)));
            assert_eq!(on_primary.unwrap().len(), 1, "session {number}");
        }
    }
    // In a transaction the statement fails, as nothing may run twice there. The next one works.
    let mut conn = databases.session();
    let in_transaction =
        |conn: &mut router_diesel::Session<AnyConnection>| conn.transaction(|conn| read(conn));
    for _ in 0..3 {
        in_transaction(&mut conn).unwrap();
    }
    world.execute("ALTER TABLE posts ALTER COLUMN title TYPE VARCHAR(99)");
    in_transaction(&mut conn).unwrap_err();
    in_transaction(&mut conn).unwrap();
    // What fails by its own fault fails once, with its own error.
    let own = || posts::table.select(sql::<diesel::sql_types::Integer>("1 / (id - id)"));
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event
            && query.to_string().contains("id - id")
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    own().load::<i32>(&mut conn).unwrap_err();
    assert_eq!(counted.load(Ordering::Relaxed), 1);
}
