//! Which databases and apps a call is about.

use std::path::Path;

use diesel::backend::Backend;
use router_core::{Alias, AppLabel, Hints, Model};
use rustc_hash::FxHashMap;

use super::error::{Failure, FailureKind, MigrateError};
use super::leftover::{Presence, left_records};
use super::lint::{LintProblem, may_migrate};
use super::migration::{AnySource, AppMigration};
use super::record::{Moved, RecordState, Stray};
use super::site::history_of;
use super::source;
use super::state::{Known, Mending, mending};
use super::stray::Recorded;
use super::version::{MigrationId, Version};
use crate::config::{Config, Database};
use crate::engine::Product;
use crate::text::nearest;
use crate::topology::Routing;

/// What a caller narrowed a call to. Empty is everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowing {
    pub(crate) databases: Vec<String>,
    pub(crate) apps: Vec<AppLabel>,
    /// The apps that may begin from nothing on another database than before. That narrows nothing.
    pub(crate) anew: Vec<AppLabel>,
}

/// All migrations that were found, by app.
pub(crate) struct Found<DB: Backend> {
    pub(crate) apps: FxHashMap<AppLabel, Vec<AppMigration<DB>>>,
    pub(crate) problems: Vec<LintProblem>,
    /// Whether there is not one app that has a folder or a source.
    pub(crate) has_nothing: bool,
    /// What is recorded on the databases of the file, as far as that was asked.
    pub(crate) recorded: Recorded,
}

impl<DB: Backend> Found<DB> {
    /// No migrations at all.
    pub(crate) fn nothing() -> Self {
        Self {
            apps: FxHashMap::default(),
            problems: Vec::new(),
            has_nothing: true,
            recorded: Recorded::default(),
        }
    }

    fn has_migrations(&self, app: &AppLabel) -> bool {
        self.apps.get(app).is_some_and(|migrations| !migrations.is_empty())
    }
}

/// A database, and the migrations that belong on it.
pub(crate) struct Job<'a, DB: Backend> {
    pub(crate) config: &'a Config,
    pub(crate) routing: &'a Routing,
    pub(crate) database: &'a Database,
    pub(crate) history: &'a Database,
    pub(crate) apps: Vec<&'a AppLabel>,
    /// In the order in which they run.
    pub(crate) migrations: Vec<&'a AppMigration<DB>>,
    /// The apps that may begin from nothing here, whatever is recorded elsewhere.
    pub(crate) anew: &'a [AppLabel],
    pub(crate) recorded: &'a Recorded,
    /// What is doubtful about where migrations were looked for: perhaps that was the wrong place.
    pub(crate) warnings: Vec<String>,
}

