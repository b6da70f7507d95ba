//! What a part of a program may do, for as long as it runs.

use std::fmt;

use router_core::Role;

use super::Session;
use crate::engine::RoutedConnection;
use crate::topology::DatabaseId;

/// A setting for the statements of one closure: see [`Session::scoped`].
///
/// What a scope leaves out is inherited from the scope around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "a scope does nothing until `Session::scoped` is given it"]
pub struct Scope {
    role: Option<Role>,
    prevent_writes: Option<bool>,
}

impl Scope {
    /// Reads only: a statement that writes is refused.
    pub fn reading() -> Self {
        Self { role: Some(Role::Reading), prevent_writes: Some(true) }
    }

    /// Reads and writes, and reads from the database that the app is written to. It lifts the refusal of a
    /// scope around it.
    pub fn writing() -> Self {
        Self { role: Some(Role::Writing), prevent_writes: Some(false) }
    }

    /// Reads from the database that the app is written to, and lifts no refusal.
    pub(super) fn read_where_written() -> Self {
        Self { role: Some(Role::Writing), prevent_writes: None }
    }

    /// Refuses statements that write, whatever the role.
    pub fn preventing_writes(self) -> Self {
        Self { prevent_writes: Some(true), ..self }
    }

    /// Lets statements write again inside of a scope that refuses them.
    pub fn permitting_writes(self) -> Self {
        Self { prevent_writes: Some(false), ..self }
    }
}

/// The scope that a session is in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub(super) using: Option<DatabaseId>,
    pub(super) role: Option<Role>,
    pub(super) prevent_writes: bool,
}

impl State {
    pub(super) fn within(self, scope: Scope) -> Self {
        Self {
            using: self.using,
            role: scope.role.or(self.role),
            prevent_writes: scope.prevent_writes.unwrap_or(self.prevent_writes),
        }
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Runs a closure in a scope. Scopes nest; the one around is back on return, on error and on panic.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # use router_diesel::{Databases, Scope};
    /// # diesel::table! { posts { id -> Integer } }
    /// # fn demo(databases: &Databases<SqliteConnection>) -> QueryResult<()> {
    /// let mut conn = databases.session();
    /// let count = conn.scoped(Scope::reading(), |conn| posts::table.count().get_result::<i64>(conn))?;
    /// # Ok(()) }
    /// ```
    pub fn scoped<T>(&mut self, scope: Scope, f: impl FnOnce(&mut Self) -> T) -> T {
        let inner = self.state.within(scope);
        let mut restore = Restore::new(self, inner);
        f(restore.session())
    }

    /// Runs a closure in which every statement that writes is refused.
    pub fn prevent_writes<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        self.scoped(Scope::default().preventing_writes(), f)
    }
}

/// A session in an inner scope; the outer one is back when this is dropped.
pub(super) struct Restore<'s, C: RoutedConnection> {
    session: &'s mut Session<C>,
    outer: State,
}

impl<'s, C: RoutedConnection> Restore<'s, C> {
    pub(super) fn new(session: &'s mut Session<C>, inner: State) -> Self {
        let outer = std::mem::replace(&mut session.state, inner);
        Self { session, outer }
    }

    pub(super) fn session(&mut self) -> &mut Session<C> {
        self.session
    }

    pub(super) fn as_session(&self) -> &Session<C> {
        self.session
    }
}

impl<C: RoutedConnection> fmt::Debug for Restore<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(f)
    }
}

impl<C: RoutedConnection> Drop for Restore<'_, C> {
    fn drop(&mut self) {
        self.session.state = self.outer;
    }
}
