//! How far a server is in the history of its cluster.
//!
//! A position compares only with one of the same history. PostgreSQL begins a new timeline at each promotion, and
//! what the old timeline wrote after the fork is lost; so no timeline says anything of another, older or newer.
//! MariaDB's numbers do not tell histories apart, so a position names the server that wrote it, and whoever reads
//! compares that with the primary of the moment: see [`Position::same_history`]. MySQL's identifiers are unique in
//! the world, so a set that contains them is enough.

mod coverage;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub(crate) use self::coverage::{Coverage, Distance, Why};
pub(crate) use super::mariadb::MariaDbGtids;
pub(crate) use super::mysql::MysqlGtids;
pub(crate) use super::postgres::Lsn;

/// How far clocks of two machines may be apart before one is said to be wrong.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// How far a server is, or must be.
///
/// The order of the variants and of their fields is that of a token's text: add at the end alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Position {
    /// PostgreSQL's place in the log.
    Postgres {
        /// The system identifier: one per `initdb`, shared by a primary and its replicas.
        system: u64,
        /// One more at each promotion.
        timeline: u32,
        /// The place itself.
        lsn: Lsn,
    },
    /// MariaDB's last transaction of each domain.
    MariaDb {
        /// A hash of what tells the primary from all other servers; a replica's own position has none.
        server: Option<u64>,
        /// The transactions.
        gtids: MariaDbGtids,
    },
    /// All transactions that MySQL has run.
    Mysql {
        /// The transactions.
        gtids: MysqlGtids,
    },
    /// When the write was made, where the engine has no positions: a window decides.
    Time {
        /// Milliseconds since 1970 by this machine's clock.
        at: u64,
    },
    /// Somewhere that nobody could ask for: only the primary will do.
    Unknown,
}

impl Position {
    /// A write of this moment, on an engine without positions. What is less than a millisecond counts as one, so
    /// that no window is over before its time.
    pub(crate) fn at(now: SystemTime) -> Self {
        Self::Time { at: milliseconds(now + Duration::from_nanos(999_999)) }
    }

    /// Whether a server at `self` has all that `needed` has.
    ///
    /// The answer for a [`Time`](Self::Time) depends on the moment: ask [`after_window`](Self::after_window).
    pub(crate) fn covers(&self, needed: &Self) -> Coverage {
        if let Err(why) = needed.comparable(self) {
            return Coverage::Incomparable(why);
        }
        match (self, needed) {
            (Self::Postgres { lsn, .. }, Self::Postgres { lsn: needed, .. }) => {
                match needed.0.checked_sub(lsn.0) {
                    None | Some(0) => Coverage::Covered,
                    Some(bytes) => Coverage::Behind(Distance::Bytes(bytes)),
                }
            }
            (Self::MariaDb { gtids, .. }, Self::MariaDb { gtids: needed, .. }) => gtids.cover(needed),
            (Self::Mysql { gtids }, Self::Mysql { gtids: needed }) => match gtids.missing(needed) {
                0 => Coverage::Covered,
                missing => Coverage::Behind(Distance::Transactions(missing)),
            },
            _ => Coverage::Incomparable(Why::OnlyTime),
        }
    }

    /// Whether what was needed at `self`, a [`Time`](Self::Time), is everywhere by now: the window is over.
    ///
    /// A clock that jumps must not make a write look old. A moment that is yet to come counts as now within
    /// 5 seconds, as clocks of two machines differ, and beyond them compares with nothing. A clock that runs ahead
    /// of the writer's shortens the window by as much, which nobody can see: the window must allow for it.
    pub(crate) fn after_window(&self, window: Duration, now: SystemTime) -> Coverage {
        let Self::Time { at } = self else {
            return Coverage::Incomparable(Why::OtherEngine);
        };
        let now = milliseconds(now);
        let ahead = Duration::from_millis(at.saturating_sub(now));
        if ahead > CLOCK_SKEW {
            return Coverage::Incomparable(Why::FromTheFuture(ahead));
        }
        match window.checked_sub(Duration::from_millis(now.saturating_sub(*at))) {
            None | Some(Duration::ZERO) => Coverage::Covered,
            Some(left) => Coverage::Behind(Distance::Time(left)),
        }
    }

