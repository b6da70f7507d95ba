//! The commands that make, remove or fill whole databases.

use std::fmt::Display;
use std::path::Path;

use router_core::AppLabel;
use router_diesel::config::Config;
use router_diesel::tasks::{self, Dumped, Force, LeftOut, Loaded, LockError, Report, TaskError, Tasks};
use router_diesel::{AnyConnection, AppRoute, Databases};
use serde::Serialize;

use super::{check, setup};
use crate::args::migrate::Selection;
use crate::args::task::{SchemaCommand, Seeds, TaskCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::program::Project;

/// The whole answer. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<T> {
    databases: T,
}

/// What became of one database: one of the two is null.
#[derive(Serialize)]
pub(super) struct Outcome<'a, T> {
    database: &'a str,
    done: Option<&'a T>,
    error: Option<String>,
}

pub(super) fn run(
    command: &TaskCommand,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let config = databases.config();
    match command {
        TaskCommand::Create(arguments) => {
            finish(tasks(&databases, &arguments.selection).create(), config, output)
        }
        TaskCommand::Drop(arguments) => {
            let tasks = tasks(&databases, &arguments.selection)
                .force(force(arguments.force))
                .lock_timeout(arguments.lock_wait.lock_wait);
            finish(tasks.drop(), config, output)
        }
        TaskCommand::Setup(arguments) => setup::setup(arguments, &databases, output),
        TaskCommand::Reset(arguments) => setup::reset(arguments, &databases, output),
        TaskCommand::Seed(arguments) => {
            let tasks = seeding(&databases, &arguments.selection, &arguments.seeds)
                .lock_timeout(arguments.lock_wait.lock_wait);
            let report = begun(tasks.seed())?;
            let exit = write(&report, config, output)?;
            say_strays(&databases, &arguments.seeds, output);
            if report.outcomes.is_empty() {
                let folder = folder(&arguments.seeds).display();
                output.say(format_args!(
                    "seeds are the SQL files of `{folder}/<database>` and `{folder}/<app>`"
                ));
            }
            Ok(exit)
        }
        TaskCommand::Schema(SchemaCommand::Dump(arguments)) => {
            let mut tasks = tasks(&databases, &arguments.selection)
                .schema_folder(&arguments.folder)
                .rows_of(&arguments.data);
            if arguments.grants {
                tasks = tasks.with_grants();
            }
            let report = begun(tasks.dump_schema())?;
            let exit = write(&report, config, output)?;
            say_what_is_left_out(&report, output);
            Ok(exit)
        }
        TaskCommand::Schema(SchemaCommand::Load(arguments)) => {
            let mut tasks = tasks(&databases, &arguments.selection)
                .schema_folder(&arguments.folder)
                .force(force(arguments.force))
                .lock_timeout(arguments.lock_wait.lock_wait);
            if arguments.record_incomplete {
                tasks = tasks.record_incomplete();
            }
            let report = begun(tasks.load_schema())?;
            let exit = write(&report, config, output)?;
            say_what_to_record(&report, output);
            Ok(exit)
        }
    }
}

/// The folder of the seeds.
fn folder(seeds: &Seeds) -> &Path {
    seeds.seeds.as_deref().unwrap_or(Path::new("seeds"))
}

/// Says which folders of seeds were passed over: those of nobody, and those of apps that are written where only a session
/// can say.
pub(super) fn say_strays(databases: &Databases<AnyConnection>, seeds: &Seeds, output: &mut Output<'_>) {
    for stray in check::stray_seeds(databases.config(), folder(seeds)) {
        output.say(stray.text);
    }
    for AppRoute { app, write_needs, .. } in databases.routing().routes() {
        let place = folder(seeds).join(app.as_str());
        if let Some(missing) = write_needs.filter(|_| place.is_dir() && is_apps_own(databases.config(), &app))
        {
            output.say(format_args!(
                "note: the seeds in `{}` were sown nowhere: {missing} to say where app `{app}` is written; put them into \
                 the folder of a database",
                place.display()
            ));
        }
    }
}

/// Whether a folder of this name is an app's: that of a database goes before it.
fn is_apps_own(config: &Config, app: &AppLabel) -> bool {
    config.database(app.as_str()).is_none()
}

/// Says what each file leaves out, and which migrations wrote some of that.
fn say_what_is_left_out(report: &Report<Dumped>, output: &mut Output<'_>) {
    for outcome in &report.outcomes {
        let Ok(Dumped::Written(path) | Dumped::Unchanged(path)) = &outcome.result else { continue };
        let Ok(Some(left_out)) = LeftOut::of_file(path) else { continue };
        let alias = &outcome.alias;
        output.say(format_args!("{alias}: left out: {}", left_out.kinds.join(", ")));
        if !left_out.migrations.is_empty() {
            let migrations: Vec<String> = left_out.migrations.iter().map(ToString::to_string).collect();
            output.say(format_args!(
                "{alias}: {} wrote some of that: {}; `--data TABLE` adds the rows of a table, and `dbrouter schema load` \
                 refuses the file without `--record-incomplete`",
                count(migrations.len(), "migration"),
                migrations.join(", ")
            ));
        }
        if left_out.unread > 0 {
            let number = count(left_out.unread, "migration");
            output.say(format_args!("{alias}: {number} could not be read, so what they wrote is not known"));
        }
    }
}

