//! Asks a server for its position.
//!
//! Each question is one query, of functions and variables that every user may read by default. Where PostgreSQL's
//! administrator has revoked `pg_control_system()`, `pg_control_init()`, `pg_control_checkpoint()` or
//! `pg_control_recovery()`, there are no positions, and whoever must read fresh reads from the primary.
//!
//! Ask outside of a transaction: a question that PostgreSQL refuses would fail it.

use std::time::SystemTime;

use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use sha2::{Digest as _, Sha256};

use super::position::{Lsn, MariaDbGtids, MysqlGtids, Position};
use super::{Engine, RoutedConnection};

/// What a server is in its cluster, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing is replicated to it.
    Primary,
    /// It replays what another server wrote.
    Replica,
    /// It does not tell: MariaDB or MySQL where it was a replica and may still be one, or SQLite. It is then taken for
    /// what the file says.
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
            let answer = conn.text(MYSQL_WRITTEN)?;
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
        Engine::Mysql => Ok(MysqlAnswer::parse(&conn.text(MYSQL_REPLAYED)?).observation()),
    }
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
/// It may be taken for one on the old timeline for a while, which is why a need is compared with the primary first.
///
/// `received_tli` is empty for users without `pg_read_all_stats`: to them a standby shows a promotion only at its
/// next restart point, and until then those who must read fresh read from the primary.
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
    match conn.text(sql) {
        Ok(answer) => Ok(postgres_observation(&answer)),
        // Permission refused, in whatever language: a function's permission is checked also where CASE leaves it
        // out. The role is for everybody to know.
        Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) => {
            Ok(postgres_observation(&conn.text(POSTGRES_ROLE)?))
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

/// The place of a MariaDB server and what tells it from others, as [`crate::engine::identity`] has it.
macro_rules! mariadb_server {
    () => {
        "CONCAT(@@hostname, ':', @@port, ' ', @@datadir, ' with id ', @@server_id)"
    };
}

/// One text for both: MySQL takes what `/*M!` holds for a comment, and MariaDB what `/*!50700` does. A switch is
/// `ON` or 1, whichever the server likes, hence the IF.
///
/// On MariaDB's primary: what it wrote, and what it replayed when it was a replica.
const MYSQL_WRITTEN: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! , 'mariadb', IF(@@log_bin, 1, 0), 0, 0, '', @@gtid_current_pos, ",
    mariadb_server!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, 0, @@server_uuid, @@GLOBAL.gtid_executed */) AS CHAR) AS value"
);

