//! What a PostgreSQL server is in its cluster, and how far it is.

use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{Lsn, Postgres};
use crate::engine::Ask;
use crate::engine::observe::{Observation, Observe, Role};
use crate::engine::position::Position;

impl Observe for Postgres {
    fn written(&self, conn: &mut dyn Ask) -> QueryResult<Option<Position>> {
        Ok(Some(ask(conn, WRITTEN)?.position.unwrap_or(Position::Unknown)))
    }

    fn replayed(&self, conn: &mut dyn Ask) -> QueryResult<Observation> {
        ask(conn, REPLAYED)
    }
}

/// The primary's position: the end of what was *inserted* in the log.
///
/// `pg_current_wal_lsn()` is the end of what was *written*, which a commit with `synchronous_commit = off` does not
/// wait for. The timeline is that of the file into which the server inserts, as `pg_control_checkpoint()` still
/// names the old one until the first checkpoint after a promotion.
///
/// A macro, as `concat!` takes no constants. A standby refuses these functions, and CASE does not call them there.
macro_rules! primary {
    () => {
        "concat_ws('|', 'primary', (SELECT system_identifier FROM pg_control_system()),
            pg_walfile_name(pg_current_wal_insert_lsn()), pg_current_wal_insert_lsn(),
            (SELECT concat_ws('|', wal_block_size, bytes_per_wal_segment, max_data_alignment)
                FROM pg_control_init()))"
    };
}

const WRITTEN: &str =
    concat!("SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE ", primary!(), " END AS value");

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
const REPLAYED: &str = concat!(
    "SELECT CASE WHEN pg_is_in_recovery() THEN concat_ws('|', 'replica',
            (SELECT system_identifier FROM pg_control_system()),
            greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                (SELECT max(received_tli) FROM pg_stat_wal_receiver)),
            pg_last_wal_replay_lsn())
        ELSE ",
    primary!(),
    " END AS value"
);

const ROLE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END AS value";

fn ask(conn: &mut dyn Ask, sql: &str) -> QueryResult<Observation> {
    match conn.text(sql) {
        Ok(answer) => Ok(observation(&answer)),
        // Permission refused, in whatever language: a function's permission is checked also where CASE leaves it
        // out. The role is for everybody to know.
        Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) => Ok(observation(&conn.text(ROLE)?)),
        Err(error) => Err(error),
    }
}

fn observation(answer: &str) -> Observation {
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
        for (answer, expected) in [
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
            assert_eq!(super::observation(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn an_identifier_may_be_shown_as_a_negative_number() {
        let observation = super::observation("replica|-1|2|0/8");
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

    proptest! {
        #[test]
        fn no_answer_panics(
            answer in any::<String>(),
            fields in "(primary|replica)([|]([0-9a-fA-F/-]{0,25}|.{0,9})){0,8}",
        ) {
            for answer in [answer, fields] {
                let _ = observation(&answer);
            }
        }
    }
}
