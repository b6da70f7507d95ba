//! What runs once the transaction is committed.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Session;
use super::settings::local::End;
use crate::engine::RoutedConnection;

/// What runs once the transaction is committed.
pub(super) struct Callback {
    run: Box<dyn FnOnce() + Send>,
    /// How deep the transaction was in which it was given. A rollback to less drops it.
    level: u32,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("level", &self.level).finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Runs a closure after the outermost transaction has committed: to queue a job, to send a message.
    ///
    /// The closure gets no connection; clone [`Databases`](crate::Databases) into it. Outside of a transaction it runs at
    /// once. If the transaction is rolled back, or the inner one in which this was
    /// called, it never runs; nor does it if the session is dropped first. It runs in the order of the calls, when the session has no transaction any more. If it
    /// panics, the others still run, and the panic goes on from the call that committed.
    ///
    /// In a test transaction nothing is ever committed, so nothing runs there: see
    /// [`run_after_commit`](Self::run_after_commit).
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { orders { id -> Integer } }
    /// # fn send_invoice(order: i32) {}
    /// # fn demo(conn: &mut router_diesel::Session<SqliteConnection>) -> QueryResult<()> {
    /// conn.transaction(|conn| {
    ///     diesel::insert_into(orders::table).values(orders::id.eq(7)).execute(conn)?;
    ///     conn.after_commit(|| send_invoice(7));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn after_commit(&mut self, f: impl FnOnce() + Send + 'static) {
        let level = self.depth();
        self.callbacks.push(Callback { run: Box::new(f), level });
        if level == 0 && !self.is_in_test_transaction() {
            self.run_after_commit();
        }
    }

    /// For tests: runs what waits for a commit that a test transaction keeps from happening, and says how many there were.
    ///
    /// What waits for a transaction that is still open goes on waiting.
    pub fn run_after_commit(&mut self) -> usize {
        let all = std::mem::take(&mut self.callbacks).into_iter();
        let (due, waiting): (Vec<_>, _) = all.partition(|callback| callback.level == 0);
        self.callbacks = waiting;
        let count = due.len();
        let mut first_panic = None;
        for callback in due {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(callback.run)) {
                first_panic.get_or_insert(panic);
            }
        }
        if let Some(panic) = first_panic {
            resume_unwind(panic);
        }
        count
    }

    /// Takes in that a level of the transaction has ended: a rollback drops what was given in it, a commit hands it to the
    /// level around it.
    pub(super) fn settle_callbacks(&mut self, end: End) {
        if self.callbacks.is_empty() {
            return;
        }
        let depth = self.depth();
        match end {
            End::RollBack => self.callbacks.retain(|callback| callback.level <= depth),
            End::Commit => {
                self.callbacks.iter_mut().for_each(|callback| callback.level = callback.level.min(depth));
                if depth == 0 && !self.is_in_test_transaction() {
                    self.run_after_commit();
                }
            }
        }
    }
}
