//! Where a statement goes, and why.

use std::fmt;

use router_core::{Alias, AppLabel, Decision, Hints, Operation, Reason, Role};

use super::decide::{Circumstances, Prepared, Transaction};
use super::{RouteError, Routing};
use crate::statement::Reading;

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
            outcome,
        }
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
    outcome: Result<Alias, RouteError>,
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
            Ok(alias) => write!(f, "goes to:   {alias}, because {}", self.reason),
            Err(error) => write!(f, "refused:   {error}"),
        }
    }
}
