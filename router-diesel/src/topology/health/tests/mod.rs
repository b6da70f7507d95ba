//! Scenarios as tables. Each line is a time, a node with what happens to it, and then what holds:
//! how each node stands, `=>` the targets of a read and after `then` its fallbacks, and in brackets what is asked for.
//! The primary is `p`, the replicas are `a`, `b` and `c`.

mod lag;
mod properties;

use super::*;
use crate::time::seconds;

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
