//! Where sessions meet: busy pools, statements that say little of themselves, servers that were never reached.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use router_tests::proxy::Proxy;

use crate::world::{Engine, LIVELY, QUIET, World, count, eventually, execute, insert, standing, warm_up};

crate::on_servers!(
    sessions_do_not_wait_for_each_other,
    a_new_connection_is_waited_for_however_long_it_takes,
    what_was_never_reached_was_not_used,
    a_setting_stays_with_its_connection,
);

fn sessions_do_not_wait_for_each_other(engine: Engine) {
    const TIMEOUT: Duration = Duration::from_secs(60);
    let Some(world) = World::start(engine, 2) else { return };
    let databases = world
        .file()
        .with("health: { interval: 10m, timeout: 10s }, pool: { max_size: 2, connection_timeout: 60s }")
        .replicas_with("pool: { max_size: 2, connection_timeout: 60s }")
        .build();
    warm_up(&databases);

    // Each has a connection to a replica and wants the primary's, or the other way round.
    let start = Instant::now();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (databases, barrier) = (&databases, &barrier);
            scope.spawn(move || {
                for round in 0..10 {
                    barrier.wait();
                    let mut conn = databases.session();
                    if thread % 2 == 0 {
                        count(&mut conn).unwrap();
                    }
                    std::thread::sleep(Duration::from_millis(2));
                    insert(&mut conn, round * 8 + thread).unwrap();
                    count(&mut conn).unwrap();
                }
            });
        }
    });
    assert!(start.elapsed() < TIMEOUT, "sessions waited for each other: {:?}", start.elapsed());

    // A busy replica is passed over while another node is free.
    let held: Vec<_> = (0..2)
        .flat_map(|replica| {
            let alias = format!("replica_{replica}");
            (0..2).map(|_| databases.connection(&alias).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    let start = Instant::now();
    let mut conn = databases.session();
    assert_eq!(count(&mut conn).unwrap(), 80);
    assert_eq!(conn.connected().map(|alias| alias.as_str()).collect::<Vec<_>>(), ["default"]);
    drop(databases.read(crate::world::posts::table).unwrap());
    assert!(start.elapsed() < TIMEOUT, "a busy replica was waited for: {:?}", start.elapsed());
    drop(held);

    // Where no other node may serve, it is waited for.
    let never = world
        .file()
        .with("primary_reads: never, health: { interval: 10m, timeout: 10s }")
        .replicas_with("pool: { max_size: 1, connection_timeout: 60s }")
        .build();
    let mut held: Vec<_> =
        ["replica_0", "replica_1"].into_iter().map(|alias| never.connection(alias).unwrap()).collect();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| count(&mut never.session()).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished());
        held.clear();
        assert_eq!(waiting.join().unwrap(), 80);
    });
}

/// A replica that has room for one more connection is not busy, though the others are in use and to connect takes long.
fn a_new_connection_is_waited_for_however_long_it_takes(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    world.write(1);
    world.catch_up();
    let proxy = Proxy::to(world.port(0)).unwrap();
    let mut file = world.file().with(QUIET);
    file.replicas[0] = proxy.url_through(&file.replicas[0]);
    let databases = file.build();
    warm_up(&databases);
    let _in_use = databases.connection("replica_0").unwrap();
    // Each piece of the handshake takes this time.
    proxy.delay(Duration::from_millis(40));
    let marks = world.mark();
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    assert_eq!(world.reads_since(&marks), [0, 1]);
    proxy.restore().unwrap();
}

fn what_was_never_reached_was_not_used(engine: Engine) {
    let Some(mut world) = World::start(engine, 2) else { return };
    execute(&world.file().primary, "INSERT INTO posts (id, title) VALUES (1, 'old')");
    world.catch_up();
    let databases = world.file().with(LIVELY).build();
    // Connections to both replicas wait in their pools.
    warm_up(&databases);
    let sessions: Vec<_> = (0..2)
        .map(|_| {
            let mut conn = databases.session();
            assert_eq!(count(&mut conn).unwrap(), 1);
            conn
        })
        .collect();
    drop(sessions);
    world.kill_primary();
    world.kill_replica(1);
    // Whichever of them is dead, the other serves: nothing was seen before.
    for _ in 0..4 {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }

    let mut conn = databases.session();
    assert_eq!(count(&mut conn).unwrap(), 1);
    eventually("no connection to the primary to be left", || {
        insert(&mut databases.session(), 2)
            .is_err_and(|error| error.to_string().contains("cannot be reached"))
    });
    assert!(insert(&mut conn, 2).is_err());
    // Nothing was written, so nothing is missing.
    assert_eq!(count(&mut conn).unwrap(), 1);
    let token = conn.token().unwrap();
    if engine == Engine::Postgres {
        assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), 1);
    }
    drop(conn);
    assert_ne!(standing(&databases, "replica_0").to_string(), "down");
}

fn a_setting_stays_with_its_connection(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    let set = match engine {
        Engine::Postgres => "SET lock_timeout = 1234",
        Engine::MariaDb => "SET @answer = 1234",
    };
    let marks = world.mark();
    let mut conn = databases.session();
    assert_eq!(count(&mut conn).unwrap(), 0);
    conn.batch_execute(set).unwrap();
    assert_eq!(count(&mut conn).unwrap(), 0);
    assert_eq!(count(&mut conn).unwrap(), 0);
    assert_eq!(world.reads_since(&marks), [2, 1]);
    // With the connection, what was set on it is gone.
    conn.release();
    assert_eq!(count(&mut conn).unwrap(), 0);
    assert_eq!(world.reads_since(&marks), [2, 2]);
}

#[test]
fn a_function_may_write_without_a_table() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    execute(
        &world.file().primary,
        "CREATE FUNCTION add_post(integer) RETURNS integer LANGUAGE sql AS \
         $$ INSERT INTO posts (id, title) VALUES ($1, 'by a function'); SELECT $1 $$",
    );
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    world.pause(0);
    define_sql_function! { fn add_post(id: Integer) -> Integer; }
    for id in 1..=3 {
        let mut conn = databases.session();
        match id {
            1 => assert_eq!(diesel::select(add_post(id)).get_result::<i32>(&mut conn).unwrap(), id),
            2 => conn.batch_execute("SELECT add_post(2)").unwrap(),
            _ => conn
                .transaction(|conn| diesel::select(add_post(id)).get_result::<i32>(conn).map(drop))
                .unwrap(),
        }
        assert_eq!(count(&mut conn).unwrap(), i64::from(id));
        let token = conn.token().unwrap();
        assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), i64::from(id));
    }
    assert_eq!(count(&mut databases.session()).unwrap(), 0);
}

#[test]
fn what_is_written_past_a_session_can_be_told_to_one() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    world.pause(0);
    execute(&world.file().primary, "INSERT INTO posts (id, title) VALUES (1, 'by another tool')");
    let mut conn = databases.session();
    assert_eq!(count(&mut conn).unwrap(), 0);
    conn.written_elsewhere("default").unwrap();
    assert_eq!(count(&mut conn).unwrap(), 1);
    let token = conn.token().unwrap();
    assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), 1);
    assert_eq!(count(&mut databases.session_on_primaries()).unwrap(), 1);
    assert!(conn.written_elsewhere("defualt").unwrap_err().to_string().contains("did you mean `default`"));
}
