//! The router that follows the rules.

use std::fmt;

use rustc_hash::FxHashMap;

use super::table::Table;
use super::{Claim, DatabaseRule, RuleError, compile};
use crate::{Alias, AppLabel, Hints, Model, Operation, Operations, Place, Reason, Router};

/// Follows the rules of a configuration; a look-up costs one hash however many rules there are.
///
/// - A read goes to the database that claims the app for read, a write to the one that claims it for write.
/// - The migrations of an app run on one database, its target: over its claims in order the first with a
///   `migrate_to`, or with `migrate` among its operations, says which; if none does, it is the default one.
/// - An unmanaged app is migrated nowhere, and no app on a database that may not migrate.
/// - On an app that nobody claims the router has no opinion.
///
/// ```
/// use router_core::{Alias, DatabaseRule, Hints, Model, Router, RuleRouter};
///
/// let rules = RuleRouter::compile(
///     "default",
///     [
///         DatabaseRule::new("default"),
///         DatabaseRule::new("blog_db").app("apps.blog").migrate_to("blog_admin"),
///         DatabaseRule::new("blog_admin"),
///     ],
///     [],
/// )
/// .expect("the rules agree");
///
/// let (blog, hints) = (Model::app("blog"), Hints::default());
/// assert_eq!(rules.db_for_read(&blog, &hints), Some(Alias::new("blog_db")));
/// assert_eq!(rules.allow_migrate(&Alias::new("blog_db"), &blog, &hints), Some(false));
/// assert_eq!(rules.allow_migrate(&Alias::new("blog_admin"), &blog, &hints), Some(true));
/// assert_eq!(rules.db_for_read(&Model::app("users"), &hints), None);
/// ```
#[derive(Clone)]
pub struct RuleRouter {
    pub(super) default: Alias,
    /// In file order.
    pub(super) databases: Vec<DatabaseRule>,
    pub(super) by_alias: FxHashMap<Alias, usize>,
    /// In file order: those that are claimed, then those only known as unmanaged.
    pub(super) apps: Vec<App>,
    pub(super) by_label: FxHashMap<AppLabel, usize>,
    pub(super) table: Table,
}

/// What is known of an app, beyond the table.
#[derive(Clone)]
pub(super) struct App {
    pub(super) label: AppLabel,
    pub(super) is_managed: bool,
    /// Indices of the database and of the app in its list, in file order.
    pub(super) claims: Vec<(usize, usize)>,
    /// The index of the database on which its migrations run, and of the claim that says so.
    pub(super) target: Option<(usize, Option<usize>)>,
}

impl RuleRouter {
    /// Compiles the rules of a configuration, given in the order of the file.
    ///
    /// `unmanaged` are the apps that are `managed: false`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the rules, in the order of the file.
    pub fn compile(
        default: impl Into<Alias>,
        rules: impl IntoIterator<Item = DatabaseRule>,
        unmanaged: impl IntoIterator<Item = AppLabel>,
    ) -> Result<Self, Vec<RuleError>> {
        compile::compile(default.into(), rules.into_iter().collect(), unmanaged)
    }

    /// The default database.
    #[must_use]
    pub const fn default_alias(&self) -> &Alias {
        &self.default
    }

    /// The databases, in file order.
    #[must_use]
    pub fn databases(&self) -> impl ExactSizeIterator<Item = &DatabaseRule> {
        self.databases.iter()
    }

    /// What is declared of a database.
    #[must_use]
    pub fn database(&self, alias: &Alias) -> Option<&DatabaseRule> {
        self.by_alias.get(alias).map(|index| &self.databases[*index])
    }

    /// What may be done on a database, whoever sends the statement there; nothing if there is no such database.
    #[must_use]
    pub fn operations_of(&self, alias: &Alias) -> Option<Operations> {
        self.database(alias).map(DatabaseRule::allowed)
    }

    /// Whether the database exists and the operation may be done on it, whoever sends the statement there.
    #[must_use]
    pub fn allows(&self, alias: &Alias, operation: Operation) -> bool {
        self.operations_of(alias).is_some_and(|operations| operations.contains(operation))
    }

    /// The apps that the rules know, in file order: those that are claimed, then those only known as unmanaged.
    #[must_use]
    pub fn apps(&self) -> impl ExactSizeIterator<Item = &AppLabel> {
        self.apps.iter().map(|app| &app.label)
    }

