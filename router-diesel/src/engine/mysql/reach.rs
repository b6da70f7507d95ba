//! Whether a server of MySQL or MariaDB was reached.

use super::Mysql;
use crate::engine::reach::{FailedAttempt, Reach};

impl Reach for Mysql {
    /// This reads a text: Diesel keeps the number of the error to itself, and a socket to the same address is no way
    /// to find out. The server counts it as a client that gave up, and blocks the whole host after 100 of them
    /// (`max_connect_errors`). The texts are those of the client libraries, which have them in English alone: CR 2002 and
    /// CR 2003, and CR 2005 for a name that nobody knows.
    fn is_out_of_reach(&self, attempt: &FailedAttempt<'_>) -> bool {
        const TEXTS: [&str; 3] = ["Can't connect to", "Unknown server host", "Unknown MySQL server host"];
        attempt.took >= attempt.settings.connect_timeout
            || TEXTS.iter().any(|text| attempt.cause.contains(text))
    }
}
