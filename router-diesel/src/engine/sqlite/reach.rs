//! SQLite has no server that could be out of reach.

use super::Sqlite;
use crate::engine::reach::{FailedAttempt, Reach};

impl Reach for Sqlite {
    fn is_out_of_reach(&self, _: &FailedAttempt<'_>) -> bool {
        false
    }
}
