use std::{path::Path, thread, time::Duration};

use diesel::{PgConnection, RunQueryDsl as _, connection::SimpleConnection as _, dsl::sql, sql_types};

use super::{Lineage, Postgres, initialize, url};
use crate::{ClusterDatabase, HarnessError, PASSWORD, program::run, server::Engine, wait};

/// Over those of a single server, on all nodes: a standby refuses to run with less than its primary has of some
/// (`max_connections`, `max_wal_senders`, `max_worker_processes`).
const SETTINGS: [(&str, &str); 4] = [
    // What a stopped standby has missed is still there when it is started again, on whichever node it follows then.
    ("wal_keep_size", "256MB"),
    ("max_wal_size", "64MB"),
    // How often a standby that lost its primary asks for it, and tells it how far it is.
    ("wal_retrieve_retry_interval", "100ms"),
    ("wal_receiver_status_interval", "1s"),
];

/// A private PostgreSQL primary with streaming replicas, which end with this value and with the process.
///
/// The nodes are ordinary servers: [`replica_mut`](Self::replica_mut) stops one and starts it again, its own log
/// counts its statements. They keep their numbers, whatever their part: after [`promote`](Self::promote), `primary`
/// is still the node that began as the primary.
#[derive(Debug)]
pub struct PostgresCluster {
    replicas: Vec<Replica>,
    primary: Postgres,
}

#[derive(Debug)]
struct Replica {
    server: Postgres,
    upstream: Upstream,
}

/// Whose WAL a node replays.
#[derive(Debug, Clone, Copy)]
enum Upstream {
    Primary,
    Replica(usize),
    /// It was promoted.
    Nobody,
}

impl PostgresCluster {
    /// Starts a primary and so many hot standbys, made by `pg_basebackup`, that have replayed all there is.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] where PostgreSQL is not installed, else what kept a node from starting.
    pub fn start(replicas: usize) -> Result<Self, HarnessError> {
        Self::start_as(Lineage::Common, replicas)
    }