impl<DB: Backend> Job<'_, DB> {
    pub(crate) fn has_app(&self, app: &AppLabel) -> bool {
        self.apps.contains(&app)
    }

    /// The apps of which nothing is recorded, though there are migrations.
    pub(crate) fn unrecorded(&self, known: &Known) -> Vec<&AppLabel> {
        let has_migrations = |app: &AppLabel| self.migrations.iter().any(|it| it.id.app == *app);
        let apps = self.apps.iter().copied();
        apps.filter(|app| has_migrations(app) && !Self::is_recorded(known, app)).collect()
    }

    /// Whether a database migrates an app by its own name.
    pub(crate) fn migrates(&self, database: &Database, app: &AppLabel) -> bool {
        is_migrated_by(self.routing, database, app)
    }

    /// Whether anything of an app is recorded here.
    fn is_recorded(known: &Known, app: &AppLabel) -> bool {
        known
            .records
            .iter()
            .any(|record| record.id.app == *app && mending(record, &known.markers) != Mending::NotApplied)
    }

    /// What Diesel's own harness ran here and is pending nevertheless. A version that is recorded for another app was
    /// that app's.
    fn run_by_diesel(&self, known: &Known) -> Vec<&MigrationId> {
        let is_recorded = |version: &Version| {
            known.records.iter().any(|record| {
                record.id.version == *version && mending(record, &known.markers) != Mending::NotApplied
            })
        };
        let ids = self.migrations.iter().map(|migration| &migration.id);
        ids.filter(|id| known.diesel.contains(&id.version) && !is_recorded(&id.version)).collect()
    }

    /// Why nothing may run where it ran before by records that are not this database's own.
    pub(crate) fn refusal(&self, known: &Known) -> Option<Failure> {
        let of_records = self.refusal_of_strays(known).or_else(|| self.refusal_of_lost_records(known));
        let of_records = of_records.or_else(|| self.refusal_of_a_lost_database(known));
        of_records.or_else(|| self.refusal_of_moved_apps(known)).or_else(|| {
            let (alias, ran) = (&self.database.alias, self.run_by_diesel(known));
            let first = ran.first()?;
            let rest = if ran.len() > 1 { format!(" and {} more", ran.len() - 1) } else { String::new() };
            let message = format!(
                "Diesel's own harness has run migrations on `{alias}` that are not recorded here: {first}{rest}"
            );
            Some(Failure::new(FailureKind::Refused, message).on(alias).help(format!(
                "`dbrouter adopt --database {alias}` shows what it takes over, and does so with `--apply`; or record \
                 one by `dbrouter fake {} --database {alias} --app {}`",
                first.version, first.app
            )))
        })
    }

    /// Records without their database: what is recorded elsewhere of one that has no table at all, not even the
    /// journal that comes with the first record.
    pub(crate) fn refusal_of_a_lost_database(&self, known: &Known) -> Option<Failure> {
        let number = known.records.iter().filter(|record| record.state == RecordState::Applied).count();
        if self.history.alias == self.database.alias || number == 0 || !known.tables.is_empty() {
            return None;
        }
        let presence = if self.is_missing_file() { Presence::Absent } else { Presence::There };
        let (alias, history) = (&self.database.alias, &self.history.alias);
        let (message, help) = left_records(alias, presence, history, number);
        Some(Failure::new(FailureKind::Refused, message).on(alias).help(help))
    }

    /// Which product its server is. One that was not opened is taken for the likeliest.
    pub(crate) fn product(&self, known: &Known) -> Product {
        known.product.unwrap_or_else(|| self.database.url.products()[0])
    }

    /// Whether it is a file that is not there, and that opening would make.
    pub(crate) fn is_missing_file(&self) -> bool {
        self.database.url.file().is_some_and(|path| !path.exists())
    }

    /// The names by whose word in the journal something was recorded of this database; an alias of the file speaks
    /// for itself alone.
    pub(crate) fn kept_for(&self, known: &Known) -> Vec<Alias> {
        let is_ours =
            |name: &&Alias| **name == self.database.alias || self.config.database(name.as_str()).is_none();
        known.kept_for.iter().filter(is_ours).cloned().collect()
    }

    /// Records that were lost with the database that kept them.
    fn refusal_of_lost_records(&self, known: &Known) -> Option<Failure> {
        if self.migrations.is_empty() || !known.records.is_empty() || self.kept_for(known).is_empty() {
            return None;
        }
        let (alias, history) = (&self.database.alias, &self.history.alias);
        let keeper = if history == alias { "it".to_owned() } else { format!("`{history}`") };
        let message = format!("`{alias}` was migrated before, but {keeper} has no records of it");
        Some(Failure::new(FailureKind::Refused, message).on(alias).help(format!(
            "bring the records on `{history}` back; where all migrations have run on `{alias}`, \
             `dbrouter fake --all --database {alias}` records them anew, and `dbrouter reset --database {alias}` \
             begins it from nothing"
        )))
    }

    /// An app that would begin from nothing here, though another database of the file has it.
    pub(crate) fn refusal_of_moved_apps(&self, known: &Known) -> Option<Failure> {
        let Moved { app, from, count } = known.moved.first()?;
        let alias = &self.database.alias;
        let recorded = match count {
            1 => "1 migration of it is".to_owned(),
            count => format!("{count} migrations of it are"),
        };
        let message = format!(
            "nothing of app `{app}` is recorded for `{alias}`, but {recorded} recorded for `{from}`, on which `{app}` \
             is not migrated any more"
        );
        Some(Failure::new(FailureKind::Refused, message).on(alias).help(format!(
            "look at `apps` of `{from}` in the file; where the tables of `{app}` were moved to `{alias}`, \
             `dbrouter fake --all --database {alias} --app {app}` records them, and where it is to begin from nothing \
             there, `dbrouter migrate --anew {app}` runs it"
        )))
    }

    /// What ran here, where there is not one migration that could run again.
    pub(crate) fn refusal_to_lose(&self, known: &Known) -> Option<Failure> {
        let number = known.records.len();
        let alias = &self.database.alias;
        let recorded = match number {
            0 => return None,
            1 => "1 migration is".to_owned(),
            number => format!("{number} migrations are"),
        };
        let message = format!("{recorded} recorded for `{alias}`, and there is none that could run again");
        Some(Failure::new(FailureKind::Refused, message).on(alias).help(format!(
            "run it in the folder that the folders of migrations are relative to; where `{alias}` is to go for good, \
             `dbrouter drop --database {alias}` drops it"
        )))
    }

    /// Records of this database that are not where they belong.
    pub(crate) fn refusal_of_strays(&self, known: &Known) -> Option<Failure> {
        let Stray { database: other, place, record } = known.others.first()?;
        let alias = &self.database.alias;
        let place_named = if place == alias { "it".to_owned() } else { format!("`{place}`") };
        let recorded = match known.others.len() {
            1 => "1 migration of its apps is".to_owned(),
            count => format!("{count} migrations of its apps are"),
        };
        let history = &self.history.alias;
        let (message, adopts) = if other == alias {
            let message =
                format!("the records of `{alias}` belong on `{history}` now, but {recorded} recorded on");
            let place_named = if place == alias { format!("`{alias}` itself") } else { place_named };
            (format!("{message} {place_named}"), "moves them".to_owned())
        } else {
            let message = format!(
                "nothing is recorded for `{alias}`, but {recorded} recorded on {place_named} for `{other}`"
            );
            (message, format!("takes them over, if `{alias}` is what `{other}` was"))
        };
        Some(Failure::new(FailureKind::Refused, message).on(alias).help(format!(
            "`dbrouter adopt --apply --database {alias}` {adopts}, and shows them first without `--apply`; else say \
             what has run on `{alias}` by `dbrouter fake VERSION --database {alias} --app {}`",
            record.id.app
        )))
    }
}

