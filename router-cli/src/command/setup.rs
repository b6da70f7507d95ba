//! `setup` and `reset`: several tasks, each begun only where the one before it succeeded everywhere.

use router_diesel::migrate::{MigrateError, Report as Migrated};
use router_diesel::tasks::{Created, Dropped, Report, Seeded};
use router_diesel::{AnyConnection, Databases, Migrator};
use serde::Serialize;

use super::anew;
use super::migrate::{self, report};
use super::task::{self, Outcome, begun, exit, outcomes, seeding, tasks, tell};
use crate::args::migrate::Selection;
use crate::args::task::{ResetArguments, SetupArguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// The whole answer: what was not begun is null. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<'a> {
    drop: Option<Vec<Outcome<'a, Dropped>>>,
    create: Option<Vec<Outcome<'a, Created>>>,
    migrate: Option<report::Answer<'a>>,
    seed: Option<Vec<Outcome<'a, Seeded>>>,
}

/// What was done so far.
#[derive(Default)]
struct Steps {
    dropped: Option<Report<Dropped>>,
    created: Option<Report<Created>>,
    migrated: Option<Result<Migrated, MigrateError>>,
    seeded: Option<Report<Seeded>>,
}

pub(super) fn setup(
    arguments: &SetupArguments,
    databases: &Databases<AnyConnection>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let selection = &arguments.selection;
    // A name that is wrong is told before anything is made.
    begun(seeding(databases, selection, &arguments.seeds).check_seed_folder())?;
    if let Err(error) = migrator(arguments, selection, databases).targets() {
        return report::finish(Err(error), databases.config(), output);
    }
    let mut steps = Steps::default();
    let exit = steps.set_up(arguments, selection, databases, output)?;
    steps.finish(exit, databases, output)
}

pub(super) fn reset(
    arguments: &ResetArguments,
    databases: &Databases<AnyConnection>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let ResetArguments { setup: arguments, force } = arguments;
    let config = databases.config();
    begun(seeding(databases, &arguments.selection, &arguments.seeds).check_seed_folder())?;
    if let Err(error) = migrator(arguments, &arguments.selection, databases).targets() {
        return report::finish(Err(error), config, output);
    }
    let mut steps = Steps::default();
    let Some(selection) = anew::in_databases(databases, &arguments.selection) else {
        output.say("there is nothing to do: no database is written or migrated for these apps");
        return steps.finish(Exit::Fine, databases, output);
    };
    // What would be refused afterwards is told before anything is lost.
    if let Err(error) = migrator(arguments, &selection, databases).lint_files() {
        return report::finish(Err(error), config, output);
    }
    let tasks =
        tasks(databases, &selection).force(task::force(*force)).lock_timeout(arguments.lock_wait.lock_wait);
    let dropped = steps.dropped.insert(begun(tasks.drop())?);
    tell(dropped, config, output)?;
    let mut exit = exit(dropped);
    if exit == Exit::Fine {
        exit = steps.set_up(arguments, &selection, databases, output)?;
    }
    steps.finish(exit, databases, output)
}

fn migrator(
    arguments: &SetupArguments,
    selection: &Selection,
    databases: &Databases<AnyConnection>,
) -> Migrator<AnyConnection> {
    migrate::migrator(databases, selection).lock_wait(arguments.lock_wait.lock_wait)
}

impl Steps {
    fn set_up(
        &mut self,
        arguments: &SetupArguments,
        selection: &Selection,
        databases: &Databases<AnyConnection>,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let config = databases.config();
        let tasks =
            seeding(databases, selection, &arguments.seeds).lock_timeout(arguments.lock_wait.lock_wait);
        let created = self.created.insert(begun(tasks.create())?);
        tell(created, config, output)?;
        if !created.is_success() {
            return Ok(exit(created));
        }
        let migrator = migrator(arguments, selection, databases);
        let migrated = migrate::listen(migrator, output, |migrator| migrator.migrate());
        let migrated = self.migrated.insert(report::refuse_usage(migrated)?);
        report::tell(migrated, config, output)?;
        if migrated.is_err() {
            return Ok(report::exit(migrated));
        }
        let seeded = self.seeded.insert(begun(tasks.seed())?);
        // Most projects have no seeds, and nothing is amiss then.
        if !seeded.outcomes.is_empty() {
            tell(seeded, config, output)?;
        }
        Ok(exit(seeded))
    }

    /// Ends the command; as JSON, with one answer for all steps.
    fn finish(
        &self,
        exit: Exit,
        databases: &Databases<AnyConnection>,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let config = databases.config();
        if output.is_json() {
            output.json(&Answer {
                drop: self.dropped.as_ref().map(|report| outcomes(report, config)),
                create: self.created.as_ref().map(|report| outcomes(report, config)),
                migrate: self.migrated.as_ref().map(|result| report::Answer::new(result, config)),
                seed: self.seeded.as_ref().map(|report| outcomes(report, config)),
            })?;
        }
        Ok(exit)
    }
}
