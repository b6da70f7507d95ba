//! `route`: where a model or a statement goes, and why.

use std::borrow::Cow;
use std::io::Read;

use router_core::{Answer, AppLabel, ChainError, Decision, Hints, Model, Operation, Trace};
use router_diesel::config::{Unrouted, split_name};
use router_diesel::statement::Dialect;
use router_diesel::{NodeRoute, RouteError, Routing, Serves};
use serde::Serialize;

use crate::args::RouteArguments;
use crate::exit::Exit;
use crate::failure::{Failure, find_database, nearest};
use crate::output::Output;
use crate::program::Project;

pub(super) fn run(
    arguments: &RouteArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let statement = arguments.sql.as_deref().map(read_statement).transpose()?;
    let routing = project.routing(project.config()?)?;
    match (statement, &arguments.model) {
        (Some(sql), _) => {
            let dialect = arguments.dialect.map_or_else(|| default_dialect(&routing), Ok)?;
            route_statement(&routing, &sql, dialect, output)
        }
        (None, Some(model)) => {
            let operation = if arguments.write { Operation::Write } else { Operation::Read };
            route_model(&routing, model, operation, output)
        }
        (None, None) => {
            Err(Failure::Usage("name `APP[.TABLE]`, or give a statement with `--sql`".to_owned()))
        }
    }
}

/// Why there is no alias.
#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

impl From<&RouteError> for Refusal {
    fn from(error: &RouteError) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

/// What one node of the database's cluster has to do with the question.
#[derive(Serialize)]
struct Node<'a> {
    alias: &'a str,
    serves: &'static str,
    why: &'a str,
}

impl<'a> From<&'a NodeRoute> for Node<'a> {
    fn from(node: &'a NodeRoute) -> Self {
        let serves = match node.serves {
            Serves::Yes => "yes",
            Serves::No => "no",
            _ => "maybe",
        };
        Self { alias: node.alias.as_str(), serves, why: &node.why }
    }
}

// --- Of a statement -------------------------------------------------------------------------------------------------

/// The answer for a statement. Scripts read it: fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct StatementAnswer<'a> {
    operation: &'static str,
    tables: Vec<&'a str>,
    alias: Option<&'a str>,
    reason: &'a str,
    error: Option<Refusal>,
    nodes: Vec<Node<'a>>,
}

fn read_statement(sql: &str) -> Result<Cow<'_, str>, Failure> {
    let mut statement = Cow::Borrowed(sql);
    if sql == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Usage(format!("failed to read the statement from stdin: {error}")))?;
        statement = Cow::Owned(text);
    }
    if statement.trim().is_empty() {
        return Err(Failure::Usage("the statement is empty".to_owned()));
    }
    Ok(statement)
}

fn default_dialect(routing: &Routing) -> Result<Dialect, Failure> {
    let config = routing.config();
    Ok(Dialect::from(find_database(config, config.default.as_str())?.url.engine()))
}

fn route_statement(
    routing: &Routing,
    sql: &str,
    dialect: Dialect,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let explanation = routing.explain_sql(sql, dialect);
    let outcome = explanation.alias();
    if output.is_json() {
        output.json(&StatementAnswer {
            operation: explanation.operation().as_str(),
            tables: explanation.tables().iter().map(|table| table.table.as_str()).collect(),
            alias: outcome.ok().map(|alias| alias.as_str()),
            reason: explanation.reason(),
            error: outcome.err().map(Refusal::from),
            nodes: explanation.nodes().iter().map(Node::from).collect(),
        })?;
    } else {
        output.line(&explanation)?;
    }
    Ok(if outcome.is_ok() { Exit::Fine } else { Exit::Found })
}

// --- Of a model -----------------------------------------------------------------------------------------------------

/// The answer for a model. Scripts read it: fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct ModelAnswer<'a> {
    app: &'a str,
    table: Option<&'a str>,
    operation: &'static str,
    alias: Option<&'a str>,
    reason: String,
    trace: Vec<Asked<'a>>,
    error: Option<Refusal>,
    nodes: Vec<Node<'a>>,
}

/// A router that was asked.
#[derive(Serialize)]
struct Asked<'a> {
    router: &'a str,
    answer: Option<&'a str>,
    reason: Option<String>,
    nested: Vec<Self>,
    /// The hint that it needs before it can answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<&'a str>,
}

fn asked(trace: &Trace) -> Vec<Asked<'_>> {
    let steps = trace.steps().iter().map(|step| Asked {
        router: step.router.as_str(),
        answer: match &step.answer {
            Answer::Database(alias) => Some(alias.as_str()),
            _ => None,
        },
        reason: step.reason.as_ref().map(ToString::to_string),
        nested: asked(&step.nested),
        needs: match &step.answer {
            Answer::NeedsHint(hint) => Some(*hint),
            _ => None,
        },
    });
    steps.collect()
}

