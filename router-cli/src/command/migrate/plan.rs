//! `plan`: what `migrate` would do. Nothing at all is written.

use std::path::Path;

use router_diesel::config::Config;
use router_diesel::migrate::{DatabasePlan, Failure as MigrateFailure, FailureKind, LintProblem, Plan, Step};
use serde::Serialize;

use super::report::{
    Failed, Id, Problem, called_rightly, cause_in_short, exit_of, say_failures, say_problems,
};
use crate::args::migrate::PlanArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::program::Project;

/// The whole answer. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<'a> {
    databases: Vec<OnDatabase<'a>>,
    problems: Vec<Problem<'a>>,
}

#[derive(Serialize)]
struct OnDatabase<'a> {
    database: &'a str,
    /// Where its records are kept.
    history: &'a str,
    steps: Vec<Migration<'a>>,
    warnings: &'a [String],
    /// What keeps the steps from being run.
    failures: Vec<Failed<'a>>,
    /// How many are pending after the version that was asked for.
    later: usize,
}

#[derive(Serialize)]
struct Migration<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    in_transaction: bool,
    file: Option<&'a Path>,
    sql: Option<&'a str>,
}

impl<'a> OnDatabase<'a> {
    fn new(plan: &'a DatabasePlan, with_sql: bool, config: &Config) -> Self {
        let steps = plan.steps.iter().map(|step| Migration {
            id: (&step.migration).into(),
            in_transaction: step.in_transaction,
            file: step.file.as_deref(),
            sql: step.sql.as_deref().filter(|_| with_sql),
        });
        Self {
            database: plan.database.as_str(),
            history: plan.history.as_str(),
            steps: steps.collect(),
            warnings: &plan.warnings,
            failures: plan.failures.iter().map(|failure| Failed::new(failure, config)).collect(),
            later: plan.later,
        }
    }
}

pub(super) fn run(
    arguments: &PlanArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let config = databases.config();
    let migrator =
        super::migrator(&databases, &arguments.selection).target(super::target(arguments.to.as_deref()));
    let migrator = arguments.anew.iter().fold(migrator, |migrator, app| migrator.anew(app));
    let plan = match migrator.plan() {
        Ok(plan) => plan,
        Err(error) => return super::report::finish(Err(called_rightly(error)?), config, output),
    };
    if output.is_json() {
        let of_database = |plan| OnDatabase::new(plan, arguments.sql, config);
        let databases = plan.databases.iter().map(of_database).collect();
        output.json(&Answer { databases, problems: plan.lint.iter().map(Problem::from).collect() })?;
    } else if arguments.sql {
        write_sql(&plan, output)?;
    } else {
        write(&plan, output)?;
    }
    for database in &plan.databases {
        for warning in &database.warnings {
            output.say(format_args!("{}: warning: {warning}", database.database));
        }
    }
    super::unled::say_needs(databases.routing(), &arguments.selection, output);
    let failures: Vec<MigrateFailure> =
        plan.databases.iter().flat_map(|database| database.failures.clone()).collect();
    say_problems(&plan.lint, output);
    say_failures(&failures, config, output);
    let later: usize = plan.databases.iter().map(|database| database.later).sum();
    match (plan.is_empty(), later) {
        (true, 0) => output.say("nothing is pending"),
        (true, later) => {
            output.say(format_args!("nothing to run; {} pending", count(later, "later migration")));
        }
        (false, 0) => {}
        (false, later) => output.say(format_args!("{} pending", count(later, "later migration"))),
    }
    // As `migrate` would end by what is known now: problems keep it from beginning at all.
    let refused = if !plan.lint.iter().any(LintProblem::is_blocking) { Exit::Fine } else { Exit::Usage };
    Ok(failures.iter().map(|failure| exit_of(failure.kind)).fold(refused, Exit::max))
}

fn steps(plan: &Plan) -> impl Iterator<Item = (&DatabasePlan, &Step)> {
    plan.databases.iter().flat_map(|database| database.steps.iter().map(move |step| (database, step)))
}

fn write(plan: &Plan, output: &mut Output<'_>) -> Result<(), Failure> {
    let unknown = || plan.databases.iter().filter_map(|database| Some((database, why_unknown(database)?)));
    if steps(plan).next().is_none() && unknown().next().is_none() {
        return Ok(());
    }
    let head = ["database", "migration", "in a transaction", "file"].map(str::to_owned);
    let rows = steps(plan).map(|(database, step)| {
        [
            database.database.to_string(),
            step.migration.to_string(),
            if step.in_transaction { "yes" } else { "no" }.to_owned(),
            step.file.as_ref().map_or_else(|| "-".to_owned(), |file| file.display().to_string()),
        ]
    });
    let unknown = unknown().map(|(database, cause)| {
        [database.database.to_string(), "unknown".to_owned(), "-".to_owned(), cause.to_owned()]
    });
    output.columns(std::iter::once(head).chain(rows).chain(unknown))?;
    Ok(())
}

/// Why nothing is known of a database, if so.
fn why_unknown(database: &DatabasePlan) -> Option<&'static str> {
    let failure = database.failures.iter().find(|failure| failure.kind != FailureKind::Refused)?;
    database.steps.is_empty().then(|| cause_in_short(failure.kind))
}

/// The SQL, with comments that say where each piece would run.
fn write_sql(plan: &Plan, output: &mut Output<'_>) -> Result<(), Failure> {
    for (index, (database, step)) in steps(plan).enumerate() {
        if index > 0 {
            output.line("")?;
        }
        let file = step.file.as_ref().map(|file| format!(", {}", file.display())).unwrap_or_default();
        let how = if step.in_transaction { "" } else { ", in no transaction" };
        output.line(format_args!("-- {}: {}{file}{how}", database.database, step.migration))?;
        match &step.sql {
            Some(sql) => output.verbatim(sql.trim_end())?,
            None => output.line("-- its source shows no SQL")?,
        }
    }
    Ok(())
}
