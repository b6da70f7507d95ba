//! Asks a server for its position.
//!
//! Each question is one query, of functions and variables that every user may read by default. Where PostgreSQL's
//! administrator has revoked `pg_control_system()`, `pg_control_init()`, `pg_control_checkpoint()` or
//! `pg_control_recovery()`, there are no positions, and whoever must read fresh reads from the primary.
//!
//! Ask outside of a transaction: a question that PostgreSQL refuses would fail it.
#![allow(dead_code, reason = "wired to sessions next")]

use std::time::SystemTime;

use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use sha2::{Digest as _, Sha256};

use super::position::{Lsn, MariaDbGtids, MysqlGtids, Position};
use crate::backend::RoutedConnection;
use crate::config::Engine;

/// What a server is in its cluster, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing is replicated to it.
    Primary,
    /// It replays what another server wrote.
    Replica,
    /// It does not tell: MariaDB or MySQL where it was a replica and may still be one, or SQLite.
    Unknown,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) role: Role,
    /// Nothing where the server has no positions, or this user may not know them.
    pub(crate) position: Option<Position>,
}

/// Where the primary is after a write that was made on this connection, or before it, and is committed.
///
/// An engine without positions, or without a binary log, gives the time. [`Position::Unknown`] where the position
/// cannot be had: on a standby, and where this user may not know it.
///
/// # Errors
/// What Diesel says of the query, if the server cannot be asked at all.
pub(crate) fn written<C: RoutedConnection>(conn: &mut C) -> QueryResult<Position> {
    let position = match conn.engine() {
        Engine::Sqlite => None,
        Engine::Postgres => Some(ask_postgres(conn, POSTGRES_WRITTEN)?.position.unwrap_or(Position::Unknown)),
        Engine::Mysql => {
            let answer = text(conn, MYSQL_WRITTEN)?;
            let answer = MysqlAnswer::parse(&answer);
            if answer.has_positions() { Some(answer.own().unwrap_or(Position::Unknown)) } else { None }
        }
    };
    Ok(position.unwrap_or_else(|| Position::at(SystemTime::now())))
}

/// Where any server of a cluster is: how far it has replayed, or has written itself.
///
/// # Errors
/// What Diesel says of the query, if the server cannot be asked at all.
pub(crate) fn replayed<C: RoutedConnection>(conn: &mut C) -> QueryResult<Observation> {
    match conn.engine() {
        Engine::Sqlite => Ok(Observation { role: Role::Unknown, position: None }),
        Engine::Postgres => ask_postgres(conn, POSTGRES_REPLAYED),
        Engine::Mysql => Ok(MysqlAnswer::parse(&text(conn, MYSQL_REPLAYED)?).observation()),
    }
}

fn text<C: RoutedConnection>(conn: &mut C, sql: &str) -> QueryResult<String> {
    conn.texts(sql)?.into_iter().next().flatten().ok_or(DieselError::NotFound)
}

/// The primary's position: the end of what was *inserted* in the log.
///
/// `pg_current_wal_lsn()` is the end of what was *written*, which a commit with `synchronous_commit = off` does not
/// wait for. The timeline is that of the file into which the server inserts, as `pg_control_checkpoint()` still
/// names the old one until the first checkpoint after a promotion.
///
/// A macro, as `concat!` takes no constants. A standby refuses these functions, and CASE does not call them there.
macro_rules! postgres_primary {
    () => {
        "concat_ws('|', 'primary', (SELECT system_identifier FROM pg_control_system()),
            pg_walfile_name(pg_current_wal_insert_lsn()), pg_current_wal_insert_lsn(),
            (SELECT concat_ws('|', wal_block_size, bytes_per_wal_segment, max_data_alignment)
                FROM pg_control_init()))"
    };
}

const POSTGRES_WRITTEN: &str = concat!(
    "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE ",
    postgres_primary!(),
    " END AS value"
);

