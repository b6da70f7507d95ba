//! Sessions that wait for their replica, and that never see less than before.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use router_diesel::cluster::{Balance, Candidate};

use crate::world::{Engine, PRIMARY, QUIET, World, count, eventually, explained, insert, warm_up};

crate::on_servers!(a_read_waits_for_its_replica, reads_of_a_session_never_go_back_in_time);

fn a_read_waits_for_its_replica(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world.file().with(&format!("wait_for_replica: 1m, {QUIET}")).build();
    warm_up(&databases);
    let marks = world.mark();
    for id in 1..=3 {
        let mut conn = databases.session();
        world.pause(0);
        insert(&mut conn, id).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                world.resume(0);
            });
            assert_eq!(count(&mut conn).unwrap(), i64::from(id));
        });
    }
    assert_eq!(world.reads_since(&marks), [0, 3]);

    // Not for ever.
    let databases = world.file().with(&format!("wait_for_replica: 50ms, {QUIET}")).build();
    warm_up(&databases);
    world.pause(0);
    let marks = world.mark();
    let mut conn = databases.session();
    insert(&mut conn, 4).unwrap();
    assert_eq!(count(&mut conn).unwrap(), 4);
    assert_eq!(world.reads_since(&marks), [1, 0]);
    // Whoever goes on from there is told how far the replica is.
    let next = databases.session_after(conn.token().unwrap()).unwrap();
    let text = explained(&next);
    assert!(text.contains("replica_0 may serve it: if it is no longer behind by "), "{text}");
    // What another session wrote meanwhile, the replica does not show: it was not asked for it.
    assert_eq!(count(&mut databases.session()).unwrap(), 3);

    if engine == Engine::Postgres {
        // And with a delay of the server's own.
        world.resume(0);
        world.delay(Duration::from_millis(100));
        let databases = world.file().with(&format!("wait_for_replica: 1m, {QUIET}")).build();
        warm_up(&databases);
        let marks = world.mark();
        let mut conn = databases.session();
        insert(&mut conn, 5).unwrap();
        assert_eq!(count(&mut conn).unwrap(), 5);
        assert_eq!(world.reads_since(&marks), [0, 1]);
    }
}

fn reads_of_a_session_never_go_back_in_time(engine: Engine) {
    let Some(mut world) = World::start(engine, 2) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);

    // A session keeps one replica, and sessions take them in turn.
    let mut served = [0; 2];
    for _ in 0..4 {
        let marks = world.mark();
        let mut conn = databases.session();
        for _ in 0..5 {
            count(&mut conn).unwrap();
        }
        match world.reads_since(&marks)[..] {
            [0, 5, 0] => served[0] += 1,
            [0, 0, 5] => served[1] += 1,
            ref other => panic!("{other:?}"),
        }
    }
    assert_eq!(served, [2, 2]);

    world.pause(1);
    world.write(2);
    let ahead = || {
        let mut conn = databases.session();
        (count(&mut conn).unwrap() == 2).then_some(conn)
    };
    let mut on_the_first = Vec::new();
    eventually("three sessions to read from the replica that goes on", || {
        on_the_first.extend(ahead());
        on_the_first.len() == 3
    });
    let mut drained = on_the_first.pop().unwrap();
    let mut lost = on_the_first.pop().unwrap();
    let token = on_the_first.pop().unwrap().token().unwrap();

    databases.drain("replica_0").unwrap();
    let marks = world.mark();
    assert_eq!(count(&mut databases.session()).unwrap(), 1, "the other replica is late");
    assert_eq!(count(&mut drained).unwrap(), 2);
    assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), 2);
    let served = world.reads_since(&marks);
    assert_eq!(served, [2, 0, 1]);
    databases.undrain("replica_0").unwrap();

    // The same where the replica dies.
    world.kill_replica(0);
    let marks = world.mark();
    assert_eq!(count(&mut lost).unwrap(), 2);
    assert_eq!(count(&mut databases.session_after(&token).unwrap()).unwrap(), 2);
    assert_eq!(world.reads_since(&marks)[PRIMARY], 2);
}

/// A policy that a test turns to where it wants to.
#[derive(Debug, Clone)]
struct Preferred(Arc<Mutex<&'static str>>);

impl Balance for Preferred {
    fn pick(&self, candidates: &[Candidate]) -> usize {
        let preferred = *self.0.lock().unwrap();
        candidates.iter().position(|candidate| candidate.alias() == preferred).unwrap_or(0)
    }
}

/// What a lost replica showed is not forgotten where the primary, next in turn, fails for a moment too.
#[test]
fn two_losses_in_a_row_take_no_read_back_in_time() {
    let Some(mut world) = World::start(Engine::Postgres, 2) else { return };
    world.write(1);
    world.catch_up();
    let preferred = Preferred(Arc::new(Mutex::new("replica_0")));
    let prefer = |alias| *preferred.0.lock().unwrap() = alias;
    let file = world.file().with(&format!("primary_reads: always, {QUIET}"));
    let databases = file.builder().balance("default", preferred.clone()).build().unwrap();
    warm_up(&databases);
    prefer("default");
    count(&mut databases.session()).unwrap();
    prefer("replica_0");
    world.pause(1);
    world.write(2);
    let mut conn = databases.session();
    eventually("the row to be on its replica", || count(&mut conn).unwrap() == 2);

    databases.drain("replica_0").unwrap();
    // The connection to the primary, which is free, dies, and the primary is back.
    world.kill_primary();
    world.restart_primary();
    prefer("default");
    let marks = world.mark();
    assert_eq!(count(&mut conn).unwrap(), 2);
    assert_eq!(world.reads_since(&marks), [1, 0, 0]);
    assert!(databases.cluster("default").unwrap().reads_retried > 0, "the connection was not lost");
}
