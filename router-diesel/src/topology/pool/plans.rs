//! Statements that a connection has prepared, and that may have gone stale.

use std::any::TypeId;
use std::hash::BuildHasher as _;

use diesel::connection::CacheSize;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::engine::RoutedConnection;

/// How often a connection forgets its statements before it is closed: the server keeps those that were forgotten.
const WORN_OUT: u32 = 16;

/// How many statements are remembered.
const MOST: usize = 4_096;

/// What is known of the statements that a connection has prepared.
///
/// On an engine where they go stale, a read that worked on the connection before and now fails by an error that has no
/// name makes the connection forget all of them. Nobody looks at the error's text, which may be in any language.
#[derive(Debug)]
pub(super) struct Plans {
    go_stale: bool,
    kept: bool,
    /// Those that worked, by a number that is theirs.
    worked: FxHashSet<u64>,
    /// The number of the next statement, if it has no id of Diesel's.
    next: Option<u64>,
    /// The statement that runs, and whether it worked before.
    running: Option<(u64, bool)>,
    forgotten: bool,
    times_forgotten: u32,
}

impl Plans {
    pub(super) fn new(go_stale: bool) -> Self {
        Self {
            go_stale,
            kept: true,
            worked: FxHashSet::default(),
            next: None,
            running: None,
            forgotten: false,
            times_forgotten: 0,
        }
    }

    /// Whether what is prepared here may go stale at all.
    #[inline]
    pub(super) fn go_stale(&self) -> bool {
        self.go_stale
    }

    /// Whether Diesel keeps what it prepares.
    pub(super) fn are_kept(&mut self, kept: bool) {
        self.kept = kept;
    }

    /// Gives the next statement a number, in case that Diesel has no id for it.
    #[inline]
    pub(super) fn next_is(&mut self, number: u64) {
        self.next = Some(number);
    }

    /// Notes that a statement begins to run.
    #[inline]
    pub(super) fn runs(&mut self, id: Option<TypeId>) {
        self.forgotten = false;
        let next = self.next.take();
        let number = id.map(|id| FxBuildHasher.hash_one(id)).or(next);
        self.running = number.map(|number| (number, !self.worked.insert(number)));
        if self.worked.len() > MOST {
            self.worked.clear();
        }
    }

    /// Notes that it failed. Where a stale plan may be why, the connection forgets its statements.
    #[cold]
    pub(super) fn failed<C: RoutedConnection>(&mut self, conn: &mut C, error: &DieselError) {
        let worked = match self.running.take() {
            Some((number, worked)) => {
                if !worked {
                    self.worked.remove(&number);
                }
                worked
            }
            None => false,
        };
        let is_unnamed = matches!(error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _));
        if self.go_stale && self.kept && worked && is_unnamed {
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
            conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
            self.worked.clear();
            self.forgotten = true;
            self.times_forgotten += 1;
        }
    }

    pub(super) fn are_forgotten(&self) -> bool {
        self.forgotten
    }

    pub(super) fn are_worn_out(&self) -> bool {
        self.times_forgotten >= WORN_OUT
    }
}
