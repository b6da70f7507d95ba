//! The rules of a configuration: which database claims which apps, and for what.

mod claim;
mod compile;
mod error;
mod router;
mod table;

pub use claim::Claim;
pub use error::{RuleError, Unreachable};
pub use router::RuleRouter;

use crate::{Alias, AppLabel, Operation, Operations, Place};

/// What one database claims, as its section in the configuration says.
///
/// ```
/// use router_core::{DatabaseRule, Operation, Operations};
///
/// let rule = DatabaseRule::new("blog_db")
///     .app("blog")
///     .operations(Operations::none().with(Operation::Read).with(Operation::Write))
///     .migrate_to("blog_admin");
/// assert!(!rule.may_migrate());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseRule {
    /// The database.
    pub alias: Alias,
    /// The apps that it claims, each with the place where it says so.
    pub apps: Vec<(AppLabel, Option<Place>)>,
    /// What it claims them for, and what may be done on it at all. The default is all three.
    pub operations: Operations,
    /// The database on which the migrations of its apps run, where that is another one.
    pub migrate_to: Option<Alias>,
    /// The primary of which it is a replica. A replica is only ever read.
    pub replica_of: Option<Alias>,
    /// Whether migrations run on it at all. The default is yes.
    pub migrate: bool,
    /// Where it is declared.
    pub place: Option<Place>,
}

impl DatabaseRule {
    /// Declares a database that claims no app and allows all three operations.
    #[must_use]
    pub fn new(alias: impl Into<Alias>) -> Self {
        Self {
            alias: alias.into(),
            apps: Vec::new(),
            operations: Operations::all(),
            migrate_to: None,
            replica_of: None,
            migrate: true,
            place: None,
        }
    }

    /// Claims an app.
    #[must_use]
    pub fn app(mut self, app: impl Into<AppLabel>) -> Self {
        self.apps.push((app.into(), None));
        self
    }

    /// Claims an app, and says where that is written.
    #[must_use]
    pub fn app_at(mut self, app: impl Into<AppLabel>, place: Place) -> Self {
        self.apps.push((app.into(), Some(place)));
        self
    }

    /// Claims several apps.
    #[must_use]
    pub fn apps<A: Into<AppLabel>>(mut self, apps: impl IntoIterator<Item = A>) -> Self {
        self.apps.extend(apps.into_iter().map(|app| (app.into(), None)));
        self
    }

    /// Says what the apps are claimed for, and so what may be done on the database.
    #[must_use]
    pub fn operations(mut self, operations: Operations) -> Self {
        self.operations = operations;
        self
    }

    /// Runs the migrations of its apps on another database.
    #[must_use]
    pub fn migrate_to(mut self, alias: impl Into<Alias>) -> Self {
        self.migrate_to = Some(alias.into());
        self
    }

    /// Makes it a replica.
    #[must_use]
    pub fn replica_of(mut self, alias: impl Into<Alias>) -> Self {
        self.replica_of = Some(alias.into());
        self
    }

    /// Runs no migration on it, whatever the app: `migrate: false`.
    #[must_use]
    pub fn without_migrations(mut self) -> Self {
        self.migrate = false;
        self
    }

    /// Says where it is declared.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether any migration may run on it: no replica, not `migrate: false`, and `migrate` among its operations.
    #[must_use]
    pub const fn may_migrate(&self) -> bool {
        self.replica_of.is_none() && self.migrate && self.operations.contains(Operation::Migrate)
    }

    /// What may be done on it: its operations, less writes and migrations on a replica, less migrations under
    /// `migrate: false`.
    #[must_use]
    pub fn allowed(&self) -> Operations {
        self.operations
            .iter()
            .filter(|operation| match operation {
                Operation::Read => true,
                Operation::Write => self.replica_of.is_none(),
                Operation::Migrate => self.may_migrate(),
            })
            .collect()
    }

    /// Where an app is claimed, by its position in `apps`: its own place, else that of the database.
    fn place_of(&self, position: usize) -> Option<&Place> {
        self.apps[position].1.as_ref().or(self.place.as_ref())
    }
}
