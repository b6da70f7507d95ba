//! Each in proportion to its weight.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::turn::{Turn, greatest_common_divisor};
use super::{Balance, Candidate};

/// A schedule has no more turns; weights whose schedule would be longer are rounded.
const MOST_TURNS: u64 = 1 << 14;

/// So many schedules are kept: more than there are sets of five replicas.
const MOST_SCHEDULES: usize = 32;

/// Each replica in proportion to its weight, and as evenly spread as can be: `policy: weighted`.
///
/// The order is that of nginx's smooth weighted round robin (its commit "Upstream: smooth weighted round-robin
/// balancing" of 2012): with weights 3 and 1, a a b a and so on, never a a a a b b. nginx keeps a running number per
/// server under a lock. The order repeats itself, though, so that here it is worked out once for each set of
/// weights, and one shared counter walks through it. The shares are exact over each round of it.
///
/// A weight of 0 is served only where all are 0. Weights that would make a round longer than 16,384 turns are rounded
/// to such a round; from the file none do, as a weight there is at most 100.
#[derive(Debug, Default)]
pub struct Weighted {
    /// One for each set of weights that was seen lately.
    schedules: ArcSwap<Vec<Arc<Schedule>>>,
}

impl Balance for Weighted {
    fn pick(&self, candidates: &[Candidate]) -> usize {
        if let Some(schedule) = find(&self.schedules.load(), candidates) {
            return schedule.next();
        }
        self.learn(candidates).next()
    }
}

impl Weighted {
    /// Works out the schedule of weights that are new. Of two threads that do, the second finds that of the first.
    #[cold]
    fn learn(&self, candidates: &[Candidate]) -> Arc<Schedule> {
        let schedule = Arc::new(Schedule::new(candidates.iter().map(Candidate::weight).collect()));
        self.schedules.rcu(|schedules| {
            let mut schedules = Vec::clone(schedules);
            if find(&schedules, candidates).is_none() {
                if schedules.len() == MOST_SCHEDULES {
                    schedules.remove(0);
                }
                schedules.push(Arc::clone(&schedule));
            }
            schedules
        });
        find(&self.schedules.load(), candidates).map_or(schedule, Arc::clone)
    }
}

fn find<'a>(schedules: &'a [Arc<Schedule>], candidates: &[Candidate]) -> Option<&'a Arc<Schedule>> {
    schedules.iter().find(|schedule| schedule.is_of(candidates))
}

/// One round of turns for a set of weights, and whose turn it is.
#[derive(Debug)]
struct Schedule {
    weights: Vec<u32>,
    round: Vec<u32>,
    /// The largest multiple of the round's length that leaves room to count on.
    cycle: u64,
    turn: Turn,
}

impl Schedule {
    fn new(weights: Vec<u32>) -> Self {
        let round = round(&shares(&weights));
        let length = round.len() as u64;
        Self { weights, cycle: (1 << 63) / length * length, round, turn: Turn::default() }
    }

    fn is_of(&self, candidates: &[Candidate]) -> bool {
        self.weights.len() == candidates.len()
            && self.weights.iter().zip(candidates).all(|(weight, candidate)| *weight == candidate.weight())
    }

    fn next(&self) -> usize {
        self.round[self.turn.next(self.round.len(), self.cycle)] as usize
    }
}

/// How many turns of a round each weight has: the smallest numbers in the same proportion.
fn shares(weights: &[u32]) -> Vec<u64> {
    let divisor =
        weights.iter().fold(0, |divisor, weight| greatest_common_divisor(divisor, u64::from(*weight)));
    if divisor == 0 {
        return vec![1; weights.len().max(1)];
    }
    let shares: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) / divisor).collect();
    let total: u64 = shares.iter().sum();
    if total <= MOST_TURNS {
        return shares;
    }
    // Rounded up, so that no share is lost.
    shares.iter().map(|share| (share * MOST_TURNS).div_ceil(total)).collect()
}

