//! What a migrator does.

use router_core::{Alias, AppLabel};

use super::migrator::{Migrator, Resolution};
use super::physical::Servers;
use super::plan::{Step, choose};
use super::run::{self, Choosing, Work};
use super::selection::{self, Found, Job, Narrowing};
use super::site::look_only;
use super::state::{Known, states};
use super::{
    AdoptPlan, DatabasePlan, DatabaseStatus, Failure, LintProblem, MigrateError, MigrationId,
    MigrationStatus, Plan, Report, State, Status, Target, Version, adopt, fleet,
};
use crate::engine::RoutedConnection;

/// What it does.
impl<C: RoutedConnection> Migrator<C> {
    /// Runs what is pending, after [`lint`](Self::lint).
    ///
    /// # Errors
    /// What was wrong, with a report of all that was done nevertheless. Of several databases, those that did not
    /// fail are migrated or not begun, as [`on_error`](Self::on_error) says.
    pub fn migrate(&self) -> Result<Report, MigrateError> {
        self.with_jobs(|found, jobs| {
            self.check_target(jobs)?;
            refuse(self.problems(found, jobs))?;
            self.run(jobs, |_| Some(Work::Migrate))
        })
    }

    /// Says what [`migrate`](Self::migrate) would do. Nothing at all is written, not even an empty file.
    ///
    /// A database that cannot be reached is a failure in its place in the plan.
    ///
    /// # Errors
    /// A name that is unknown, or one of a replica.
    pub fn plan(&self) -> Result<Plan, MigrateError> {
        self.with_jobs(|found, jobs| {
            self.check_target(jobs)?;
            let databases = jobs.iter().map(|job| self.plan_for(job)).collect();
            Ok(Plan { databases, lint: self.problems(found, jobs) })
        })
    }

    /// Says where every migration stands, and what would keep [`migrate`](Self::migrate) from beginning. Nothing is
    /// written.
    ///
    /// A database that cannot be reached is a failure in its place in the status.
    ///
    /// # Errors
    /// A name that is unknown, or one of a replica.
    pub fn status(&self) -> Result<Status, MigrateError> {
        self.with_jobs(|found, jobs| {
            let databases = jobs
                .iter()
                .map(|job| {
                    let (migrations, failure) = match look_only::<C>(job) {
                        Ok(known) => (self.statuses_by(job, &known), job.refusal(&known)),
                        Err(failure) => (Vec::new(), Some(failure)),
                    };
                    DatabaseStatus {
                        database: job.database.alias.clone(),
                        history: job.history.alias.clone(),
                        migrations,
                        failure,
                        warnings: job.warnings.clone(),
                    }
                })
                .collect();
            Ok(Status { databases, lint: self.problems(found, jobs) })
        })
    }

    /// Reverts the last migrations of a database by their `down.sql`, latest first.
    ///
    /// All of them are looked at before the first is reverted. One that was edited since it was applied is reverted
    /// too, with a warning: its `down.sql` must undo what ran then.
    ///
    /// # Errors
    /// Several databases and none named; nothing is reverted there, and every reason told, where a migration is not
    /// among the migrations any more, or its `down.sql` is missing, has nothing to run, or uses a table on another
    /// database; what a database says. The error's report has what was reverted.
    pub fn rollback(&self, steps: usize) -> Result<Report, MigrateError> {
        self.with_jobs(|_, jobs| {
            self.check_named(jobs, "rollback")?;
            self.run(jobs, |_| Some(Work::Rollback(steps)))
        })
    }

    /// Reverts the last migrations of a database and runs them again, as their files now stand.
    ///
    /// # Errors
    /// Those of [`rollback`](Self::rollback) and of [`migrate`](Self::migrate).
    pub fn redo(&self, steps: usize) -> Result<Report, MigrateError> {
        self.with_jobs(|found, jobs| {
            self.check_named(jobs, "redo")?;
            check_sources(found)?;
            self.run(jobs, |_| Some(Work::Redo(steps)))
        })
    }

