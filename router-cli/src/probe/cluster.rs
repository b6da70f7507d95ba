//! Asks the nodes of clusters what they are and how far they have come, as a service would.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use router_core::Alias;
use router_diesel::cluster::{ClusterStatus, NodeStatus, Standing};
use router_diesel::config::{Config, Database};
use router_diesel::{AnyConnection, Databases};

use super::{Node, Probe, limit};
use crate::failure::Failure;
use crate::output::{milliseconds, one_line};

/// How often the nodes are asked at least. A lag is known no more finely than that, and there is only a moment.
const INTERVAL: Duration = Duration::from_millis(200);
/// How often it is looked whether all is known.
const TICK: Duration = Duration::from_millis(5);

/// The clusters of the databases that are asked, while they are watched.
pub(super) struct Watch {
    databases: Databases<AnyConnection>,
    start: Instant,
}

impl Watch {
    /// Begins to watch, if any of the databases is in a cluster.
    ///
    /// With a replica its primary is asked, too, which its lag is measured by; with a primary its replicas.
    pub(super) fn begin(config: &Config, asked: &[Database]) -> Result<Option<Self>, Failure> {
        let is_asked = |alias: &Alias| asked.iter().any(|database| database.alias == *alias);
        let mut config = config.clone();
        for database in &mut config.databases {
            // Nothing is routed here, so there are no rules that could miss the replicas of other clusters.
            database.apps.clear();
            database.migrate_to = None;
            database.migration_history = None;
            let alias = &database.alias;
            database.replica_of =
                database.replica_of.take().filter(|primary| is_asked(alias) || is_asked(primary));
            database.health.interval = database.health.interval.min(INTERVAL);
        }
        if !config.databases.iter().any(Database::is_replica) {
            return Ok(None);
        }
        let databases = Databases::builder(config).build()?;
        let start = Instant::now();
        databases.watch_clusters();
        Ok(Some(Self { databases, start }))
    }

    /// Adds to what the databases answered what they are in their clusters. Waits for that as long as a database may
    /// take to connect, counted from the beginning.
    pub(super) fn finish(self, asked: &[Database], mut probes: Vec<Probe>) -> Vec<Probe> {
        let is_open = |(database, probe): (&Database, &Probe)| {
            self.start.elapsed() < limit(database) && !self.is_settled(database, probe)
        };
        while asked.iter().zip(&probes).any(is_open) {
            thread::sleep(TICK);
        }
        for (database, probe) in asked.iter().zip(&mut probes) {
            if let Some(cluster) = self.cluster_of(database)
                && let Some(status) = find(&cluster, &database.alias)
            {
                probe.node = node(status, database, probe);
            }
        }
        probes
    }

    fn cluster_of(&self, database: &Database) -> Option<ClusterStatus> {
        self.databases.cluster(database.replica_of.as_ref().unwrap_or(&database.alias)).ok()
    }

    /// Whether more time would tell no more of a node.
    fn is_settled(&self, database: &Database, probe: &Probe) -> bool {
        let Some(cluster) = self.cluster_of(database) else { return true };
        let (Some(primary), Some(node)) = (cluster.nodes.first(), find(&cluster, &database.alias)) else {
            return true;
        };
        // A server that is gone, or a file that is yet to be made.
        if probe.version.is_none() {
            return true;
        }
        let has_positions = database.url.engine().has_positions();
        let has_answered = match &node.standing {
            // It is asked again, soon.
            Standing::Suspect { .. } | Standing::Banned { .. } | Standing::Down { .. } => false,
            Standing::Untested => false,
            // What stands for a node that was not asked yet, too.
            Standing::LagUnknown { .. } | Standing::Offline => !has_positions || node.position.is_some(),
            _ => true,
        };
        let has_lag = node.is_replica
            && has_positions
            && node.position.is_some()
            && node.standing != Standing::OtherCluster;
        let primary_tells = match &primary.standing {
            Standing::Down { .. } | Standing::NotAPrimary => false,
            Standing::Up => primary.position.is_some(),
            _ => true,
        };
        has_answered && (!has_lag || node.lag.is_some() || !primary_tells)
    }
}

fn find<'a>(cluster: &'a ClusterStatus, alias: &Alias) -> Option<&'a NodeStatus> {
    cluster.nodes.iter().find(|node| node.alias == *alias)
}

fn node(status: &NodeStatus, database: &Database, probe: &Probe) -> Node {
    let role = if status.is_replica { "replica" } else { "primary" };
    let standing = &status.standing;
    let is_other = matches!(standing, Standing::NotAReplica | Standing::NotAPrimary | Standing::OtherCluster);
    let declared = if is_other { "declared " } else { "" };
    let mut words = match &database.replica_of {
        Some(primary) => format!("{declared}replica of {primary}"),
        None => format!("{declared}primary"),
    };
    if probe.is_unreachable() {
        return Node { role: Some(role), standing: Some("unreachable"), words, ..Node::default() };
    }
    // The one of a file that is yet to be made.
    if probe.version.is_none() {
        return Node { role: Some(role), words, ..Node::default() };
    }
    let says_lag = is_other || matches!(standing, Standing::Lagging { .. } | Standing::LagUnknown { .. });
    if status.is_replica && !says_lag && database.url.engine().has_positions() {
        match status.lag {
            Some(lag) => words.push_str(&format!(", {} behind", Lag(lag))),
            None => words.push_str(", lag unknown"),
        }
    }
    if let Some(position) = &status.position {
        words.push_str(&format!(" ({position})"));
    }
    let why =
        (*standing != Standing::Up).then(|| database.url.without_secrets(&one_line(&standing.to_string())));
    if let Some(why) = &why {
        words.push_str(if !status.is_replica || standing.may_serve() { "; " } else { "; serves no reads: " });
        words.push_str(why);
    }
    Node {
        role: Some(role),
        standing: Some(code(standing)),
        lag_ms: status.lag.map(milliseconds),
        position: status.position.clone(),
        why,
        words,
    }
}

/// The standing as programs read it.
fn code(standing: &Standing) -> &'static str {
    match standing {
        Standing::Up => "up",
        Standing::Untested => "untested",
        Standing::Suspect { .. } => "suspect",
        Standing::Banned { .. } => "banned",
        Standing::Lagging { .. } => "lagging",
        Standing::LagUnknown { .. } => "lag_unknown",
        Standing::Drained => "drained",
        Standing::Offline => "offline",
        Standing::NotAReplica => "not_a_replica",
        Standing::OtherCluster => "other_cluster",
        Standing::NotAPrimary => "not_a_primary",
        Standing::Down { .. } => "down",
        _ => "other",
    }
}

/// A lag as a person reads it, rounded up: `0 ms`, `250 ms`, `3.2 s`.
struct Lag(Duration);

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_nanos().div_ceil(1_000_000);
        if milliseconds < 1_000 {
            return write!(f, "{milliseconds} ms");
        }
        let tenths = milliseconds.div_ceil(100);
        write!(f, "{}.{} s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_rounded_up() {
        let lag = |microseconds| Lag(Duration::from_micros(microseconds)).to_string();
        assert_eq!(lag(0), "0 ms");
        assert_eq!(lag(1), "1 ms");
        assert_eq!(lag(999_000), "999 ms");
        assert_eq!(lag(999_001), "1.0 s");
        assert_eq!(lag(3_101_000), "3.2 s");
    }
}
