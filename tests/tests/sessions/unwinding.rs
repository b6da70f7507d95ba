//! A panic while a session is open: the program's own instrumentation is not called as the stack unwinds.
//!
//! It may lock a mutex that the test holds. A second panic would abort the process, and a second lock would wait for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection as _, set_default_instrumentation,
};
use diesel::prelude::*;
use router_diesel::{Databases, RoutedConnection, Session};

use crate::world::{Engine, World};

/// What instrumentation counts, in a mutex that a test may hold.
static COUNTED: Mutex<usize> = Mutex::new(0);

fn locks(_: InstrumentationEvent<'_>) {
    *COUNTED.lock().unwrap() += 1;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    Plain,
    Transaction,
    TestTransaction,
}

/// Panics with a session open and the mutex locked, which is then poisoned.
fn panics<C: RoutedConnection>(databases: &Databases<C>, scene: Scene, before: impl FnOnce(&mut Session<C>)) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut conn = databases.session();
        before(&mut conn);
        if scene == Scene::TestTransaction {
            conn.begin_test_transaction().unwrap();
        }
        let write = |conn: &mut Session<C>| {
            conn.batch_execute("INSERT INTO users (id, name) VALUES (1, 'a')")?;
            conn.batch_execute("UPDATE users SET name = 'b'")
        };
        if scene == Scene::Transaction {
            conn.transaction::<(), diesel::result::Error, _>(|conn| {
                write(conn)?;
                let _held = COUNTED.lock();
                panic!("a failed assertion");
            })
            .unwrap();
        }
        write(&mut conn).unwrap();
        let _held = COUNTED.lock();
        panic!("a failed assertion");
    }));
    assert!(outcome.is_err());
    COUNTED.clear_poison();
}

fn unwinds<C: RoutedConnection>(engine: Engine) {
    let Some(world) = World::<C>::start([engine; 3], "") else { return };
    let shared = world.rebuilt(|builder| builder.test_transactions());
    let empty = || world.on("default").batch_execute("DELETE FROM users").unwrap();
    const SCENES: [Scene; 3] = [Scene::Plain, Scene::Transaction, Scene::TestTransaction];
    for scene in SCENES {
        panics(&world.databases, scene, |conn| conn.set_instrumentation(locks));
        empty();
    }
    // What these write waits in a transaction of theirs.
    for scene in SCENES {
        panics(&shared, scene, |conn| conn.set_instrumentation(locks));
        shared.session().batch_execute("DELETE FROM users").unwrap();
    }
}

#[test]
fn sqlite_unwinds() {
    unwinds::<SqliteConnection>(Engine::Sqlite);
}

#[test]
fn postgres_unwinds() {
    unwinds::<PgConnection>(Engine::Postgres);
}

#[test]
fn mariadb_unwinds() {
    unwinds::<MysqlConnection>(Engine::MariaDb);
}

#[test]
fn the_default_instrumentation_is_spared_too() {
    fn default() -> Option<Box<dyn Instrumentation>> {
        Some(Box::new(locks))
    }
    set_default_instrumentation(default).unwrap();
    let Some(world) = World::<SqliteConnection>::start([Engine::Sqlite; 3], "") else { return };
    panics(&world.databases, Scene::Transaction, |_| {});
    panics(&world.databases, Scene::TestTransaction, |_| {});
}

#[test]
fn a_session_that_outlives_a_panic_reports_again() {
    let Some(world) = World::<SqliteConnection>::start([Engine::Sqlite; 3], "") else { return };
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    let mut conn = world.databases.session();
    conn.set_instrumentation(move |_: InstrumentationEvent<'_>| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        conn.transaction::<(), diesel::result::Error, _>(|conn| {
            conn.batch_execute("INSERT INTO users (id, name) VALUES (1, 'a')")?;
            counted.store(0, Ordering::Relaxed);
            panic!("a failed assertion");
        })
    }));
    assert!(outcome.is_err());
    assert_eq!(counted.load(Ordering::Relaxed), 0, "the rollback was silent");
    conn.batch_execute("INSERT INTO users (id, name) VALUES (1, 'a')").unwrap();
    assert!(counted.load(Ordering::Relaxed) > 0);
}
