use std::{thread, time::Duration};

use diesel::{
    RunQueryDsl as _,
    connection::SimpleConnection as _,
    dsl::sql,
    sql_types::{BigInt, Text},
};

use super::{MariaDb, url};
use crate::{ClusterDatabase, HarnessError, PASSWORD, statement_log::mariadb::HARNESS_USER, wait};

/// Over those of a single server, on all nodes.
const SETTINGS: [(&str, &str); 5] = [
    ("log-bin", "binlog"),
    // A replica's own log has what it replayed, so that it can be a primary.
    ("log-slave-updates", "ON"),
    ("gtid-strict-mode", "ON"),
    ("relay-log", "relay"),
    // After SIGKILL it asks its primary again, from the last transaction that it committed.
    ("relay-log-recovery", "ON"),
];

/// A private MariaDB primary with GTID replicas, which end with this value and with the process.
///
/// The nodes are ordinary servers: [`replica_mut`](Self::replica_mut) stops one and starts it again, its own log
/// counts its statements. They keep their numbers, whatever their part: after [`promote`](Self::promote), `primary`
/// is still the node that began as the primary.
///
/// A replica is `read_only`. That does not bind the user of the URLs, who has all privileges and so
/// `READ_ONLY ADMIN`: what keeps a test from writing to a replica is what it tests.
#[derive(Debug)]
pub struct MariaDbCluster {
    replicas: Vec<Replica>,
    primary: MariaDb,
}

#[derive(Debug)]
struct Replica {
    server: MariaDb,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Replica,
    Promoted,
}

impl MariaDbCluster {
    /// Starts a primary and so many replicas, that have replayed all there is.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] where MariaDB is not installed, else what kept a node from starting.
    pub fn start(replicas: usize) -> Result<Self, HarnessError> {
        let (primary, replicas) = thread::scope(|scope| {
            let starts: Vec<_> =
                (0..replicas).map(|number| scope.spawn(move || start_node(number + 2, "ON"))).collect();
            let primary = start_node(1, "OFF");
            let replicas: Result<Vec<_>, _> = starts
                .into_iter()
                .map(|start| start.join().expect("starting a server does not panic"))
                .map(|server| Ok(Replica { server: server?, part: Part::Replica }))
                .collect();
            Ok::<_, HarnessError>((primary?, replicas?))
        })?;
        let cluster = Self { replicas, primary };
        for number in 0..cluster.replicas() {
            cluster.order(
                number,
                &format!(
                    "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = '{HARNESS_USER}', \
                     MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
                    cluster.primary.port()
                ),
            )?;
            cluster.order(number, "START SLAVE")?;
        }
        cluster.wait_until_caught_up()?;
        Ok(cluster)
    }

    /// The node that began as the primary.
    #[must_use]
    pub fn primary(&self) -> &MariaDb {
        &self.primary
    }

    /// The node that began as the primary, to stop it and start it again.
    pub fn primary_mut(&mut self) -> &mut MariaDb {
        &mut self.primary
    }

    /// The number of replicas that the cluster began with.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// A replica, counted from 0.
    ///
    /// # Panics
    /// If there is none of that number, as all that take one.
    #[must_use]
    pub fn replica(&self, replica: usize) -> &MariaDb {
        &self.replicas[replica].server
    }

    /// A replica, to stop it and start it again. It then catches up by itself.
    pub fn replica_mut(&mut self, replica: usize) -> &mut MariaDb {
        &mut self.replicas[replica].server
    }

    /// Makes an empty database, whose name begins with `name`, on the primary, and waits until it is on every replica
    /// that runs.
    ///
    /// # Errors
    /// If the primary is stopped or refuses, and if a replica does not get there, such as one whose replay is paused.
    ///
    /// # Panics
    /// If the name holds more than a-z, 0-9 and `_`.
    pub fn database(&self, name: &str) -> Result<ClusterDatabase, HarnessError> {
        let database = self.primary.database(name)?;
        self.wait_until_caught_up()?;
        let urls = self.replicas.iter().map(|replica| url(replica.server.port(), database.name()));
        let urls = urls.collect();
        Ok(ClusterDatabase::new(database, urls))
    }

    /// Waits until every replica that runs has replayed what the primary has committed by now.
    ///
    /// # Errors
    /// If one does not within 30 seconds, or a node does not answer.
    pub fn wait_until_caught_up(&self) -> Result<(), HarnessError> {
        for (number, replica) in self.replicas.iter().enumerate() {
            if replica.part == Part::Promoted || !replica.server.is_running() {
                continue;
            }
            let position: String = diesel::select(sql::<Text>("@@gtid_binlog_pos"))
                .get_result(&mut self.primary.admin()?)
                .map_err(HarnessError::refused("ask for the primary's position"))?;
            let limit = wait::LIMIT;
            let wait = format!("MASTER_GTID_WAIT('{position}', {})", limit.as_secs());
            let in_time: i64 = diesel::select(sql::<BigInt>(&wait))
                .get_result(&mut replica.server.admin()?)
                .map_err(HarnessError::refused(format!("ask for `{wait}`")))?;
            if in_time != 0 {
                let waiting_for = format!("replica {number} to replay {position}");
                return Err(HarnessError::Late { waiting_for, limit });
            }
        }
        Ok(())
    }

    /// Makes a replica replay each transaction at least so long after it was committed, by `MASTER_DELAY`. It receives
    /// the transactions without delay. Zero ends it.
    ///
    /// MariaDB delays by whole seconds and counts from the second that a transaction began in. So the delay is
    /// rounded up and made one second longer, and a transaction appears up to two seconds later than `delay` asks.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn set_apply_delay(&self, replica: usize, delay: Duration) -> Result<(), HarnessError> {
        let seconds = if delay.is_zero() { 0 } else { delay.as_millis().div_ceil(1000) + 1 };
        self.order(replica, "STOP SLAVE")?;
        self.order(replica, &format!("CHANGE MASTER TO MASTER_DELAY = {seconds}"))?;
        self.order(replica, "START SLAVE")
    }

    /// Makes a replica receive transactions and replay none, from now until [`resume_replay`](Self::resume_replay).
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn pause_replay(&self, replica: usize) -> Result<(), HarnessError> {
        self.order(replica, "STOP SLAVE SQL_THREAD")
    }

    /// Ends [`pause_replay`](Self::pause_replay), and does not wait until the replica has caught up.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn resume_replay(&self, replica: usize) -> Result<(), HarnessError> {
        self.order(replica, "START SLAVE SQL_THREAD")
    }

    /// Makes a replica a primary, which is not `read_only`. The old primary is not told, and the other replicas go on
    /// following it.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn promote(&mut self, replica: usize) -> Result<(), HarnessError> {
        self.order(replica, "STOP SLAVE")?;
        self.order(replica, "RESET SLAVE ALL")?;
        self.order(replica, "SET GLOBAL read_only = OFF")?;
        self.replicas[replica].part = Part::Promoted;
        Ok(())
    }

    fn order(&self, replica: usize, statement: &str) -> Result<(), HarnessError> {
        let doing = || format!("tell replica {replica}: {}", statement.replace(PASSWORD, "…"));
        self.replica(replica).admin()?.batch_execute(statement).map_err(HarnessError::refused(doing()))
    }
}

/// Starts a node that follows nobody yet.
fn start_node(server_id: usize, read_only: &str) -> Result<MariaDb, HarnessError> {
    let server_id = server_id.to_string();
    let own = [("server-id", server_id.as_str()), ("read-only", read_only)];
    let settings: Vec<_> = SETTINGS.into_iter().chain(own).collect();
    MariaDb::start_with(&settings)
}