/// Says of files that name no migrations that what they made still counts as pending.
fn say_what_to_record(report: &Report<Loaded>, output: &mut Output<'_>) {
    let is_unrecorded = |outcome: &&tasks::Outcome<Loaded>| {
        matches!(outcome.result, Ok(Loaded::Loaded { recorded: None, .. }))
    };
    let unrecorded = report.outcomes.iter().filter(is_unrecorded);
    let options: String = unrecorded.map(|outcome| format!(" --database {}", outcome.alias)).collect();
    if !options.is_empty() {
        output.say(format_args!(
            "no migration was recorded where the file names none; if all of them are in it, `dbrouter fake \
             --all{options}` records them"
        ));
    }
}

/// The tasks of what was chosen.
pub(super) fn tasks<'a>(
    databases: &'a Databases<AnyConnection>,
    selection: &Selection,
) -> Tasks<'a, AnyConnection> {
    Tasks::new(databases.routing()).databases(&selection.databases).apps(&selection.apps)
}

/// The same, with the folder of seeds if it was named.
pub(super) fn seeding<'a>(
    databases: &'a Databases<AnyConnection>,
    selection: &Selection,
    seeds: &Seeds,
) -> Tasks<'a, AnyConnection> {
    let tasks = tasks(databases, selection);
    match &seeds.seeds {
        Some(folder) => tasks.seed_folder(folder),
        None => tasks,
    }
}

pub(super) fn force(force: bool) -> Force {
    if force { Force::Yes } else { Force::No }
}

fn finish<T: Display + Serialize>(
    result: Result<Report<T>, TaskError>,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    write(&begun(result)?, config, output)
}

fn write<T: Display + Serialize>(
    report: &Report<T>,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    if output.is_json() {
        output.json(&Answer { databases: outcomes(report, config) })?;
    }
    tell(report, config, output)?;
    Ok(exit(report))
}

/// What came of it, unless something concerned all databases: then nothing was done.
pub(super) fn begun<T>(result: Result<T, TaskError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Usage(error.to_string()))
}

/// A report as JSON has it.
pub(super) fn outcomes<'a, T>(report: &'a Report<T>, config: &Config) -> Vec<Outcome<'a, T>> {
    let outcome = report.outcomes.iter().map(|outcome| Outcome {
        database: outcome.alias.as_str(),
        done: outcome.result.as_ref().ok(),
        error: outcome.result.as_ref().err().map(|error| masked(error, config)),
    });
    outcome.collect()
}

/// Writes what was done as people read it, and says what was not; as JSON, all of it is written by the caller.
pub(super) fn tell<T: Display>(
    report: &Report<T>,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if !output.is_json() {
        for outcome in &report.outcomes {
            match &outcome.result {
                Ok(done) => output.line(format_args!("{}: {done}", outcome.alias))?,
                Err(_) => output.line(format_args!("{}: failed", outcome.alias))?,
            }
        }
        if report.outcomes.is_empty() {
            output.say("there is nothing to do");
        }
    }
    for error in report.failures() {
        output.say(format_args!("error: {}", masked(error, config)));
    }
    Ok(())
}

/// Hides what a driver or a program may have repeated of the URLs of the databases that an error is about.
fn masked(error: &TaskError, config: &Config) -> String {
    let history = match error {
        TaskError::RecordsUnreachable { history, .. } | TaskError::RecordsStay { history, .. } => {
            Some(history)
        }
        _ => None,
    };
    let aliases = error.alias().into_iter().chain(history);
    let databases = aliases.filter_map(|alias| config.database(alias.as_str()));
    databases.fold(error.to_string(), |text, database| database.url.without_secrets(&text))
}

/// How the program ends: by the gravest failure.
pub(super) fn exit<T>(report: &Report<T>) -> Exit {
    report.failures().map(exit_of).max().unwrap_or(Exit::Fine)
}

fn exit_of(error: &TaskError) -> Exit {
    match error {
        TaskError::Lock(LockError::Held { .. }) => Exit::Unreachable,
        error if error.is_unreachable() => Exit::Unreachable,
        TaskError::UnknownDatabase { .. }
        | TaskError::UnknownApp { .. }
        | TaskError::Replica { .. }
        | TaskError::NotAllowed { .. }
        | TaskError::Production { .. }
        | TaskError::UndeclaredEnvironment { .. }
        | TaskError::KeepsRecords { .. }
        | TaskError::OtherSchemas { .. }
        | TaskError::InMemory { .. }
        | TaskError::Nameless { .. }
        | TaskError::NoSchema { .. }
        | TaskError::UnknownTable { .. }
        | TaskError::NoSeedFolder { .. }
        | TaskError::NowhereToWrite { .. }
        | TaskError::MissingProgram { .. }
        | TaskError::SecretOption { .. }
        | TaskError::BadName { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}