    /// Records migrations as applied without running them. Without any version, all that are pending up to the
    /// [`target`](Self::target).
    ///
    /// # Errors
    /// A version that no migration has, or that several apps or databases have of which none is named; records that
    /// wait for [`adopt`](Self::adopt), unless both the database and the app are named; what a database says.
    pub fn fake<I>(&self, versions: I) -> Result<Report, MigrateError>
    where
        I: IntoIterator,
        I::Item: Into<Version>,
    {
        let versions: Vec<Version> = versions.into_iter().map(Into::into).collect();
        self.with_jobs(|found, jobs| {
            check_sources(found)?;
            self.check_target(jobs)?;
            for version in &versions {
                check_version(jobs, version)?;
                self.check_unambiguous(jobs, version)?;
            }
            let Narrowing { databases, apps, .. } = &self.narrowing;
            let is_named = !databases.is_empty() && !apps.is_empty();
            let choosing = if is_named { Choosing::ByName } else { Choosing::AtLarge };
            self.run(jobs, |_| Some(Work::Fake(versions.clone(), choosing)))
        })
    }

    /// Says of a migration that is dirty, changed, missing or in drift what a person found out about it.
    ///
    /// Where it is in order, its record is left alone, unless that database was named.
    ///
    /// # Errors
    /// No database has a record of it that is in doubt, or several have, of which none is named, and what is there of
    /// it may differ; what a database says.
    pub fn resolve(
        &self,
        app: impl AsRef<str>,
        version: impl Into<Version>,
        resolution: Resolution,
    ) -> Result<Report, MigrateError> {
        let (app, version) = (AppLabel::new(app.as_ref()), version.into());
        let migrator = Self {
            narrowing: Narrowing { apps: vec![app.clone()], ..self.narrowing.clone() },
            ..self.clone()
        };
        migrator.with_jobs(|_, jobs| {
            let is_named = !self.narrowing.databases.is_empty();
            let mut statuses: Vec<(Alias, MigrationStatus)> = Vec::new();
            for job in jobs {
                let of_job = migrator.statuses(job)?;
                statuses.extend(of_job.into_iter().map(|status| (job.database.alias.clone(), status)));
            }
            let is_doubtful = |state: State| !state.is_pending() && (is_named || state != State::Applied);
            let (this, others): (Vec<_>, Vec<_>) =
                statuses.into_iter().partition(|(_, status)| status.migration.version == version);
            let found: Vec<String> =
                this.iter().map(|(alias, status)| format!("{} on `{alias}`", status.state)).collect();
            let doubtful: Vec<(Alias, MigrationStatus)> =
                this.into_iter().filter(|(_, status)| is_doubtful(status.state)).collect();
            if doubtful.is_empty() {
                return Err(not_in_doubt(&app, &version, &found, &others));
            }
            // An edited or lost file is the same everywhere; what is there of a migration, each database tells.
            let is_everywhere = |state: State| matches!(state, State::Changed | State::Missing);
            if !is_named
                && doubtful.len() > 1
                && !doubtful.iter().all(|(_, status)| is_everywhere(status.state))
            {
                return Err(MigrateError::usage(format!(
                    "version {version} of app `{app}` is {}; say by `--database` which is meant",
                    found.join(" and ")
                )));
            }
            migrator.run(jobs, |job| {
                let (_, status) = doubtful.iter().find(|(alias, _)| *alias == job.database.alias)?;
                Some(Work::Resolve(status.migration.clone(), resolution))
            })
        })
    }

