//! `check`: whether the configuration is sound, what the project's routers make of it, and on request whether
//! every database can be reached.

use std::fs;
use std::path::{Path, PathBuf};

use router_core::{Alias, ChainError, Hints, Model, Operation, Place};
use router_diesel::Routing;
use router_diesel::config::{Config, Database, Problem, Severity};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use router_diesel::migrate::LintCode;
use serde::Serialize;

use crate::args::CheckArguments;
use crate::exit::Exit;
use crate::failure::{Failure, choose_databases, nearest};
use crate::output::{Output, count};
use crate::probe::{Probe, probe, supports};
use crate::program::Project;

/// The whole answer.
#[derive(Serialize)]
struct Report {
    files: Vec<PathBuf>,
    environment: String,
    problems: Vec<Finding>,
    databases: Vec<Probe>,
}

/// Something that the check found, in the file or beside it.
#[derive(Serialize)]
pub(super) struct Finding {
    code: &'static str,
    severity: Severity,
    message: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    help: Option<String>,
    /// As people read it.
    #[serde(skip)]
    pub(super) text: String,
}

impl Finding {
    fn new(
        code: &'static str,
        severity: Severity,
        message: String,
        place: Option<&Place>,
        text: String,
    ) -> Self {
        Self {
            code,
            severity,
            message,
            file: place.map(|place| place.file().to_owned()),
            line: place.map(Place::line),
            column: place.map(Place::column),
            help: None,
            text,
        }
    }

    /// Whether it is more than worth knowing.
    fn is_grave(&self) -> bool {
        self.severity != Severity::Note
    }

    /// Something that is wrong with a database as it is declared, and that its server shows.
    fn at_database(
        code: &'static str,
        severity: Severity,
        message: String,
        help: String,
        database: &Database,
    ) -> Self {
        let grade = if severity == Severity::Note { "note" } else { "error" };
        let text = format!("{grade}[{code}]: {message}\n --> {}\nhelp: {help}", database.place);
        Self { help: Some(help), ..Self::new(code, severity, message, Some(&database.place), text) }
    }

    /// A folder that is never read.
    fn stray(folder: String, message: String, help: String) -> Self {
        let text = format!("note[StrayFolder]: {message}\nhelp: {help}");
        let finding = Self::new("StrayFolder", Severity::Note, message, None, text);
        Self { file: Some(folder), help: Some(help), ..finding }
    }

    /// Something worth knowing that the file itself does not show.
    fn note_beside_the_file(code: &'static str, message: String) -> Self {
        let text = format!("note[{code}]: {message}");
        Self::new(code, Severity::Note, message, None, text)
    }

    /// Something that the file itself does not show.
    fn beside_the_file(code: &'static str, message: String) -> Self {
        let text = format!("error[{code}]: {message}");
        Self::new(code, Severity::Error, message, None, text)
    }
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            help: problem.help().map(str::to_owned),
            ..Self::new(
                problem.code().as_str(),
                problem.severity(),
                problem.message().to_owned(),
                problem.place(),
                problem.to_string(),
            )
        }
    }
}

pub(super) fn run(
    arguments: &CheckArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let config = match project.config() {
        Ok(config) => config,
        Err(error) => {
            let problems = error.problems().iter().map(Finding::from).collect();
            return refuse(project.file(), project.environment(), problems, output);
        }
    };
    let chosen = choose_databases(&config, &arguments.databases)?;
    let mut report = Report {
        files: config.files.clone(),
        environment: config.environment.clone(),
        problems: config.notes.iter().map(Finding::from).collect(),
        databases: config.databases.iter().map(Probe::unasked).collect(),
    };
    // That a build lacks an engine is an error only where a database is to be connected.
    report.problems.extend(config.unsupported_engines(supports).iter().map(Finding::from));
    let routing = match project.routing(config) {
        Ok(routing) => routing,
        Err(error) => {
            report.problems.push(Finding::beside_the_file("Rules", error.to_string()));
            let file = report.files.first().cloned().unwrap_or_else(|| project.file());
            return refuse(file, report.environment, report.problems, output);
        }
    };
    report.problems.extend(unknown_databases(&routing));
    report.problems.extend(missing_hints(&routing));
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    {
        report.problems.extend(misplaced(project, routing.config()));
        report.problems.extend(relations(project));
    }
    report.problems.extend(strays(routing.config(), Path::new("")));
    let seeds = Path::new("seeds");
    // Where none of them is a database's or an app's, the folder is somebody else's.
    if folders(seeds).iter().any(|name| owners(routing.config()).contains(&name.as_str())) {
        report.problems.extend(stray_seeds(routing.config(), seeds));
    }
    if !output.is_json() {
        write_text(&report, &routing, output)?;
    }
    if arguments.connect {
        // What the file says can be read while the databases are asked.
        output.flush()?;
        report.databases = probe(routing.config(), &chosen)?;
        let found = mistaken_nodes(&chosen, &report.databases);
        if !output.is_json() {
            output.columns(report.databases.iter().map(Probe::in_words))?;
            for finding in &found {
                output.line("")?;
                output.line(&finding.text)?;
            }
        }
        report.problems.extend(found);
    }
    if output.is_json() {
        output.json(&report)?;
    }
    Ok(if report.databases.iter().any(Probe::is_unreachable) {
        Exit::Unreachable
    } else if report.problems.iter().any(Finding::is_grave) {
        Exit::Found
    } else {
        Exit::Fine
    })
}

