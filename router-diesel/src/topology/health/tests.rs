//! Scenarios as tables. Each line is a time, a node with what happens to it, and then what holds:
//! how each node stands, `=>` the targets of a read and after `then` its fallbacks, and in brackets what is asked for.
//! The primary is `p`, the replicas are `a`, `b` and `c`.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 4] = ["p", "a", "b", "c"];

/// A place on a timeline of a cluster. Those on different timelines cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    cluster: u32,
    timeline: u32,
    at: u64,
}

impl Progress for Spot {
    fn covers(&self, other: &Self) -> Option<bool> {
        let is_one_history = (self.cluster, self.timeline) == (other.cluster, other.timeline);
        is_one_history.then_some(self.at >= other.at)
    }

    fn is_of_other_cluster(&self, other: &Self) -> bool {
        self.cluster != other.cluster
    }
}

fn seconds(text: &str) -> Duration {
    let number: f64 = text.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("no time: {text}"));
    Duration::from_micros((number * 1e6).round() as u64)
}

fn node(name: &str) -> NodeId {
    NAMES
        .iter()
        .position(|known| *known == name)
        .map(NodeId::new)
        .unwrap_or_else(|| panic!("no node: {name}"))
}

/// A cluster in words: `a b:1s never offline=primary` has a replica `b` with a `max_lag`.
fn cluster(text: &str) -> Health<Spot> {
    let mut nodes = vec![NodeSettings { max_lag: None }];
    let mut primary_reads = PrimaryReads::default();
    let mut offline = None;
    for word in text.split_whitespace() {
        match word {
            "never" => primary_reads = PrimaryReads::Never,
            "always" => primary_reads = PrimaryReads::Always,
            "offline=primary" => offline = Some(Offline::Primary),
            "offline=replicas" => offline = Some(Offline::Replicas),
            replica => {
                let (name, max_lag) = match replica.split_once(':') {
                    Some((name, max_lag)) => (name, Some(seconds(max_lag))),
                    None => (replica, None),
                };
                assert_eq!(node(name).index(), nodes.len());
                nodes.push(NodeSettings { max_lag });
            }
        }
    }
    Health::new(HealthSettings::default(), nodes, primary_reads, offline)
}

/// What happened, in words: `refused`, `lost`, `served`, `silent`, `drain`, `undrain`, or an answer such as
/// `replica@7`, `primary@2/7` (timeline 2), `replica@9/2/7` (of cluster 9), `replica@?` (no position), `replica@7<0.9s` (asked at 0.9 s).
fn event(now: Duration, text: &str) -> Event<Spot> {
    match text {
        "refused" | "unreachable" => Event::ConnectFailed(text.to_owned()),
        "lost" | "cut" => Event::ReadFailed(text.to_owned()),
        "served" => Event::Served,
        "silent" => Event::ProbeFailed(text.to_owned()),
        "drain" => Event::Drain,
        "undrain" => Event::Undrain,
        answer => {
            let (answer, sent_at) = match answer.split_once('<') {
                Some((answer, sent_at)) => (answer, seconds(sent_at)),
                None => (answer, now),
            };
            let (role, position) = answer.split_once('@').unwrap_or_else(|| panic!("no event: {text}"));
            let role = match role {
                "primary" => Role::Primary,
                "replica" => Role::Replica,
                _ => Role::Unknown,
            };
            let (history, at) = position.rsplit_once('/').unwrap_or(("1", position));
            let (cluster, timeline) = history.split_once('/').unwrap_or(("1", history));
            let [cluster, timeline] = [cluster, timeline].map(|number| number.parse().unwrap());
            let spot = |at| Spot { cluster, timeline, at };
            Event::Probed(Observation { role, position: at.parse().ok().map(spot), sent_at })
        }
    }
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(|node| NAMES[node.index()]).collect::<Vec<_>>().join(" ")
}

/// What holds after an event, in words.
fn told(view: &View, actions: &Actions) -> String {
    let standings: Vec<String> = view.standings.iter().map(ToString::to_string).collect();
    let mut told = format!("{} => {}", standings.join(" | "), names(&view.targets));
    if !view.fallbacks.is_empty() {
        told += &format!(" then {}", names(&view.fallbacks));
    }
    let mut asked = Vec::new();
    if !actions.drop_connections.is_empty() {
        asked.push(format!("drop {}", names(&actions.drop_connections)));
    }
    if let Some(probe_in) = actions.probe_in {
        asked.push(format!("probe in {} ms", probe_in.as_millis()));
    }
    if !asked.is_empty() {
        told += &format!(" [{}]", asked.join(", "));
    }
    told
}

