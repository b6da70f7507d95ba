//! How far a replica is behind, by our own clock alone.

use std::time::Duration;

/// A place in the history of a cluster that can be compared with another.
pub(crate) trait Progress {
    /// Whether a server that is here has everything that one there has; nothing where the two cannot be compared.
    fn covers(&self, other: &Self) -> Option<bool>;

    /// Whether the two are of clusters that have nothing to do with each other, whatever either replays later. Where
    /// nobody can tell, they are not.
    fn is_of_other_cluster(&self, _other: &Self) -> bool {
        false
    }
}

/// So many samples are kept.
const MOST_SAMPLES: usize = 128;

/// Where the primary was and when, in the order of time.
///
/// A replica that covers what the primary had at a time lacks nothing that is older, and so lags no more than the time
/// since. No server's clock is asked, and it works for whatever positions can be compared.
///
/// Old samples are thinned so that the gaps between them grow with their age. A long lag is thus known less finely than
/// a short one, and always as too long rather than too short.
#[derive(Debug)]
pub(super) struct History<P> {
    samples: Vec<Sample<P>>,
}

#[derive(Debug)]
struct Sample<P> {
    at: Duration,
    position: P,
}

impl<P: Progress> History<P> {
    pub(super) fn new() -> Self {
        Self { samples: Vec::new() }
    }

    /// When the newest sample was asked for.
    pub(super) fn newest(&self) -> Option<Duration> {
        self.samples.last().map(|sample| sample.at)
    }

    /// Whether a server that is here is of another cluster than the newest sample; nothing where there is none.
    pub(super) fn is_foreign(&self, replica: &P) -> Option<bool> {
        self.samples.last().map(|newest| replica.is_of_other_cluster(&newest.position))
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    /// Adds where the primary was. The time is that of the question: the answer holds at that time or later.
    ///
    /// A primary that does not cover where it was before has lost its history or changed it; nothing that was known
    /// about it holds any more.
    pub(super) fn add(&mut self, at: Duration, position: P) -> Added {
        let added = match self.samples.last() {
            Some(newest) if at <= newest.at => return Added::TooLate,
            Some(newest) if position.covers(&newest.position) != Some(true) => {
                self.samples.clear();
                Added::Anew
            }
            _ => Added::After,
        };
        self.samples.push(Sample { at, position });
        if self.samples.len() > MOST_SAMPLES {
            self.thin();
        }
        added
    }

    /// Since when a replica that is here can lack anything: the time of the newest sample that it covers.
    ///
    /// Nothing where it covers none, or where it cannot be compared with the newest.
    pub(super) fn covered_by(&self, replica: &P) -> Option<Duration> {
        let (newest, older) = self.samples.split_last()?;
        if replica.covers(&newest.position)? {
            return Some(newest.at);
        }
        older.iter().rfind(|sample| replica.covers(&sample.position) == Some(true)).map(|sample| sample.at)
    }

    /// Drops the sample whose gap is the smallest for its age. The first and the newest two stay.
    fn thin(&mut self) {
        let Some(newest) = self.newest() else { return };
        let gap_by_age = |index: usize| {
            let gap = self.samples[index + 1].at.saturating_sub(self.samples[index - 1].at);
            let age = newest.saturating_sub(self.samples[index].at);
            gap.as_secs_f64() / age.as_secs_f64().max(f64::MIN_POSITIVE)
        };
        let dropped = (1..self.samples.len().saturating_sub(2))
            .min_by(|one, other| gap_by_age(*one).total_cmp(&gap_by_age(*other)));
        if let Some(index) = dropped {
            self.samples.remove(index);
        }
    }
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It is the newest.
    After,
    /// It is the first of a new history.
    Anew,
    /// It was overtaken by a newer one, and says nothing.
    TooLate,
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Progress for u64 {
        fn covers(&self, other: &Self) -> Option<bool> {
            Some(self >= other)
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_replica_lacks_nothing_older_than_what_it_covers() {
        let mut history = History::new();
        assert_eq!(history.covered_by(&7_u64), None);
        for second in 1..=10_u32 {
            assert_eq!(history.add(SECOND * second, u64::from(second) * 100), Added::After);
        }
        for (position, since) in
            [(99, None), (100, Some(1)), (450, Some(4)), (999, Some(9)), (1_000, Some(10))]
        {
            assert_eq!(history.covered_by(&position), since.map(|second| SECOND * second), "{position}");
        }
    }

    #[test]
    fn a_primary_that_went_back_begins_a_new_history() {
        let mut history = History::new();
        history.add(SECOND, 100_u64);
        assert_eq!(history.add(SECOND * 3, 90), Added::Anew);
        assert_eq!(history.covered_by(&100), Some(SECOND * 3));
        assert_eq!(history.add(SECOND * 2, 200), Added::TooLate);
        assert_eq!(history.covered_by(&100), Some(SECOND * 3));
    }

    #[test]
    fn a_long_history_stays_small_and_reaches_back() {
        let mut history = History::new();
        let last = 3 * 3_600_u32;
        for second in 1..=last {
            history.add(SECOND * second, u64::from(second));
        }
        assert_eq!(history.samples.len(), MOST_SAMPLES);
        for lag in [1, 10, 60, 600, 3_600, 2 * 3_600] {
            let since = history.covered_by(&u64::from(last - lag)).expect("covers the first");
            let known = SECOND * last - since;
            assert!(known >= SECOND * lag, "{lag} s behind is known as {known:?}");
            assert!(known <= SECOND * (lag + 1) * 5 / 4, "{lag} s behind is known as {known:?}");
        }
    }
}
