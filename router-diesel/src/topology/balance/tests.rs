use std::thread;

use proptest::prelude::*;

use super::*;

const POLICIES: [Policy; 4] =
    [Policy::RoundRobin, Policy::Random, Policy::Weighted, Policy::LeastConnections];

const THREADS: usize = 16;
const PICKS: usize = 100_000;

/// How often each candidate is picked by sixteen threads at once.
fn picked_by_many(policy: Policy, weights: &[u32]) -> Vec<usize> {
    let policy = named(policy);
    let candidates: Vec<Candidate> =
        weights.iter().map(|weight| Candidate::new("replica", *weight)).collect();
    let mut counts = vec![0; weights.len()];
    thread::scope(|scope| {
        let count = || {
            let mut counts = vec![0; weights.len()];
            for _ in 0..PICKS {
                counts[policy.pick(&candidates)] += 1;
            }
            counts
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        for thread in threads {
            for (sum, count) in counts.iter_mut().zip(thread.join().unwrap()) {
                *sum += count;
            }
        }
    });
    assert_eq!(counts.iter().sum::<usize>(), THREADS * PICKS);
    counts
}

fn assert_within(counts: &[usize], shares: &[f64], tolerance: f64) {
    let total = counts.iter().sum::<usize>() as f64;
    for (count, share) in counts.iter().zip(shares) {
        let expected = total * share / shares.iter().sum::<f64>();
        assert!((*count as f64 - expected).abs() <= tolerance, "{counts:?} for {shares:?}");
    }
}

#[test]
fn round_robin_is_off_by_at_most_one_under_sixteen_threads() {
    assert_within(&picked_by_many(Policy::RoundRobin, &[1, 1, 1]), &[1.0; 3], 1.0);
}

#[test]
fn weights_are_exact_to_one_round_under_sixteen_threads() {
    assert_within(&picked_by_many(Policy::Weighted, &[3, 1, 2]), &[3.0, 1.0, 2.0], 1.0);
    assert_within(&picked_by_many(Policy::Weighted, &[97, 13, 31]), &[97.0, 13.0, 31.0], 1.0);
}

#[test]
fn equals_are_off_by_at_most_one_under_sixteen_threads() {
    assert_within(&picked_by_many(Policy::LeastConnections, &[1, 1, 1]), &[1.0; 3], 1.0);
}

#[test]
fn random_picks_are_even() {
    // Six standard deviations of a binomial distribution: wrong once in five hundred million runs.
    let total = (THREADS * PICKS) as f64;
    let deviation = (total * (1.0 / 3.0) * (2.0 / 3.0)).sqrt();
    assert_within(&picked_by_many(Policy::Random, &[1, 1, 1]), &[1.0; 3], 6.0 * deviation);
}

#[test]
fn one_candidate_is_always_picked() {
    for policy in POLICIES {
        assert_eq!(picked_by_many(policy, &[7]), [THREADS * PICKS]);
    }
}

#[test]
fn an_answer_past_the_end_is_taken_modulo_the_number() {
    #[derive(Debug)]
    struct PastTheEnd;
    impl Balance for PastTheEnd {
        fn pick(&self, _: &[Candidate]) -> usize {
            usize::MAX
        }
    }
    let candidates = [Candidate::new("a", 1), Candidate::new("b", 1)];
    assert_eq!(pick(&PastTheEnd, &candidates), Some(1));
    assert_eq!(pick(&PastTheEnd, &[]), None);
}

proptest! {
    #[test]
    fn a_pick_is_one_of_what_is_offered(
        offers in prop::collection::vec(prop::collection::vec((any::<u32>(), any::<usize>()), 1..8), 1..8),
    ) {
        for policy in POLICIES.map(named) {
            for offer in &offers {
                let candidates: Vec<Candidate> = offer
                    .iter()
                    .map(|(weight, in_use)| Candidate::new("replica", *weight % 1_000).with_in_use(*in_use))
                    .collect();
                prop_assert!(policy.pick(&candidates) < candidates.len());
            }
        }
    }
}