/// The same with what tells a replica. `SHOW REPLICA STATUS` needs a privilege, so: on MariaDB the number of running
/// replications, and else on both what they leave behind, and `read_only`, which a replica should have.
const MYSQL_REPLAYED: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! , 'mariadb', IF(@@log_bin, 1, 0), IF(@@GLOBAL.read_only, 1, 0),
            COALESCE((SELECT MAX(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS
                WHERE VARIABLE_NAME = 'SLAVES_RUNNING'), '0'),
            @@gtid_slave_pos, @@gtid_current_pos, ",
    mariadb_server!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, IF(@@GLOBAL.read_only, 1, 0),
            @@server_uuid, @@GLOBAL.gtid_executed */)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn postgres(role: Role, timeline: u32, lsn: u64) -> Observation {
        let position = Position::Postgres { system: 7_710_228_079_586_129_909, timeline, lsn: Lsn(lsn) };
        Observation { role, position: Some(position) }
    }

    fn nowhere(role: Role) -> Observation {
        Observation { role, position: None }
    }

    #[test]
    fn answers_of_postgres_as_data() {
        const SYSTEM: &str = "7710228079586129909";
        for (answer, observation) in [
            (
                format!("primary|{SYSTEM}|000000010000000000000003|0/3016050|8192|16777216|8"),
                postgres(Role::Primary, 1, 0x301_6050),
            ),
            (
                format!("primary|{SYSTEM}|0000000A0000000000000003|1/0|8192|16777216|8"),
                postgres(Role::Primary, 10, 0x1_0000_0000),
            ),
            (format!("replica|{SYSTEM}|2|0/3058000"), postgres(Role::Replica, 2, 0x305_8000)),
            // What a user is told who may not read the position.
            ("primary".to_owned(), nowhere(Role::Primary)),
            ("replica".to_owned(), nowhere(Role::Replica)),
            (String::new(), nowhere(Role::Unknown)),
            // Empty values leave their bars out.
            (format!("replica|{SYSTEM}|0/3058000"), nowhere(Role::Replica)),
            (format!("replica|{SYSTEM}|0|0/3058000"), nowhere(Role::Replica)),
            (format!("primary|{SYSTEM}|0000|0/3058000|8192|16777216|8"), nowhere(Role::Primary)),
            (format!("primary|{SYSTEM}|ünf00000000|0/3058000|8192|16777216|8"), nowhere(Role::Primary)),
            (format!("primary|{SYSTEM}|000000010000000000000003|0/3058000|8192"), nowhere(Role::Primary)),
        ] {
            assert_eq!(postgres_observation(&answer), observation, "{answer}");
        }
    }

    #[test]
    fn an_identifier_may_be_shown_as_a_negative_number() {
        let observation = postgres_observation("replica|-1|2|0/8");
        let position = Position::Postgres { system: u64::MAX, timeline: 2, lsn: Lsn(8) };
        assert_eq!(observation.position, Some(position));
    }

    /// As PostgreSQL 15 says it: inserted at 0/3018018, and replayed to 0/3018000.
    #[test]
    fn the_header_of_an_empty_block_is_no_record() {
        let log = Log { block: 8192, segment: 16 << 20, alignment: 8 };
        for (inserted, end) in [
            (0x301_8018, 0x301_8000),
            (0x301_8028, 0x301_8028),
            (0x301_8010, 0x301_8010),
            (0x301_8000, 0x301_8000),
            (0x300_0028, 0x300_0000),
            (0x300_0018, 0x300_0018),
            (0x300_2028, 0x300_2028),
        ] {
            assert_eq!(log.end_before(Lsn(inserted)), Lsn(end), "{inserted:x}");
        }
        let inserted = Lsn(0x301_8018);
        assert_eq!(Log { alignment: 4, ..log }.end_before(inserted), inserted);
        assert_eq!(
            Log { block: 16384, segment: 16 << 20, alignment: 8 }.end_before(Lsn(0x301_a018)).0,
            0x301_a018
        );
        assert_eq!(Log { block: 0, segment: 0, alignment: 8 }.end_before(inserted), inserted);
    }

    fn mysql(answer: &str) -> String {
        let Observation { role, position } = MysqlAnswer::parse(answer).observation();
        match position {
            Some(Position::MariaDb { server, gtids }) => {
                let server = if server.is_some() { "its own" } else { "replayed" };
                format!("{role:?} {server} {gtids}")
            }
            Some(position) => format!("{role:?} {position}"),
            None => format!("{role:?} nowhere"),
        }
    }

    #[test]
    fn answers_of_mariadb_as_data() {
        const SERVER: &str = "vm:3306 /var/lib/a|b/ with id 1";
        for (answer, said) in [
            ("|mariadb|1|0|0||0-1-7", "Primary its own 0-1-7"),
            ("|mariadb|1|0|0||", "Primary its own the beginning"),
            ("|mariadb|0|0|0||", "Primary nowhere"),
            ("|mariadb|1|1|1|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            ("|mariadb|0|0|1|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            // What it wrote itself does not count.
            ("|mariadb|1|0|1|0-1-7|0-2-9", "Replica replayed 0-1-7"),
            ("|mariadb|1|1|0|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            ("|mariadb|1|1|1||", "Replica replayed the beginning"),
            // Promoted, or stopped.
            ("|mariadb|1|0|0|0-1-7|0-2-9", "Unknown its own 0-2-9"),
            ("|mariadb|1|1|0||0-1-7", "Unknown its own 0-1-7"),
            ("|mariadb|1|0|0||0-x-7", "Primary nowhere"),
        ] {
            assert_eq!(mysql(&format!("{answer}|{SERVER}")), said, "{answer}");
        }
        let own = |server| MysqlAnswer::parse(&format!("|mariadb|1|0|0||0-1-7|{server}")).own().unwrap();
        assert_eq!(own(SERVER).same_history(&own(SERVER)), Ok(()));
        assert!(own(SERVER).same_history(&own("vm:3306 /var/lib/a|c/ with id 1")).is_err());
    }

    #[test]
    fn answers_of_mysql_as_data() {
        const OWN: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        const OTHER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
        for (answer, said) in [
            (format!("|mysql|ON|0|{OWN}|{OWN}:1-5"), format!("Primary {OWN}:1-5")),
            (format!("|mysql|ON|0|{OWN}|"), "Primary the beginning".to_owned()),
            (format!("|mysql|ON|1|{OWN}|{OTHER}:1-5"), format!("Replica {OTHER}:1-5")),
            (format!("|mysql|ON|0|{OWN}|{OTHER}:1-5,\n{OWN}:1"), format!("Unknown {OWN}:1,{OTHER}:1-5")),
            (format!("|mysql|ON_PERMISSIVE|0|{OWN}|{OWN}:1-5"), "Primary nowhere".to_owned()),
            (format!("|mysql|OFF|0|{OWN}|"), "Primary nowhere".to_owned()),
            (format!("|mysql|ON|0|{OWN}|nonsense"), "Unknown nowhere".to_owned()),
            (String::new(), "Unknown nowhere".to_owned()),
        ] {
            assert_eq!(mysql(&answer), said, "{answer}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_has_the_time() {
        use diesel::{Connection as _, SqliteConnection};

        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let before = SystemTime::now();
        let position = written(&mut conn).unwrap();
        let window = std::time::Duration::from_secs(60);
        assert!(matches!(position.after_window(window, before), super::super::position::Coverage::Behind(_)));
        let later = SystemTime::now() + window + std::time::Duration::from_millis(1);
        assert_eq!(position.after_window(window, later), super::super::position::Coverage::Covered);
        assert_eq!(replayed(&mut conn).unwrap(), nowhere(Role::Unknown));
    }

    proptest! {
        #[test]
        fn no_answer_panics(answer in any::<String>(), fields in "(primary|replica)([|]([0-9a-fA-F/-]{0,25}|.{0,9})){0,8}") {
            for answer in [answer, fields] {
                let _ = postgres_observation(&answer);
                let _ = MysqlAnswer::parse(&answer).observation();
                for engine in ["mariadb", "mysql"] {
                    let _ = MysqlAnswer::parse(&format!("|{engine}|{answer}")).observation();
                }
            }
        }
    }
}