impl Narrowing {
    /// Checks the names, each against what there is.
    pub(crate) fn check(&self, config: &Config) -> Result<(), MigrateError> {
        for alias in &self.databases {
            let Some(database) = config.database(alias) else {
                let known = config.databases.iter().map(|database| database.alias.as_str());
                return Err(unknown("database", alias, known));
            };
            if let Some(primary) = &database.replica_of {
                return Err(MigrateError::usage(format!(
                    "database `{alias}` is a replica, and no task touches one; name its primary `{primary}`"
                )));
            }
            if !may_migrate(database) && database.migrate_to.is_none() {
                return Err(MigrateError::usage(format!(
                    "no migration may run on database `{alias}`: its `migrate` is false, or its `operations` lack \
                     `migrate`"
                )));
            }
        }
        for app in self.apps.iter().chain(&self.anew) {
            match config.app(app.as_str()) {
                None => {
                    return Err(unknown(
                        "app",
                        app.as_str(),
                        config.apps.iter().map(|app| app.label.as_str()),
                    ));
                }
                Some(app) if !app.managed => {
                    return Err(MigrateError::usage(format!(
                        "app `{}` is `managed: false`: its migrations are somebody else's",
                        app.label
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn has_app(&self, app: &AppLabel) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }

    /// A database that is named stands for the one that it is migrated through, too.
    pub(crate) fn has_database(&self, config: &Config, database: &Database) -> bool {
        self.databases.is_empty()
            || self.databases.iter().any(|alias| {
                let through = config.database(alias).and_then(|named| named.migrate_to.as_ref());
                database.alias == **alias || through.is_some_and(|through| *through == database.alias)
            })
    }

    /// The databases and their apps, in file order. A database where no app migrates is left out.
    pub(crate) fn jobs<'a, DB: Backend>(
        &'a self,
        routing: &'a Routing,
        found: &'a Found<DB>,
    ) -> Vec<Job<'a, DB>> {
        let config = routing.config();
        let mut jobs = Vec::new();
        for database in &config.databases {
            if !may_migrate(database) || !self.has_database(config, database) {
                continue;
            }
            let allowed = |app: &AppLabel| is_allowed(routing, database, app);
            let apps: Vec<&AppLabel> = config
                .apps
                .iter()
                .filter(|app| app.managed && self.has_app(&app.label) && allowed(&app.label))
                .map(|app| &app.label)
                .collect();
            if apps.is_empty() {
                continue;
            }
            let mut migrations: Vec<_> =
                apps.iter().filter_map(|app| found.apps.get(*app)).flatten().collect();
            migrations.sort_by(|a, b| a.id.order().cmp(&b.id.order()));
            let mut warnings = if found.has_nothing { no_folders(config, &apps) } else { Vec::new() };
            let with_migrations = apps.iter().filter(|app| found.has_migrations(app));
            warnings.extend(with_migrations.filter_map(|app| only_by_default(routing, database, app)));
            jobs.push(Job {
                config,
                routing,
                database,
                history: history_of(config, database),
                apps,
                migrations,
                anew: &self.anew,
                recorded: &found.recorded,
                warnings,
            });
        }
        jobs
    }
}

/// That nobody says that an app is migrated on this database, while where it is written depends on a hint.
fn only_by_default(routing: &Routing, database: &Database, app: &AppLabel) -> Option<String> {
    let missing = routing.migrated_by_default(&database.alias, &Model::of(app, None))?;
    Some(format!(
        "{missing} to say where app `{app}` is written, and no router says where it is migrated: its migrations run only \
         here, on the default database; answer `allow_migrate` in a router, or claim the app in the file"
    ))
}

/// That there is no folder for any of these apps.
fn no_folders(config: &Config, apps: &[&AppLabel]) -> Vec<String> {
    let folders: Vec<&Path> =
        apps.iter().filter_map(|app| config.app(app.as_str())).map(|app| app.migrations.as_path()).collect();
    let Some(first) = folders.first() else { return Vec::new() };
    let names: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    let are = if folders.len() == 1 { "is" } else { "are" };
    vec![format!("there are no migrations: {} {are} not there{}", names.join(", "), source::seen_from(first))]
}

/// Whether an app's migrations run on a database by this name.
pub(crate) fn is_migrated_by(routing: &Routing, database: &Database, app: &AppLabel) -> bool {
    may_migrate(database) && is_allowed(routing, database, app)
}

/// Whether the routers let an app's migrations run on a database.
fn is_allowed(routing: &Routing, database: &Database, app: &AppLabel) -> bool {
    routing.chain().migration_allowed(&database.alias, &Model::of(app, None), &Hints::default())
}

/// Reads every managed app's migrations, and every problem with them.
pub(crate) fn find<DB: Backend>(
    config: &Config,
    sources: &[(AppLabel, AnySource<DB>)],
    narrowing: &Narrowing,
) -> Result<Found<DB>, MigrateError> {
    for (app, _) in sources {
        if config.app(app.as_str()).is_none() {
            return Err(unknown("app", app.as_str(), config.apps.iter().map(|app| app.label.as_str())));
        }
    }
    let mut found = Found::nothing();
    for app in config.apps.iter().filter(|app| app.managed && narrowing.has_app(&app.label)) {
        let problems = &mut found.problems;
        let migrations = match sources.iter().rev().find(|(label, _)| *label == app.label) {
            Some((_, source)) => Some(source::from_source(&app.label, source, problems)),
            None => source::from_folder(app, problems),
        };
        found.has_nothing &= migrations.is_none();
        found.apps.insert(app.label.clone(), migrations.unwrap_or_default());
    }
    // A folder that the file names is told of by itself.
    found.has_nothing &= found.problems.is_empty();
    Ok(found)
}

/// An error that names what is near.
pub(crate) fn unknown<'a>(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> MigrateError {
    MigrateError::usage(match nearest(name, known.clone()) {
        Some(nearest) => format!("unknown {kind} `{name}`; did you mean `{nearest}`?"),
        None => {
            let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
            format!("unknown {kind} `{name}`; there are {}", known.join(", "))
        }
    })
}
