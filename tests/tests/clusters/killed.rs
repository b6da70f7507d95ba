//! Servers that die by SIGKILL, and come back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use router_diesel::cluster::Standing;
use router_tests::PASSWORD;

use crate::world::{
    CONNECTION_TIMEOUT, Engine, LIVELY, PRIMARY, World, count, eventually, insert, standing, warm_up,
};

crate::on_servers!(no_read_fails_while_a_replica_is_killed, reads_go_on_without_the_primary,);

fn no_read_fails_while_a_replica_is_killed(engine: Engine) {
    const THREADS: usize = 4;
    /// That of the file, which is the default.
    const INTERVAL: Duration = Duration::from_secs(1);
    let Some(mut world) = World::start(engine, 2) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().build();
    warm_up(&databases);
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let longest = Mutex::new(Duration::ZERO);
    let marks = world.mark();
    std::thread::scope(|scope| {
        // Ends the readers however the scene ends.
        let end = SetWhenDropped(&done);
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut conn = databases.session();
                    for _ in 0..10 {
                        let start = Instant::now();
                        match count(&mut conn) {
                            Ok(1) => {}
                            outcome => failures.lock().unwrap().push(format!("{outcome:?}")),
                        }
                        let mut longest = longest.lock().unwrap();
                        *longest = start.elapsed().max(*longest);
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let wait_for_reads = |count| {
            let until = reads.load(Ordering::Relaxed) + count;
            eventually("more reads", || reads.load(Ordering::Relaxed) >= until);
        };
        wait_for_reads(200);
        let served = world.reads_since(&marks);
        assert!(served[PRIMARY] == 0 && served[1] > 20 && served[2] > 20, "{served:?}");

        world.kill_replica(0);
        wait_for_reads(400);
        world.restart_replica(0);
        let marks = world.mark();
        let back = eventually("the replica to serve again", || world.reads_since(&marks)[1] > 0);
        // A probe may have just failed, and so a ban of the same length just begun; and the machine may be busy.
        let allowed = INTERVAL + INTERVAL + Duration::from_secs(1);
        assert!(back <= allowed, "back after {back:?}");
        wait_for_reads(200);
        drop(end);
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {reads:?} reads failed: {:?}", failures.len(), failures.first());
    // Nobody waits for a connection that cannot come.
    let longest = longest.into_inner().unwrap();
    assert!(longest < Duration::from_secs(2), "a read took {longest:?}");
    let status = databases.cluster("default").unwrap();
    assert!(status.reads_retried > 0, "{status:?}");
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn reads_go_on_without_the_primary(engine: Engine) {
    let Some(mut world) = World::start(engine, 2) else { return };
    let databases = world.file().with(LIVELY).replicas_with("max_lag: 2s").build();
    warm_up(&databases);
    // Another process, as it were, that reads from the primary too.
    let always = world.file().with(&format!("primary_reads: always, {LIVELY}")).build();
    for _ in 0..2 {
        warm_up(&always);
    }
    let mut writer = databases.session();
    insert(&mut writer, 1).unwrap();
    let token = writer.token().unwrap();
    let mut reader = databases.session();
    world.catch_up();
    assert_eq!(count(&mut reader).unwrap(), 1);
    eventually("the replicas to be known as fresh", || {
        ["replica_0", "replica_1"].iter().all(|it| standing(&databases, it) == Standing::Up)
    });

    world.kill_primary();
    let write = || {
        let start = Instant::now();
        let error = insert(&mut databases.session(), 2).unwrap_err().to_string();
        assert!(start.elapsed() < CONNECTION_TIMEOUT, "{error} after {:?}", start.elapsed());
        assert!(error.contains("`default`") && !error.contains(PASSWORD), "{error}");
        error
    };
    // Nobody has noticed yet.
    let failed = |databases: &router_diesel::Databases<_>| {
        (0..12).filter_map(|_| count(&mut databases.session()).err()).map(|it| it.to_string()).next()
    };
    assert_eq!(failed(&always), None);
    // The first may meet a connection that has died; then it is the server that is missed.
    write();
    for _ in 0..3 {
        let error = write();
        assert!(error.contains("`default` cannot be reached"), "{error}");
    }
    let read = |conn: &mut router_diesel::Session<_>| assert_eq!(count(conn).unwrap(), 1);
    let read_all = |reader: &mut router_diesel::Session<_>| {
        for _ in 0..10 {
            read(&mut databases.session());
            read(&mut databases.session_after(&token).unwrap());
            read(reader);
        }
    };
    read_all(&mut reader);
    // Replicas of a dead primary fall no further behind.
    eventually(
        "the primary to be long down",
        || matches!(standing(&databases, "default"), Standing::Down { elapsed, .. } if elapsed > Duration::from_millis(2_500)),
    );
    read_all(&mut reader);
    // A process that never met the primary: PostgreSQL's replicas tell themselves whether they are of the token's
    // history, MariaDB's do not.
    let late = world.file().with(LIVELY).build();
    read(&mut late.session());
    let seen = count(&mut late.session_after(&token).unwrap());
    match engine {
        Engine::Postgres => assert_eq!(seen.unwrap(), 1),
        Engine::MariaDb => {
            let error = seen.unwrap_err().to_string();
            assert!(error.contains("`default` cannot be reached"), "{error}");
        }
    }
    // Whoever wrote and took no position since is not shown less.
    let mut unsure = databases.session();
    assert!(insert(&mut unsure, 2).is_err());

    world.restart_primary();
    eventually("a write to succeed", || insert(&mut unsure, 2).is_ok());
    world.catch_up();
    assert_eq!(count(&mut unsure).unwrap(), 2);
    // The session's own connection to the primary died long ago.
    assert_eq!(insert(&mut writer, 3).map_err(|error| error.to_string().contains("`default`")), Err(true));
    insert(&mut writer, 3).unwrap();
    assert_eq!(count(&mut writer).unwrap(), 3);
    eventually("the primary to be up", || standing(&databases, "default") == Standing::Up);

    // One that only asks for its position there finds a new one by itself.
    let mut asker = databases.session();
    insert(&mut asker, 4).unwrap();
    world.kill_primary();
    world.restart_primary();
    // An attempt to connect that fell into the outage may have failed just now: check-outs then fail for a moment.
    eventually("the primary to be reached again", || databases.connection("default").is_ok());
    assert_eq!(count(&mut asker).unwrap(), 4);
}
