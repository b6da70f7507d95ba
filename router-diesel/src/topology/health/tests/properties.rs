//! What holds whatever happens.

use proptest::prelude::*;

use super::*;

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