    /// Starts a cluster with another system identifier than all other servers of the harness have.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_unrelated(replicas: usize) -> Result<Self, HarnessError> {
        Self::start_as(Lineage::Unrelated, replicas)
    }

    fn start_as(lineage: Lineage, replicas: usize) -> Result<Self, HarnessError> {
        let primary = Postgres::start_in(&SETTINGS, |engine, folder, programs| {
            initialize(engine, folder, programs, lineage)
        })?;
        let start = |number| {
            Postgres::start_in(&SETTINGS, |engine, folder, programs| {
                back_up(engine, folder, programs, &conninfo(primary.port(), number))
            })
        };
        let replicas = thread::scope(|scope| {
            let start = &start;
            let starts: Vec<_> = (0..replicas).map(|number| scope.spawn(move || start(number))).collect();
            starts
                .into_iter()
                .map(|start| start.join().expect("starting a server does not panic"))
                .map(|server| Ok(Replica { server: server?, upstream: Upstream::Primary }))
                .collect::<Result<Vec<_>, HarnessError>>()
        })?;
        let cluster = Self { replicas, primary };
        cluster.wait_until_caught_up()?;
        Ok(cluster)
    }

    /// The node that began as the primary.
    #[must_use]
    pub fn primary(&self) -> &Postgres {
        &self.primary
    }

    /// The node that began as the primary, to stop it and start it again.
    pub fn primary_mut(&mut self) -> &mut Postgres {
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
    pub fn replica(&self, replica: usize) -> &Postgres {
        &self.replicas[replica].server
    }

    /// A replica, to stop it and start it again. It then catches up by itself.
    pub fn replica_mut(&mut self, replica: usize) -> &mut Postgres {
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

    /// Waits until every replica that runs has replayed what its primary has committed by now.
    ///
    /// # Errors
    /// If one does not within 30 seconds, or a node that it needs does not answer.
    pub fn wait_until_caught_up(&self) -> Result<(), HarnessError> {
        for (number, replica) in self.replicas.iter().enumerate() {
            let upstream = match replica.upstream {
                Upstream::Primary => &self.primary,
                Upstream::Replica(of) => self.replica(of),
                Upstream::Nobody => continue,
            };
            if !replica.server.is_running() {
                continue;
            }
            // A committed transaction is flushed, since no node has `synchronous_commit` off.
            let position: String = diesel::select(sql::<sql_types::Text>("pg_current_wal_flush_lsn()::text"))
                .get_result(&mut upstream.admin()?)
                .map_err(HarnessError::refused("ask for the end of the WAL"))?;
            until(
                &replica.server,
                &format!("replica {number} to replay {position}"),
                &format!("coalesce(pg_last_wal_replay_lsn() >= '{position}'::pg_lsn, false)"),
            )?;
        }
        Ok(())
    }

    /// Makes a replica replay each transaction so long after it was committed, by `recovery_min_apply_delay`, which
    /// counts milliseconds. It receives the WAL without delay. Zero ends it.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn set_apply_delay(&self, replica: usize, delay: Duration) -> Result<(), HarnessError> {
        self.configure(replica, "recovery_min_apply_delay", &delay.as_millis().to_string())
    }

    /// Makes a replica receive WAL and replay none, from now until [`resume_replay`](Self::resume_replay).
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn pause_replay(&self, replica: usize) -> Result<(), HarnessError> {
        let server = self.replica(replica);
        order(&mut server.admin()?, "SELECT pg_wal_replay_pause()")?;
        // It may be in the middle of a record.
        let waiting_for = format!("replica {replica} to pause");
        until(server, &waiting_for, "pg_get_wal_replay_pause_state() = 'paused'")
    }

    /// Ends [`pause_replay`](Self::pause_replay), and does not wait until the replica has caught up.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn resume_replay(&self, replica: usize) -> Result<(), HarnessError> {
        order(&mut self.replica(replica).admin()?, "SELECT pg_wal_replay_resume()")
    }

    /// Makes a replica a primary with a timeline of its own, and waits until it takes writes. The old primary is not
    /// told, and the other replicas go on following whom they followed.
    ///
    /// # Errors
    /// If the replica is stopped, or is none any more.
    pub fn promote(&mut self, replica: usize) -> Result<(), HarnessError> {
        order(&mut self.replica(replica).admin()?, "SELECT pg_promote()")?;
        self.replicas[replica].upstream = Upstream::Nobody;
        let waiting_for = format!("replica {replica} to be a primary");
        until(self.replica(replica), &waiting_for, "NOT pg_is_in_recovery()")
    }

    /// Makes a replica follow another that was promoted, and that had not replayed less than this one by then.
    ///
    /// # Errors
    /// If the replica is stopped or refuses.
    pub fn follow(&mut self, replica: usize, promoted: usize) -> Result<(), HarnessError> {
        let conninfo = conninfo(self.replica(promoted).port(), replica);
        self.configure(replica, "primary_conninfo", &conninfo)?;
        self.replicas[replica].upstream = Upstream::Replica(promoted);
        Ok(())
    }

    /// Changes a setting of a replica that runs.
    fn configure(&self, replica: usize, setting: &str, value: &str) -> Result<(), HarnessError> {
        let server = self.replica(replica);
        let mut admin = server.admin()?;
        // Alone in its message: `ALTER SYSTEM` runs in no transaction, nor in the one that several statements share.
        order(&mut admin, &format!("ALTER SYSTEM SET {setting} = '{value}'"))?;
        order(&mut admin, "SELECT pg_reload_conf()")?;
        // A new connection knows it as soon as the server has told its other processes.
        until(
            server,
            &format!("replica {replica} to take {setting}"),
            &format!("(SELECT setting FROM pg_settings WHERE name = '{setting}') = '{value}'"),
        )
    }
}

/// What a standby connects to its primary with.
fn conninfo(port: u16, replica: usize) -> String {
    format!("host=127.0.0.1 port={port} user=router password={PASSWORD} application_name=replica_{replica}")
}

/// Copies the data folder of a running primary, and makes the copy that of a standby.
fn back_up(engine: &Engine, folder: &Path, programs: &Path, conninfo: &str) -> Result<(), HarnessError> {
    let mut backup = engine.account.command(programs.join("pg_basebackup"), folder);
    backup.args(["--pgdata=data", "--write-recovery-conf", "--checkpoint=fast", "--wal-method=fetch"]);
    backup.args(["--no-sync", "--no-manifest"]).arg(format!("--dbname={conninfo}"));
    run(&mut backup).map(drop)
}

fn order(conn: &mut PgConnection, statement: &str) -> Result<(), HarnessError> {
    conn.batch_execute(statement).map_err(HarnessError::refused(format!("run `{statement}`")))
}

/// Waits until an expression is true on a server.
fn until(server: &Postgres, waiting_for: &str, expression: &str) -> Result<(), HarnessError> {
    wait::until(waiting_for, || {
        // Anew each time: a server tells new connections of its changes first.
        let mut admin = server.admin()?;
        diesel::select(sql::<sql_types::Bool>(expression))
            .get_result(&mut admin)
            .map_err(HarnessError::refused(format!("ask for `{expression}`")))
    })
}
