//! A run on one database: look, lock, look again, put right, act.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Failure, FailureKind, locked, misplaced, no_such_file, unrecorded};
use super::event::Event;
use super::journal::Direction;
use super::lint::{LintProblem, Linter};
use super::migration::AppMigration;
use super::plan::{Treatment, choose};
use super::record::RecordState;
use super::report::{Action, DatabaseReport, Done, Outcome};
use super::selection::Job;
use super::site::{Site, look_only};
use super::state::{Known, Mending, MigrationStatus, State, mending, states};
use super::step::{self, Ended};
use super::{MigrationId, Resolution, Target, Version};
use crate::engine::{Product, RoutedConnection};
use crate::lock::{self, Lock, LockError};

/// Who is told of progress.
pub(crate) type Listener = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// What is to be done on each database.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Runs what is pending.
    Migrate,
    /// Reverts the last so many.
    Rollback(usize),
    /// Reverts the last so many and runs them again.
    Redo(usize),
    /// Records these as applied; none means all that are pending.
    Fake(Vec<Version>, Choosing),
    /// Says of one what a person found out.
    Resolve(MigrationId, Resolution),
    /// Records these, with the time at which each was applied.
    Adopt(Vec<(MigrationId, String)>),
}

/// How a caller chose where to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choosing {
    /// Database and app were named.
    ByName,
    /// What was not named is everything.
    AtLarge,
}

/// How a run goes about it.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) target: Target,
    pub(crate) treatment: Treatment,
    pub(crate) lock_wait: Duration,
    pub(crate) listener: Option<Listener>,
}

impl Manner {
    pub(crate) fn tell(&self, event: Event<'_>) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}

/// Does the work on one database, and reports whatever happens.
pub(crate) fn run<C: RoutedConnection>(
    manner: &Manner,
    job: &Job<'_, C::Backend>,
    work: &Work,
) -> DatabaseReport {
    let start = Instant::now();
    let mut run = Run::<C> { manner, job, report: DatabaseReport::new(&job.database.alias) };
    if let Err(failure) = run.go(work) {
        run.report.failures.push(failure);
    }
    let mut report = run.report;
    report.duration = start.elapsed();
    report.settle();
    if report.outcome == Outcome::UpToDate
        && matches!(work, Work::Fake(..) | Work::Resolve(..) | Work::Adopt(_))
    {
        // Others may be pending.
        report.outcome = Outcome::NothingToRecord;
    }
    manner.tell(Event::DatabaseFinished { report: &report });
    report
}

struct Run<'a, C: RoutedConnection> {
    manner: &'a Manner,
    job: &'a Job<'a, C::Backend>,
    report: DatabaseReport,
}

impl<C: RoutedConnection> Run<'_, C> {
    fn go(&mut self, work: &Work) -> Result<(), Failure> {
        if matches!(work, Work::Migrate) && self.job.migrations.is_empty() {
            self.look_at_nothing();
            return Ok(());
        }
        self.check_missing_file(work)?;
        let mut site = Site::<C>::open(self.job.config, self.job.database, self.job.history)?;
        let known = site.look_about(self.job)?;
        if !self.is_due(&site, work, &known) {
            return Ok(());
        }
        // Not even a table is made where it is refused.
        if let Some(failure) = self.refusal(work, &known) {
            if matches!(work, Work::Migrate) {
                self.report.not_done = self.choose(&site, &known).run;
            }
            return Err(failure);
        }
        if self.job.database.read_only {
            let alias = &self.job.database.alias;
            let message = format!("database `{alias}` is `read_only: true`, so no migration may run on it");
            return Err(Failure::new(FailureKind::Refused, message).on(alias));
        }
        let mut lock = self.lock()?;
        // Another process may have done all of it while this one waited.
        let mut known = site.look_about(self.job)?;
        let has_mended = site.mend(&known, |migration, applied| {
            let database = &self.job.database.alias;
            self.manner.tell(Event::Mended { database, migration, applied });
        })?;
        if has_mended {
            known = site.look_about(self.job)?;
        }
        let done = match self.refusal(work, &known) {
            // To migrate is refused with all that speaks against it.
            Some(failure) if !matches!(work, Work::Migrate) => Err(failure),
            _ => self.act(&mut site, &mut lock, work, &known),
        };
        if site.remote.is_some() && site.is_transactional() && site.has_journal && done.is_ok() {
            site.renew()?;
            site.journal.clear(&mut site.conn).map_err(|error| {
                Failure::unreadable(&self.job.database.alias, "cannot clear the journal", &error)
            })?;
        }
        done
    }

