//! The commands that run migrations, or tell of them: one report, one way to end.

mod adopt;
mod event;
mod plan;
mod progress;
pub(super) mod report;
mod status;
pub(super) mod unled;

use std::sync::mpsc;
use std::thread;

use router_diesel::config::Config;
use router_diesel::migrate::{MigrateError, Report, Resolution, Target, Version};
use router_diesel::{AnyConnection, Databases, Migrator};

use self::progress::Progress;
use crate::args::migrate::{
    BackArguments, FakeArguments, Fleet, LockWait, MigrateArguments, MigrateCommand, ResolveArguments,
    Selection,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program::Project;

pub(super) fn run(
    command: &MigrateCommand,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    match command {
        MigrateCommand::Migrate(arguments) => migrate(arguments, project, output),
        MigrateCommand::Plan(arguments) => plan::run(arguments, project, output),
        MigrateCommand::Status(arguments) => status::run(arguments, project, output),
        MigrateCommand::Rollback(arguments) => {
            back(arguments, project, output, |migrator, steps| migrator.rollback(steps))
        }
        MigrateCommand::Redo(arguments) => {
            back(arguments, project, output, |migrator, steps| migrator.redo(steps))
        }
        MigrateCommand::Fake(arguments) => fake(arguments, project, output),
        MigrateCommand::Resolve(arguments) => resolve(arguments, project, output),
        MigrateCommand::Adopt(arguments) => adopt::run(arguments, project, output),
    }
}

fn migrate(
    arguments: &MigrateArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let migrator = fleet_migrator(&databases, &arguments.selection, &arguments.fleet)
        .lock_wait(arguments.lock_wait.lock_wait)
        .target(target(arguments.to.as_deref()));
    let migrator = arguments.anew.iter().fold(migrator, |migrator, app| migrator.anew(app));
    let result = listen(migrator, output, |migrator| migrator.migrate());
    unled::say_needs(databases.routing(), &arguments.selection, output);
    report::finish(result, databases.config(), output)
}

/// `rollback` and `redo`.
fn back(
    arguments: &BackArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
    work: impl FnOnce(&Migrator<AnyConnection>, usize) -> Result<Report, MigrateError> + Send,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let migrator = fleet_migrator(&databases, &arguments.selection, &arguments.fleet)
        .lock_wait(arguments.lock_wait.lock_wait);
    let result = listen(migrator, output, |migrator| work(migrator, arguments.steps.get()));
    report::finish(result, databases.config(), output)
}

fn fake(arguments: &FakeArguments, project: &Project<'_>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let migrator = migrator(&databases, &arguments.selection).lock_wait(arguments.lock_wait.lock_wait);
    let versions = arguments.versions.iter().map(|version| Version::new(version));
    let result = listen(migrator, output, |migrator| migrator.fake(versions));
    report::name_recorded(&result, output);
    report::finish(result, databases.config(), output)
}

fn resolve(
    arguments: &ResolveArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let ResolveArguments { app, version, lock_wait: LockWait { lock_wait }, .. } = arguments;
    let selection = Selection { databases: arguments.databases.clone(), apps: Vec::new() };
    let migrator = migrator(&databases, &selection).lock_wait(*lock_wait);
    let resolution = if arguments.applied { Resolution::Applied } else { Resolution::Reverted };
    let result = listen(migrator, output, |migrator| {
        migrator.resolve(app.as_str(), Version::new(version), resolution)
    });
    report::name_recorded(&result, output);
    report::finish(result, databases.config(), output)
}

/// A migrator of what was chosen.
pub(super) fn migrator(
    databases: &Databases<AnyConnection>,
    selection: &Selection,
) -> Migrator<AnyConnection> {
    let aliases = selection.databases.iter().map(|alias| owner(databases.config(), alias));
    let migrator = databases.migrator().databases(aliases);
    selection.apps.iter().fold(migrator, |migrator, app| migrator.app(app))
}

/// The alias under which the migrations of a database run: the same database, perhaps as another user.
pub(super) fn owner<'a>(config: &'a Config, alias: &'a str) -> &'a str {
    let owner = config.database(alias).and_then(|database| database.migrate_to.as_ref());
    owner.map_or(alias, |owner| owner.as_str())
}

/// A migrator of what was chosen, which takes several databases as it was told.
fn fleet_migrator(
    databases: &Databases<AnyConnection>,
    selection: &Selection,
    fleet: &Fleet,
) -> Migrator<AnyConnection> {
    let migrator = migrator(databases, selection).jobs(fleet.jobs.get()).on_error(fleet.on_error.into());
    match &fleet.canary {
        Some(canary) => migrator.canary(owner(databases.config(), canary)),
        None => migrator,
    }
}

fn target(version: Option<&str>) -> Target {
    version.map_or(Target::Latest, |version| Target::Version(Version::new(version)))
}

/// Lets a migrator work, and says what it tells of meanwhile. It may tell from several threads.
pub(super) fn listen<T: Send>(
    migrator: Migrator<AnyConnection>,
    output: &mut Output<'_>,
    work: impl FnOnce(&Migrator<AnyConnection>) -> T + Send,
) -> T {
    if output.is_on_terminal()
        && let Some(progress) = Progress::new()
    {
        return work(&migrator.on_event(move |event| progress.tell(&event)));
    }
    let (sender, receiver) = mpsc::channel();
    // Nobody listens any more only where this thread has panicked.
    let migrator = migrator.on_event(move |event| drop(sender.send(event::in_words(&event))));
    thread::scope(|scope| {
        // The migrator ends with the work, and the words with it.
        let worker = scope.spawn(move || work(&migrator));
        for words in receiver.iter().flatten() {
            output.say(words);
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
