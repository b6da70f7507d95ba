//! SQLite has no settings that a session could carry.

use super::Sqlite;
use crate::engine::settings::Settings;

impl Settings for Sqlite {}