    /// Refuses to make a file anew of which there are records: it was lost, or is looked for in the wrong place.
    fn check_missing_file(&self, work: &Work) -> Result<(), Failure> {
        if !self.job.is_missing_file() {
            return Ok(());
        }
        let known = look_only::<C>(self.job)?;
        self.refusal(work, &known).map_or(Ok(()), Err)
    }

    /// What has no migrations has nothing to run, and need not be there yet. What is recorded of it is told.
    fn look_at_nothing(&mut self) {
        self.warn(self.job.warnings.clone());
        if let Ok(known) = look_only::<C>(self.job) {
            let product = self.job.product(&known);
            let statuses = states(product, &self.job.migrations, &known, |app| self.job.has_app(app));
            let Manner { target, treatment, .. } = self.manner;
            self.warn(choose(&self.job.database.alias, &statuses, target, *treatment).warnings);
        }
    }

    /// Why the records do not allow this work.
    fn refusal(&self, work: &Work, known: &Known) -> Option<Failure> {
        match work {
            Work::Migrate | Work::Rollback(_) | Work::Redo(_) => self.job.refusal(known),
            // To record one by one hides for good what waits to be taken over.
            Work::Fake(_, Choosing::AtLarge) => {
                let of_strays = self.job.refusal_of_strays(known);
                of_strays.or_else(|| self.job.refusal_of_a_lost_database(known))
            }
            // What is said of migrations by hand would make a lost database look as if it were there.
            Work::Fake(_, Choosing::ByName) | Work::Resolve(..) => self.job.refusal_of_a_lost_database(known),
            Work::Adopt(_) => None,
        }
    }

    /// Whether there is a reason to take the lock. Warnings need none.
    fn is_due(&mut self, site: &Site<C>, work: &Work, known: &Known) -> bool {
        let Work::Migrate = work else { return true };
        let choice = self.choose(site, known);
        self.report.later = choice.later;
        let is_due = !choice.run.is_empty()
            || !choice.refusals.is_empty()
            || known.records.iter().any(|record| mending(record, &known.markers) != Mending::None);
        if !is_due {
            self.warn(choice.warnings);
        }
        is_due
    }

    fn statuses(&self, site: &Site<C>, known: &Known) -> Vec<MigrationStatus> {
        states(site.product, &self.job.migrations, known, |app| self.job.has_app(app))
    }

    fn choose(&self, site: &Site<C>, known: &Known) -> super::plan::Choice {
        let statuses = self.statuses(site, known);
        let mut choice =
            choose(&self.job.database.alias, &statuses, &self.manner.target, self.manner.treatment);
        choice.refusals.extend(self.job.refusal(known));
        // Which file it would run, a server tells only once it is connected.
        let lacks_file = |id| {
            step::check_file(&self.job.database.alias, site.product, self.find(id)?, Direction::Up).err()
        };
        choice.refusals.extend(choice.run.iter().filter_map(lacks_file));
        choice
    }

    fn warn(&mut self, warnings: Vec<String>) {
        for message in warnings {
            self.manner.tell(Event::Warning { database: &self.job.database.alias, message: &message });
            self.report.warnings.push(message);
        }
    }

    /// Takes the lock. Whoever has to wait is told for whom.
    fn lock(&self) -> Result<Lock, Failure> {
        let (database, wait) = (self.job.database, self.manner.lock_wait);
        let lock = match lock::acquire::<C>(database, Duration::ZERO) {
            Err(LockError::Held { holder, .. }) if !wait.is_zero() => {
                let holder = holder.map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
                self.manner.tell(Event::LockWaiting { database: &database.alias, holder: &holder });
                lock::acquire::<C>(database, wait)
            }
            other => other,
        };
        lock.map_err(|error| locked(&database.alias, &error))
    }

    fn act(
        &mut self,
        site: &mut Site<C>,
        lock: &mut Lock,
        work: &Work,
        known: &Known,
    ) -> Result<(), Failure> {
        match work {
            Work::Migrate => {
                let choice = self.choose(site, known);
                self.report.later = choice.later;
                self.warn(choice.warnings);
                if !choice.refusals.is_empty() {
                    self.report.not_done = choice.run;
                    self.report.failures = choice.refusals;
                    return Ok(());
                }
                self.steps(site, lock, choice.run, Direction::Up)
            }
            Work::Rollback(count) => self.back(site, lock, known, *count, &[Direction::Down]).map(drop),
            Work::Redo(count) => {
                let mut ids = self.back(site, lock, known, *count, &[Direction::Down, Direction::Up])?;
                ids.reverse();
                self.steps(site, lock, ids, Direction::Up)
            }
            // What is run makes the tables itself.
            Work::Fake(versions, _) => site.prepare().and_then(|()| self.fake(site, known, versions)),
            Work::Resolve(id, resolution) => self.resolve(site, known, id, *resolution),
            Work::Adopt(rows) => site.prepare().and_then(|()| self.adopt(site, known, rows)),
        }
    }

