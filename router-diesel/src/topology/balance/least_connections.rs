//! The least busy.

use std::cmp::Ordering;

use super::turn::{ANY_LENGTH, Turn};
use super::{Balance, Candidate};

/// The replica with the fewest connections in use for its weight: `policy: least_connections`.
///
/// As nginx's `least_conn` does, it compares the connections that are out in this process divided by the weight, so
/// that a replica with weight 2 carries twice as many. Among equals it takes turns: else the first one would have all
/// the work of a service with little of it.
#[derive(Debug, Default)]
pub struct LeastConnections {
    turn: Turn,
}

impl Balance for LeastConnections {
    fn pick(&self, candidates: &[Candidate]) -> usize {
        let Some((first, others)) = candidates.split_first() else { return 0 };
        let mut least = Load::of(first);
        let mut equals = 1;
        for candidate in others {
            let load = Load::of(candidate);
            match load.compare(least) {
                Ordering::Less => (least, equals) = (load, 1),
                Ordering::Equal => equals += 1,
                Ordering::Greater => {}
            }
        }
        let turn = self.turn.next(equals, ANY_LENGTH);
        // The numbers may have changed meanwhile; whoever is as free will do.
        let mut last = 0;
        let mut passed = 0;
        for (index, candidate) in candidates.iter().enumerate() {
            if Load::of(candidate).compare(least) != Ordering::Greater {
                last = index;
                if passed == turn {
                    break;
                }
                passed += 1;
            }
        }
        last
    }
}

/// Connections in use, and the weight that carries them.
#[derive(Clone, Copy)]
struct Load {
    in_use: u128,
    weight: u128,
}

impl Load {
    fn of(candidate: &Candidate) -> Self {
        Self { in_use: candidate.in_use() as u128, weight: u128::from(candidate.weight().max(1)) }
    }

    /// Compares `in_use / weight` without dividing.
    fn compare(self, other: Self) -> Ordering {
        (self.in_use * other.weight).cmp(&(other.in_use * self.weight))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    fn busy(loads: &[(u32, usize)]) -> Vec<Candidate> {
        loads.iter().map(|(weight, in_use)| Candidate::new("replica", *weight).with_in_use(*in_use)).collect()
    }

    #[test]
    fn the_least_busy_for_its_weight_serves() {
        for (loads, expected) in [
            (&[(1, 3), (1, 2), (1, 4)][..], 1),
            (&[(1, 3), (2, 4)], 1),
            (&[(1, 2), (2, 5)], 0),
            (&[(0, 1), (1, 2)], 0),
            (&[(100, usize::MAX), (1, usize::MAX)], 0),
        ] {
            assert_eq!(LeastConnections::default().pick(&busy(loads)), expected, "{loads:?}");
        }
    }

    #[test]
    fn equals_take_turns() {
        let policy = LeastConnections::default();
        let candidates = busy(&[(1, 0), (1, 7), (1, 0), (2, 0)]);
        let picks: Vec<usize> = (0..9).map(|_| policy.pick(&candidates)).collect();
        assert_eq!(picks, [0, 2, 3, 0, 2, 3, 0, 2, 3]);
    }

    #[test]
    fn connections_that_stay_out_are_shared_by_weight() {
        let policy = LeastConnections::default();
        let counts: Vec<Arc<AtomicUsize>> = (0..3).map(|_| Arc::default()).collect();
        let candidates: Vec<Candidate> = [1, 2, 1]
            .iter()
            .zip(&counts)
            .map(|(weight, count)| Candidate::new("replica", *weight).counted_by(Arc::clone(count)))
            .collect();
        for _ in 0..400 {
            counts[policy.pick(&candidates)].fetch_add(1, Relaxed);
        }
        let counts: Vec<usize> = counts.iter().map(|count| count.load(Relaxed)).collect();
        assert_eq!(counts, [100, 200, 100]);
    }
}
