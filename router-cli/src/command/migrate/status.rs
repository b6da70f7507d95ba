//! `status`: where every migration stands.

use std::path::Path;

use router_core::Alias;
use router_diesel::config::Config;
use router_diesel::migrate::{
    DatabaseStatus, Failure as MigrateFailure, FailureKind, MigrationStatus, State, Status,
};
use serde::Serialize;

use super::report::{
    Failed, Id, Problem, called_rightly, cause_in_short, exit_of, say_failures, say_problems,
};
use super::unled::{Unled, say_needs};
use crate::args::migrate::StatusArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count, milliseconds};
use crate::program::Project;

/// The whole answer. Scripts read it: fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<'a> {
    clean: bool,
    databases: Vec<OnDatabase<'a>>,
    /// What would keep a run from beginning.
    problems: Vec<Problem<'a>>,
    /// The databases that only a router in code may lead to, where this program has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_known: Vec<&'a str>,
}

#[derive(Serialize)]
struct OnDatabase<'a> {
    database: &'a str,
    /// Where its records are kept.
    history: &'a str,
    migrations: Vec<Migration<'a>>,
    /// Why nothing is known, or why nothing may run.
    failure: Option<Failed<'a>>,
    /// What is worth knowing.
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Migration<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    state: &'static str,
    applied_at: Option<&'a str>,
    ms: Option<f64>,
    file: Option<&'a Path>,
    detail: Option<&'a str>,
    /// What to do about it.
    help: Option<String>,
}

impl<'a> OnDatabase<'a> {
    fn new(status: &'a DatabaseStatus, config: &Config) -> Self {
        let migrations =
            status.migrations.iter().map(|migration| Migration::new(migration, &status.database));
        Self {
            database: status.database.as_str(),
            history: status.history.as_str(),
            migrations: migrations.collect(),
            failure: status.failure.as_ref().map(|failure| Failed::new(failure, config)),
            warnings: &status.warnings,
        }
    }
}

impl<'a> Migration<'a> {
    fn new(status: &'a MigrationStatus, database: &Alias) -> Self {
        Self {
            id: (&status.migration).into(),
            state: status.state.as_str(),
            applied_at: status.applied_at.as_deref(),
            ms: status.duration.map(milliseconds),
            file: status.file.as_deref(),
            detail: status.detail.as_deref(),
            help: status.help(database),
        }
    }
}

pub(super) fn run(
    arguments: &StatusArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let config = databases.config();
    let status = match super::migrator(&databases, &arguments.selection).status() {
        Ok(status) => status,
        Err(error) => return super::report::finish(Err(called_rightly(error)?), config, output),
    };
    let unled = Unled::find(project, databases.routing(), &arguments.selection);
    let is_clean = status.is_clean() && unled.is_empty();
    if output.is_json() {
        let databases = status.databases.iter().map(|database| OnDatabase::new(database, config)).collect();
        let problems = status.lint.iter().map(Problem::from).collect();
        let not_known = unled.databases.iter().map(Alias::as_str).collect();
        output.json(&Answer { clean: is_clean, databases, problems, not_known })?;
    } else {
        write(&status, &unled, output)?;
    }
    unled.say(output);
    say_needs(databases.routing(), &arguments.selection, output);
    for database in &status.databases {
        for warning in &database.warnings {
            output.say(format_args!("{}: warning: {warning}", database.database));
        }
    }
    let failures: Vec<MigrateFailure> =
        status.databases.iter().filter_map(|database| database.failure.clone()).collect();
    say_problems(&status.lint, output);
    say_failures(&failures, config, output);
    let check = if arguments.check && !is_clean { Exit::Found } else { Exit::Fine };
    // That a run would be refused is what was asked for: it is no failure of the question.
    let failed = failures.iter().filter(|failure| failure.kind != FailureKind::Refused);
    Ok(failed.map(|failure| exit_of(failure.kind)).max().unwrap_or(check))
}

fn write(status: &Status, unled: &Unled, output: &mut Output<'_>) -> Result<(), Failure> {
    let migrations: Vec<_> = status
        .databases
        .iter()
        .flat_map(|database| database.migrations.iter().map(move |migration| (database, migration)))
        .collect();
    let has_unknown = status.databases.iter().any(is_unknown);
    let is_known = status.databases.iter().all(|database| database.failure.is_none());
    if migrations.is_empty() && !has_unknown {
        if is_known && status.lint.is_empty() {
            output.say("there are no migrations; `dbrouter new APP NAME` begins one");
        }
        return Ok(());
    }
    let head = ["database", "migration", "state", "applied at", ""].map(str::to_owned);
    output.columns(std::iter::once(head).chain(status.databases.iter().flat_map(rows)))?;
    for (database, migration) in &migrations {
        if let Some(help) = migration.help(&database.database) {
            let MigrationStatus { migration, state, .. } = migration;
            output.say(format_args!("{}: {migration} is {state}\n  help: {help}", database.database));
        }
    }
    // Of what may not run, it would be wrong to say that it is to.
    let number = |is_meant: fn(State) -> bool| {
        let countable = migrations.iter().filter(|(database, _)| database.failure.is_none());
        countable.filter(|(_, migration)| is_meant(migration.state)).count()
    };
    let pending = number(State::is_pending);
    let doubtful = number(|state| state != State::Applied && !state.is_pending());
    match (pending, doubtful) {
        // Of a database that was not reached, it would be too much to say.
        (0, 0) if is_known && unled.is_empty() => output.say("nothing is pending"),
        (0, 0) if is_known => output.say("nothing is pending on the databases that the rules lead to"),
        (0, 0) => {}
        (pending, 0) => output.say(format_args!("{} to run", count(pending, "migration"))),
        (0, doubtful) => output.say(format_args!("{} in doubt", count(doubtful, "migration"))),
        (pending, doubtful) => {
            let pending = count(pending, "migration");
            output.say(format_args!("{pending} to run, {doubtful} in doubt"));
        }
    }
    Ok(())
}

/// What a table says of one database.
fn rows(database: &DatabaseStatus) -> Vec<[String; 5]> {
    let alias = database.database.to_string();
    if let Some(failure) = database.failure.as_ref().filter(|_| is_unknown(database)) {
        let dash = || "-".to_owned();
        return vec![[alias, dash(), "unknown".to_owned(), dash(), cause_in_short(failure.kind).to_owned()]];
    }
    let row = |status: &MigrationStatus| {
        [
            alias.clone(),
            status.migration.to_string(),
            status.state.to_string(),
            status.applied_at.clone().unwrap_or_else(|| "-".to_owned()),
            status.detail.clone().unwrap_or_default(),
        ]
    };
    database.migrations.iter().map(row).collect()
}

/// Whether nothing is known of a database.
fn is_unknown(database: &DatabaseStatus) -> bool {
    database.migrations.is_empty()
        && database.failure.as_ref().is_some_and(|failure| failure.kind != FailureKind::Refused)
}
