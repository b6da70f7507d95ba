//! Sessions that wait for their replica, and that never see less than before.

use std::time::Duration;

use crate::world::{Engine, PRIMARY, QUIET, World, count, eventually, insert, warm_up};

crate::on_servers!(a_read_waits_for_its_replica, reads_of_a_session_never_go_back_in_time);

fn a_read_waits_for_its_replica(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world.file().with(&format!("wait_for_replica: 10s, {QUIET}")).build();
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
    // What another session wrote meanwhile, the replica does not show: it was not asked for it.
    assert_eq!(count(&mut databases.session()).unwrap(), 3);

    if engine == Engine::Postgres {
        // And with a delay of the server's own.
        world.resume(0);
        world.delay(Duration::from_millis(100));
        let databases = world.file().with(&format!("wait_for_replica: 10s, {QUIET}")).build();
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
