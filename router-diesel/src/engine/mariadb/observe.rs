//! What a MariaDB server is in its cluster, and how far it is.

use sha2::{Digest as _, Sha256};

use super::MariaDbGtids;
use crate::engine::observe::{Observation, Role};
use crate::engine::position::Position;

/// The place of a server and what tells it from others, as [`crate::engine::identity`] has it.
macro_rules! server {
    () => {
        "CONCAT(@@hostname, ':', @@port, ' ', @@datadir, ' with id ', @@server_id)"
    };
}

/// MariaDB's part of the question what a primary has written: what it wrote, and what it replayed when it was a
/// replica. A macro, as `concat!` takes no constants.
macro_rules! written {
    () => {
        concat!(
            ", 'mariadb', IF(@@log_bin, 1, 0), 0, 0, '', @@gtid_current_pos, ",
            $crate::engine::mariadb::server!()
        )
    };
}

/// MariaDB's part of the question how far any server is.
macro_rules! replayed {
    () => {
        concat!(
            ", 'mariadb', IF(@@log_bin, 1, 0), IF(@@GLOBAL.read_only, 1, 0),
            COALESCE((SELECT MAX(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS
                WHERE VARIABLE_NAME = 'SLAVES_RUNNING'), '0'),
            @@gtid_slave_pos, @@gtid_current_pos, ",
            $crate::engine::mariadb::server!()
        )
    };
}

pub(in crate::engine) use {replayed, server, written};

/// What MariaDB said, in texts.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct MariaDbAnswer<'a> {
    pub(in crate::engine) has_log: bool,
    is_read_only: bool,
    is_running: bool,
    replayed: &'a str,
    current: &'a str,
    server: &'a str,
}

impl<'a> MariaDbAnswer<'a> {
    /// Reads an answer. `None` where MariaDB did not write it.
    pub(in crate::engine) fn parse(answer: &'a str) -> Option<Self> {
        let fields: Vec<&str> = answer.splitn(8, '|').collect();
        let ["", "mariadb", has_log, is_read_only, running, replayed, current, server] = fields[..] else {
            return None;
        };
        Some(Self {
            has_log: has_log == "1",
            is_read_only: is_read_only != "0",
            is_running: running != "0",
            replayed,
            current,
            server,
        })
    }

    /// The position of a server that writes.
    pub(in crate::engine) fn own(&self) -> Option<Position> {
        let gtids = MariaDbGtids::parse(self.current).filter(|_| self.has_log)?;
        Some(Position::MariaDb { server: Some(fingerprint(self.server)), gtids })
    }

    /// Where replication runs, or has run and the server is read-only, it is a replica. Where it has run and the
    /// server can be written to, it was promoted, or is a replica that somebody stopped: nobody can tell.
    pub(in crate::engine) fn observation(&self) -> Observation {
        let role = match (self.is_running, !self.replayed.is_empty(), self.is_read_only) {
            (true, _, _) | (false, true, true) => Role::Replica,
            (false, false, false) => Role::Primary,
            (false, true, false) | (false, false, true) => Role::Unknown,
        };
        // What a replica wrote itself is no part of its primary's history.
        let position = match role {
            Role::Replica => {
                MariaDbGtids::parse(self.replayed).map(|gtids| Position::MariaDb { server: None, gtids })
            }
            Role::Primary | Role::Unknown => self.own(),
        };
        Observation { role, position }
    }
}

/// The first 8 bytes of SHA-256.
fn fingerprint(server: &str) -> u64 {
    let hash = Sha256::digest(server);
    u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes"))
}
