//! Scenarios of lag, roles and what time alone changes.

use super::*;

#[test]
fn a_replica_that_is_a_primary_serves_no_reads() {
    check(
        "a b never",
        "
        1s    a  primary@1 -> not tested yet | is a primary, not a replica | not tested yet => b [drop a]
        2s    b  primary@1 -> not tested yet | is a primary, not a replica | is a primary, not a replica => [drop b]
        3s    b  refused   -> not tested yet | is a primary, not a replica | is a primary, not a replica =>
        4s    a  replica@1 -> not tested yet | up | is a primary, not a replica => a
        5s    b  unknown@1 -> not tested yet | up | up => a b
        ",
    );
}

#[test]
fn a_replica_of_another_cluster_serves_no_reads() {
    check(
        "a b",
        "
        1s    a  replica@9/1/7 -> not tested yet | up | not tested yet => a b then p
        1.1s  b  replica@7     -> not tested yet | up | up => a b then p
        1.2s  p  primary@7     -> up | is of another cluster than its primary | up => b then p [drop a]
        2s    a  refused       -> up | is of another cluster than its primary | up => b then p
        3.1s  a  replica@9/1/8 -> up | is of another cluster than its primary | up => b then p
        3.2s  a  replica@?     -> up | is of another cluster than its primary | up => b then p
        4s    a  replica@5     -> up | up | up => a b then p
        5s    a  replica@9/1/9 -> up | is of another cluster than its primary | up => b then p [drop a]
        6s    a  primary@9/1/9 -> up | is a primary, not a replica | up => b then p
        7s    a  drain         -> up | drained | up => b then p
        ",
    );
    // Not even as the last; what the primary said last counts, also when it is down or says no more.
    check(
        "a never",
        "
        1s    p  primary@7     -> up | not tested yet => a
        1.5s  p  refused       -> down for 0 ms: refused | not tested yet => a
        2s    a  replica@9/1/7 -> down for 500 ms: refused | is of another cluster than its primary => [drop a]
        3s    p  primary@?     -> up | is of another cluster than its primary =>
        4s    p  primary@9/1/8 -> up | up => a
        ",
    );
    // The primary moves, and its replicas do not.
    check(
        "a",
        "
        1s    p  primary@7     -> up | not tested yet => a then p
        1.1s  a  replica@7     -> up | up => a then p
        2s    p  primary@9/1/7 -> up | is of another cluster than its primary => p [drop a]
        2.1s  a  replica@9/1/7 -> up | up => a then p
        ",
    );
}

#[test]
fn another_timeline_is_no_other_cluster() {
    check(
        "a b:1s",
        "
        1s    p  primary@3/9 -> up | not tested yet | lag unknown, max_lag is 1 s => a then p
        1.1s  a  replica@2/9 -> up | up | lag unknown, max_lag is 1 s => a then p
        1.2s  b  replica@2/9 -> up | up | lag unknown, max_lag is 1 s => a then p
        ",
    );
}

#[test]
fn a_promoted_replica_is_not_held_to_its_old_lag() {
    check(
        "a:1s",
        "
        1s    p  primary@100   -> up | lag unknown, max_lag is 1 s => p
        1.1s  a  replica@100   -> up | up => a then p
        2s    p  primary@200   -> up | up => a then p
        2.2s                   -> up | lagging 1.2 s > 1 s => p
        3s    a  primary@2/100 -> up | is a primary, not a replica => p [drop a]
        3.1s  p  replica@2/100 -> is a replica, not a primary | is a primary, not a replica => p
        4s    p  primary@2/300 -> up | is a primary, not a replica => p
        4.1s  a  replica@2/300 -> up | up => a then p
        ",
    );
}

#[test]
fn a_primary_that_is_a_replica_is_noted() {
    check(
        "a",
        "
        1s    p  replica@1 -> is a replica, not a primary | not tested yet => a then p
        2s    a  refused   -> is a replica, not a primary | banned for 1 s more: refused => p [drop a]
        3s    p  primary@1 -> up | banned until it answers: refused => p
        ",
    );
}

