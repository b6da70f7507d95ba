//! SQLite has no server that could be out of reach.

use std::time::Duration;

use super::Sqlite;
use crate::engine::ConnectSettings;
use crate::engine::reach::{Address, Reach};

impl Reach for Sqlite {
    fn addresses(&self, _: &str) -> Vec<Address> {
        Vec::new()
    }

    fn connect_limit(&self, _: &str, _: &ConnectSettings) -> Duration {
        Duration::MAX
    }
}