/// Plays a scenario, and compares what holds after each line.
#[track_caller]
fn check(settings: &str, scenario: &str) {
    let mut health = cluster(settings);
    let mut expected = String::new();
    let mut got = String::new();
    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (what, holds) = line.split_once("->").unwrap_or_else(|| panic!("no arrow: {line}"));
        let words: Vec<&str> = what.split_whitespace().collect();
        let now = seconds(words[0]);
        let actions = match words[1..] {
            [] => health.settle(now),
            [name, happens] => health.handle(now, node(name), event(now, happens)),
            _ => panic!("a time, a node and an event: {line}"),
        };
        expected +=
            &format!("{} -> {}\n", words.join(" "), holds.split_whitespace().collect::<Vec<_>>().join(" "));
        got += &format!("{} -> {}\n", words.join(" "), told(&health.view(now), &actions));
    }
    let got: String =
        got.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
    assert!(got == expected, "{settings}\n--- expected\n{expected}--- got\n{got}");
}

#[test]
fn a_node_that_nobody_has_seen_may_serve() {
    check(
        "a b",
        "
        0s               -> not tested yet | not tested yet | not tested yet => a b then p
        0.1s  a  served  -> not tested yet | up | not tested yet => a b then p
        0.2s  p  served  -> up | up | not tested yet => a b then p
        ",
    );
}

#[test]
fn a_cluster_boots_with_dead_replicas() {
    check(
        "a b",
        "
        0.1s  a  refused  -> not tested yet | banned for 1 s more: refused | not tested yet => b then p [drop a]
        0.1s  b  refused  -> not tested yet | banned for 1 s more: refused | banned for 1 s more: refused => p [drop b]
        0.2s  p  primary@1 -> up | banned for 900 ms more: refused | banned for 900 ms more: refused => p
        1.2s  a  replica@1 -> up | up | banned until it answers: refused => a then p
        ",
    );
}

#[test]
fn one_lost_connection_makes_a_suspect_and_an_answer_clears_it() {
    check(
        "a b",
        "
        0s    a  replica@1 -> not tested yet | up | not tested yet => a b then p
        1s    a  lost      -> not tested yet | suspect: lost | not tested yet => b then a p [probe in 0 ms]
        1.01s a  replica@1 -> not tested yet | up | not tested yet => a b then p
        2s    a  silent    -> not tested yet | suspect: silent | not tested yet => b then a p [probe in 0 ms]
        2.2s  a  replica@1 -> not tested yet | up | not tested yet => a b then p
        ",
    );
}

#[test]
fn an_answer_to_an_older_question_clears_nothing() {
    check(
        "a",
        "
        1s    a  lost           -> not tested yet | suspect: lost => a then p [probe in 0 ms]
        1.01s a  replica@1<0.9s -> not tested yet | suspect: lost => a then p
        1.02s a  served         -> not tested yet | suspect: lost => a then p
        1.03s a  replica@1      -> not tested yet | up => a then p
        2s    a  refused        -> not tested yet | banned for 1 s more: refused => p [drop a]
        3.1s  a  replica@1<1.9s -> not tested yet | banned until it answers: refused => p
        3.2s  a  replica@1      -> not tested yet | up => a then p
        ",
    );
}

#[test]
fn suspects_serve_where_no_better_one_can() {
    check(
        "a b",
        "
        1s    a  lost  -> not tested yet | suspect: lost | not tested yet => b then a p [probe in 0 ms]
        1.1s  b  cut   -> not tested yet | suspect: lost | suspect: cut => a b then p [probe in 0 ms]
        ",
    );
}

#[test]
fn a_second_failure_bans_and_the_first_reason_and_time_stay() {
    check(
        "a b",
        "
        1s    a  lost    -> not tested yet | suspect: lost | not tested yet => b then a p [probe in 0 ms]
        1.5s  a  cut     -> not tested yet | banned for 1 s more: lost | not tested yet => b then p [drop a]
        1.7s  a  refused -> not tested yet | banned for 800 ms more: lost | not tested yet => b then p
        2.4s  a  silent  -> not tested yet | banned for 100 ms more: lost | not tested yet => b then p
        2.5s             -> not tested yet | banned until it answers: lost | not tested yet => b then p
        ",
    );
}

#[test]
fn a_failed_probe_bans_a_suspect() {
    check(
        "a b",
        "
        1s    a  lost    -> not tested yet | suspect: lost | not tested yet => b then a p [probe in 0 ms]
        1.2s  a  silent  -> not tested yet | banned for 1 s more: lost | not tested yet => b then p [drop a]
        ",
    );
}

