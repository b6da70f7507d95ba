//! Which of several replicas serves next.

mod least_connections;
mod random;
mod round_robin;
mod turn;
mod weighted;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use router_core::Alias;

use policies::{LeastConnections, Random, RoundRobin, Weighted};

use crate::config::Policy;

/// The policies that the file can name.
pub(crate) mod policies {
    pub use super::least_connections::LeastConnections;
    pub use super::random::Random;
    pub use super::round_robin::RoundRobin;
    pub use super::weighted::Weighted;
}

/// Chooses which of several replicas serves the next read.
///
/// The file's `policy` names one of the four that are here; implement this for another. It is asked once per
/// session and cluster, by many threads at once, and what it is offered changes: a replica that is banned or
/// lags too far is left out, and comes back later. Keep no positions from one call to the next. One that panics
/// panics the read.
///
/// ```
/// use router_diesel::cluster::{Balance, Candidate};
///
/// /// The replica in our own data centre, where there is one.
/// #[derive(Debug)]
/// struct NearFirst;
///
/// impl Balance for NearFirst {
///     fn pick(&self, candidates: &[Candidate]) -> usize {
///         candidates.iter().position(|candidate| candidate.alias().as_str().starts_with("near")).unwrap_or(0)
///     }
/// }
///
/// let candidates = [Candidate::new("far_1", 1), Candidate::new("near_1", 1)];
/// assert_eq!(NearFirst.pick(&candidates), 1);
/// ```
pub trait Balance: fmt::Debug + Send + Sync {
    /// The index of the candidate that serves next.
    ///
    /// There is always at least one candidate. An index past the end is taken modulo their number.
    fn pick(&self, candidates: &[Candidate]) -> usize;
}

/// One replica that may serve, as a policy sees it.
#[derive(Debug, Clone)]
pub struct Candidate {
    alias: Alias,
    weight: u32,
    in_use: Arc<AtomicUsize>,
}

impl Candidate {
    /// A candidate without a connection in use, for tests of a policy of your own.
    #[must_use]
    pub fn new(alias: impl Into<Alias>, weight: u32) -> Self {
        Self { alias: alias.into(), weight, in_use: Arc::default() }
    }

    /// The same with so many connections in use, for tests of a policy of your own.
    #[must_use]
    pub fn with_in_use(self, connections: usize) -> Self {
        Self { in_use: Arc::new(AtomicUsize::new(connections)), ..self }
    }

    /// The same, counted by its pool.
    pub(crate) fn counted_by(self, in_use: Arc<AtomicUsize>) -> Self {
        Self { in_use, ..self }
    }

    /// The replica's name.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        &self.alias
    }

    /// The replica's `weight` in the file; 1 by default.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// How many of its connections are out in this process just now.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }
}

/// The policy that the file names.
pub(crate) fn named(policy: Policy) -> Arc<dyn Balance> {
    match policy {
        Policy::RoundRobin => Arc::new(RoundRobin::default()),
        Policy::Random => Arc::new(Random),
        Policy::Weighted => Arc::new(Weighted::default()),
        Policy::LeastConnections => Arc::new(LeastConnections::default()),
    }
}

/// The index of the candidate that a policy picks; nothing where there is none. An answer past the end is taken
/// around, so that a policy of the program's own cannot bring a read down.
pub(crate) fn pick(policy: &dyn Balance, candidates: &[Candidate]) -> Option<usize> {
    match candidates.len() {
        0 => None,
        1 => Some(0),
        length => Some(policy.pick(candidates) % length),
    }
}

#[cfg(test)]
mod tests;