    /// Whether any server of the cluster can tell by itself whether this is of its history.
    pub(crate) fn names_its_history(&self) -> bool {
        matches!(self, Self::Postgres { .. } | Self::Mysql { .. })
    }

    /// Whether `self`, which is needed, is of the history that the `primary` is in now.
    ///
    /// Ask this of what a token needs before any replica is asked, with where the primary is, as
    /// [`written`](super::observe::written) and [`replayed`](super::observe::replayed) say: a replica of MariaDB
    /// cannot tell who wrote what it replays, and one of PostgreSQL may name an older timeline than it follows.
    pub(crate) fn same_history(&self, primary: &Self) -> Result<(), Why> {
        self.comparable(primary)?;
        match (self, primary) {
            (Self::MariaDb { server, .. }, Self::MariaDb { server: other, .. })
                if server.is_none() || server != other =>
            {
                Err(Why::OtherServer)
            }
            _ => Ok(()),
        }
    }

    /// The position of a replica as one of the `primary` that it follows, for a need that
    /// [`same_history`](Self::same_history) can judge later.
    #[must_use]
    pub(crate) fn of_primary(mut self, primary: &Self) -> Self {
        if let (Self::MariaDb { server: server @ None, .. }, Self::MariaDb { server: known, .. }) =
            (&mut self, primary)
        {
            *server = *known;
        }
        self
    }

    /// Whether the two can be compared, as far as they themselves tell.
    fn comparable(&self, server: &Self) -> Result<(), Why> {
        match (self, server) {
            (Self::Unknown, _) | (_, Self::Unknown) => Err(Why::Unknown),
            (
                Self::Postgres { system, timeline, .. },
                Self::Postgres { system: other, timeline: server_timeline, .. },
            ) => {
                if system != other {
                    Err(Why::OtherSystem)
                } else if timeline != server_timeline {
                    Err(Why::OtherTimeline { server: *server_timeline, needed: *timeline })
                } else {
                    Ok(())
                }
            }
            (Self::MariaDb { server: Some(server), .. }, Self::MariaDb { server: Some(other), .. })
                if server != other =>
            {
                Err(Why::OtherServer)
            }
            (Self::MariaDb { .. }, Self::MariaDb { .. })
            | (Self::Mysql { .. }, Self::Mysql { .. })
            | (Self::Time { .. }, Self::Time { .. }) => Ok(()),
            (Self::Time { .. }, _) | (_, Self::Time { .. }) => Err(Why::OnlyTime),
            _ => Err(Why::OtherEngine),
        }
    }

    /// Joins two needs into the one that covers both; [`Unknown`](Self::Unknown) where there is none.
    ///
    /// A later position of the primary needs no joining with what came before: it takes its place, also after a
    /// failover, as what it lacks is lost.
    #[must_use]
    pub(crate) fn join(self, other: Self) -> Self {
        if self.comparable(&other).is_err() {
            return Self::Unknown;
        }
        match (self, other) {
            (Self::Postgres { system, timeline, lsn }, Self::Postgres { lsn: other, .. }) => {
                Self::Postgres { system, timeline, lsn: lsn.max(other) }
            }
            (Self::MariaDb { server, gtids }, Self::MariaDb { server: other_server, gtids: other }) => {
                match gtids.join(&other) {
                    Some(gtids) => Self::MariaDb { server: server.or(other_server), gtids },
                    None => Self::Unknown,
                }
            }
            (Self::Mysql { gtids }, Self::Mysql { gtids: other }) => {
                Self::Mysql { gtids: gtids.join(&other) }
            }
            (Self::Time { at }, Self::Time { at: other }) => Self::Time { at: at.max(other) },
            _ => Self::Unknown,
        }
    }

    /// Whether it is one that this program would write, as opposed to one that somebody made up.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Postgres { timeline, .. } => *timeline > 0,
            Self::Mysql { gtids } => gtids.is_sound(),
            Self::MariaDb { .. } | Self::Time { .. } | Self::Unknown => true,
        }
    }
}

