//! What one position says of another, in values and in words.

use std::fmt;
use std::time::Duration;

/// What one position says of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of it is there.
    Covered,
    /// That much is missing; it may come.
    Behind(Distance),
    /// Waiting may not help: take the primary.
    Incomparable(Why),
}

/// `behind by 48 kB`, or why the two do not compare.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Covered => f.write_str("caught up"),
            Self::Behind(Distance::Time(left)) => {
                write!(f, "used the primary less than a window ago, {} to go", Distance::Time(*left))
            }
            Self::Behind(distance) => write!(f, "behind by {distance}"),
            Self::Incomparable(why) => why.fmt(f),
        }
    }
}

/// How far a server is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distance {
    /// Bytes of the log.
    Bytes(u64),
    /// Transactions.
    Transactions(u64),
    /// What is left of the window.
    Time(Duration),
    /// Nobody can tell.
    Unknown,
}

/// `48 kB`, `3 transactions`, `800 ms`, `unknown`. A kB is 1,024 bytes and rounded up, as in PostgreSQL.
impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
        match self {
            Self::Bytes(1) => f.write_str("1 byte"),
            Self::Bytes(bytes @ ..10_000) => write!(f, "{bytes} bytes"),
            Self::Bytes(bytes) => {
                let mut size = bytes.div_ceil(1024);
                let mut units = UNITS.into_iter();
                let mut unit = units.next().unwrap_or_default();
                for larger in units {
                    if size < 10_000 {
                        break;
                    }
                    size = size.div_ceil(1024);
                    unit = larger;
                }
                write!(f, "{size} {unit}")
            }
            Self::Transactions(1) => f.write_str("1 transaction"),
            Self::Transactions(count) => write!(f, "{count} transactions"),
            Self::Time(left) if *left < Duration::from_secs(10) => {
                write!(f, "{} ms", left.as_millis().max(1))
            }
            Self::Time(left) => write!(f, "{} s", left.as_secs()),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Why two positions do not compare. The text says it of the server: "it is on timeline 3, …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// One of the two positions is unknown.
    Unknown,
    /// The positions are of two engines.
    OtherEngine,
    /// The write has a moment and no position.
    OnlyTime,
    /// Two clusters of PostgreSQL.
    OtherSystem,
    /// Two timelines of one cluster.
    OtherTimeline {
        /// That of the server.
        server: u32,
        /// That of the position which it must have.
        needed: u32,
    },
    /// Two servers of MariaDB have written.
    OtherServer,
    /// Two servers of MariaDB gave one number to two transactions.
    Diverged {
        /// The domain of the number.
        domain: u32,
        /// The number.
        sequence: u64,
    },
    /// The write was made that much after now.
    FromTheFuture(Duration),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nobody knows how far it is, or must be"),
            Self::OtherEngine => f.write_str("it is of another engine than the token"),
            Self::OnlyTime => f.write_str("the server that was written to has no positions to compare with"),
            Self::OtherSystem => f.write_str("it is of another cluster than the token"),
            Self::OtherTimeline { server, needed } => {
                write!(f, "it is on timeline {server}, the token on {needed}")
            }
            Self::OtherServer => f.write_str("the token is of another primary than now"),
            Self::Diverged { domain, sequence } => {
                write!(f, "it has another transaction {sequence} of domain {domain} than the token")
            }
            Self::FromTheFuture(ahead) => {
                write!(
                    f,
                    "the token is of a moment that is {} s ahead of this machine's clock",
                    ahead.as_secs()
                )
            }
        }
    }
}
