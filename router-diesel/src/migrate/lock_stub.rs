//! Stands in for the lock until it is merged.

use std::fmt;
use std::time::Duration;

use router_core::Alias;

use crate::backend::RoutedConnection;
use crate::config::Database;

#[derive(Debug)]
pub(crate) struct Lock;

impl Lock {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the shape of the real one")]
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        Ok(())
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "the shape of the real one")]
pub(crate) enum LockError {
    Held { alias: Alias, holder: Option<String>, waited: Duration },
    Unreachable { alias: Alias, cause: String },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("locked")
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of the real one")]
pub(crate) fn acquire<C: RoutedConnection>(_: &Database, _: Duration) -> Result<Lock, LockError> {
    Ok(Lock)
}
