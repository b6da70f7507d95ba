//! The lock of a database on a server: one that the server gives to a connection.

use std::time::Duration;

use router_core::Alias;

use super::{LockError, poll};
use crate::config::Database;
use crate::engine::absence::{Unopened, open};
use crate::engine::lock::ServerLocks;
use crate::engine::{Access, RoutedConnection};

/// Something that holds a lock until it is dropped.
pub(super) trait Hold: Send {
    /// Whether it still does.
    fn is_held(&mut self) -> bool;
}

/// A connection of its own that holds the lock.
pub(super) struct ServerLock<C: RoutedConnection> {
    conn: C,
    locks: &'static dyn ServerLocks,
}

impl<C: RoutedConnection> ServerLock<C> {
    pub(super) fn acquire(
        database: &Database,
        locks: &'static dyn ServerLocks,
        wait: Duration,
        marker: &str,
    ) -> Result<Self, LockError> {
        let alias = &database.alias;
        let refused = |error: diesel::result::Error| LockError::Refused {
            alias: alias.clone(),
            cause: error.to_string(),
        };
        // The connection idles for as long as the task takes: the pool's limits are not meant for it.
        let mut settings = database.pool.clone();
        settings.statement_timeout = None;
        let settings = settings.connect(Access::ReadWrite);
        // The connection runs nothing but questions of the router's own.
        let opened = open::<C>(&database.opener().without_on_connect(), &settings);
        let conn = opened.map_err(|unopened| not_opened(alias, &unopened))?.conn;
        let mut lock = Self { conn, locks };
        locks.prepare(&mut lock.conn, marker).map_err(refused)?;
        if poll(wait, || locks.try_lock(&mut lock.conn).map_err(refused))? {
            return Ok(lock);
        }
        // Whoever held it may have let go just now, so that there is nobody to name.
        let holder = locks.holder(&mut lock.conn).unwrap_or_default().map(Box::new);
        Err(LockError::Held { alias: alias.clone(), holder, waited: wait })
    }
}

/// Why there is no connection that could hold the lock.
fn not_opened(alias: &Alias, Unopened { error, fault, absent }: &Unopened) -> LockError {
    let (alias, cause) = (alias.clone(), error.to_string());
    match fault {
        Some(fault) if absent.is_none() => LockError::NotConnected { alias, fault: *fault, cause },
        _ => LockError::Unreachable { alias, cause, is_absent: absent.is_some() },
    }
}

impl<C: RoutedConnection> Hold for ServerLock<C> {
    fn is_held(&mut self) -> bool {
        self.locks.is_locked(&mut self.conn).unwrap_or(false)
    }
}

impl<C: RoutedConnection> Drop for ServerLock<C> {
    fn drop(&mut self) {
        // Closing the connection releases it too, but the server may take its time to notice.
        let _ = self.locks.unlock(&mut self.conn);
    }
}