/// A round in which each index has its share of turns, spread as nginx spreads them.
fn round(shares: &[u64]) -> Vec<u32> {
    let total: u64 = shares.iter().sum();
    let mut credits = vec![0_i64; shares.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        let mut most = 0;
        for (index, share) in shares.iter().enumerate() {
            credits[index] += i64::try_from(*share).unwrap_or(i64::MAX);
            if credits[index] > credits[most] {
                most = index;
            }
        }
        credits[most] -= i64::try_from(total).unwrap_or(i64::MAX);
        round.push(u32::try_from(most).unwrap_or_default());
    }
    round
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        weights.iter().map(|weight| Candidate::new("replica", *weight)).collect()
    }

    fn picks(policy: &Weighted, weights: &[u32], count: usize) -> Vec<usize> {
        let candidates = candidates(weights);
        (0..count).map(|_| policy.pick(&candidates)).collect()
    }

    fn turns_of(index: usize, picks: &[usize]) -> usize {
        picks.iter().filter(|pick| **pick == index).count()
    }

    #[test]
    fn turns_are_spread_as_nginx_spreads_them() {
        // The example of nginx's commit.
        assert_eq!(picks(&Weighted::default(), &[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(picks(&Weighted::default(), &[3, 1], 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(picks(&Weighted::default(), &[50, 50], 4), [0, 1, 0, 1]);
    }

    #[test]
    fn three_to_one_is_exact_over_any_forty_picks() {
        let picks = picks(&Weighted::default(), &[3, 1], 1_000);
        for window in picks.windows(40) {
            assert_eq!(turns_of(0, window), 30);
        }
    }

    #[test]
    fn the_round_of_each_set_goes_on_where_it_was() {
        let policy = Weighted::default();
        let mut full = Vec::new();
        for _ in 0..100 {
            full.extend(picks(&policy, &[3, 1, 2], 1));
            // The second one is banned meanwhile.
            picks(&policy, &[3, 2], 1);
        }
        assert_eq!([0, 1, 2].map(|index| turns_of(index, &full[..96])), [48, 16, 32]);
        assert_eq!(policy.schedules.load().len(), 2);
    }

    #[test]
    fn more_sets_than_are_kept_are_worked_out_anew() {
        let policy = Weighted::default();
        for weight in (1..100).chain(1..100) {
            assert!(picks(&policy, &[weight, 100], 1)[0] < 2);
        }
        assert_eq!(policy.schedules.load().len(), MOST_SCHEDULES);
    }

    #[test]
    fn a_weight_of_nothing_has_no_turn_unless_all_have_none() {
        assert_eq!(picks(&Weighted::default(), &[0, 1, 0], 4), [1; 4]);
        assert_eq!(picks(&Weighted::default(), &[0, 0], 4), [0, 1, 0, 1]);
    }

    #[test]
    fn weights_beyond_measure_are_rounded_to_a_round_of_bounded_length() {
        let schedule = Schedule::new(vec![u32::MAX, u32::MAX - 1, 1]);
        assert!(schedule.round.len() as u64 <= MOST_TURNS + 3, "{}", schedule.round.len());
        let turns: Vec<usize> = schedule.round.iter().map(|index| *index as usize).collect();
        assert_eq!(turns_of(2, &turns), 1);
        assert!(turns_of(0, &turns).abs_diff(turns_of(1, &turns)) <= 1);
    }

    #[test]
    fn a_schedule_begins_anew_at_the_end_of_a_round() {
        let mut schedule = Schedule::new(vec![3, 1, 3]);
        schedule.turn = Turn::starting_at(schedule.cycle - 70);
        let picks: Vec<usize> = (0..140).map(|_| schedule.next()).collect();
        for window in picks.windows(7) {
            assert_eq!([0, 1, 2].map(|index| turns_of(index, window)), [3, 1, 3]);
        }
    }

    proptest! {
        #[test]
        fn shares_are_exact_over_a_round(weights in prop::collection::vec(1_u32..=100, 1..6), rounds in 1_usize..4) {
            let length = shares(&weights).iter().sum::<u64>() as usize;
            let picks = picks(&Weighted::default(), &weights, length * rounds);
            let total: u32 = weights.iter().sum();
            for (index, weight) in weights.iter().enumerate() {
                prop_assert_eq!(turns_of(index, &picks), length * rounds * *weight as usize / total as usize);
            }
        }
    }
}
