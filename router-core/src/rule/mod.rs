//! The rules of a configuration: which database claims which apps, and for what.

mod check;
mod claim;
mod claims;
mod compile;
mod error;
mod message;
mod router;
mod table;

pub use claim::Claim;
pub use error::{NoMigration, RuleError, RuleKey, Unreachable};
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
    /// What it claims them for, and what may be done on it at all. `None` where nothing is said: all three, and on a
    /// replica without apps reading alone.
    pub operations: Option<Operations>,
    /// The database on which the migrations of its apps run, where that is another one.
    pub migrate_to: Option<Alias>,
    /// The database that keeps the records of its migrations, where that is another one.
    pub migration_history: Option<Alias>,
    /// The primary of which it is a replica. A replica is only ever read.
    pub replica_of: Option<Alias>,
    /// Whether migrations run on it at all. `None` where nothing is said: yes, and on a replica no.
    pub migrate: Option<bool>,
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
            operations: None,
            migrate_to: None,
            migration_history: None,
            replica_of: None,
            migrate: None,
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
        self.operations = Some(operations);
        self
    }

    /// Runs the migrations of its apps on another database.
    #[must_use]
    pub fn migrate_to(mut self, alias: impl Into<Alias>) -> Self {
        self.migrate_to = Some(alias.into());
        self
    }

    /// Keeps the records of its migrations on another database.
    #[must_use]
    pub fn migration_history(mut self, alias: impl Into<Alias>) -> Self {
        self.migration_history = Some(alias.into());
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
        self.migrate = Some(false);
        self
    }

    /// Says where it is declared.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// What it claims its apps for: what its `operations` say, else all three.
    #[must_use]
    pub const fn claimed(&self) -> Operations {
        match self.operations {
            Some(operations) => operations,
            None => Operations::all(),
        }
    }

    /// Whether any migration may run on it: no replica, not `migrate: false`, and `migrate` among its operations.
    #[must_use]
    pub const fn may_migrate(&self) -> bool {
        self.no_migration().is_none()
    }

    /// Why no migration may run on it; `None` where one may.
    #[must_use]
    pub const fn no_migration(&self) -> Option<NoMigration> {
        if self.replica_of.is_some() {
            Some(NoMigration::Replica)
        } else if matches!(self.migrate, Some(false)) {
            Some(NoMigration::Forbidden)
        } else if !self.claimed().contains(Operation::Migrate) {
            Some(NoMigration::Operations)
        } else {
            None
        }
    }

    /// What may be done on it: its operations, less writes and migrations on a replica, less migrations under
    /// `migrate: false`.
    #[must_use]
    pub fn allowed(&self) -> Operations {
        self.claimed()
            .iter()
            .filter(|operation| match operation {
                Operation::Read => true,
                Operation::Write => self.replica_of.is_none(),
                Operation::Migrate => self.may_migrate(),
            })
            .collect()
    }

    /// What its claims can decide: a replica's claims hold for reading alone.
    fn decides(&self) -> Operations {
        self.claimed()
            .iter()
            .filter(|operation| *operation == Operation::Read || self.replica_of.is_none())
            .collect()
    }

    /// Where an app is claimed, by its position in `apps`: its own place, else that of the database.
    fn place_of(&self, position: usize) -> Option<&Place> {
        self.apps[position].1.as_ref().or(self.place.as_ref())
    }
}
