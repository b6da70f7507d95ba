//! `setup` and `reset`: several tasks, each begun only where the one before it succeeded everywhere.

use router_diesel::migrate::{LintProblem, MigrateError, Report as Migrated};
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
    // What would be refused afterwards is told before anything is made.
    let lint = migrator(arguments, selection, databases).lint();
    if let Err(error) = lint
        && (!error.failed.is_empty() || error.lint.iter().any(LintProblem::is_blocking))
    {
        return report::finish(Err(error), databases.config(), output);
    }
    let mut steps = Steps::default();
    let ended = steps.set_up(arguments, selection, databases, output);
    steps.finish(ended, databases, output)
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
        return steps.finish(Ok(Exit::Fine), databases, output);
    };
    // What would be refused afterwards is told before anything is lost.
    if let Err(error) = migrator(arguments, &selection, databases).lint_anew() {
        return report::finish(Err(error), config, output);
    }
    let tasks =
        tasks(databases, &selection).force(task::force(*force)).lock_timeout(arguments.lock_wait.lock_wait);
    let dropped = steps.dropped.insert(begun(tasks.drop())?);
    tell(dropped, config, output)?;
    let mut ended = Ok(exit(dropped));
    if matches!(ended, Ok(Exit::Fine)) {
        ended = steps.set_up(arguments, &selection, databases, output);
    }
    steps.finish(ended, databases, output)
}

/// What of a choice can be seeded; nothing where none of it can. What is migrated alone has no rows of its own.
fn seeded(databases: &Databases<AnyConnection>, selection: &Selection) -> Option<Selection> {
    if selection.databases.is_empty() {
        return Some(selection.clone());
    }
    let may_be_seeded = |alias: &&String| {
        let one = Selection { databases: vec![(*alias).clone()], apps: Vec::new() };
        tasks(databases, &one).may_seed()
    };
    let aliases: Vec<String> = selection.databases.iter().filter(may_be_seeded).cloned().collect();
    (!aliases.is_empty()).then(|| Selection { databases: aliases, apps: selection.apps.clone() })
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
        let tasks = tasks(databases, selection);
        let created = self.created.insert(begun(tasks.create())?);
        tell(created, config, output)?;
        if !created.is_success() {
            return Ok(exit(created));
        }
        let mut migrator = migrator(arguments, selection, databases);
        if self.dropped.is_some() {
            // What was begun anew was there before, or is gone from where it was.
            migrator =
                config.apps.iter().filter(|app| app.managed).fold(migrator, |it, app| it.anew(&app.label));
        }
        let migrated = migrate::listen(migrator, output, |migrator| migrator.migrate());
        let migrated = self.migrated.insert(report::refuse_usage(migrated)?);
        report::tell(migrated, config, output)?;
        if migrated.is_err() {
            return Ok(report::exit(migrated));
        }
        let Some(selection) = seeded(databases, selection) else { return Ok(Exit::Fine) };
        let tasks =
            seeding(databases, &selection, &arguments.seeds).lock_timeout(arguments.lock_wait.lock_wait);
        let seeded = self.seeded.insert(begun(tasks.seed())?);
        // Most projects have no seeds, and nothing is amiss then.
        if !seeded.outcomes.is_empty() {
            tell(seeded, config, output)?;
        }
        task::say_strays(databases, &arguments.seeds, output);
        Ok(exit(seeded))
    }

    /// Ends the command; as JSON, with one answer for all steps, also where one could not be begun after others were
    /// done.
    fn finish(
        &self,
        ended: Result<Exit, Failure>,
        databases: &Databases<AnyConnection>,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let config = databases.config();
        let is_told = ended.is_ok() || self.dropped.is_some() || self.created.is_some();
        if output.is_json() && is_told {
            output.json(&Answer {
                drop: self.dropped.as_ref().map(|report| outcomes(report, config)),
                create: self.created.as_ref().map(|report| outcomes(report, config)),
                migrate: self.migrated.as_ref().map(|result| report::Answer::new(result, config)),
                seed: self.seeded.as_ref().map(|report| outcomes(report, config)),
            })?;
        }
        ended
    }
}
