//! `adopt`: takes over what Diesel's own command recorded, and shows first what that is.

use router_diesel::AnyConnection;
use router_diesel::config::Config;
use router_diesel::migrate::{AdoptPlan, DatabaseAdoption, Failure as MigrateFailure};
use serde::Serialize;

use super::report::{self, Failed, Id, called_rightly, exit_of, say_failures};
use crate::args::migrate::{AdoptArguments, Selection};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::program::Project;

/// The whole answer. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<'a> {
    databases: Vec<OnDatabase<'a>>,
    failures: Vec<Failed<'a>>,
    /// What was recorded; nothing where it was only shown.
    report: Option<report::Answer<'a>>,
}

#[derive(Serialize)]
struct OnDatabase<'a> {
    database: &'a str,
    adopted: Vec<Adopted<'a>>,
    known: Vec<Id<'a>>,
    unknown: Vec<&'a str>,
    ambiguous: Vec<Ambiguous<'a>>,
    /// The name under which they were recorded; nothing where Diesel's own command did.
    from: Option<&'a str>,
}

#[derive(Serialize)]
struct Adopted<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    run_on: &'a str,
}

#[derive(Serialize)]
struct Ambiguous<'a> {
    version: &'a str,
    apps: Vec<&'a str>,
}

impl<'a> From<&'a DatabaseAdoption> for OnDatabase<'a> {
    fn from(adoption: &'a DatabaseAdoption) -> Self {
        let adopted = adoption
            .adopted
            .iter()
            .map(|adopted| Adopted { id: (&adopted.migration).into(), run_on: &adopted.run_on });
        let ambiguous = adoption.ambiguous.iter().map(|(version, apps)| Ambiguous {
            version: version.as_str(),
            apps: apps.iter().map(|app| app.as_str()).collect(),
        });
        Self {
            database: adoption.database.as_str(),
            adopted: adopted.collect(),
            known: adoption.known.iter().map(Id::from).collect(),
            unknown: adoption.unknown.iter().map(|version| version.as_str()).collect(),
            ambiguous: ambiguous.collect(),
            from: adoption.from.as_ref().map(|from| from.as_str()),
        }
    }
}

pub(super) fn run(
    arguments: &AdoptArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let databases = project.databases()?;
    let config = databases.config();
    let migrator = super::migrator(&databases, &arguments.selection).lock_wait(arguments.lock_wait.lock_wait);
    let plan = match migrator.adopt() {
        Ok(plan) => plan,
        Err(error) => return report::finish(Err(called_rightly(error)?), config, output),
    };
    if !output.is_json() {
        write(&plan, &arguments.selection, output)?;
    }
    if !arguments.apply {
        return show(&plan, &arguments.selection, config, output);
    }
    let result = super::listen(migrator.clone(), output, |migrator| migrator.adopt()?.apply());
    let result = report::refuse_usage(result)?;
    if output.is_json() {
        output.json(&answer(&plan, Some(report::Answer::new(&result, config)), config))?;
    }
    if !plan.is_empty() || result.is_err() {
        report::tell(&result, config, output)?;
    }
    Ok(report::exit(&result))
}

/// Ends without recording anything.
fn show(
    plan: &AdoptPlan<'_, AnyConnection>,
    selection: &Selection,
    config: &Config,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    if output.is_json() {
        output.json(&answer(plan, None, config))?;
    }
    let failures: &[MigrateFailure] = &plan.failures;
    say_failures(failures, config, output);
    if !plan.is_empty() {
        let number = plan.databases.iter().map(|database| database.adopted.len()).sum();
        let options = selection.as_options();
        output.say(format_args!(
            "{} to take over; `dbrouter adopt --apply{options}` does it",
            count(number, "record")
        ));
    }
    Ok(failures.iter().map(|failure| exit_of(failure.kind)).max().unwrap_or(Exit::Fine))
}

fn answer<'a>(
    plan: &'a AdoptPlan<'_, AnyConnection>,
    report: Option<report::Answer<'a>>,
    config: &Config,
) -> Answer<'a> {
    Answer {
        databases: plan.databases.iter().map(OnDatabase::from).collect(),
        failures: plan.failures.iter().map(|failure| Failed::new(failure, config)).collect(),
        report,
    }
}

fn write(
    plan: &AdoptPlan<'_, AnyConnection>,
    selection: &Selection,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let of_none = match selection.apps.as_slice() {
        [] => "left out, no app has this version".to_owned(),
        _ => "left out, of no app that was chosen".to_owned(),
    };
    let rows: Vec<[String; 4]> =
        plan.databases.iter().flat_map(|adoption| in_words(adoption, &of_none)).collect();
    if rows.is_empty() {
        output.say("there is nothing to take over: no database has records of Diesel's own command, or any that are not where \
             they belong");
        return Ok(());
    }
    let head = ["database", "migration", "becomes", "run on"].map(str::to_owned);
    output.columns(std::iter::once(head).chain(rows))?;
    Ok(())
}

fn in_words(adoption: &DatabaseAdoption, of_none: &str) -> Vec<[String; 4]> {
    let row = |migration: String, becomes: String, run_on: &str| {
        [adoption.database.to_string(), migration, becomes, run_on.to_owned()]
    };
    let becomes = match &adoption.from {
        Some(from) => format!("as it was, recorded for {from}"),
        None => "applied".to_owned(),
    };
    let adopted = adoption
        .adopted
        .iter()
        .map(|adopted| row(adopted.migration.to_string(), becomes.clone(), &adopted.run_on));
    let known =
        adoption.known.iter().map(|id| row(id.to_string(), "as it is, recorded before".to_owned(), ""));
    let unknown = adoption.unknown.iter().map(|version| row(version.to_string(), of_none.to_owned(), ""));
    let ambiguous = adoption.ambiguous.iter().map(|(version, apps)| {
        let apps: Vec<_> = apps.iter().map(|app| app.as_str()).collect();
        row(version.to_string(), format!("doubtful, it may be of {}", apps.join(" or ")), "")
    });
    adopted.chain(known).chain(unknown).chain(ambiguous).collect()
}