    /// Every claim on an app, in file order.
    pub fn claims(&self, app: &str) -> impl Iterator<Item = Claim<'_>> {
        self.find(app).into_iter().flat_map(|app| &app.claims).map(|(database, index)| {
            let rule = &self.databases[*database];
            Claim { database: &rule.alias, operations: rule.claimed(), place: rule.place_of(*index) }
        })
    }

    /// Every database on which the app's migrations run as far as the rules and their fall-back go: at most one.
    ///
    /// Other routers of a chain may say otherwise; what holds there is
    /// [`RouterChain::migration_allowed`](crate::RouterChain::migration_allowed) for each database.
    pub fn targets(&self, app: &str) -> impl Iterator<Item = &Alias> {
        let target = match self.find(app) {
            Some(app) if !app.is_managed => None,
            Some(App { target: Some((database, _)), .. }) => Some(*database),
            _ => self.by_alias.get(&self.default).copied(),
        };
        target
            .map(|index| &self.databases[index])
            .filter(|rule| rule.may_migrate())
            .map(|rule| &rule.alias)
            .into_iter()
    }

    fn find(&self, app: &str) -> Option<&App> {
        self.by_label.get(AppLabel::last_segment(app)).map(|index| &self.apps[*index])
    }

    fn place_of_claim(&self, database: usize, app: usize) -> Option<Place> {
        self.databases[database].place_of(app).cloned()
    }

    fn reason_for_statement(&self, operation: Operation, model: &Model<'_>) -> Reason {
        let app = self.find(model.app);
        let claim = app.and_then(|app| {
            app.claims.iter().find(|(database, _)| self.databases[*database].claimed().contains(operation))
        });
        let label = app.map_or_else(|| AppLabel::new(model.app), |app| app.label.clone());
        match claim {
            Some((database, index)) => Reason::Rule {
                app: label,
                database: self.databases[*database].alias.clone(),
                operation,
                place: self.place_of_claim(*database, *index),
            },
            None => {
                let is_claimed = app.is_some_and(|app| !app.claims.is_empty());
                Reason::Unclaimed { app: label, operation: is_claimed.then_some(operation) }
            }
        }
    }

    fn reason_for_migration(&self, model: &Model<'_>, database: Option<&Alias>) -> Reason {
        let app = self.find(model.app);
        let label = app.map_or_else(|| AppLabel::new(model.app), |app| app.label.clone());
        if app.is_some_and(|app| !app.is_managed) {
            return Reason::Unmanaged { app: label };
        }
        if let Some(rule) = database.and_then(|alias| self.database(alias)).filter(|rule| !rule.may_migrate())
        {
            return Reason::MayNotMigrate { database: rule.alias.clone(), place: rule.place.clone() };
        }
        match app.and_then(|app| app.target) {
            Some((target, claim)) => Reason::Target {
                app: label,
                database: self.databases[target].alias.clone(),
                place: claim.and_then(|claiming| {
                    let (_, index) = app?.claims.iter().find(|(database, _)| *database == claiming)?;
                    self.place_of_claim(claiming, *index)
                }),
            },
            None => Reason::Unclaimed { app: label, operation: None },
        }
    }
}

impl Router for RuleRouter {
    fn db_for_read(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
        self.table.read(model.app).cloned()
    }

    fn db_for_write(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
        self.table.write(model.app).cloned()
    }

    fn allow_migrate(&self, database: &Alias, model: &Model<'_>, _: &Hints<'_>) -> Option<bool> {
        let app = self.find(model.app);
        let index = self.by_alias.get(database);
        if app.is_some_and(|app| !app.is_managed)
            || index.is_some_and(|index| !self.databases[*index].may_migrate())
        {
            return Some(false);
        }
        let (target, _) = app?.target?;
        Some(index == Some(&target))
    }

    fn reason(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<Reason> {
        Some(match operation {
            Operation::Read | Operation::Write => self.reason_for_statement(operation, model),
            Operation::Migrate => self.reason_for_migration(model, hints.database),
        })
    }
}

impl fmt::Debug for RuleRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleRouter")
            .field("default", &self.default)
            .field("databases", &self.databases.len())
            .field("apps", &self.apps.len())
            .finish()
    }
}