#[test]
fn unknown_lag_is_too_much_lag() {
    check(
        "a:1s b",
        "
        0s                   -> not tested yet | lag unknown, max_lag is 1 s | not tested yet => b then p
        1s    a  replica@7   -> not tested yet | lag unknown, max_lag is 1 s | not tested yet => b then p
        1.1s  p  primary@7   -> up | up | not tested yet => a b then p
        1.2s  a  replica@?   -> up | lag unknown, max_lag is 1 s | not tested yet => b then p
        1.3s  a  replica@7   -> up | up | not tested yet => a b then p
        1.4s  a  replica@2/9 -> up | lag unknown, max_lag is 1 s | not tested yet => b then p
        1.5s  a  replica@7   -> up | up | not tested yet => a b then p
        1.6s  p  primary@2/9 -> up | lag unknown, max_lag is 1 s | not tested yet => b then p
        1.7s  a  replica@2/9 -> up | up | not tested yet => a b then p
        1.8s  p  primary@?   -> up | lag unknown, max_lag is 1 s | not tested yet => b then p
        ",
    );
    // A limit is a promise: it holds for the last target too.
    check("a:1s never", "0s -> not tested yet | lag unknown, max_lag is 1 s =>");
}

#[test]
fn a_lag_beyond_its_limit_is_told_and_ends() {
    check(
        "a:1s b:10s",
        "
        1s    p  primary@100 -> up | lag unknown, max_lag is 1 s | lag unknown, max_lag is 10 s => p
        1s    a  replica@100 -> up | up | lag unknown, max_lag is 10 s => a then p
        1s    b  replica@100 -> up | up | up => a b then p
        2s    p  primary@200 -> up | up | up => a b then p
        2s    a  replica@150 -> up | up | up => a b then p
        2.01s                -> up | lagging 1.1 s > 1 s | up => b then p
        3s    p  primary@300 -> up | lagging 2 s > 1 s | up => b then p
        3.1s  a  replica@199 -> up | lagging 2.1 s > 1 s | up => b then p
        3.2s  a  replica@200 -> up | lagging 1.2 s > 1 s | up => b then p
        3.3s  a  replica@300 -> up | up | up => a b then p
        3.4s  a  replica@100<3.1s -> up | up | up => a b then p
        ",
    );
}

#[test]
fn a_dead_primary_is_followed_by_nobody_and_reads_go_on() {
    check(
        "a:1s",
        "
        1s    p  primary@100 -> up | lag unknown, max_lag is 1 s => p
        1s    a  replica@100 -> up | up => a then p
        1.2s  p  refused     -> down for 0 ms: refused | up => a then p
        60s   a  replica@100 -> down for 58.8 s: refused | up => a then p
        61s   p  primary@180 -> up | up => a then p
        61.4s a  replica@180 -> up | up => a then p
        61.6s                -> up | up => a then p
        62.1s                -> up | lagging 1.1 s > 1 s => p
        ",
    );
    // It hangs: by the time that this is known, no limit has passed.
    check(
        "a:1s",
        "
        1s    p  primary@100 -> up | lag unknown, max_lag is 1 s => p
        1s    a  replica@99  -> up | lag unknown, max_lag is 1 s => p
        1.25s a  replica@100 -> up | up => a then p
        1.5s  p  silent      -> suspect: silent | up => a then p [probe in 0 ms]
        1.75s p  silent      -> down for 0 ms: silent | up => a then p
        60s                  -> down for 58.3 s: silent | up => a then p
        ",
    );
    // One that was behind when the primary died is behind what is there to be read until it has caught up.
    check(
        "a:1s",
        "
        1s    p  primary@100 -> up | lag unknown, max_lag is 1 s => p
        1s    a  replica@100 -> up | up => a then p
        3s    p  primary@200 -> up | lagging 2 s > 1 s => p
        3.1s  p  refused     -> down for 0 ms: refused | lagging 2 s > 1 s => p
        9s    a  replica@199 -> down for 5.9 s: refused | lagging 2 s > 1 s => p
        10s   a  replica@200 -> down for 6.9 s: refused | up => a then p
        ",
    );
}

#[test]
fn a_primary_that_takes_writes_is_not_dead_to_lag_because_its_probe_fails() {
    check(
        "a:1s",
        "
        1s    p  primary@100 -> up | lag unknown, max_lag is 1 s => p
        1s    a  replica@100 -> up | up => a then p
        1.2s  p  silent      -> suspect: silent | up => a then p [probe in 0 ms]
        1.4s  p  silent      -> down for 0 ms: silent | up => a then p
        1.5s  p  served      -> up | up => a then p
        2.2s                 -> up | lagging 1.2 s > 1 s => p
        ",
    );
}