/// Reports a configuration that cannot be used.
fn refuse(
    file: PathBuf,
    environment: String,
    problems: Vec<Finding>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let summary = format!("{} cannot be used: {}", file.display(), count(errors, "error"));
    let report = Report { files: vec![file], environment, problems, databases: Vec::new() };
    if output.is_json() {
        output.json(&report)?;
    } else {
        write_problems(&report.problems, output)?;
        output.line(summary)?;
    }
    Ok(Exit::Usage)
}

fn write_problems(problems: &[Finding], output: &mut Output<'_>) -> Result<(), Failure> {
    for problem in problems {
        output.line(&problem.text)?;
        output.line("")?;
    }
    Ok(())
}

fn write_text(report: &Report, routing: &Routing, output: &mut Output<'_>) -> Result<(), Failure> {
    write_problems(&report.problems, output)?;
    let config = routing.config();
    let file = report.files.first().map(PathBuf::as_path).unwrap_or_else(|| Path::new("the configuration"));
    let included = match report.files.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (with {})", count(more, "included file")),
    };
    let findings = report.problems.iter().filter(|problem| problem.is_grave()).count();
    let verdict = match findings {
        0 => "is sound".to_owned(),
        more => format!("has {}", count(more, "problem")),
    };
    output.line(format_args!(
        "{}{included} {verdict}: {}, {}",
        file.display(),
        count(config.databases.len(), "database"),
        count(config.apps.len(), "app"),
    ))?;
    Ok(())
}

/// Apps that `migrate` would refuse wherever it is run, by what the file alone shows.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn misplaced(project: &Project<'_>, config: &Config) -> Vec<Finding> {
    // What is wrong with the file itself, or that a build lacks an engine, is told elsewhere.
    let Ok(databases) = project.databases() else { return Vec::new() };
    let Err(error) = databases.migrator().lint_places() else { return Vec::new() };
    let findings = error.lint.into_iter().filter_map(|problem| {
        let code = match problem.code {
            LintCode::OnePhysicalDatabase => "OnePhysicalDatabase",
            LintCode::ReadElsewhere => "ReadElsewhere",
            _ => return None,
        };
        let database = config.database(problem.databases.first()?.as_str())?;
        let message = format!("{}: no migration will run", problem.message);
        let help = problem.help.unwrap_or_default();
        Some(Finding::at_database(code, Severity::Error, message, help, database))
    });
    findings.collect()
}

/// The folders below `migrations` that are no app's, and so are never read. `base` is the current directory.
///
/// Where no app has its migrations there, the folder is somebody else's, but for what bears an app's name.
fn strays(config: &Config, base: &Path) -> Vec<Finding> {
    let root = Path::new("migrations");
    let labels = || config.apps.iter().map(|app| app.label.as_str());
    let is_ours = config.apps.iter().any(|app| app.migrations == root.join(app.label.as_str()));
    let mut names = folders(&base.join(root));
    // An app may say that its migrations are further down.
    names.retain(|name| !config.apps.iter().any(|app| app.migrations.starts_with(root.join(name))));
    names.retain(|name| is_ours || config.app(name).is_some());
    names
        .iter()
        .map(|name| {
            let folder = root.join(name).display().to_string();
            let is_migration = base.join(&folder).join("up.sql").is_file();
            let help = match (config.app(name), nearest(name, labels())) {
                (Some(app), _) => format!(
                    "app `{name}` has its migrations in `{}`, as the file says: correct its `migrations`, or move what \
                     is in `{folder}` there",
                    app.migrations.display()
                ),
                _ if is_migration => format!("move it to `migrations/<app>/{name}`"),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => format!("declare `{name}` under `apps`, or move the folder elsewhere"),
            };
            let message = format!("`{folder}` is the folder of no app: no migration in it is run");
            Finding::stray(folder, message, help)
        })
        .collect()
}

/// The folders below that of the seeds that are no database's and no app's, and so are never read.
pub(super) fn stray_seeds(config: &Config, root: &Path) -> Vec<Finding> {
    let owners = owners(config);
    let is_named = |folder: &Path| {
        let mut places = config.databases.iter().filter_map(|database| database.seeds.as_deref());
        places.any(|place| place.starts_with(folder))
    };
    let mut names = folders(root);
    names.retain(|name| !owners.contains(&name.as_str()) && !is_named(&root.join(name)));
    let strays = names.iter().map(|name| {
        let folder = root.join(name).display().to_string();
        let message = format!("`{folder}` is the folder of no database and no app: no seed in it is sown");
        let help = match nearest(name, owners.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name it after one, or move it elsewhere".to_owned(),
        };
        Finding::stray(folder, message, help)
    });
    strays.collect()
}