    /// Says what could be taken over: from Diesel's own `__diesel_schema_migrations`, from records under an alias that
    /// the database had before, or from where its records were kept before; [`AdoptPlan::apply`] does it.
    ///
    /// # Errors
    /// A name that is unknown, or what is wrong with the migrations.
    pub fn adopt(&self) -> Result<AdoptPlan<'_, C>, MigrateError> {
        self.with_jobs(|found, jobs| {
            check_sources(found)?;
            Ok(adopt::plan(self, jobs))
        })
    }

    /// Looks for what would go wrong, all of it at once: folders that are no migrations, statements that need a
    /// table on another database, tables that belong to another app.
    ///
    /// What is recorded as applied on a database is not held against it: a file that was applied cannot be edited.
    /// Databases are asked which of them are one and the same; of those that cannot be reached, nothing is said.
    ///
    /// # Errors
    /// The problems, in the error's `lint`.
    pub fn lint(&self) -> Result<(), MigrateError> {
        self.with_jobs(|found, jobs| {
            let problems = self.problems(found, jobs);
            if problems.is_empty() { Ok(()) } else { Err(MigrateError::lint(problems)) }
        })
    }

    /// The same for databases that are about to be begun anew, where all of it will run: also what is recorded as
    /// applied counts, and so does an app of which nothing is recorded there, but on a database that stays, and one of
    /// which there are records and no migrations. Ask before anything is dropped.
    ///
    /// # Errors
    /// The problems, in the error's `lint`, or such apps, in its `failed`.
    pub fn lint_anew(&self) -> Result<(), MigrateError> {
        let config = self.databases.config();
        let stays = |alias: &Alias| {
            config.database(alias.as_str()).is_some_and(|it| !self.narrowing.has_database(config, it))
        };
        self.with_jobs(|found, jobs| {
            let mut problems = found.problems.clone();
            problems.extend(self.problems_of_files(jobs));
            problems.extend(self.problems_of_places(found, Servers::Ask));
            refuse(problems)?;
            let failed = jobs.iter().filter_map(|job| {
                let mut known = look_only::<C>(job).ok()?;
                known.moved.retain(|moved| stays(&moved.from));
                let of_moved_apps = job.refusal_of_moved_apps(&known);
                of_moved_apps.or_else(|| if found.has_nothing { job.refusal_to_lose(&known) } else { None })
            });
            let failed: Vec<Failure> = failed.collect();
            if failed.is_empty() {
                return Ok(());
            }
            Err(MigrateError { report: Report::default(), failed, lint: Vec::new() })
        })
    }

    /// Looks for what is wrong with where migrations run, as far as the file alone shows it: an app that is read from
    /// another file or engine than it is migrated to, two aliases of one file. Nothing is connected.
    ///
    /// # Errors
    /// The problems, in the error's `lint`. What is wrong with the migrations themselves is none of them.
    pub fn lint_places(&self) -> Result<(), MigrateError> {
        self.with_jobs(|found, _| refuse(self.problems_of_places(found, Servers::Leave)))
    }

    /// Looks for constraints between tables that a router refuses, that are on two databases, or of which nobody can tell
    /// without a hint, as far as the files of migrations and the routers show it. Nothing is connected, so it is not known
    /// which of the migrations are applied already.
    ///
    /// # Errors
    /// A name that is unknown, or one of a replica.
    pub fn lint_relations(&self) -> Result<Vec<LintProblem>, MigrateError> {
        self.with_jobs(|_, jobs| {
            let mut problems = self.problems_of_files(jobs);
            problems.retain(LintProblem::is_about_relation);
            Ok(problems)
        })
    }

    /// The databases on which there is something to migrate, as far as the rules go, in file order.
    ///
    /// # Errors
    /// A name that is unknown, or one of a replica.
    pub fn targets(&self) -> Result<Vec<Alias>, MigrateError> {
        self.with_jobs(|_, jobs| Ok(jobs.iter().map(|job| job.database.alias.clone()).collect()))
    }
}