fn route_model(
    routing: &Routing,
    text: &str,
    operation: Operation,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let (app, table) = read_model(text)?;
    let (app, table) = (&*app, table.as_deref());
    let model = table.map_or_else(|| Model::app(app), |table| Model::new(app, table));
    let decision = routing.chain().explain(operation, &model, &Hints::default());
    let refusal = refuse(routing, operation, &model, &decision);
    let exit = if refusal.is_none() { Exit::Fine } else { Exit::Found };
    let nodes = match &refusal {
        None => routing.nodes(decision.alias(), operation),
        Some(_) => Vec::new(),
    };
    advise(routing, &model, output);

    if output.is_json() {
        output.json(&ModelAnswer {
            app,
            table,
            operation: operation.as_str(),
            alias: refusal.is_none().then(|| decision.alias().as_str()),
            reason: decision.reason().to_string(),
            trace: decision.trace().map(asked).unwrap_or_default(),
            error: refusal,
            nodes: nodes.iter().map(Node::from).collect(),
        })?;
    } else {
        let (alias, reason) = (decision.alias(), decision.reason());
        match (&refusal, decision.missing_hint()) {
            (None, _) => {
                output.line(format_args!("{operation} {model}: {alias}"))?;
                output.line(format_args!("  because {reason}"))?;
            }
            (Some(Refusal { message, .. }), Some(missing)) => {
                output.line(format_args!("{operation} {model}: needs `{}`", missing.hint()))?;
                output.line(format_args!("  because {message}"))?;
            }
            (Some(Refusal { message, .. }), None) => {
                output.line(format_args!("{operation} {model}: refused, {message}"))?;
                output.line(format_args!("  the answer was {alias}, because {reason}"))?;
            }
        }
        if !nodes.is_empty() {
            output.line("nodes:")?;
        }
        for NodeRoute { alias, serves, why, .. } in &nodes {
            let serves = match serves {
                Serves::Yes => "serves it",
                Serves::No => "does not",
                _ => "may serve it",
            };
            output.line(format_args!("  {alias} {serves}: {why}"))?;
        }
        output.line("asked:")?;
        // In one piece, as a secret may go over several lines.
        let trace = decision.trace().map(ToString::to_string).unwrap_or_default();
        if !trace.is_empty() {
            output.line(format_args!("  {}", trace.trim_end().replace('\n', "\n  ")))?;
        }
    }
    Ok(exit)
}

/// Why the routers' answer does not stand, as a session would have it.
fn refuse(
    routing: &Routing,
    operation: Operation,
    model: &Model<'_>,
    decision: &Decision,
) -> Option<Refusal> {
    let config = routing.config();
    match routing.chain().try_route(operation, model, &Hints::default()) {
        Ok(_) => {}
        Err(ChainError::MissingHint(missing)) => {
            let missing = RouteError::MissingHint {
                router: missing.router().clone(),
                hint: missing.hint(),
                table: model.table.map(str::to_owned),
                app: Some(AppLabel::new(model.app)),
            };
            return Some(Refusal::from(&missing));
        }
        Err(unknown) => return Some(Refusal { code: "UnknownDatabase", message: unknown.to_string() }),
    }
    if decision.is_fallback() && config.unrouted == Unrouted::Error && config.app(model.app).is_none() {
        let message = format!(
            "no app is called `{}`, and the file says `unrouted: error`; declare it under `apps`",
            model.app
        );
        return Some(Refusal { code: "Unrouted", message });
    }
    routing.permits(decision.alias(), operation).err().as_ref().map(Refusal::from)
}

/// Says what the user may have overlooked in the question.
fn advise(routing: &Routing, model: &Model<'_>, output: &mut Output<'_>) {
    let config = routing.config();
    let app = model.app;
    if config.app(app).is_none() {
        let mut words = format!("note: the file names no app `{app}`");
        // A table that stands alone, or after its schema.
        let (schema, table) = model.table.map_or((None, app), |table| (Some(app), table));
        if let Some(owner) = config.table_map().app_of(schema, table) {
            words.push_str(&format!("; did you mean `{owner}.{table}`?"));
        } else if let Some(known) = nearest(app, config.apps.iter().map(|known| known.label.as_str())) {
            words.push_str(&format!("; did you mean `{known}`?"));
        }
        return output.say(words);
    }
    let Some(table) = model.table else { return };
    match config.table_map().app_of(None, table) {
        Some(owner) if owner.as_str() == app => {}
        Some(owner) => output.say(format_args!(
            "note: the table `{table}` belongs to the app `{owner}`, so a statement goes where that one goes"
        )),
        None => output.say(format_args!(
            "note: `{table}` is not among the tables of `{app}`, nor of any app, so a statement does not go by it"
        )),
    }
}

/// Splits `APP[.TABLE]`; of a longer path the last two segments count, so `apps.blog.posts` is `blog.posts`. A table may
/// stand in quotes, as in the file.
fn read_model(text: &str) -> Result<(Cow<'_, str>, Option<Cow<'_, str>>), Failure> {
    let mut parts = split_name(text)
        .ok_or_else(|| Failure::Usage(format!("`{text}` is no model; write `app` or `app.table`")))?;
    let last = parts.pop().unwrap_or_default();
    Ok(match parts.pop() {
        Some(app) => (app, Some(last)),
        None => (last, None),
    })
}
