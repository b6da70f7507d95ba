//! A model of a cluster, played at random: reads show all that was written, and never go back in time.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Something that happens in a session, and how far each server is then.
#[derive(Debug, Clone)]
enum Act {
    Write,
    Read,
    Replay(usize, u64),
    Lose(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Write),
        6 => Just(Act::Read),
        4 => (1_usize..3, 0_u64..4).prop_map(|(node, far)| Act::Replay(node, far)),
        1 => (1_usize..3).prop_map(Act::Lose),
    ]
}

proptest! {
    /// A model of a cluster: the primary counts writes, replicas trail it. A read of a node shows what that has.
    #[test]
    fn reads_show_all_that_was_written_and_never_go_back(acts in prop::collection::vec(any_act(), 0..60)) {
        let mut scene = Scene::new("");
        let mut have = [0_u64; 3];
        let mut seen = 0;
        for (step, act) in acts.into_iter().enumerate() {
            let now = scene.world.at(Duration::from_secs(step as u64 + 1));
            match act {
                Act::Write => {
                    have[0] += 1;
                    seen = have[0];
                    scene.freshness.used_primary(scene.world.terms, now);
                }
                Act::Replay(node, far) => have[node] = have[0].min(have[node] + far),
                Act::Lose(node) => scene.world.serving.retain(|serving| serving.index() != node),
                Act::Read => {
                    let node = read_through(&mut scene, now, &have);
                    prop_assert!(have[node.index()] >= seen, "{} shows {} of {seen}", name(node), have[node.index()]);
                    seen = have[node.index()];
                    scene.world.serving = vec![self::node("a"), self::node("b")];
                }
            }
        }
    }
}

/// Answers all that a read asks for by how far the servers are, and says which node serves it.
fn read_through(scene: &mut Scene, now: Now, have: &[u64; 3]) -> NodeId {
    let lsn = |node: NodeId| Position::Postgres { system: 1, timeline: 1, lsn: Lsn(have[node.index()]) };
    scene.search = Search::default();
    if let Some(ready) = scene.freshness.ready(&scene.search, &scene.world) {
        return ready;
    }
    let mut event = Event::Began;
    for _ in 0..100 {
        let step = scene.freshness.handle(&mut scene.search, &scene.world, now, event);
        event = match step {
            Step::Serve(node) => return node,
            Step::Primary(_) => {
                scene.freshness.read_primary(&mut scene.search, &scene.world, now);
                return PRIMARY;
            }
            Step::Connect(..) => Event::Connected { opened: scene.world.start },
            Step::AskPrimary => Event::PrimaryAt(lsn(PRIMARY)),
            Step::AskHistory => Event::HistoryAsked,
            Step::Ask(node) => Event::At(Some(lsn(node))),
            Step::Wait(_) | Step::GiveBack(_) => Event::Done,
        };
    }
    panic!("a read ends")
}
