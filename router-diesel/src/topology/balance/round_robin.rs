//! Each in turn.

use super::turn::{ANY_LENGTH, Turn};
use super::{Balance, Candidate};

/// Each replica in turn: `policy: round_robin`, the default.
///
/// Among the same replicas, no two differ by more than one pick, however many threads pick; up to 46 replicas that
/// also holds where the counter begins anew, after 9 × 10¹⁸ picks. The weights do not count.
#[derive(Debug, Default)]
pub struct RoundRobin {
    turn: Turn,
}

impl Balance for RoundRobin {
    fn pick(&self, candidates: &[Candidate]) -> usize {
        self.turn.next(candidates.len(), ANY_LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_left_out_where_the_counter_begins_anew() {
        for length in 1..=46 {
            let policy = RoundRobin { turn: Turn::starting_at(ANY_LENGTH - 100) };
            let candidates = vec![Candidate::new("replica", 1); length];
            let picks: Vec<usize> = (0..200).map(|_| policy.pick(&candidates)).collect();
            for pair in picks.windows(2) {
                assert_eq!(pair[1], (pair[0] + 1) % length, "{length}");
            }
        }
    }

    #[test]
    fn a_counter_that_overflows_stays_in_range() {
        let policy = RoundRobin { turn: Turn::starting_at(u64::MAX - 3) };
        let candidates = vec![Candidate::new("replica", 1); 3];
        let picks: Vec<usize> = (0..8).map(|_| policy.pick(&candidates)).collect();
        assert_eq!(picks, [0, 1, 2, 0, 0, 1, 2, 0]);
    }
}
