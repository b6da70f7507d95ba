//! What positions cost: by the servers' own count, no query where none is needed.

use diesel::prelude::*;
use router_diesel::{Databases, Session};

use crate::world::{Conn, Engine, PRIMARY, QUIET, World, count, insert, warm_up};

crate::on_servers!(each_position_is_asked_once, the_primary_among_its_replicas_is_asked_nothing);

/// The statements of a scene on the primary and on the replica. All connections are open already.
fn statements(world: &World, scene: impl FnOnce()) -> [Vec<String>; 2] {
    let marks = world.mark();
    scene();
    world.since(&marks).try_into().expect("a primary and a replica")
}

#[track_caller]
fn assert_kinds(statements: &[String], expected: &[&str]) {
    let kinds: Vec<&str> = statements
        .iter()
        .map(|sql| match sql {
            sql if sql.starts_with("INSERT") => "write",
            sql if sql.contains("posts") => "read",
            sql if sql.contains("AS value") => "position",
            _ => sql.as_str(),
        })
        .collect();
    assert_eq!(kinds, expected);
}

fn each_position_is_asked_once(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world.file().with(QUIET).replicas_with("pool: { validate_after: 10m }").build();
    warm_up(&databases);
    insert(&mut databases.session(), 1).unwrap();

    // A session that only writes asks no position.
    let [primary, replica] = statements(&world, || {
        let mut conn = databases.session();
        for id in 2..5 {
            insert(&mut conn, id).unwrap();
        }
    });
    assert_kinds(&primary, &["write"; 3]);
    assert_kinds(&replica, &[]);

    // Nor does one that only reads.
    let [primary, replica] = statements(&world, || {
        let mut conn = databases.session();
        for _ in 0..3 {
            count(&mut conn).unwrap();
        }
    });
    assert_kinds(&primary, &[]);
    assert_kinds(&replica, &["read"; 3]);

    // Write, then read on a replica: the primary is asked once, and the replica once.
    let mut token = None;
    let [primary, replica] = statements(&world, || {
        let mut conn = databases.session();
        for id in 5..7 {
            insert(&mut conn, id).unwrap();
        }
        world.catch_up();
        for _ in 0..3 {
            assert_eq!(count(&mut conn).unwrap(), 6);
        }
        token = Some(conn);
    });
    assert_kinds(&primary, &["write", "write", "position"]);
    assert_kinds(&replica, &["position", "read", "read", "read"]);

    // The token of a session that read from a replica asks that one.
    let mut conn: Session<Conn> = token.unwrap();
    let mut token = String::new();
    let [primary, replica] = statements(&world, || token = conn.token().unwrap());
    assert_kinds(&primary, &[]);
    assert_kinds(&replica, &["position"]);
    drop(conn);

    // What is cached does not cover it yet, perhaps; from then on it does, and nothing is asked.
    read_after(&databases, &token);
    let [primary, replica] = statements(&world, || {
        for _ in 0..3 {
            assert_eq!(read_after(&databases, &token), 6);
        }
    });
    assert_kinds(&primary, &[]);
    assert_kinds(&replica, &["read"; 3]);

    // A transaction that only reads, on a replica, is no use of the primary.
    let [primary, _] = statements(&world, || {
        let mut conn = databases.session();
        let twice: QueryResult<_> = conn.read_only_transaction(|conn| {
            let posts = crate::world::posts::table;
            Ok((conn.get_result::<_, i64>(posts.count())?, conn.get_result::<_, i64>(posts.count())?))
        });
        assert_eq!(twice.unwrap(), (6, 6));
        assert_eq!(count(&mut conn).unwrap(), 6);
    });
    assert_kinds(&primary, &[]);
}

fn read_after(databases: &Databases<Conn>, token: &str) -> i64 {
    count(&mut databases.session_after(token).unwrap()).unwrap()
}

fn the_primary_among_its_replicas_is_asked_nothing(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world.file().with(&format!("primary_reads: always, {QUIET}")).build();
    warm_up(&databases);
    // Of sessions in turn some keep the primary.
    let mut ids = 1..;
    let mut kept_primary = 0;
    for _ in 0..4 {
        let mut conn = databases.session();
        let marks = world.mark();
        count(&mut conn).unwrap();
        if world.reads_since(&marks)[PRIMARY] == 0 {
            continue;
        }
        kept_primary += 1;
        let [primary, replica] = statements(&world, || {
            for id in ids.by_ref().take(2) {
                insert(&mut conn, id).unwrap();
                count(&mut conn).unwrap();
            }
        });
        assert_kinds(&primary, &["write", "read", "write", "read"]);
        assert_kinds(&replica, &[]);
    }
    assert!((1..4).contains(&kept_primary), "{kept_primary} of 4 sessions");
}