/// A standby's position: the end of what it has replayed, on the newest timeline that it is known to follow.
///
/// No function gives the timeline of what is replayed, so it is taken from three places, of which none is ever ahead:
/// the last restart point, the place to which recovery must come before the data is consistent, and what is received.
/// A standby follows a new timeline, and so receives or replays any of it, only if its own replayed position is before
/// the fork: else PostgreSQL refuses ("new timeline forked off current database system timeline before current recovery
/// point"). So one that has replayed what the new primary never had cannot be taken for one on the new timeline.
/// It may be taken for one on the old timeline for a while, which is why a need is compared with the primary
/// first. `received_tli` is empty for users without `pg_read_all_stats`; theirs is longer in showing a promotion, and
/// in that time they read from the primary.
const POSTGRES_REPLAYED: &str = concat!(
    "SELECT CASE WHEN pg_is_in_recovery() THEN concat_ws('|', 'replica',
            (SELECT system_identifier FROM pg_control_system()),
            greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                (SELECT max(received_tli) FROM pg_stat_wal_receiver)),
            pg_last_wal_replay_lsn())
        ELSE ",
    postgres_primary!(),
    " END AS value"
);

const POSTGRES_ROLE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END AS value";

fn ask_postgres<C: RoutedConnection>(conn: &mut C, sql: &str) -> QueryResult<Observation> {
    match text(conn, sql) {
        Ok(answer) => Ok(postgres_observation(&answer)),
        // Permission refused, in whatever language: a functions's permission is checked also where CASE leaves it
        // out. The role is for everybody to know.
        Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) => {
            Ok(postgres_observation(&text(conn, POSTGRES_ROLE)?))
        }
        Err(error) => Err(error),
    }
}

fn postgres_observation(answer: &str) -> Observation {
    let mut fields = answer.split('|');
    let role = match fields.next() {
        Some("primary") => Role::Primary,
        Some("replica") => Role::Replica,
        _ => Role::Unknown,
    };
    let position = || {
        // The server shows the identifier as a signed number.
        let system = fields.next()?.parse::<i64>().ok()?.cast_unsigned();
        let timeline = fields.next()?;
        let lsn = Lsn::parse(fields.next()?)?;
        let (timeline, lsn) = match role {
            Role::Primary => {
                let mut numbers = fields.map(|number| number.parse::<u64>().ok());
                let log =
                    Log { block: numbers.next()??, segment: numbers.next()??, alignment: numbers.next()?? };
                // The name of a file is the timeline and the number of the file in hexadecimal digits.
                (u32::from_str_radix(timeline.get(..8)?, 16).ok()?, log.end_before(lsn))
            }
            Role::Replica | Role::Unknown => (timeline.parse().ok()?, lsn),
        };
        Some(Position::Postgres { system, timeline, lsn }).filter(Position::is_sound)
    };
    Observation { role, position: position() }
}

/// How PostgreSQL lays out its log: in blocks with a header each, of which the first of a segment has a longer one.
struct Log {
    block: u64,
    segment: u64,
    alignment: u64,
}

impl Log {
    /// The end of the last record, where the next one would be inserted at `lsn`.
    ///
    /// The two differ where the last record fills its block: the next one begins after the next block's header, and
    /// a standby that has replayed all there is says the end of the block. Without this, such a write would seem to
    /// be missing on every standby until the next one. The lengths are those of `XLogShortPHD` and `XLogLongPHD`.
    fn end_before(&self, lsn: Lsn) -> Lsn {
        let (Some(in_block), Some(in_segment)) =
            (lsn.0.checked_rem(self.block), lsn.0.checked_rem(self.segment))
        else {
            return lsn;
        };
        let header = if in_segment < self.block { 40 } else { 24 };
        if self.alignment == 8 && in_block == header { Lsn(lsn.0 - header) } else { lsn }
    }
}

/// The place of a MariaDB server and what tells it from others, as [`crate::identity`] has it.
macro_rules! mariadb_server {
    () => {
        "CONCAT(@@hostname, ':', @@port, ' ', @@datadir, ' with id ', @@server_id)"
    };
}

/// One text for both: MySQL takes what `/*M!` holds for a comment, and MariaDB what `/*!50700` does.
///
/// On MariaDB's primary: what it wrote, and what it replayed when it was a replica.
const MYSQL_WRITTEN: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! , 'mariadb', @@log_bin, 0, 0, '', @@gtid_current_pos, ",
    mariadb_server!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, 0, @@server_uuid, @@GLOBAL.gtid_executed */) AS CHAR) AS value"
);

