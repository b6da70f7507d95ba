//! How a node stands: whether it may serve, and why not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whether a node of a cluster may serve, and why not.
///
/// Its text is what [`route`](crate::Session::explain) and the traces say of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It works.
    Up,
    /// Nothing is known of it yet. It may serve, so that a service need not wait for its first check.
    Untested,
    /// It failed once and is being asked. It serves where no better one can, and also where it is the last that might
    /// serve at all.
    Suspect {
        /// What failed.
        reason: Arc<str>,
    },
    /// It failed, and serves nothing until it has been left alone for a while and then answers.
    Banned {
        /// How much longer it is left alone; nothing when only its answer is awaited.
        remaining: Duration,
        /// What failed first.
        reason: Arc<str>,
    },
    /// A replica that is further behind its primary than its `max_lag` allows.
    Lagging {
        /// How far it is behind, at most.
        lag: Duration,
        /// Its `max_lag`.
        limit: Duration,
    },
    /// A replica of which nobody can tell how far it is behind, and that has a `max_lag`.
    LagUnknown {
        /// Its `max_lag`.
        limit: Duration,
    },
    /// An operator took it out of use.
    Drained,
    /// `offline` says that it is not to be used.
    Offline,
    /// It is declared a replica, and says that it is a primary: promoted, or never a replica.
    NotAReplica,
    /// It is declared a replica of a primary, and is of another cluster: what it holds is other data. PostgreSQL alone
    /// tells, by the system identifier, and only once both have answered.
    OtherCluster,
    /// It is declared a primary, and says that it is a replica. Statements still go there; the server refuses writes.
    NotAPrimary,
    /// A primary that does not answer. Statements still go there, as there is no other.
    Down {
        /// For how long.
        elapsed: Duration,
        /// What failed first.
        reason: Arc<str>,
    },
}

impl Standing {
    /// Whether the node works as far as is known.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Up | Self::Untested)
    }

    /// Whether a replica that stands so may serve reads: a suspect one may, where no healthy one is left.
    #[must_use]
    pub fn may_serve(&self) -> bool {
        self.is_healthy() || matches!(self, Self::Suspect { .. })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Untested => f.write_str("not tested yet"),
            Self::Suspect { reason } => write!(f, "suspect: {reason}"),
            Self::Banned { remaining, reason } if remaining.is_zero() => {
                write!(f, "banned until it answers: {reason}")
            }
            Self::Banned { remaining, reason } => {
                write!(f, "banned for {} more: {reason}", Seconds(*remaining))
            }
            Self::Lagging { lag, limit } => write!(f, "lagging {} > {}", Seconds(*lag), Seconds(*limit)),
            Self::LagUnknown { limit } => write!(f, "lag unknown, max_lag is {}", Seconds(*limit)),
            Self::Drained => f.write_str("drained"),
            Self::Offline => f.write_str("offline by configuration"),
            Self::NotAReplica => f.write_str("is a primary, not a replica"),
            Self::OtherCluster => f.write_str("is of another cluster than its primary"),
            Self::NotAPrimary => f.write_str("is a replica, not a primary"),
            Self::Down { elapsed, reason } => write!(f, "down for {}: {reason}", Seconds(*elapsed)),
        }
    }
}

/// A length of time as a person reads it: `3.2 s`, `1 s`, `250 ms`. Rounded up, so that a lag above a limit never looks
/// equal to it.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_nanos().div_ceil(1_000_000);
        if milliseconds < 1_000 {
            return write!(f, "{milliseconds} ms");
        }
        let tenths = milliseconds.div_ceil(100);
        match tenths % 10 {
            0 => write!(f, "{} s", tenths / 10),
            tenth => write!(f, "{}.{tenth} s", tenths / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_are_told_in_words() {
        let reason: Arc<str> = "could not connect: connection refused".into();
        let ms = Duration::from_millis;
        for (standing, text) in [
            (Standing::Up, "up"),
            (Standing::Untested, "not tested yet"),
            (Standing::Suspect { reason: reason.clone() }, "suspect: could not connect: connection refused"),
            (
                Standing::Banned { remaining: ms(3_140), reason: reason.clone() },
                "banned for 3.2 s more: could not connect: connection refused",
            ),
            (
                Standing::Banned { remaining: Duration::ZERO, reason: reason.clone() },
                "banned until it answers: could not connect: connection refused",
            ),
            (Standing::Lagging { lag: ms(3_200), limit: ms(1_000) }, "lagging 3.2 s > 1 s"),
            (
                Standing::Lagging { lag: ms(1_000) + Duration::from_nanos(1), limit: ms(1_000) },
                "lagging 1.1 s > 1 s",
            ),
            (Standing::Lagging { lag: ms(995), limit: ms(250) }, "lagging 995 ms > 250 ms"),
            (Standing::LagUnknown { limit: ms(1_000) }, "lag unknown, max_lag is 1 s"),
            (Standing::Drained, "drained"),
            (Standing::Offline, "offline by configuration"),
            (Standing::NotAReplica, "is a primary, not a replica"),
            (Standing::OtherCluster, "is of another cluster than its primary"),
            (Standing::NotAPrimary, "is a replica, not a primary"),
            (
                Standing::Down { elapsed: ms(62_000), reason },
                "down for 62 s: could not connect: connection refused",
            ),
        ] {
            assert_eq!(standing.to_string(), text);
        }
    }
}
