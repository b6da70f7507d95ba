//! Where a statement goes, and why: the values of the decisions, gathered for people.

use std::fmt;

use router_core::{Alias, AppLabel, Decision, Operation};

use super::RouteError;
use super::asker::Witness;
use super::circumstances::{Circumstances, hints};
use super::nodes::{NodeRoute, Serves};
use super::reason::RouteReason;
use super::route::{Route, route_by};
use crate::statement::Reading;
use crate::topology::{Prepared, Routing};

impl Explanation {
    /// Routes a statement as it would be if it ran, with what each router answered for each table.
    pub(crate) fn new(
        routing: &Routing,
        prepared: &Prepared,
        circumstances: Circumstances<'_>,
    ) -> (Self, Option<Route>) {
        let operation = prepared.statement.operation();
        let mut witness = Witness::default();
        let route = route_by(&mut witness, routing, prepared, operation, circumstances);
        let outcome = match &route {
            Ok(route) => {
                let reason = routing.reason(*route, prepared, &witness);
                Ok((routing.alias(route.database).clone(), reason))
            }
            Err(error) => Err(error.clone()),
        };
        let explanation = Self {
            operation,
            why: prepared.statement.why().to_owned(),
            reading: prepared.statement.reading(),
            tables: tables(routing, prepared, circumstances, &witness),
            reason: match &outcome {
                Ok((_, reason)) => reason.to_string(),
                Err(error) => error.to_string(),
            },
            nodes: Vec::new(),
            outcome,
        };
        (explanation, route.ok())
    }

    /// The same for a statement that is refused after all.
    pub(crate) fn refused(self, error: RouteError) -> Self {
        Self { reason: error.to_string(), outcome: Err(error), ..self }
    }

    pub(crate) fn with_nodes(self, nodes: Vec<NodeRoute>) -> Self {
        Self { nodes, ..self }
    }
}

/// What the routers say of each table. Those are asked for it here that the decision did not need to ask, as where the
/// caller chose the database.
fn tables(
    routing: &Routing,
    prepared: &Prepared,
    circumstances: Circumstances<'_>,
    witness: &Witness,
) -> Vec<TableRoute> {
    let side = match prepared.statement.operation() {
        Operation::Read => Operation::Read,
        Operation::Write | Operation::Migrate => Operation::Write,
    };
    let hints = hints(circumstances);
    let of_model = |model: &crate::topology::PreparedModel| {
        let table = model.table.to_string();
        let known = witness.answer(&table).cloned();
        let decision = known.unwrap_or_else(|| routing.chain().explain(side, &model.as_model(), &hints));
        TableRoute { table, app: model.app.clone(), decision }
    };
    prepared.models.iter().map(of_model).collect()
}

/// Where a statement goes, and everything that led there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation {
    operation: Operation,
    why: String,
    reading: Reading,
    tables: Vec<TableRoute>,
    reason: String,
    nodes: Vec<NodeRoute>,
    outcome: Result<(Alias, RouteReason), RouteError>,
}

/// What the routers say of one table of a statement.
#[derive(Debug)]
#[non_exhaustive]
pub struct TableRoute {
    /// The table, as the statement names it.
    pub table: String,
    /// The app that has the table, if any.
    pub app: Option<AppLabel>,
    /// The decision, with what each router answered.
    pub decision: Decision,
}

impl Explanation {
    /// What the statement does.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why the statement counts as that operation.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// How the statement was understood.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// The tables in order of appearance, each with its decision.
    #[must_use]
    pub fn tables(&self) -> &[TableRoute] {
        &self.tables
    }

    /// Why the statement goes where it goes, or why it may not, in one line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The nodes of the database's cluster, the primary first, each with whether and why it would serve the
    /// statement. Empty where the database has no replica, or the statement is refused.
    ///
    /// What a session says of them is what it knows without asking them; what [`Routing`] says, what the file does.
    #[must_use]
    pub fn nodes(&self) -> &[NodeRoute] {
        &self.nodes
    }

    /// The one node that would serve the statement, where that is known before it runs: the database itself where it
    /// has no replica.
    #[must_use]
    pub fn node(&self) -> Option<&Alias> {
        if self.nodes.is_empty() {
            return self.alias().ok();
        }
        self.nodes.iter().find(|node| node.serves == Serves::Yes).map(|node| &node.alias)
    }

    /// Why the statement goes where it goes.
    ///
    /// # Errors
    /// Why the statement would be refused.
    pub fn route_reason(&self) -> Result<&RouteReason, &RouteError> {
        self.outcome.as_ref().map(|(_, reason)| reason)
    }

    /// The database.
    ///
    /// # Errors
    /// Why the statement would be refused.
    pub fn alias(&self) -> Result<&Alias, &RouteError> {
        self.outcome.as_ref().map(|(alias, _)| alias)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operation: {} ({})", self.operation, self.why)?;
        for TableRoute { table, app, decision } in &self.tables {
            match app {
                Some(app) => writeln!(f, "table:     {table}, app {app}")?,
                None => writeln!(f, "table:     {table}, of no app")?,
            }
            if let Some(trace) = decision.trace() {
                for line in trace.to_string().lines() {
                    writeln!(f, "           {line}")?;
                }
            }
        }
        match &self.outcome {
            Ok((alias, reason)) => write!(f, "goes to:   {alias}, because {reason}")?,
            Err(error) => write!(f, "refused:   {error}")?,
        }
        for (index, NodeRoute { alias, serves, why, .. }) in self.nodes.iter().enumerate() {
            let label = if index == 0 { "nodes:" } else { "" };
            let serves = match serves {
                Serves::Yes => "serves it",
                Serves::Maybe => "may serve it",
                Serves::No => "does not",
            };
            write!(f, "\n{label:<10} {alias} {serves}: {why}")?;
        }
        Ok(())
    }
}
