//! Any.

use super::{Balance, Candidate};

/// Any replica, each as likely as the others: `policy: random`.
///
/// Threads share nothing, so that it costs the same however many pick. The weights do not count.
#[derive(Debug, Default, Clone, Copy)]
pub struct Random;

impl Balance for Random {
    fn pick(&self, candidates: &[Candidate]) -> usize {
        fastrand::usize(..candidates.len().max(1))
    }
}
