//! What to migrate, and how: the migrator and its settings. What it does is in `verbs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::migration::MigrationSource;
use router_core::AppLabel;

use super::migration::AnySource;
use super::plan::Treatment;
use super::run::Manner;
use super::selection::Narrowing;
use super::{Event, OnError, Target, Treat};
use crate::databases::Databases;
use crate::engine::RoutedConnection;

/// What a person found out about a migration whose state is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// It is there as a whole, as its file now stands: it counts as applied.
    Applied,
    /// Nothing of it is there: it is pending again.
    Reverted,
}

/// Runs the migrations of all databases, and tells where they stand.
///
/// Made by [`Databases::migrator`]. It opens connections of its own, past the pools and without their
/// `statement_timeout`.
///
/// ```no_run
/// # use diesel::SqliteConnection;
/// use router_diesel::migrate::{Event, OnError, Target, Version};
///
/// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
/// let migrator = databases
///     .migrator()
///     .databases(["blog_db", "shop_db"])
///     .target(Target::Version(Version::new("20240301120000")))
///     .on_error(OnError::Continue)
///     .on_event(|event| {
///         if let Event::MigrationFinished { database, migration, duration, .. } = event {
///             eprintln!("{database}: {migration} in {duration:?}");
///         }
///     });
/// for database in &migrator.plan()?.databases {
///     println!("{}: {} to run", database.database, database.steps.len());
/// }
/// migrator.migrate()?;
/// # Ok(()) }
/// ```
#[must_use = "a migrator does nothing before it is asked to"]
pub struct Migrator<C: RoutedConnection> {
    pub(super) databases: Databases<C>,
    pub(super) sources: Vec<(AppLabel, AnySource<C::Backend>)>,
    pub(super) narrowing: Narrowing,
    pub(super) manner: Manner,
    pub(super) on_error: OnError,
    pub(super) jobs: usize,
    pub(super) canary: Option<String>,
}

impl<C: RoutedConnection> fmt::Debug for Migrator<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("narrowing", &self.narrowing)
            .field("target", &self.manner.target)
            .field("on_error", &self.on_error)
            .field("jobs", &self.jobs)
            .field("canary", &self.canary)
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Clone for Migrator<C> {
    fn clone(&self) -> Self {
        Self {
            databases: self.databases.clone(),
            sources: self.sources.clone(),
            narrowing: self.narrowing.clone(),
            manner: self.manner.clone(),
            on_error: self.on_error,
            jobs: self.jobs,
            canary: self.canary.clone(),
        }
    }
}

impl<C: RoutedConnection> Databases<C> {
    /// Runs the migrations of these databases, and tells where they stand.
    ///
    /// ```no_run
    /// # fn demo(databases: &router_diesel::Databases<diesel::SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// databases.migrator().migrate()?;
    /// # Ok(()) }
    /// ```
    pub fn migrator(&self) -> Migrator<C> {
        Migrator::new(self.clone())
    }
}

/// What to migrate, and how.
impl<C: RoutedConnection> Migrator<C> {
    pub(crate) fn new(databases: Databases<C>) -> Self {
        Self {
            databases,
            sources: Vec::new(),
            narrowing: Narrowing::default(),
            manner: Manner {
                target: Target::Latest,
                treatment: Treatment { changed: Treat::Refuse, out_of_order: Treat::Warn },
                lock_wait: Duration::from_secs(60),
                listener: None,
            },
            on_error: OnError::Stop,
            jobs: 1,
            canary: None,
        }
    }

    /// Takes an app's migrations from a source instead of its folder: embedded by
    /// [`embed_migrations!`](diesel_migrations::embed_migrations), or written by hand.
    ///
    /// A source shows no text, so its migrations have no checksum and are not looked through before they run. An
    /// app that the file does not know is an error of the run.
    pub fn source<S>(mut self, app: impl AsRef<str>, source: S) -> Self
    where
        S: MigrationSource<C::Backend> + Send + Sync + 'static,
    {
        self.sources.push((AppLabel::new(app.as_ref()), Arc::new(source)));
        self
    }

    /// Narrows to one more database. By default, all on which an app is migrated. One with `migrate_to` stands for
    /// the database that it is migrated through.
    ///
    /// A replica, a database that may not be migrated and an unknown one are errors of the run.
    pub fn database(mut self, alias: impl Into<String>) -> Self {
        self.narrowing.databases.push(alias.into());
        self
    }

    /// Narrows to more databases, each as by [`database`](Self::database).
    pub fn databases<I>(mut self, aliases: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.narrowing.databases.extend(aliases.into_iter().map(Into::into));
        self
    }

    /// Narrows to one more app. By default, all that are managed. An unknown or unmanaged one is an error of the
    /// run.
    pub fn app(mut self, app: impl AsRef<str>) -> Self {
        self.narrowing.apps.push(AppLabel::new(app.as_ref()));
        self
    }

    /// Lets an app begin from nothing on a database, although another one of the file, which does not migrate it any
    /// more, has records of it. By default that is refused: a wrong name in the file looks the same.
    ///
    /// An unknown or unmanaged app is an error of the run.
    pub fn anew(mut self, app: impl AsRef<str>) -> Self {
        self.narrowing.anew.push(AppLabel::new(app.as_ref()));
        self
    }

    /// How far to migrate. By default [`Target::Latest`].
    pub fn target(mut self, target: Target) -> Self {
        self.manner.target = target;
        self
    }

    /// What happens to the other databases when one has failed. By default [`OnError::Stop`]: what went wrong on
    /// one goes wrong on the next.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// How many databases are migrated at once, each by a thread of its own. 1 by default.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// The database to migrate first and alone: if it fails, no other is begun. None by default.
    pub fn canary(mut self, alias: impl Into<String>) -> Self {
        self.canary = Some(alias.into());
        self
    }

    /// How long to wait for another process that migrates the same database. 60 s by default.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.manner.lock_wait = wait;
        self
    }

    /// What to do where a file was edited after it was applied. By default [`Treat::Refuse`]: databases that ran
    /// the two texts differ.
    pub fn changed(mut self, treat: Treat) -> Self {
        self.manner.treatment.changed = treat;
        self
    }

    /// What to do with a migration that is pending although a later one of its app was applied, as it happens when
    /// two branches are merged. By default [`Treat::Warn`]: it runs.
    pub fn out_of_order(mut self, treat: Treat) -> Self {
        self.manner.treatment.out_of_order = treat;
        self
    }

    /// Tells of progress. With several [`jobs`](Self::jobs), from several threads.
    pub fn on_event(mut self, listener: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.manner.listener = Some(Arc::new(listener));
        self
    }
}