/// What a folder of seeds can be named after.
fn owners(config: &Config) -> Vec<&str> {
    let databases = config.databases.iter().map(|database| database.alias.as_str());
    databases.chain(config.apps.iter().map(|app| app.label.as_str())).collect()
}

/// The names of the folders in a folder, sorted, but for hidden ones.
fn folders(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// What only their servers tell of the nodes of clusters: one that is not what the file says, and two that are one.
/// `probes` are those of the databases, in the same order.
fn mistaken_nodes(databases: &[Database], probes: &[Probe]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, (database, probe)) in databases.iter().zip(probes).enumerate() {
        let Database { alias, .. } = database;
        if let Some(primary) = database.replica_of.as_ref().filter(|_| probe.node.is_no_replica()) {
            let message =
                format!("`{alias}` is declared a replica of `{primary}`, and its server is a primary");
            let help =
                format!("give `{alias}` the URL of a server that replicates, or take out its `replica_of`");
            findings.push(Finding::at_database("NotAReplica", Severity::Error, message, help, database));
        }
        if let Some(primary) = database.replica_of.as_ref().filter(|_| probe.node.is_of_other_cluster()) {
            let message = format!(
                "`{alias}` is declared a replica of `{primary}`, and its server is of another cluster, with other data"
            );
            let help = format!(
                "give `{alias}` the URL of a server that replicates `{primary}`, or take out its `replica_of`"
            );
            findings.push(Finding::at_database("OtherCluster", Severity::Error, message, help, database));
        }
        if probe.node.is_no_primary() {
            let message = format!(
                "`{alias}` is declared a primary, and its server is a replica, which takes no writes"
            );
            let help = format!("give `{alias}` the URL of the primary");
            findings.push(Finding::at_database("NotAPrimary", Severity::Error, message, help, database));
        }
        let earlier = databases.iter().zip(probes).take(index);
        let same = earlier.filter(|(other, _)| cluster_of(other) == cluster_of(database)).find(
            |(_, other)| match (&probe.physical, &other.physical) {
                (Some(this), Some(other)) => this.shares_database_with(other),
                _ => false,
            },
        );
        if let Some((other, _)) = same {
            let message = format!("`{}` and `{alias}` of one cluster are the same database", other.alias);
            let help = format!("give `{alias}` the URL of another copy, or take it out");
            findings.push(Finding::at_database("SameDatabase", Severity::Note, message, help, database));
        }
    }
    findings
}

/// The primary's alias, which names the cluster.
fn cluster_of(database: &Database) -> &Alias {
    database.replica_of.as_ref().unwrap_or(&database.alias)
}

/// What nobody can say of an app without a session: where it is read or written by a hint.
fn missing_hints(routing: &Routing) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in routing.routes() {
        for (operation, missing) in
            [(Operation::Read, &route.read_needs), (Operation::Write, &route.write_needs)]
        {
            let Some(missing) = missing else { continue };
            let message = format!(
                "for a {operation} of `{}`, {missing}: nothing gives it here, so the check says nothing of where that goes",
                route.app
            );
            findings.push(Finding::note_beside_the_file("MissingHint", message));
        }
    }
    findings
}

/// Constraints of migrations that a router refuses, or that lead to another database. Which of the migrations are applied
/// already, only the databases know.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn relations(project: &Project<'_>) -> Vec<Finding> {
    let Ok(databases) = project.databases() else { return Vec::new() };
    let problems = databases.migrator().lint_relations().unwrap_or_default();
    let findings = problems.iter().map(|problem| {
        let code = match problem.code {
            LintCode::RelationRefused => "RelationRefused",
            LintCode::NeedsHint => "NeedsHint",
            _ => "ReferenceElsewhere",
        };
        Finding {
            file: problem.file.as_ref().map(|file| file.display().to_string()),
            line: problem.line.and_then(|line| u32::try_from(line).ok()),
            help: problem.help.clone(),
            text: format!("note[{code}]: {problem}"),
            ..Finding::note_beside_the_file(code, problem.message.clone())
        }
    });
    findings.collect()
}

/// What the project's routers answer with although no database has that name.
fn unknown_databases(routing: &Routing) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for app in &routing.config().apps {
        for operation in [Operation::Read, Operation::Write] {
            let model = Model::app(app.label.as_str());
            let answer = routing.chain().try_route(operation, &model, &Hints::default());
            if let Err(ChainError::UnknownAlias(unknown)) = answer {
                let message = format!("for a {operation} of `{model}`, {unknown}");
                findings.push(Finding::beside_the_file("UnknownDatabase", message));
            }
        }
    }
    findings
}
