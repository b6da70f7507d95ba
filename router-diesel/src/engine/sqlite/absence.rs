//! Whether a file is there.

use diesel::ConnectionError;

use super::Sqlite;
use crate::engine::DatabaseUrl;
use crate::engine::absence::{Absence, Connector};

impl Absence for Sqlite {
    fn absent(&self, url: &DatabaseUrl, _: &ConnectionError, _: Connector<'_>) -> Option<String> {
        url.file().filter(|path| !path.exists()).map(|path| path.display().to_string())
    }
}
