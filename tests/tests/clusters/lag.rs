//! Replicas that are too late, or not there at all.

use std::time::{Duration, Instant};

use router_diesel::cluster::Standing;

use crate::world::{
    CONNECTION_TIMEOUT, Engine, LIVELY, PRIMARY, World, count, eventually, explained, node, standing,
};

crate::on_servers!(a_replica_that_lags_serves_nothing, dead_replicas_delay_no_boot);

fn a_replica_that_lags_serves_nothing(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let databases = world
        .file()
        .with("health: { interval: 250ms, timeout: 250ms, ban: 200ms }")
        .replicas_with("max_lag: 1s")
        .build();
    // Nothing is known before the first answer, and unknown is too much.
    let unknown = standing(&databases, "replica_0");
    assert_eq!(unknown, Standing::LagUnknown { limit: Duration::from_secs(1) });
    assert_eq!(unknown.to_string(), "lag unknown, max_lag is 1 s");
    let marks = world.mark();
    count(&mut databases.session()).unwrap();
    assert_eq!(world.reads_since(&marks), [1, 0]);
    let up = || standing(&databases, "replica_0") == Standing::Up;
    let read_by = |what, expected: [usize; 2]| {
        eventually(what, || {
            let marks = world.mark();
            count(&mut databases.session()).unwrap();
            world.reads_since(&marks) == expected
        })
    };
    eventually("the lag to be known", up);
    read_by("the replica to serve", [0, 1]);
    let lag = || node(&databases, "replica_0").lag;
    eventually("the lag to be short", || lag().is_some_and(|lag| lag < Duration::from_secs(1)));

    // A primary without writes leaves nobody behind. On a busy machine an answer may be late, and is followed by others.
    world.pause(0);
    std::thread::sleep(Duration::from_millis(1_500));
    eventually("the replica to be up though it is paused", up);

    world.write(1);
    let mut status = node(&databases, "replica_0");
    eventually("the replica to lag", || {
        status = node(&databases, "replica_0");
        matches!(status.standing, Standing::Lagging { .. })
    });
    assert!(status.lag.unwrap() > Duration::from_secs(1), "{status:?}");
    let Standing::Lagging { lag, .. } = status.standing else { unreachable!("it was waited for") };
    assert!(lag > Duration::from_secs(1), "{status:?}");
    let text = status.standing.to_string();
    // In tenths of a second, rounded up.
    assert_eq!(text, format!("lagging {} s > 1 s", (lag.as_secs_f64() * 10.0).ceil() / 10.0));
    let text = explained(&databases.session());
    assert!(text.contains("default serves it: no replica may"), "{text}");
    assert!(text.contains("replica_0 does not: lagging ") && text.contains(" > 1 s"), "{text}");
    let marks = world.mark();
    for _ in 0..5 {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
    assert_eq!(world.reads_since(&marks), [5, 0]);

    world.resume(0);
    eventually("the replica to be fresh", up);
    read_by("the replica to serve again", [0, 1]);
}

fn dead_replicas_delay_no_boot(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    world.write(1);
    world.catch_up();
    let dead = |number: usize| {
        let alive = world.database.replica_url(0);
        let port = router_tests::free_port().unwrap();
        assert_ne!(port, world.port(0), "{number}");
        alive.replace(&format!(":{}/", world.port(0)), &format!(":{port}/"))
    };
    for replicas in [vec![dead(0), dead(1)], vec![dead(0), world.database.replica_url(0).to_owned()]] {
        let serves = if replicas[1] == world.database.replica_url(0) { 1 } else { PRIMARY };
        let mut file = world.file().with(LIVELY);
        file.replicas = replicas;
        let databases = file.build();
        let marks = world.mark();
        for _ in 0..4 {
            let start = Instant::now();
            assert_eq!(count(&mut databases.session()).unwrap(), 1);
            assert!(start.elapsed() < CONNECTION_TIMEOUT / 2, "{:?}", start.elapsed());
        }
        let served = world.reads_since(&marks);
        assert_eq!((served[serves], served.iter().sum::<usize>()), (4, 4), "{served:?}");
        eventually("the dead to be known", || {
            let dead = standing(&databases, "replica_0");
            assert!(!dead.to_string().contains('\n'), "{dead}");
            // The last that might serve is never banned.
            matches!(dead, Standing::Banned { .. } | Standing::Suspect { .. })
        });
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
}
