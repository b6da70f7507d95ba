//! Scenarios as tables. Each line is a time and what happens, and after the arrow what the machine asks for next.
//!
//! The primary is `p`, the replicas are `a` and `b`. Their positions are a timeline and a number: `1/7`.
//! - What a session does: `write`, `commit`, `leave`, `token 1/7`, `token unknown`.
//! - A read: `read` or `read only b` begins one. Then `opened 0s` (a connection, with its age), `busy`, `refused`, `lost`,
//!   `primary at 1/7`, `history` (the primary was asked), `no history`, `at 1/7`, `at ?`, `done`.
//! - The world: `serving a b`, `no primary`, `replayed a 1/7` (asked now).

mod failures;
mod properties;

use std::time::UNIX_EPOCH;

use super::*;
use crate::engine::position::Lsn;
use crate::time::seconds;
use crate::topology::pool::Patience;

const NAMES: [&str; 3] = ["p", "a", "b"];

struct World {
    start: Instant,
    terms: Terms,
    serving: Vec<NodeId>,
    primary: bool,
    replayed: [Option<Replayed>; 3],
}

impl Nodes for World {
    fn terms(&self) -> Terms {
        self.terms
    }

    fn may_serve(&self, node: NodeId) -> bool {
        self.serving.contains(&node)
    }

    fn primary_may_serve(&self) -> bool {
        self.primary
    }

    fn pick(&self, passed: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.serving.iter().copied().find(|node| !passed(*node))
    }

    fn replayed(&self, node: NodeId) -> Option<Replayed> {
        self.replayed[node.index()].clone()
    }
}

impl World {
    /// Settings in words: `clock` (no positions), `wait 5ms`, `window 1s`.
    fn new(settings: &str) -> Self {
        let mut terms =
            Terms { evidence: Evidence::Positions, window: Duration::from_secs(1), wait: Duration::ZERO };
        for setting in settings.split(", ").filter(|setting| !setting.is_empty()) {
            match setting.split_once(' ') {
                None if setting == "clock" => terms.evidence = Evidence::Clock,
                Some(("wait", time)) => terms.wait = seconds(time),
                Some(("window", time)) => terms.window = seconds(time),
                _ => panic!("no setting: {setting}"),
            }
        }
        Self {
            start: Instant::now(),
            terms,
            serving: vec![node("a"), node("b")],
            primary: true,
            replayed: [None, None, None],
        }
    }

    fn at(&self, time: Duration) -> Now {
        Now { steady: self.start + time, wall: UNIX_EPOCH + Duration::from_secs(1_000_000) + time }
    }
}

fn node(name: &str) -> NodeId {
    NAMES
        .iter()
        .position(|known| *known == name)
        .map(NodeId::new)
        .unwrap_or_else(|| panic!("no node: {name}"))
}

fn name(node: NodeId) -> &'static str {
    NAMES[node.index()]
}

fn position(text: &str) -> Position {
    if text == "unknown" {
        return Position::Unknown;
    }
    let (timeline, lsn) = text.split_once('/').unwrap_or_else(|| panic!("no position: {text}"));
    Position::Postgres { system: 1, timeline: timeline.parse().unwrap(), lsn: Lsn(lsn.parse().unwrap()) }
}

/// A step in words.
fn told(step: &Step) -> String {
    match step {
        Step::GiveBack(node) => format!("give back {}", name(*node)),
        Step::Connect(node, Patience::Pass) => format!("connect {}", name(*node)),
        Step::Connect(node, Patience::Wait) => format!("wait for {}", name(*node)),
        Step::AskPrimary => "ask primary".to_owned(),
        Step::AskHistory => "ask history".to_owned(),
        Step::Ask(node) => format!("ask {}", name(*node)),
        Step::Wait(pause) => format!("pause {} ms", pause.as_millis()),
        Step::Serve(node) => format!("serve {}", name(*node)),
        Step::Primary(why) => format!("primary: {why}"),
    }
}

/// A session with one cluster, and its read under way.
struct Scene {
    world: World,
    freshness: Freshness,
    search: Search,
    /// The node that the last step was about.
    asked: NodeId,
}

impl Scene {
    fn new(settings: &str) -> Self {
        Self {
            world: World::new(settings),
            freshness: Freshness::default(),
            search: Search::default(),
            asked: PRIMARY,
        }
    }