#[test]
fn a_ban_is_lifted_by_an_answer_after_it_and_by_nothing_else() {
    check(
        "a b",
        "
        1s    a  refused   -> not tested yet | banned for 1 s more: refused | not tested yet => b then p [drop a]
        1.4s  a  served    -> not tested yet | banned for 600 ms more: refused | not tested yet => b then p
        1.5s  a  replica@1 -> not tested yet | banned for 500 ms more: refused | not tested yet => b then p [probe in 500 ms]
        9s                 -> not tested yet | banned until it answers: refused | not tested yet => b then p
        10s   a  silent    -> not tested yet | banned until it answers: refused | not tested yet => b then p
        11s   a  served    -> not tested yet | banned until it answers: refused | not tested yet => b then p
        12s   a  replica@1 -> not tested yet | up | not tested yet => a b then p
        13s   a  unreachable -> not tested yet | banned for 1 s more: unreachable | not tested yet => b then p [drop a]
        ",
    );
}

#[test]
fn the_last_target_is_never_banned() {
    // The one that was banned last goes on; when another comes back, it is banned like any.
    for settings in
        ["a b never", "a b never offline=primary", "a b offline=primary", "a b always offline=primary"]
    {
        let primary =
            if settings.contains("offline") { "offline by configuration" } else { "not tested yet" };
        check(
            settings,
            &"
        1s    a  refused   -> P | banned for 1 s more: refused | not tested yet => b [drop a]
        1.5s  b  refused   -> P | banned for 500 ms more: refused | suspect: refused => b
        1.6s  b  refused   -> P | banned for 400 ms more: refused | suspect: refused => b
        2.1s  a  replica@1 -> P | up | banned for 400 ms more: refused => a [drop b]
        2.6s  b  replica@1 -> P | up | up => a b
        "
            .replace('P', primary),
        );
    }
}

#[test]
fn a_primary_that_is_down_does_not_make_up_for_the_last_replica() {
    check(
        "a",
        "
        1s    p  refused   -> down for 0 ms: refused | not tested yet => a then p
        2s    a  refused   -> down for 1 s: refused | suspect: refused => a then p
        3s    p  primary@1 -> up | banned until it answers: refused => p [drop a]
        3.1s  a  replica@1 -> up | up => a then p
        ",
    );
}

#[test]
fn a_primary_is_never_banned_and_its_failures_are_noted() {
    check(
        "a",
        "
        1s    p  lost      -> suspect: lost | not tested yet => a then p [probe in 0 ms]
        1.1s  p  silent    -> down for 0 ms: lost | not tested yet => a then p
        4.3s  p  refused   -> down for 3.2 s: lost | not tested yet => a then p
        4.4s  p  served    -> up | not tested yet => a then p
        5s    p  refused   -> down for 0 ms: refused | not tested yet => a then p
        5.1s  p  primary@1 -> up | not tested yet => a then p
        ",
    );
}

#[test]
fn a_database_without_replicas_is_read_where_it_is_written() {
    for settings in ["", "never", "always"] {
        check(
            settings,
            "
            0s              -> not tested yet => p
            1s    p  lost   -> suspect: lost => p [probe in 0 ms]
            2s    p  cut    -> down for 0 ms: lost => p
            3s    p  drain  -> drained => [drop p]
            ",
        );
    }
}

#[test]
fn primary_reads_say_when_the_primary_serves() {
    check(
        "a always",
        "
        0s               -> not tested yet | not tested yet => p a
        1s    p  lost    -> suspect: lost | not tested yet => a then p [probe in 0 ms]
        1s    p  cut     -> down for 0 ms: lost | not tested yet => a then p
        2s    a  lost    -> down for 1 s: lost | suspect: lost => a then p [probe in 0 ms]
        3s    p  served  -> up | suspect: lost => p then a
        ",
    );
    check(
        "a never",
        "
        0s               -> not tested yet | not tested yet => a
        1s    a  lost    -> not tested yet | suspect: lost => a [probe in 0 ms]
        ",
    );
}

#[test]
fn draining_overrules_everything() {
    check(
        "a b",
        "
        1s    a  drain     -> not tested yet | drained | not tested yet => b then p [drop a]
        1.1s  a  refused   -> not tested yet | drained | not tested yet => b then p
        1.2s  b  drain     -> not tested yet | drained | drained => p [drop b]
        1.3s  p  drain     -> drained | drained | drained => [drop p]
        1.4s  p  undrain   -> not tested yet | drained | drained => p [probe in 0 ms]
        1.5s  a  drain     -> not tested yet | drained | drained => p
        1.6s  a  undrain   -> not tested yet | banned for 500 ms more: refused | drained => p [probe in 0 ms]
        3s    a  replica@1 -> not tested yet | up | drained => a then p
        3.1s  b  undrain   -> not tested yet | up | not tested yet => a b then p [probe in 0 ms]
        ",
    );
    check(
        "a b never",
        "
        1s    a  drain     -> not tested yet | drained | not tested yet => b [drop a]
        2s    b  refused   -> not tested yet | drained | suspect: refused => b
        3s    b  drain     -> not tested yet | drained | drained => [drop b]
        ",
    );
}

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