    fn find(&self, id: &MigrationId) -> Option<&AppMigration<C::Backend>> {
        self.job
            .migrations
            .iter()
            .find(|migration| migration.id.app == id.app && migration.id.version == id.version)
            .copied()
    }

    /// Runs migrations in the given order, and stops at the first that fails: later ones may need it.
    fn steps(
        &mut self,
        site: &mut Site<C>,
        lock: &mut Lock,
        ids: Vec<MigrationId>,
        direction: Direction,
    ) -> Result<(), Failure> {
        let (database, manner) = (&self.job.database.alias, self.manner);
        if !ids.is_empty() {
            self.report.direction = direction;
            manner.tell(Event::DatabaseStarted { database, pending: ids.len(), direction });
        }
        let mut rest = ids.into_iter();
        while let Some(id) = rest.next() {
            manner.tell(Event::MigrationStarted { database, migration: &id, direction });
            let outcome = match (lock.check(), self.find(&id)) {
                (Err(error), _) => Err(locked(database, &error).of(&id)),
                (Ok(()), None) => Err(no_such_file(database, &id)),
                (Ok(()), Some(migration)) => step::run(site, migration, direction),
            };
            match outcome {
                Ok(Ended::Done(duration)) => {
                    manner.tell(Event::MigrationFinished { database, migration: &id, direction, duration });
                    let action = match direction {
                        Direction::Up => Action::Applied,
                        Direction::Down => Action::Reverted,
                    };
                    self.report.done.push(Done { migration: id, action, duration: Some(duration) });
                }
                Ok(Ended::ByAnother) => {}
                Err(failure) => {
                    manner.tell(Event::MigrationFailed { database, migration: &id, failure: &failure });
                    self.report.not_done.push(id);
                    self.report.not_done.extend(rest);
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// Reverts the last migrations, latest first, and says which. They are to run in these directions: nothing is
    /// reverted where one cannot.
    fn back(
        &mut self,
        site: &mut Site<C>,
        lock: &mut Lock,
        known: &Known,
        count: usize,
        directions: &[Direction],
    ) -> Result<Vec<MigrationId>, Failure> {
        let database = &self.job.database.alias;
        let statuses = self.statuses(site, known);
        if let Some(dirty) = statuses.iter().find(|status| status.state == State::Dirty) {
            let message = format!(
                "migration `{}` of app `{}` is dirty on `{database}`, so nothing is reverted there",
                dirty.migration.name, dirty.migration.app
            );
            let failure = Failure::refused(database, &dirty.migration, message).file(dirty.file.as_deref());
            return Err(failure.help(dirty.help(database).unwrap_or_default()));
        }
        let recorded = statuses.iter().rev().filter(|status| !status.state.is_pending());
        let last: Vec<&MigrationStatus> = recorded.take(count).collect();
        self.report.direction = Direction::Down;
        if !last.is_empty() && last.len() < count {
            self.warn(vec![format!(
                "only {} of {count} can be reverted: no more {} applied",
                last.len(),
                if last.len() == 1 { "is" } else { "are" }
            )]);
        }
        let ids: Vec<_> = last.iter().map(|status| status.migration.clone()).collect();
        let mut obstacles: Vec<Failure> =
            ids.iter().flat_map(|id| self.obstacles(site.product, id, directions)).collect();
        if let Some(obstacle) = obstacles.pop() {
            self.report.not_done = ids;
            self.report.failures = obstacles;
            return Err(obstacle);
        }
        let changed = last.iter().filter(|status| status.state == State::Changed);
        let warnings = changed.map(|status| {
            let MigrationId { name, app, .. } = &status.migration;
            format!(
                "migration `{name}` of app `{app}` was edited after it was applied to `{database}`: its `down.sql` \
                 must undo what ran then"
            )
        });
        self.warn(warnings.collect());
        self.steps(site, lock, ids.clone(), Direction::Down)?;
        Ok(ids)
    }

    /// What keeps a migration from being run in these directions, as far as files and rules tell.
    fn obstacles(&self, product: Product, id: &MigrationId, directions: &[Direction]) -> Vec<Failure> {
        let database = self.job.database;
        let Some(migration) = self.find(id) else { return vec![no_such_file(&database.alias, id)] };
        let mut obstacles = Vec::new();
        for &direction in directions {
            obstacles.extend(step::check_file(&database.alias, product, migration, direction).err());
            let mut linter = Linter::new(self.job.routing);
            linter.side(database, product, migration, direction);
            obstacles.extend(
                linter
                    .finish()
                    .into_iter()
                    .filter(LintProblem::is_blocking)
                    .map(|problem| misplaced(&database.alias, id, direction, problem)),
            );
        }
        obstacles
    }

    fn fake(&mut self, site: &mut Site<C>, known: &Known, versions: &[Version]) -> Result<(), Failure> {
        if let Some(stray) = known.others.first() {
            self.warn(vec![format!(
                "what is recorded on `{}` for `{}` stays there, and `dbrouter adopt` does not look for it any more",
                stray.place, stray.database
            )]);
        }
        let product = site.product;
        let wanted = |version: &Version| {
            if versions.is_empty() { self.manner.target.reaches(version) } else { versions.contains(version) }
        };
        let statuses = self.statuses(site, known);
        let pending = statuses.iter().filter(|status| status.state.is_pending());
        for status in pending.filter(|status| wanted(&status.migration.version)) {
            let id = &status.migration;
            let checksum = self.find(id).and_then(|migration| migration.checksum(product)).map(str::to_owned);
            let (records, conn) = site.books();
            records
                .insert(conn, id, checksum.as_deref(), RecordState::Applied)
                .map_err(|error| unrecorded(&self.job.database.alias, id, &error))?;
            self.did(id, Action::Recorded);
        }
        if self.report.done.is_empty() { Ok(()) } else { site.keep() }
    }

    fn resolve(
        &mut self,
        site: &mut Site<C>,
        known: &Known,
        id: &MigrationId,
        resolution: Resolution,
    ) -> Result<(), Failure> {
        let product = site.product;
        let Some(record) =
            known.records.iter().find(|record| record.id.app == id.app && record.id.version == id.version)
        else {
            return Ok(());
        };
        let checksum = self.find(id).and_then(|migration| migration.checksum(product));
        match resolution {
            Resolution::Applied => site.keep()?,
            Resolution::Reverted => site
                .is_last_kept()
                .and_then(|is_last| if is_last { site.let_go() } else { Ok(()) })
                .map_err(|error| unrecorded(&self.job.database.alias, id, &error))?,
        }
        let (records, conn) = site.books();
        let (told, action) = match resolution {
            Resolution::Applied => (records.accept(conn, &record.id, checksum), Action::Recorded),
            Resolution::Reverted => (records.delete(conn, &record.id), Action::Forgotten),
        };
        told.and_then(|()| if action == Action::Forgotten { site.forget_diesels(id) } else { Ok(()) })
            .map_err(|error| unrecorded(&self.job.database.alias, id, &error))?;
        self.did(&record.id, action);
        Ok(())
    }

    fn adopt(
        &mut self,
        site: &mut Site<C>,
        known: &Known,
        rows: &[(MigrationId, String)],
    ) -> Result<(), Failure> {
        let product = site.product;
        let is_of = |of: &MigrationId, id: &MigrationId| of.app == id.app && of.version == id.version;
        let rows: Vec<_> = rows
            .iter()
            .filter(|(id, _)| !known.records.iter().any(|record| is_of(&record.id, id)))
            .map(|(id, run_on)| (id, run_on, known.others.iter().find(|stray| is_of(&stray.record.id, id))))
            .collect();
        // All or none: an app of which some are recorded here is not looked for elsewhere any more.
        let mut last = None;
        let (records, conn) = site.books();
        let recorded = conn.transaction(|conn| {
            for (id, run_on, stray) in &rows {
                last = Some(*id);
                let checksum = match stray {
                    Some(stray) => stray.record.checksum.as_deref(),
                    None => self.find(id).and_then(|migration| migration.checksum(product)),
                };
                let state = match stray.map(|stray| stray.record.state) {
                    None | Some(RecordState::Applied) => RecordState::Applied,
                    // What became of it is not known by this name.
                    Some(_) => RecordState::Dirty,
                };
                let duration = stray.and_then(|stray| stray.record.duration);
                records.insert_at(conn, id, checksum, state, Some(run_on), duration)?;
            }
            Ok(())
        });
        if let (Err(error), Some(id)) = (recorded, last) {
            return Err(unrecorded(&self.job.database.alias, id, &error));
        }
        for (id, ..) in &rows {
            self.did(id, Action::Recorded);
        }
        site.keep()?;
        // Only once all are where they belong.
        for stray in rows.iter().filter_map(|(.., stray)| *stray) {
            site.forget(self.job, stray)?;
        }
        Ok(())
    }

    fn did(&mut self, id: &MigrationId, action: Action) {
        self.report.done.push(Done { migration: id.clone(), action, duration: None });
    }
}