    /// Takes in one line, and says what comes next: nothing where the line asks for nothing.
    fn play(&mut self, now: Now, what: &[&str]) -> Option<String> {
        let terms = self.world.terms;
        match what {
            ["write"] => self.freshness.used_primary(terms, now),
            ["commit"] => self.freshness.committed(terms, now),
            ["leave"] => self.freshness.leave(terms, now),
            ["token", at] => self.freshness = Freshness::of_token(position(at)),
            ["serving", names @ ..] => self.world.serving = names.iter().map(|name| node(name)).collect(),
            ["no", "primary"] => self.world.primary = false,
            ["replayed", name, at] => {
                let known = Replayed { position: position(at), asked: now.steady };
                self.world.replayed[node(name).index()] = Some(known);
            }
            ["read", only @ ..] => {
                self.search = Search::new(only.last().map(|name| node(name)));
                if let Some(ready) = self.freshness.ready(&self.search, &self.world) {
                    return Some(format!("ready {}", name(ready)));
                }
                return Some(self.handle(now, Event::Began));
            }
            ["opened", at] => {
                let opened = self.world.start + seconds(at);
                return Some(self.handle(now, Event::Connected { opened }));
            }
            ["busy"] => return Some(self.fail(now, Failure::Busy)),
            ["refused"] => return Some(self.fail(now, Failure::Unreachable)),
            ["lost"] => return Some(self.fail(now, Failure::Lost)),
            ["primary", "at", at] => return Some(self.handle(now, Event::PrimaryAt(position(at)))),
            ["history"] => return Some(self.handle(now, Event::HistoryAsked)),
            ["no", "history"] => return Some(self.handle(now, Event::HistoryUnknown)),
            ["at", "?"] => return Some(self.handle(now, Event::At(None))),
            ["at", at] => return Some(self.handle(now, Event::At(Some(position(at))))),
            ["done"] => return Some(self.handle(now, Event::Done)),
            _ => panic!("nothing of the kind happens: {what:?}"),
        }
        None
    }

    fn handle(&mut self, now: Now, event: Event) -> String {
        let step = self.freshness.handle(&mut self.search, &self.world, now, event);
        match &step {
            Step::Connect(node, _) | Step::Ask(node) | Step::Serve(node) => self.asked = *node,
            Step::Primary(_) => {
                self.freshness.read_primary(&mut self.search, &self.world, now);
                self.asked = PRIMARY;
            }
            Step::GiveBack(_) | Step::AskPrimary | Step::AskHistory | Step::Wait(_) => {}
        }
        told(&step)
    }

    fn fail(&mut self, now: Now, failure: Failure) -> String {
        let of_node = (self.asked, failure, format!("{failure:?}"));
        match self.freshness.failed(&mut self.search, &self.world, of_node, now) {
            true => self.handle(now, Event::Failed),
            false => "give up".to_owned(),
        }
    }
}

/// Plays a scenario, and compares what the machine asks for after each line.
#[track_caller]
fn check(settings: &str, scenario: &str) {
    let mut scene = Scene::new(settings);
    let (mut expected, mut got) = (String::new(), String::new());
    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (what, next) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = what.split_whitespace().collect();
        let now = scene.world.at(seconds(words[0]));
        let played = scene.play(now, &words[1..]).unwrap_or_default();
        expected += &format!("{} -> {}\n", words.join(" "), next.trim());
        got += &format!("{} -> {played}\n", words.join(" "));
    }
    assert!(got == expected, "{settings}\n--- expected\n{expected}--- got\n{got}");
}

#[test]
fn a_session_that_wrote_nothing_asks_nothing_and_keeps_its_node() {
    check(
        "",
        "
        1s    read       -> connect a
        1s    opened 0s  -> serve a
        2s    read       -> ready a
        3s    serving b
        3s    read       -> give back a
        3s    done       -> ask primary
        3s    primary at 1/7 -> connect b
        3s    opened 0s  -> ask b
        3s    at 1/7     -> serve b
        ",
    );
}

#[test]
fn a_write_is_shown_by_the_replica_that_has_it() {
    check(
        "",
        "
        1s   write
        1s   read           -> ask primary
        1s   primary at 1/7 -> connect a
        1s   opened 0s      -> ask a
        1s   at 1/6         -> connect b
        1s   opened 0s      -> ask b
        1s   at 1/7         -> serve b
        2s   read           -> ready b
        3s   write
        3s   read           -> connect b
        3s   opened 0s      -> ask primary
        3s   primary at 1/9 -> connect b
        3s   opened 0s      -> ask b
        3s   at 1/9         -> serve b
        ",
    );
}