impl<C: RoutedConnection> Migrator<C> {
    fn with_jobs<T>(
        &self,
        work: impl FnOnce(&Found<C::Backend>, &[Job<'_, C::Backend>]) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        let config = self.databases.config();
        self.narrowing.check(config)?;
        let found = selection::find(config, &self.sources, &self.narrowing)?;
        let jobs = self.narrowing.jobs(self.databases.routing(), &found);
        work(&found, &jobs)
    }

    /// Does what each database is given to do. One that is given nothing is left out of the report.
    pub(crate) fn run_each(
        &self,
        work: impl Fn(&Job<'_, C::Backend>) -> Option<Work> + Sync,
    ) -> Result<Report, MigrateError> {
        self.with_jobs(|_, jobs| self.run(jobs, work))
    }

    fn run(
        &self,
        jobs: &[Job<'_, C::Backend>],
        work: impl Fn(&Job<'_, C::Backend>) -> Option<Work> + Sync,
    ) -> Result<Report, MigrateError> {
        let jobs: Vec<_> = jobs.iter().filter_map(|job| Some((job, work(job)?))).collect();
        let aliases: Vec<&Alias> = jobs.iter().map(|(job, _)| &job.database.alias).collect();
        let canary = self.canary.as_ref().map(|name| self.find_canary(name, &aliases)).transpose()?;
        let databases = fleet::each(&aliases, canary, self.jobs, self.on_error, |index| {
            let (job, work) = &jobs[index];
            run::run::<C>(&self.manner, job, work)
        });
        let failed: Vec<Failure> = databases.iter().flat_map(|database| database.failures.clone()).collect();
        let report = Report { databases };
        if failed.is_empty() { Ok(report) } else { Err(MigrateError { report, failed, lint: Vec::new() }) }
    }

    fn find_canary(&self, name: &str, aliases: &[&Alias]) -> Result<usize, MigrateError> {
        if let Some(index) = aliases.iter().position(|alias| **alias == *name) {
            return Ok(index);
        }
        let known = aliases.iter().map(|alias| alias.as_str());
        if self.databases.config().database(name).is_none() {
            return Err(selection::unknown("canary", name, known));
        }
        let known: Vec<_> = known.map(|alias| format!("`{alias}`")).collect();
        Err(MigrateError::usage(format!(
            "canary `{name}` is none of the databases that are migrated: {}",
            known.join(", ")
        )))
    }

    fn statuses(&self, job: &Job<'_, C::Backend>) -> Result<Vec<MigrationStatus>, Failure> {
        let known = look_only::<C>(job)?;
        Ok(self.statuses_by(job, &known))
    }

    fn statuses_by(&self, job: &Job<'_, C::Backend>, known: &Known) -> Vec<MigrationStatus> {
        states(job.product(known), &job.migrations, known, |app| job.has_app(app))
    }

    fn plan_for(&self, job: &Job<'_, C::Backend>) -> DatabasePlan {
        let mut plan = DatabasePlan {
            database: job.database.alias.clone(),
            history: job.history.alias.clone(),
            steps: Vec::new(),
            failures: Vec::new(),
            warnings: job.warnings.clone(),
            later: 0,
        };
        match look_only::<C>(job) {
            Ok(known) => {
                let product = job.product(&known);
                let statuses = states(product, &job.migrations, &known, |app| job.has_app(app));
                let choice =
                    choose(&job.database.alias, &statuses, &self.manner.target, self.manner.treatment);
                plan.steps = job
                    .migrations
                    .iter()
                    .filter(|migration| choice.run.contains(&migration.id))
                    .map(|migration| Step::new(product, migration))
                    .collect();
                plan.failures = choice.refusals;
                plan.failures.extend(job.refusal(&known));
                plan.warnings.extend(choice.warnings);
                plan.later = choice.later;
            }
            Err(failure) => plan.failures.push(failure),
        }
        plan
    }

    fn check_target(&self, jobs: &[Job<'_, C::Backend>]) -> Result<(), MigrateError> {
        match &self.manner.target {
            Target::Latest => Ok(()),
            Target::Version(version) => check_version(jobs, version),
        }
    }

    /// Whether a version is that of one migration on one database, or those that are meant were named.
    fn check_unambiguous(&self, jobs: &[Job<'_, C::Backend>], version: &Version) -> Result<(), MigrateError> {
        let found: Vec<(&Alias, &MigrationId)> = jobs
            .iter()
            .flat_map(|job| job.migrations.iter().map(|migration| (&job.database.alias, &migration.id)))
            .filter(|(_, id)| id.version == *version)
            .collect();
        let several_apps = found.iter().any(|(_, id)| id.app != found[0].1.app);
        let several_databases = found
            .iter()
            .any(|(alias, id)| found.iter().any(|other| other.1.app == id.app && other.0 != *alias));
        let mut missing = Vec::new();
        if several_apps && self.narrowing.apps.is_empty() {
            missing.push("--app");
        }
        if several_databases && self.narrowing.databases.is_empty() {
            missing.push("--database");
        }
        if missing.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = found.iter().map(|(alias, id)| format!("{id} on `{alias}`")).collect();
        Err(MigrateError::usage(format!(
            "version {version} may be {}; say by `{}` which is meant",
            any_of(&found),
            missing.join("` and `")
        )))
    }

    fn check_named(&self, jobs: &[Job<'_, C::Backend>], verb: &str) -> Result<(), MigrateError> {
        if jobs.len() < 2 || !self.narrowing.databases.is_empty() {
            return Ok(());
        }
        let aliases: Vec<_> = jobs.iter().map(|job| format!("`{}`", job.database.alias)).collect();
        Err(MigrateError::usage(format!(
            "{verb} needs a database: there are {}; name the ones that are meant",
            aliases.join(", ")
        )))
    }
}

/// That there is nothing to resolve, with what there is.
fn not_in_doubt(
    app: &AppLabel,
    version: &Version,
    found: &[String],
    others: &[(Alias, MigrationStatus)],
) -> MigrateError {
    let found = match found {
        [] => "is neither recorded nor among the migrations".to_owned(),
        found => format!("is {}, so there is nothing to resolve", found.join(" and ")),
    };
    let doubtful: Vec<String> = others
        .iter()
        .filter(|(_, status)| !status.state.is_pending() && status.state != State::Applied)
        .map(|(alias, status)| format!("{} ({} on `{alias}`)", status.migration, status.state))
        .collect();
    let others = match doubtful.as_slice() {
        [] => format!("nothing of app `{app}` is in doubt"),
        doubtful => format!("in doubt: {}", doubtful.join(", ")),
    };
    MigrateError::usage(format!("version {version} of app `{app}` {found}; {others}"))
}

/// `a, b or c`.
fn any_of(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// Refuses to run, and then also says what cannot be read. That alone is no reason: the server may well read it.
fn refuse(problems: Vec<LintProblem>) -> Result<(), MigrateError> {
    if problems.iter().any(LintProblem::is_blocking) {
        return Err(MigrateError::lint(problems));
    }
    for problem in problems {
        tracing::warn!("{problem}");
    }
    Ok(())
}

/// Whether the folders are sound.
fn check_sources<DB: diesel::backend::Backend>(found: &Found<DB>) -> Result<(), MigrateError> {
    refuse(found.problems.clone())
}

fn check_version<DB: diesel::backend::Backend>(
    jobs: &[Job<'_, DB>],
    version: &Version,
) -> Result<(), MigrateError> {
    let mut all = jobs.iter().flat_map(|job| &job.migrations);
    if all.any(|migration| migration.id.version == *version) {
        return Ok(());
    }
    let mut apps: Vec<&str> = jobs.iter().flat_map(|job| &job.apps).map(|app| app.as_str()).collect();
    apps.sort_unstable();
    apps.dedup();
    let apps: Vec<_> = apps.iter().map(|app| format!("`{app}`")).collect();
    Err(MigrateError::usage(format!(
        "no migration of {} has the version {version}; `status` lists those that there are",
        if apps.is_empty() { "any app".to_owned() } else { apps.join(", ") }
    )))
}
