//! What a run did, and how the program ends by it.

use std::path::Path;

use router_diesel::config::Config;
use router_diesel::migrate::{
    Action, DatabaseReport, Failure as MigrateFailure, FailureKind, LintProblem, MigrateError, MigrationId,
    Outcome, Report,
};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, milliseconds, took};

/// The whole answer of whatever runs migrations. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    databases: Vec<Done<'a>>,
    failures: Vec<Failed<'a>>,
    problems: Vec<Problem<'a>>,
}

/// What was done on one database.
#[derive(Serialize)]
struct Done<'a> {
    database: &'a str,
    outcome: &'static str,
    done: Vec<Step<'a>>,
    not_done: Vec<Id<'a>>,
    warnings: &'a [String],
    ms: f64,
    /// How many are pending after the version that was asked for.
    later: usize,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    action: &'static str,
    ms: Option<f64>,
}

/// A migration.
#[derive(Serialize)]
pub(super) struct Id<'a> {
    app: &'a str,
    version: &'a str,
    name: &'a str,
}

impl<'a> From<&'a MigrationId> for Id<'a> {
    fn from(id: &'a MigrationId) -> Self {
        Self { app: id.app.as_str(), version: id.version.as_str(), name: &id.name }
    }
}

/// Something that went wrong.
#[derive(Serialize)]
pub(super) struct Failed<'a> {
    kind: &'static str,
    database: Option<&'a str>,
    app: Option<&'a str>,
    version: Option<&'a str>,
    file: Option<&'a Path>,
    message: String,
    help: Option<&'a str>,
}

impl<'a> Failed<'a> {
    pub(super) fn new(failure: &'a MigrateFailure, config: &Config) -> Self {
        let migration = failure.migration.as_ref();
        Self {
            kind: match failure.kind {
                FailureKind::Usage => "usage",
                FailureKind::Lint => "lint",
                FailureKind::Unreachable => "unreachable",
                FailureKind::Locked => "locked",
                FailureKind::Setup => "setup",
                FailureKind::Authentication => "authentication",
                FailureKind::Refused => "refused",
                _ => "failed",
            },
            database: failure.database.as_ref().map(|alias| alias.as_str()),
            app: migration.map(|migration| migration.app.as_str()),
            version: migration.map(|migration| migration.version.as_str()),
            file: failure.file.as_deref(),
            message: masked(failure, &failure.message, config),
            help: failure.help.as_deref(),
        }
    }
}

/// Something that was found before anything ran.
#[derive(Serialize)]
pub(super) struct Problem<'a> {
    code: String,
    app: &'a str,
    version: Option<&'a str>,
    databases: Vec<&'a str>,
    file: Option<&'a Path>,
    line: Option<u64>,
    message: &'a str,
    help: Option<&'a str>,
}

impl<'a> From<&'a LintProblem> for Problem<'a> {
    fn from(problem: &'a LintProblem) -> Self {
        Self {
            code: format!("{:?}", problem.code),
            app: problem.app.as_str(),
            version: problem.version.as_ref().map(|version| version.as_str()),
            databases: problem.databases.iter().map(|alias| alias.as_str()).collect(),
            file: problem.file.as_deref(),
            line: problem.line,
            message: &problem.message,
            help: problem.help.as_deref(),
        }
    }
}

impl<'a> Answer<'a> {
    pub(crate) fn new(result: &'a Result<Report, MigrateError>, config: &Config) -> Self {
        let (report, failures, problems) = parts(result);
        Self {
            databases: report.databases.iter().map(Done::from).collect(),
            failures: failures.iter().map(|failure| Failed::new(failure, config)).collect(),
            problems: problems.iter().map(Problem::from).collect(),
        }
    }
}

impl<'a> From<&'a DatabaseReport> for Done<'a> {
    fn from(report: &'a DatabaseReport) -> Self {
        let done = report.done.iter().map(|done| Step {
            id: (&done.migration).into(),
            action: done.action.as_str(),
            ms: done.duration.map(milliseconds),
        });
        Self {
            database: report.database.as_str(),
            outcome: report.outcome.as_str(),
            done: done.collect(),
            not_done: report.not_done.iter().map(Id::from).collect(),
            warnings: &report.warnings,
            ms: milliseconds(report.duration),
            later: report.later,
        }
    }
}

fn parts(result: &Result<Report, MigrateError>) -> (&Report, &[MigrateFailure], &[LintProblem]) {
    match result {
        Ok(report) => (report, &[], &[]),
        Err(error) => (&error.report, &error.failed, &error.lint),
    }
}

/// Writes what was done, says what was not, and why.
pub(crate) fn finish(
    result: Result<Report, MigrateError>,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let result = refuse_usage(result)?;
    if output.is_json() {
        output.json(&Answer::new(&result, config))?;
    }
    tell(&result, config, output)?;
    Ok(exit(&result))
}