#[test]
fn what_is_known_of_a_replica_spares_the_question() {
    check(
        "",
        "
        1s     write
        1s     replayed a 1/8
        1.001s read           -> ask primary
        1.001s primary at 1/7 -> connect a
        1.001s opened 0s      -> serve a
        2s     write
        2s     read           -> connect a
        2s     opened 0s      -> ask primary
        2s     primary at 1/9 -> connect a
        2s     opened 0s      -> ask a
        2s     at 1/9         -> serve a
        ",
    );
    // What was learnt before the connection was opened may be of a server that is gone.
    check(
        "",
        "
        1s   replayed a 1/9
        2s   write
        2s   read           -> ask primary
        2s   primary at 1/7 -> connect a
        2s   opened 1.5s    -> ask a
        2s   at 1/2         -> connect b
        2s   opened 0s      -> ask b
        2s   at ?           -> primary: no replica has caught up
        ",
    );
}

#[test]
fn a_read_waits_as_long_as_it_may_and_then_rests_on_the_primary() {
    check(
        "wait 0.005s",
        "
        1s     write
        1s     read           -> ask primary
        1s     primary at 1/7 -> connect a
        1s     opened 0s      -> ask a
        1s     at 1/6         -> connect b
        1s     opened 0s      -> ask b
        1s     at 1/6         -> pause 2 ms
        1.002s done           -> connect a
        1.002s opened 0s      -> ask a
        1.002s at 1/6         -> connect b
        1.002s opened 0s      -> ask b
        1.004s at 1/6         -> pause 1 ms
        1.005s done           -> connect a
        1.005s opened 0s      -> ask a
        1.005s at 1/6         -> connect b
        1.005s opened 0s      -> ask b
        1.005s at 1/6         -> primary: no replica has caught up
        1.05s  read           -> primary: no replica had caught up a moment ago
        1.2s   read           -> ask primary
        ",
    );
}

#[test]
fn another_history_is_not_waited_for() {
    check(
        "wait 1s",
        "
        1s   write
        1s   read           -> ask primary
        1s   primary at 2/7 -> connect a
        1s   opened 0s      -> ask a
        1s   at 1/9         -> connect b
        1s   opened 0s      -> ask b
        1s   at ?           -> primary: no replica has caught up
        ",
    );
}

#[test]
fn a_token_is_compared_with_the_primary_first() {
    check(
        "",
        "
        0s   token 1/7
        1s   read           -> ask history
        1s   replayed p 1/9
        1s   history        -> connect a
        1s   opened 0s      -> ask a
        1s   at 1/7         -> serve a
        ",
    );
    check(
        "",
        "
        0s   token 1/7
        1s   replayed p 2/9
        1s   read           -> primary: the token is of another history
        ",
    );
    check(
        "",
        "
        0s   token 1/7
        1s   read           -> ask history
        1s   history        -> primary: the token is of another history
        ",
    );
    // A replica of PostgreSQL tells its history itself.
    check(
        "",
        "
        0s   token 1/7
        1s   read           -> ask history
        1s   no history     -> connect a
        1s   opened 0s      -> ask a
        1s   at 2/9         -> connect b
        1s   opened 0s      -> ask b
        1s   at 1/8         -> serve b
        ",
    );
    check(
        "",
        "
        0s   token unknown
        1s   read           -> primary: the token is of another history
        ",
    );
}

#[test]
fn the_routers_choice_of_one_replica_holds() {
    check(
        "",
        "
        1s   read           -> connect a
        1s   opened 0s      -> serve a
        2s   read only b    -> ask primary
        2s   primary at 1/7 -> connect b
        2s   opened 0s      -> ask b
        2s   at 1/6         -> primary: no replica has caught up
        ",
    );
}

#[test]
fn a_server_that_was_rebuilt_is_left() {
    check(
        "",
        "
        1s   read           -> connect a
        1s   opened 0s      -> serve a
        2s   write
        2s   read           -> connect a
        2s   opened 1.5s    -> ask primary
        2s   primary at 1/7 -> connect a
        ",
    );
}

#[test]
fn where_a_clock_decides_the_window_does() {
    check(
        "clock",
        "
        1s   write
        1.5s read           -> connect a
        1.5s opened 0s      -> connect b
        1.5s opened 0s      -> primary: no replica has caught up
        3s   read           -> connect a
        3s   opened 0s      -> serve a
        4s   write
        6s   commit
        6.5s read           -> connect a
        6.5s opened 0s      -> connect a
        6.5s opened 0s      -> connect b
        6.5s opened 0s      -> primary: no replica has caught up
        ",
    );
}

#[test]
fn what_must_be_shown_outlives_the_nodes() {
    check(
        "",
        "
        1s   read           -> connect a
        1s   opened 0s      -> serve a
        2s   leave
        2s   read           -> ask primary
        ",
    );
    check(
        "",
        "
        1s   leave
        2s   read           -> connect a
        ",
    );
}
