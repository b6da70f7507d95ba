//! A check-out: the first free connection, or a new one, or why there is none.

use std::time::{Duration, Instant};

use super::manager::FailedConnect;
use super::{Checkout, Isolation, Manager, Pool, PoolError};
use crate::engine::RoutedConnection;

/// How often a check-out that waits looks whether a connection has come or failed to come.
const POLL: Duration = Duration::from_millis(1);

/// How long after a failure the next check-out still fails at once, while r2d2 goes on trying.
const RECENT: Duration = Duration::from_millis(500);

/// How long a check-out waits for any connection before it looks why there is none.
const GLANCE: Duration = Duration::from_millis(50);

/// Whether a check-out waits for a connection that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For the whole `connection_timeout`.
    Wait,
    /// Not at all; for a new connection it does.
    Pass,
}

/// Checks a connection out: the first free one, or a new one.
///
/// # Errors
/// [`PoolError::Unreachable`] as soon as an attempt to connect has failed and no connection lives;
/// [`PoolError::Exhausted`] where all connections stay in use for the whole `connection_timeout`, or at once where
/// nobody waits for them.
pub(crate) fn check_out<C: RoutedConnection>(
    pool: &Pool<C>,
    manager: &Manager<C>,
    patience: Patience,
) -> Result<Checkout<C>, PoolError> {
    match pool.try_get() {
        Some(checkout) => Ok(checkout),
        None => Attempt::new(pool, manager).run(patience),
    }
}

/// A check-out that found no free connection.
struct Attempt<'p, C: RoutedConnection> {
    pool: &'p Pool<C>,
    manager: &'p Manager<C>,
    start: Instant,
    timeout: Duration,
    /// The node's generation at the start: another one means that the node was taken out of use meanwhile.
    generation: u64,
}

impl<'p, C: RoutedConnection> Attempt<'p, C> {
    fn new(pool: &'p Pool<C>, manager: &'p Manager<C>) -> Self {
        let (start, timeout) = (Instant::now(), pool.connection_timeout());
        Self { pool, manager, start, timeout, generation: manager.generation() }
    }

    fn run(&self, patience: Patience) -> Result<Checkout<C>, PoolError> {
        if self.pool.state().connections == 0
            && let Some(checkout) = self.wait_for_the_first()?
        {
            return Ok(checkout);
        }
        if patience == Patience::Pass && self.is_full() {
            return Err(self.exhausted(Duration::ZERO));
        }
        // Connections that are in use may be as dead as the server: where it cannot be reached, none of them is waited
        // for.
        if let Ok(checkout) = self.pool.get_timeout(GLANCE.min(self.timeout)) {
            return Ok(checkout);
        }
        if let Some(error) = self.gone() {
            return Err(error);
        }
        match patience {
            Patience::Pass => self.wait_for_a_new_one(),
            Patience::Wait => self.wait_for_any(),
        }
    }

    /// Waits until some connection lives. Nothing where one does, and is in use already.
    fn wait_for_the_first(&self) -> Result<Option<Checkout<C>>, PoolError> {
        if let Some(error) = self.failed_since(self.start.checked_sub(RECENT).unwrap_or(self.start)) {
            return Err(error);
        }
        // Asks r2d2 for one new connection; each further call would ask for one more.
        if let Ok(checkout) = self.pool.get_timeout(Duration::ZERO) {
            return Ok(Some(checkout));
        }
        while self.pool.state().connections == 0 && self.start.elapsed() < self.timeout {
            std::thread::sleep(POLL);
            if let Some(checkout) = self.pool.try_get() {
                return Ok(Some(checkout));
            }
            if let Some(error) = self.failed_since(self.start) {
                return Err(error);
            }
            // r2d2 waits ever longer between its attempts; what the last one said is answer enough.
            if self.start.elapsed() >= RECENT
                && let Some(failure) = self.last_failure()
            {
                return Err(self.failed(failure));
            }
        }
        Ok(self.pool.try_get())
    }

    /// Waits for the new connection that r2d2 has been asked for, for as long as the pool has room for one.
    fn wait_for_a_new_one(&self) -> Result<Checkout<C>, PoolError> {
        while !self.is_full() {
            if let Some(checkout) = self.pool.try_get() {
                return Ok(checkout);
            }
            if self.start.elapsed() >= self.timeout {
                return Err(self.hook_goes_on().unwrap_or_else(|| self.gave_no_answer()));
            }
            // What was tried has failed, or the node was taken out of use meanwhile.
            if self.last_failure().is_some() || self.manager.generation() != self.generation {
                break;
            }
            std::thread::sleep(POLL);
        }
        let why = || self.gone().unwrap_or_else(|| self.exhausted(self.start.elapsed()));
        self.pool.try_get().ok_or_else(why)
    }

    /// Waits for a new connection, or for one that comes back.
    fn wait_for_any(&self) -> Result<Checkout<C>, PoolError> {
        let left = self.timeout.saturating_sub(self.start.elapsed());
        self.pool.get_timeout(left).map_err(|_| match self.failed_since(self.start) {
            Some(error) => error,
            None if self.is_full() => self.exhausted(self.timeout),
            None => self.hook_goes_on().unwrap_or_else(|| self.nothing_came()),
        })
    }

    fn is_full(&self) -> bool {
        self.pool.state().connections >= self.pool.max_size()
    }

    fn last_failure(&self) -> Option<FailedConnect> {
        self.manager.failures().last()
    }

    fn failed(&self, failure: FailedConnect) -> PoolError {
        failure.into_error(self.manager.alias().clone())
    }

    fn failed_since(&self, since: Instant) -> Option<PoolError> {
        self.manager.failures().since(since).map(|failure| self.failed(failure))
    }

    /// Why the server cannot be reached. One that answers and refuses may serve those that are connected.
    fn gone(&self) -> Option<PoolError> {
        self.last_failure().filter(|failure| !failure.is_refusal()).map(|failure| self.failed(failure))
    }

    /// Why no connection came, though the pool has room for one.
    fn nothing_came(&self) -> PoolError {
        if self.pool.state().connections == 0 { self.gave_no_answer() } else { self.exhausted(self.timeout) }
    }

    /// A hook that is to blame because it has not ended. It began after the check-out did, so its own time is not up.
    fn hook_goes_on(&self) -> Option<PoolError> {
        let is_to_blame = |took: Duration| took >= self.timeout / 10;
        let (what, took) = self.manager.running_hook().filter(|(_, took)| is_to_blame(*took))?;
        let cause = format!("{what} has not ended after {took:.1?}");
        Some(PoolError::Setup { alias: self.manager.alias().clone(), cause })
    }

    fn gave_no_answer(&self) -> PoolError {
        let cause = format!("it gave no answer for {:?}", self.timeout);
        PoolError::Unreachable { alias: self.manager.alias().clone(), cause }
    }

    fn exhausted(&self, waited: Duration) -> PoolError {
        PoolError::Exhausted {
            alias: self.manager.alias().clone(),
            waited,
            max_size: self.pool.max_size(),
            in_test_transaction: self.manager.isolation() == Isolation::TestTransaction,
        }
    }
}