/// `timeline 2 at 0/3000AF0`, `0-1-42`, …
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres { timeline, lsn, .. } => write!(f, "timeline {timeline} at {lsn}"),
            Self::MariaDb { gtids, .. } => write!(f, "{gtids}"),
            Self::Mysql { gtids } => write!(f, "{gtids}"),
            Self::Time { at } => write!(f, "{}.{:03} s after 1970", at / 1000, at % 1000),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_position() -> impl Strategy<Value = Position> {
        prop_oneof![
            (0..3_u64, 1..4_u32, any::<u64>()).prop_map(|(system, timeline, lsn)| Position::Postgres {
                system,
                timeline,
                lsn: Lsn(lsn)
            }),
            (proptest::option::of(0..3_u64), crate::engine::mariadb::gtids_tests::any_gtids())
                .prop_map(|(server, gtids)| Position::MariaDb { server, gtids }),
            crate::engine::mysql::gtids_tests::any_gtids().prop_map(|gtids| Position::Mysql { gtids }),
            any::<u64>().prop_map(|at| Position::Time { at }),
            Just(Position::Unknown),
        ]
    }

    fn postgres(system: u64, timeline: u32, lsn: u64) -> Position {
        Position::Postgres { system, timeline, lsn: Lsn(lsn) }
    }

    fn mariadb(server: Option<u64>, gtids: &str) -> Position {
        Position::MariaDb { server, gtids: MariaDbGtids::parse(gtids).unwrap() }
    }

    fn mysql(gtids: &str) -> Position {
        Position::Mysql { gtids: MysqlGtids::parse(gtids).unwrap() }
    }

    #[test]
    fn postgres_compares_within_one_timeline() {
        let here = postgres(1, 2, 100);
        assert_eq!(here.covers(&postgres(1, 2, 100)), Coverage::Covered);
        assert_eq!(here.covers(&postgres(1, 2, 99)), Coverage::Covered);
        assert_eq!(here.covers(&postgres(1, 2, 101)), Coverage::Behind(Distance::Bytes(1)));
        // The order of the fields plays no part.
        assert_eq!(here.covers(&postgres(2, 2, 1)), Coverage::Incomparable(Why::OtherSystem));
        for timeline in [1, 3] {
            let why = Why::OtherTimeline { server: 2, needed: timeline };
            assert_eq!(here.covers(&postgres(1, timeline, 1)), Coverage::Incomparable(why));
            assert_eq!(postgres(1, timeline, 1).same_history(&here), Err(why));
        }
    }

    #[test]
    fn mariadb_compares_with_the_primary_that_wrote() {
        let needed = mariadb(Some(1), "0-1-42");
        let replica = mariadb(None, "0-1-42");
        assert_eq!(replica.covers(&needed), Coverage::Covered);
        assert_eq!(mariadb(Some(2), "0-1-42").covers(&needed), Coverage::Incomparable(Why::OtherServer));
        assert_eq!(needed.same_history(&mariadb(Some(1), "")), Ok(()));
        // Another primary, a primary that is a replica, and a need that nobody answers for.
        assert_eq!(needed.same_history(&mariadb(Some(2), "0-1-42")), Err(Why::OtherServer));
        assert_eq!(needed.same_history(&replica), Err(Why::OtherServer));
        assert_eq!(replica.same_history(&mariadb(Some(1), "0-1-42")), Err(Why::OtherServer));
        assert_eq!(replica.same_history(&replica), Err(Why::OtherServer));
        assert_eq!(replica.clone().of_primary(&mariadb(Some(1), "")), needed);
        assert_eq!(replica.join(needed.clone()), needed);
    }

    #[test]
    fn mysql_asks_for_the_transactions_alone() {
        const SERVER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let at = |numbers: &str| mysql(&format!("{SERVER}:{numbers}"));
        assert_eq!(at("1-9").covers(&at("1-5:7")), Coverage::Covered);
        assert_eq!(at("1-5:8-9").covers(&at("1-9")), Coverage::Behind(Distance::Transactions(2)));
        assert_eq!(mysql("").covers(&at("1")), Coverage::Behind(Distance::Transactions(1)));
        assert_eq!(mysql("").covers(&mysql("")), Coverage::Covered);
        assert_eq!(at("1").same_history(&mysql("")), Ok(()));
    }

    #[test]
    fn a_window_decides_where_there_are_no_positions() {
        let second = Duration::from_secs(1);
        let now = UNIX_EPOCH + 1_000_000 * second;
        let window = 2 * second;
        let after = |written: SystemTime| Position::at(written).after_window(window, now);
        assert_eq!(after(now - 2 * second), Coverage::Covered);
        assert_eq!(after(UNIX_EPOCH), Coverage::Covered);
        assert_eq!(after(now - second), Coverage::Behind(Distance::Time(second)));
        assert_eq!(after(now), Coverage::Behind(Distance::Time(window)));
        // Clocks differ a little, or one is wrong.
        assert_eq!(after(now + 5 * second), Coverage::Behind(Distance::Time(window)));
        assert_eq!(after(now + 6 * second), Coverage::Incomparable(Why::FromTheFuture(6 * second)));
        let never = Position::Time { at: u64::MAX }.after_window(window, now);
        assert!(matches!(never, Coverage::Incomparable(Why::FromTheFuture(_))));
        assert_eq!(Position::at(UNIX_EPOCH - second), Position::Time { at: 0 });
        assert_eq!(Position::Unknown.after_window(window, now), Coverage::Incomparable(Why::OtherEngine));
        let time = Position::at(now);
        assert_eq!(time.covers(&time), Coverage::Incomparable(Why::OnlyTime));
        assert_eq!(postgres(1, 1, 1).covers(&time), Coverage::Incomparable(Why::OnlyTime));
    }

    #[test]
    fn needs_that_have_no_common_cover_are_unknown() {
        for (one, other) in [
            (postgres(1, 2, 3), postgres(2, 2, 3)),
            (postgres(1, 2, 3), postgres(1, 3, 3)),
            (postgres(1, 2, 3), mysql("")),
            (postgres(1, 2, 3), Position::Unknown),
            (mariadb(Some(1), "0-1-1"), mariadb(Some(2), "0-1-1")),
            (mariadb(None, "0-1-1"), mariadb(None, "0-2-1")),
            (Position::Time { at: 1 }, mysql("")),
        ] {
            assert_eq!(one.clone().join(other.clone()), Position::Unknown, "{one} and {other}");
            assert_eq!(other.clone().join(one.clone()), Position::Unknown, "{other} and {one}");
        }
        let (early, late) = (Position::Time { at: 1 }, Position::Time { at: 2 });
        assert_eq!(early.join(late.clone()), late);
    }

    #[test]
    fn distances_and_reasons_in_words() {
        let second = Duration::from_secs(1);
        for (distance, words) in [
            (Distance::Bytes(0), "0 bytes"),
            (Distance::Bytes(1), "1 byte"),
            (Distance::Bytes(9_999), "9999 bytes"),
            (Distance::Bytes(48 * 1024), "48 kB"),
            (Distance::Bytes(48 * 1024 + 1), "49 kB"),
            (Distance::Bytes(20 << 20), "20 MB"),
            (Distance::Bytes(u64::MAX), "16777216 TB"),
            (Distance::Transactions(1), "1 transaction"),
            (Distance::Transactions(3), "3 transactions"),
            (Distance::Time(Duration::from_millis(800)), "800 ms"),
            (Distance::Time(12 * second), "12 s"),
            (Distance::Unknown, "unknown"),
        ] {
            assert_eq!(distance.to_string(), words);
        }
        let why = Why::OtherTimeline { server: 3, needed: 2 };
        assert_eq!(why.to_string(), "it is on timeline 3, the token on 2");
        let why = Why::Diverged { domain: 0, sequence: 42 };
        assert_eq!(why.to_string(), "it has another transaction 42 of domain 0 than the token");
        assert_eq!(postgres(1, 2, 0x300_0af0).to_string(), "timeline 2 at 0/3000AF0");
    }

    proptest! {
        /// What covers a join covers both, and nothing is covered by less than itself.
        #[test]
        fn a_join_covers_both(one in any_position(), other in any_position()) {
            let joined = one.clone().join(other.clone());
            prop_assert!(joined.is_sound());
            if !matches!(joined, Position::Unknown | Position::Time { .. }) {
                prop_assert_eq!(joined.covers(&one), Coverage::Covered);
                prop_assert_eq!(joined.covers(&other), Coverage::Covered);
                prop_assert_eq!(other.join(one), joined);
            }
        }

        #[test]
        fn two_that_cover_each_other_are_one(one in any_position(), other in any_position()) {
            if one.covers(&other) == Coverage::Covered && other.covers(&one) == Coverage::Covered {
                prop_assert_eq!(one.clone().of_primary(&other), other.of_primary(&one));
            }
        }
    }
}