fn any_event() -> impl Strategy<Value = (u64, NodeId, Event<Spot>)> {
    let role = prop_oneof![Just(Role::Primary), Just(Role::Replica), Just(Role::Unknown)];
    let position =
        prop::option::of((1_u32..3, 1_u32..3, 0_u64..20).prop_map(|(cluster, timeline, at)| Spot {
            cluster,
            timeline,
            at,
        }));
    let observation = (role, position, 0_u64..3_000).prop_map(|(role, position, sent_at)| {
        Event::Probed(Observation { role, position, sent_at: Duration::from_millis(sent_at) })
    });
    let event = prop_oneof![
        2 => Just(Event::ConnectFailed("refused".to_owned())),
        2 => Just(Event::ReadFailed("lost".to_owned())),
        1 => Just(Event::Served),
        4 => observation,
        2 => Just(Event::ProbeFailed("silent".to_owned())),
        1 => Just(Event::Drain),
        1 => Just(Event::Undrain),
    ];
    (0_u64..700, (0_usize..4).prop_map(NodeId::new), event)
}

/// Plays events, each some time after the one before. A question is as old as the answer says.
fn play(
    health: &mut Health<Spot>,
    events: Vec<(u64, NodeId, Event<Spot>)>,
) -> Vec<(Actions, View, Duration)> {
    let mut now = Duration::ZERO;
    events
        .into_iter()
        .map(|(later, node, mut event)| {
            now += Duration::from_millis(later);
            if let Event::Probed(observation) = &mut event {
                observation.sent_at = now.saturating_sub(observation.sent_at);
            }
            let actions = health.handle(now, node, event);
            (actions, health.view(now), now)
        })
        .collect()
}

proptest! {
    #[test]
    fn no_failures_leave_a_cluster_without_a_target(
        settings in prop::sample::select(vec![
            "", "a", "a b", "a b c", "a b never", "a b:1s never", "a:1s b:2s c:1s", "a b always",
            "a b offline=primary", "a:1s b:1s offline=primary", "a b offline=replicas", "a b never offline=replicas",
        ]),
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut health = cluster(settings);
        for (_, view, _) in play(&mut health, events) {
            let View { targets, fallbacks, standings } = view;
            if targets.is_empty() {
                // Nothing but an operator, a role or a limit of lag keeps all nodes out.
                let never = settings.contains("never") && standings.len() > 1 && !settings.contains("replicas");
                for (index, standing) in standings.iter().enumerate() {
                    let node = NodeId::new(index);
                    let kept_out = match standing {
                        Standing::Drained | Standing::Offline => true,
                        Standing::NotAReplica | Standing::OtherCluster => true,
                        Standing::Lagging { .. } | Standing::LagUnknown { .. } => true,
                        // A ban that is not lifted for the last, as the node would lag too far.
                        Standing::Banned { .. } => settings.contains(":1s"),
                        _ => node == PRIMARY && never,
                    };
                    prop_assert!(kept_out, "{} is {}", NAMES[index], standing);
                }
            }
            let mut all: Vec<NodeId> = targets.iter().chain(&fallbacks).copied().collect();
            for node in &all {
                prop_assert!(standings[node.index()].may_serve() || *node == PRIMARY, "{} is {}", NAMES[node.index()], standings[node.index()]);
            }
            prop_assert!(targets.is_sorted());
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), targets.len() + fallbacks.len());
        }
    }

    #[test]
    fn equal_events_have_equal_outcomes(events in prop::collection::vec(any_event(), 0..60)) {
        let settings = "a b:1s c";
        prop_assert_eq!(play(&mut cluster(settings), events.clone()), play(&mut cluster(settings), events));
    }

    #[test]
    fn nothing_changes_by_time_alone_before_it_was_said(
        events in prop::collection::vec(any_event(), 0..30),
        share in 0.0_f64..1.0,
    ) {
        let mut health = cluster("a:1s b:2s c");
        let now = play(&mut health, events).last().map_or(Duration::ZERO, |(_, _, now)| *now);
        health.settle(now);
        let until = health.next_change(now).unwrap_or(now + Duration::from_secs(100));
        let meanwhile = now + (until - now).mul_f64(share).min((until - now).saturating_sub(Duration::from_nanos(1)));
        prop_assert_eq!(health.settle(meanwhile).changes, []);
    }
}
