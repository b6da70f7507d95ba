//! Where a statement goes, and why.

use std::fmt;

use router_core::{Alias, AppLabel, Decision, Hints, Operation, Reason, Role};

use super::{Circumstances, Prepared, RouteError, Transaction};
use crate::config::{Database, Offline, PrimaryReads};
use crate::statement::Reading;
use crate::topology::Routing;

impl Routing {
    /// Routes a statement and says why, with what each router answered for each table.
    pub(crate) fn explain(&self, prepared: &Prepared, circumstances: Circumstances<'_>) -> Explanation {
        let operation = prepared.statement.operation();
        let side = if operation == Operation::Read { Operation::Read } else { Operation::Write };
        let hints = circumstances.role.map_or_else(Hints::default, |role| Hints::default().role(role));
        let outcome =
            self.route(prepared, operation, circumstances).map(|database| self.alias(database).clone());
        Explanation {
            operation,
            why: prepared.statement.why().to_owned(),
            reading: prepared.statement.reading(),
            tables: prepared
                .models
                .iter()
                .map(|model| TableRoute {
                    table: model.table.to_string(),
                    app: model.app.clone(),
                    decision: self.chain.explain(side, &model.as_model(), &hints),
                })
                .collect(),
            reason: self.reason(prepared, circumstances, &outcome),
            nodes: outcome
                .as_ref()
                .map(|alias| {
                    self.nodes(
                        alias,
                        if prepared.may_be_read_from_replicas() { Operation::Read } else { Operation::Write },
                    )
                })
                .unwrap_or_default(),
            outcome,
        }
    }

    /// The nodes of a database's cluster, the primary first, and whether each would serve a plain read, or a
    /// statement that needs the primary. The file alone is asked, which knows of no standing.
    ///
    /// Empty where the database has no replica.
    #[must_use]
    pub fn nodes(&self, alias: &Alias, operation: Operation) -> Vec<NodeRoute> {
        let replicas: Vec<&Database> = self.config().replicas_of(alias.as_str()).collect();
        let Some(primary) = self.config().database(alias.as_str()).filter(|_| !replicas.is_empty()) else {
            return Vec::new();
        };
        let ((here, why_here), (there, why_there)) = match (operation, primary.offline, primary.primary_reads)
        {
            (Operation::Read, Some(Offline::Replicas), _) => (
                (Serves::Yes, "the replicas are offline by configuration".to_owned()),
                (Serves::No, "offline by configuration".to_owned()),
            ),
            (Operation::Read, offline, primary_reads) => {
                let by_policy = format!("by {}", primary.policy);
                let here = match primary_reads {
                    _ if offline.is_some() => (Serves::No, "offline by configuration".to_owned()),
                    PrimaryReads::Always => (Serves::Maybe, by_policy.clone()),
                    PrimaryReads::Fallback => (Serves::No, "it reads only where no replica can".to_owned()),
                    PrimaryReads::Never => (Serves::No, "`primary_reads` is `never`".to_owned()),
                };
                let is_alone = replicas.len() == 1 && here.0 == Serves::No;
                let there = match is_alone {
                    true => (Serves::Yes, "no other may".to_owned()),
                    false => (Serves::Maybe, by_policy),
                };
                (here, there)
            }
            (Operation::Write | Operation::Migrate, ..) => (
                (Serves::Yes, "it is the primary, and the statement needs that".to_owned()),
                (Serves::No, "the statement needs the primary".to_owned()),
            ),
        };
        let replicas = replicas
            .into_iter()
            .map(|replica| NodeRoute::new(replica.alias.clone(), there, why_there.clone()));
        std::iter::once(NodeRoute::new(alias.clone(), here, why_here)).chain(replicas).collect()
    }

    fn reason(
        &self,
        prepared: &Prepared,
        circumstances: Circumstances<'_>,
        outcome: &Result<Alias, RouteError>,
    ) -> String {
        let operation = prepared.statement.operation();
        let alias = match outcome {
            Ok(alias) => alias,
            Err(error) => return error.to_string(),
        };
        if circumstances.using.is_some() {
            return format!("chosen by hand: using(`{alias}`)");
        }
        let Some(model) = prepared.models.first() else {
            return match circumstances.transaction {
                Transaction::On(_) => "it names no table, and the open transaction is there".to_owned(),
                Transaction::None | Transaction::Pending => "it names no table".to_owned(),
            };
        };
        let hints = Hints::default();
        let write = self.chain.explain(Operation::Write, &model.as_model(), &hints);
        let read = self.chain.explain(Operation::Read, &model.as_model(), &hints);
        let by_write_side = operation != Operation::Read
            || read.alias() != alias
            || (circumstances.transaction != Transaction::None || circumstances.role == Some(Role::Writing))
                && write.alias() == alias
                && !write.is_fallback();
        let decision = if by_write_side { write } else { read };
        match (&model.app, decision.reason()) {
            (None, Reason::Default | Reason::Unclaimed { .. }) => {
                format!("no app has the table `{}`", model.table)
            }
            (_, reason) => reason.to_string(),
        }
    }
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
    outcome: Result<Alias, RouteError>,
}

/// What one node of the database's cluster has to do with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeRoute {
    /// The node's alias.
    pub alias: Alias,
    /// Whether it would serve the statement.
    pub serves: Serves,
    /// Why, or why not: `chosen by round_robin`, `lagging 3.2 s > 1 s`, `behind by 48 kB`.
    pub why: String,
}

impl NodeRoute {
    pub(crate) fn new(alias: Alias, serves: Serves, why: impl Into<String>) -> Self {
        Self { alias, serves, why: why.into() }
    }
}

/// Whether a node would serve a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Serves {
    /// It would.
    Yes,
    /// It is one of those from which the policy chooses, or one that must be asked first how far it is.
    Maybe,
    /// It would not.
    No,
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
            return self.outcome.as_ref().ok();
        }
        self.nodes.iter().find(|node| node.serves == Serves::Yes).map(|node| &node.alias)
    }

    pub(crate) fn set_nodes(&mut self, nodes: Vec<NodeRoute>) {
        self.nodes = nodes;
    }

    /// The database.
    ///
    /// # Errors
    /// Why the statement would be refused.
    pub fn alias(&self) -> Result<&Alias, &RouteError> {
        self.outcome.as_ref()
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
            Ok(alias) => write!(f, "goes to:   {alias}, because {}", self.reason)?,
            Err(error) => write!(f, "refused:   {error}")?,
        }
        for (index, NodeRoute { alias, serves, why }) in self.nodes.iter().enumerate() {
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