/// The same with what tells a replica. `SHOW REPLICA STATUS` needs a privilege, so: on MariaDB the number of running
/// replications, and else on both what they leave behind, and `read_only`, which a replica should have.
const MYSQL_REPLAYED: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! , 'mariadb', @@log_bin, @@GLOBAL.read_only,
            COALESCE((SELECT MAX(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS
                WHERE VARIABLE_NAME = 'SLAVES_RUNNING'), '0'),
            @@gtid_slave_pos, @@gtid_current_pos, ",
    mariadb_server!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, @@GLOBAL.read_only, @@server_uuid, @@GLOBAL.gtid_executed */)
        AS CHAR) AS value"
);

/// What MariaDB or MySQL said, in texts.
#[derive(Debug, Default, PartialEq, Eq)]
enum MysqlAnswer<'a> {
    MariaDb {
        has_log: bool,
        is_read_only: bool,
        is_running: bool,
        replayed: &'a str,
        current: &'a str,
        server: &'a str,
    },
    Mysql {
        has_gtids: bool,
        is_read_only: bool,
        server: &'a str,
        executed: &'a str,
    },
    /// A server that is neither, or an old one.
    #[default]
    Nothing,
}

impl<'a> MysqlAnswer<'a> {
    fn parse(answer: &'a str) -> Self {
        let fields: Vec<&str> = answer.splitn(8, '|').collect();
        match fields[..] {
            ["", "mariadb", has_log, is_read_only, running, replayed, current, server] => Self::MariaDb {
                has_log: has_log == "1",
                is_read_only: is_read_only != "0",
                is_running: running != "0",
                replayed,
                current,
                server,
            },
            ["", "mysql", mode, is_read_only, server, executed] => {
                Self::Mysql { has_gtids: mode == "ON", is_read_only: is_read_only != "0", server, executed }
            }
            _ => Self::Nothing,
        }
    }

    fn has_positions(&self) -> bool {
        match self {
            Self::MariaDb { has_log, .. } => *has_log,
            // In the modes between OFF and ON some transactions have no identifier.
            Self::Mysql { has_gtids, .. } => *has_gtids,
            Self::Nothing => false,
        }
    }

    /// The position of a server that writes.
    fn own(&self) -> Option<Position> {
        match self {
            _ if !self.has_positions() => None,
            Self::MariaDb { current, server, .. } => Some(Position::MariaDb {
                server: Some(fingerprint(server)),
                gtids: MariaDbGtids::parse(current)?,
            }),
            Self::Mysql { executed, .. } => Some(Position::Mysql { gtids: MysqlGtids::parse(executed)? }),
            Self::Nothing => None,
        }
    }

    /// Where replication runs, or has run and the server is read-only, it is a replica. Where it has run and the
    /// server can be written to, it was promoted, or is a replica that somebody stopped: nobody can tell.
    fn observation(&self) -> Observation {
        match self {
            Self::MariaDb { is_read_only, is_running, replayed, .. } => {
                let role = match (is_running, !replayed.is_empty(), is_read_only) {
                    (true, _, _) | (false, true, true) => Role::Replica,
                    (false, false, false) => Role::Primary,
                    (false, true, false) | (false, false, true) => Role::Unknown,
                };
                // What a replica wrote itself is no part of its primary's history.
                let position = match role {
                    Role::Replica => {
                        MariaDbGtids::parse(replayed).map(|gtids| Position::MariaDb { server: None, gtids })
                    }
                    Role::Primary | Role::Unknown => self.own(),
                };
                Observation { role, position }
            }
            Self::Mysql { is_read_only, server, executed, .. } => {
                let is_alone = MysqlGtids::parse(executed).is_some_and(|gtids| gtids.are_only_of(server));
                let role = match (is_read_only, is_alone) {
                    (true, _) => Role::Replica,
                    (false, true) => Role::Primary,
                    (false, false) => Role::Unknown,
                };
                Observation { role, position: self.own() }
            }
            Self::Nothing => Observation { role: Role::Unknown, position: None },
        }
    }
}

/// The first 8 bytes of SHA-256.
fn fingerprint(server: &str) -> u64 {
    let hash = Sha256::digest(server);
    u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes"))
}