/// Says which migrations were recorded or forgotten: nothing else was told of them while they were.
pub(super) fn name_recorded(result: &Result<Report, MigrateError>, output: &mut Output<'_>) {
    let (report, ..) = parts(result);
    for database in &report.databases {
        for done in &database.done {
            output.say(format_args!("{}: {} {}", database.database, done.action, done.migration));
        }
    }
}

/// A call that was wrong in itself is told as any other command's.
pub(crate) fn refuse_usage(
    result: Result<Report, MigrateError>,
) -> Result<Result<Report, MigrateError>, Failure> {
    match result {
        Err(error) => called_rightly(error).map(Err),
        Ok(report) => Ok(Ok(report)),
    }
}

/// The error, unless the call was wrong in itself.
pub(super) fn called_rightly(error: MigrateError) -> Result<MigrateError, Failure> {
    if error.kind() != FailureKind::Usage {
        return Ok(error);
    }
    let messages: Vec<_> = error.failed.iter().map(ToString::to_string).collect();
    Err(Failure::Usage(messages.join("\n")))
}

/// Writes the table and the errors as people read them; as JSON, all of it was written before.
pub(crate) fn tell(
    result: &Result<Report, MigrateError>,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let (report, failures, problems) = parts(result);
    if !output.is_json() {
        if !report.databases.is_empty() {
            let head = ["database", "outcome", "done", "not done", "time"].map(str::to_owned);
            output.columns(std::iter::once(head).chain(report.databases.iter().map(in_words)))?;
        } else if result.is_ok() {
            output.say("there is nothing to migrate: no app's migrations run on these databases");
        }
        if !failures.is_empty() {
            let is_partial =
                |report: &&DatabaseReport| !report.done.is_empty() || !report.not_done.is_empty();
            for database in report.databases.iter().filter(is_partial) {
                output.line(database)?;
            }
        }
    }
    say_problems(problems, output);
    say_failures(failures, config, output);
    if !problems.is_empty() {
        output.say("nothing was run");
    }
    Ok(())
}

pub(super) fn say_problems(problems: &[LintProblem], output: &mut Output<'_>) {
    for line in router_diesel::migrate::lint_summary(problems) {
        output.say(line);
    }
    for problem in problems {
        let severity = if problem.is_blocking() { "error" } else { "warning" };
        output.say(format_args!("{severity}[{:?}]: {problem}", problem.code));
    }
}

pub(super) fn say_failures(failures: &[MigrateFailure], config: &Config, output: &mut Output<'_>) {
    for failure in failures {
        output.say(format_args!("error: {}", masked(failure, &failure.to_string(), config)));
    }
}

fn in_words(report: &DatabaseReport) -> [String; 5] {
    let actions = [Action::Reverted, Action::Applied, Action::Recorded, Action::Forgotten];
    let done = actions.into_iter().filter_map(|action| {
        let number = report.done.iter().filter(|done| done.action == action).count();
        (number > 0).then(|| format!("{number} {action}"))
    });
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let not_done = match report.not_done.len() {
        0 => String::new(),
        number => number.to_string(),
    };
    let time = if report.outcome == Outcome::NotStarted { String::new() } else { took(report.duration) };
    [
        report.database.to_string(),
        report.outcome.to_string(),
        or_dash(done.collect::<Vec<_>>().join(", ")),
        or_dash(not_done),
        or_dash(time),
    ]
}

/// Hides what a driver may have repeated of a database's URL.
fn masked(failure: &MigrateFailure, text: &str, config: &Config) -> String {
    let database = failure.database.as_ref().and_then(|alias| config.database(alias.as_str()));
    database.map_or_else(|| text.to_owned(), |database| database.url.without_secrets(text))
}

/// How the program ends by a run.
pub(crate) fn exit(result: &Result<Report, MigrateError>) -> Exit {
    match result {
        Ok(_) => Exit::Fine,
        Err(error) => exit_of(error.kind()),
    }
}

/// Why nothing is known of a database, as a table says it; the whole of it is told below.
pub(super) fn cause_in_short(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unreachable => "it cannot be reached",
        FailureKind::Setup => "a connection cannot be set up",
        FailureKind::Authentication => "it refuses the user or the password",
        _ => "it cannot be read",
    }
}

/// How the program ends by a failure.
pub(super) fn exit_of(kind: FailureKind) -> Exit {
    match kind {
        FailureKind::Usage | FailureKind::Lint => Exit::Usage,
        FailureKind::Unreachable | FailureKind::Locked => Exit::Unreachable,
        _ => Exit::Failed,
    }
}
