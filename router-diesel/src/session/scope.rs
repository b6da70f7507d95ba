//! What a part of a program may do, for as long as it runs.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use router_core::{Alias, Role};

use super::Session;
use crate::engine::RoutedConnection;
use crate::topology::{DatabaseId, Routing};

/// A setting for the statements of one closure: see [`Session::scoped`].
///
/// What a scope leaves out is inherited from the scope around it.
#[derive(Clone, Default)]
#[must_use = "a scope does nothing until `Session::scoped` is given it"]
pub struct Scope {
    role: Option<Role>,
    prevent_writes: Option<bool>,
    using: Option<Alias>,
    hints: Vec<Hint>,
}

/// What the program knows, for routers that know its type.
type Hint = Arc<dyn Any + Send + Sync>;

impl Scope {
    /// Reads only: a statement that writes is refused.
    pub fn reading() -> Self {
        Self { role: Some(Role::Reading), prevent_writes: Some(true), ..Self::default() }
    }

    /// Reads and writes, and reads from the database that the app is written to. It lifts the refusal of a
    /// scope around it.
    pub fn writing() -> Self {
        Self { role: Some(Role::Writing), prevent_writes: Some(false), ..Self::default() }
    }

    /// Reads from the database that the app is written to, and lifts no refusal.
    pub(super) fn read_where_written() -> Self {
        Self { role: Some(Role::Writing), ..Self::default() }
    }

    /// Sends every statement to one database, whatever the routers say, as [`Session::using`] does. Functions on
    /// `&mut Session` run under it as they are.
    ///
    /// If no database has that name, each statement in the scope fails (`UnknownDatabase`).
    pub fn using(alias: impl AsRef<str>) -> Self {
        Self::default().and_using(alias)
    }

    /// The same, beside what the scope sets already.
    pub fn and_using(self, alias: impl AsRef<str>) -> Self {
        Self { using: Some(Alias::new(alias.as_ref())), ..self }
    }

    /// Tells the routers something that the statements do not show, such as the tenant of a request. A router finds it by
    /// its type, with [`Hints::get`](router_core::Hints::get).
    ///
    /// Of two hints of one type the inner one is found, and in one scope the later one.
    ///
    /// ```
    /// use router_core::{Alias, Hints, Model, Router};
    /// use router_diesel::Scope;
    ///
    /// struct Tenant(String);
    ///
    /// /// Each tenant has a database of its own.
    /// #[derive(Debug)]
    /// struct ByTenant;
    ///
    /// impl Router for ByTenant {
    ///     fn db_for_read(&self, _: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
    ///         hints.get::<Tenant>().map(|tenant| Alias::new(tenant.0.as_str()))
    ///     }
    /// }
    ///
    /// let scope = Scope::hint(Tenant("acme".to_owned()));
    /// # let _ = scope;
    /// ```
    pub fn hint<T: Any + Send + Sync>(hint: T) -> Self {
        Self::default().and_hint(hint)
    }

    /// The same, beside what the scope sets already.
    pub fn and_hint<T: Any + Send + Sync>(mut self, hint: T) -> Self {
        self.hints.push(Arc::new(hint));
        self
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

impl fmt::Debug for Scope {
    /// Of hints it tells the number: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("role", &self.role)
            .field("prevent_writes", &self.prevent_writes)
            .field("using", &self.using)
            .field("hints", &self.hints.len())
            .finish()
    }
}

/// The scope that a session is in.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) using: Option<DatabaseId>,
    /// The name by which a database was chosen that no database has.
    pub(super) unknown: Option<Alias>,
    pub(super) role: Option<Role>,
    pub(super) prevent_writes: bool,
    pub(super) hints: Option<Arc<[Hint]>>,
}

impl State {
    pub(super) fn within(&self, scope: Scope, routing: &Routing) -> Self {
        let (using, unknown) = match scope.using {
            None => (self.using, self.unknown.clone()),
            Some(alias) => match routing.id(alias.as_str()) {
                Some(database) => (Some(database), None),
                None => (None, Some(alias)),
            },
        };
        let hints = match scope.hints.is_empty() {
            true => self.hints.clone(),
            false => {
                Some(self.hints.iter().flat_map(|outer| outer.iter().cloned()).chain(scope.hints).collect())
            }
        };
        Self {
            using,
            unknown,
            role: scope.role.or(self.role),
            prevent_writes: scope.prevent_writes.unwrap_or(self.prevent_writes),
            hints,
        }
    }

    /// The same on one database.
    pub(super) fn on(&self, database: DatabaseId) -> Self {
        Self { using: Some(database), unknown: None, ..self.clone() }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("using", &self.using)
            .field("role", &self.role)
            .field("prevent_writes", &self.prevent_writes)
            .field("hints", &self.hints.as_ref().map_or(0, |hints| hints.len()))
            .finish_non_exhaustive()
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
        self.follow();
        let inner = self.state.within(scope, self.topology.routing());
        let mut restore = Restore::new(self, inner);
        f(restore.session())
    }

    /// The same session, and from now on its routers are told something: see [`Scope::hint`].
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # struct Tenant(u32);
    /// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) {
    /// let mut conn = databases.session().with_hint(Tenant(7));
    /// # }
    /// ```
    #[must_use]
    pub fn with_hint<T: Any + Send + Sync>(mut self, hint: T) -> Self {
        self.state = self.state.within(Scope::hint(hint), self.topology.routing());
        self
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
        self.session.state = std::mem::take(&mut self.outer);
    }
}
