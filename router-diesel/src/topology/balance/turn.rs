//! Whose turn it is: a counter that many threads share.

use std::sync::atomic::{AtomicU64, Ordering};

/// A multiple of every number up to 46, and the largest such multiple below 2⁶⁴.
pub(super) const ANY_LENGTH: u64 = lcm_up_to(46);

/// Counts turns without a lock: one addition each.
///
/// A counter that overflows goes from 2⁶⁴ − 1 to 0, and 2⁶⁴ is a multiple of three as little as of any other
/// odd number, so that somebody would be left out there. This one goes back to 0 at a multiple of the length.
///
/// It has a line of the processor's cache to itself, or two where the processor fetches them in pairs: else each count
/// would take from other threads what stands beside it and is only read.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Turn(AtomicU64);

impl Turn {
    #[cfg(test)]
    pub(super) fn starting_at(count: u64) -> Self {
        Self(AtomicU64::new(count))
    }

    /// A number from 0 up to `length`, which divides `cycle`: the one after the last.
    ///
    /// Exactly one thread is given `cycle` itself, and takes it off again. What the others are given until it has
    /// done so is right too, modulo the length.
    pub(super) fn next(&self, length: usize, cycle: u64) -> usize {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        if count == cycle {
            self.0.fetch_sub(cycle, Ordering::Relaxed);
        }
        usize::try_from(count % (length as u64).max(1)).unwrap_or_default()
    }
}

const fn lcm_up_to(last: u64) -> u64 {
    let mut lcm = 1;
    let mut number = 2;
    while number <= last {
        lcm = lcm / greatest_common_divisor(lcm, number) * number;
        number += 1;
    }
    lcm
}

pub(super) const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