#[test]
fn operators_take_the_primary_or_the_replicas_out_of_use() {
    check(
        "a b:1s offline=primary",
        "
        0s                 -> offline by configuration | not tested yet | not tested yet => a b
        1s    b  replica@? -> offline by configuration | not tested yet | up => a b
        ",
    );
    check(
        "a b:1s never offline=replicas",
        "
        0s                 -> not tested yet | offline by configuration | offline by configuration => p
        1s    a  replica@1 -> not tested yet | offline by configuration | offline by configuration => p
        2s    p  refused   -> down for 0 ms: refused | offline by configuration | offline by configuration => p
        ",
    );
}

#[test]
fn an_idle_cluster_does_not_lag() {
    let mut health = cluster("a:10s b:10s");
    let answer = |role, at, sent_at| {
        Event::Probed(Observation { role, position: Some(Spot { cluster: 1, timeline: 1, at }), sent_at })
    };
    for second in 1..100 {
        let now = Duration::from_secs(second);
        health.handle(now, NodeId::new(1), answer(Role::Replica, 7, now));
        health.handle(now, PRIMARY, answer(Role::Primary, 7, now));
        health.handle(now, NodeId::new(2), answer(Role::Replica, 6, now));
        for later in [0, 999, 1_200] {
            assert_eq!(health.lag(now + Duration::from_millis(later), NodeId::new(1)), Some(Duration::ZERO));
        }
        assert_eq!(health.lag(now, NodeId::new(2)), None);
    }
    // Nobody answers any more, and nobody says that the primary is down.
    assert_eq!(health.lag(Duration::from_secs(105), NodeId::new(1)), Some(Duration::from_secs(6)));
    assert_eq!(health.lag(Duration::from_secs(105), NodeId::new(9)), None);
}

#[test]
fn a_busy_replica_within_its_limit_never_seems_to_lag() {
    // The primary writes all the time, and its replica is 100 ms behind; both are asked at the same times.
    let mut health = cluster("a:1s");
    let Pace { interval, timeout } = health.pace();
    assert_eq!((interval, timeout), (Duration::from_millis(250), Duration::from_millis(250)));
    for tick in 1..1_000_u32 {
        let now = interval * tick;
        let written = u64::from(tick) * 250;
        let answer = |role, at| {
            Event::Probed(Observation {
                role,
                position: Some(Spot { cluster: 1, timeline: 1, at }),
                sent_at: now,
            })
        };
        health.handle(now + Duration::from_millis(20), PRIMARY, answer(Role::Primary, written));
        assert!(tick < 3 || health.view(now + Duration::from_millis(20)).standings[1] == Standing::Up);
        health.handle(now + Duration::from_millis(30), NodeId::new(1), answer(Role::Replica, written - 100));
        assert!(tick < 3 || health.view(now + interval).standings[1] == Standing::Up);
    }
}

#[test]
fn time_alone_changes_standings_when_it_was_said() {
    let mut health = cluster("a:1s b");
    assert_eq!(health.next_change(Duration::ZERO), None);
    health.handle(seconds("1s"), PRIMARY, event(seconds("1s"), "primary@1"));
    health.handle(seconds("1.1s"), NodeId::new(1), event(seconds("1.1s"), "replica@1"));
    health.handle(seconds("1.5s"), NodeId::new(2), event(seconds("1.5s"), "refused"));
    let limit = health.next_change(seconds("1.5s")).unwrap();
    assert_eq!(limit, seconds("2s") + Duration::from_nanos(1));
    assert_eq!(health.settle(seconds("2s")).changes, []);
    let change = &health.settle(limit).changes[..];
    assert!(
        matches!(change, [Change { node: late, from: Standing::Up, to: Standing::Lagging { .. } }] if *late == node("a")),
        "{change:?}"
    );
    assert_eq!(health.next_change(limit), Some(seconds("2.5s")));
    assert_eq!(health.next_change(seconds("2.5s")), None);
}

#[test]
fn a_node_that_is_not_there_is_of_no_consequence() {
    let mut health = cluster("a");
    assert_eq!(health.handle(Duration::ZERO, NodeId::new(7), Event::Drain), Actions::default());
    assert_eq!(health.view(Duration::ZERO).standings.len(), 2);
}
