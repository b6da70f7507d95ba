//! A replica that does not answer, one that is cut off, and one whose name nobody knows.

use std::time::{Duration, Instant};

use router_diesel::ErrorKind;
use router_diesel::cluster::Standing;
use router_tests::PASSWORD;
use router_tests::proxy::Proxy;

use crate::world::{
    CONNECTION_TIMEOUT, Engine, HASTY, LIVELY, World, count, eventually, insert, kind, standing, warm_up,
};

crate::on_servers!(a_replica_that_hangs_is_left_alone, a_name_that_nobody_knows_is_an_error_that_says_so);

fn a_replica_that_hangs_is_left_alone(engine: Engine) {
    let Some(world) = World::start(engine, 2) else { return };
    world.write(1);
    world.catch_up();
    let proxy = Proxy::to(world.port(0)).unwrap();
    let mut file = world.file().with(HASTY);
    file.replicas[0] = proxy.url_through(&file.replicas[0]);
    let databases = file.build();
    warm_up(&databases);
    let is_banned = || matches!(standing(&databases, "replica_0"), Standing::Banned { .. });
    let read_all = |expected: [usize; 3]| {
        // On a busy machine a replica that is well may answer a probe late and be passed over for a while.
        eventually("all reads to go where they belong", || {
            let marks = world.mark();
            for _ in 0..expected.iter().sum() {
                let start = Instant::now();
                assert_eq!(count(&mut databases.session()).unwrap(), 1);
                assert!(start.elapsed() < CONNECTION_TIMEOUT / 2, "a read took {:?}", start.elapsed());
            }
            let served = world.reads_since(&marks);
            assert!(expected[1] > 0 || served[1] == 0, "the replica that hangs served: {served:?}");
            served == expected
        });
    };
    let serves_again = |what: &str| {
        eventually(what, || {
            let marks = world.mark();
            for _ in 0..2 {
                assert_eq!(count(&mut databases.session()).unwrap(), 1);
            }
            world.reads_since(&marks) == [0, 1, 1]
        });
    };
    read_all([0, 5, 5]);

    for _ in 0..2 {
        proxy.stall().unwrap();
        let banned = eventually("the replica to be banned", is_banned);
        // The interval, then a question and a second one, of 500 ms each; and as much again for a busy machine.
        assert!(banned < Duration::from_secs(3), "banned after {banned:?}");
        let reason = standing(&databases, "replica_0").to_string();
        assert!(reason.contains("it gave no answer for 500ms"), "{reason}");
        read_all([0, 0, 10]);
        proxy.restore().unwrap();
        serves_again("the replica to serve after a stall");
    }
    proxy.cut();
    // The first that meet it go elsewhere, and then nobody tries it.
    read_all([0, 0, 10]);
    eventually("the replica to be banned", is_banned);
    read_all([0, 0, 10]);
    proxy.restore().unwrap();
    serves_again("the replica to serve after a cut");
}

fn a_name_that_nobody_knows_is_an_error_that_says_so(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    world.write(1);
    world.catch_up();
    let nowhere = |url: &str| {
        let (before, rest) = url.split_once("@127.0.0.1:").unwrap();
        format!("{before}@nosuchhost.invalid:{rest}")
    };
    let mut file = world.file().with(LIVELY);
    file.replicas.insert(0, nowhere(world.database.replica_url(0)));
    let databases = file.build();
    for _ in 0..4 {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
    let error = databases.connection("replica_0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let text = error.to_string();
    assert!(text.contains("`replica_0` cannot be reached") && text.contains("nosuchhost.invalid"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    eventually("the standing to say so", || {
        let text = standing(&databases, "replica_0").to_string();
        assert!(!text.contains(PASSWORD), "{text}");
        text.starts_with("banned") && text.contains("nosuchhost.invalid")
    });

    let mut file = world.file().with(LIVELY);
    file.primary = nowhere(world.database.url());
    let databases = file.build();
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    let error = insert(&mut databases.session(), 2).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Unreachable));
    let text = error.to_string();
    assert!(text.contains("`default` cannot be reached") && !text.contains(PASSWORD), "{text}");
}
