//! Who asks the routers about one table, and what their answer means.

use router_core::{Decision, Hints, Operation};

use super::RouteError;
use crate::topology::{DatabaseId, PreparedModel, Routing};

/// Asks the routers about the tables of a statement. What the answers lead to does not depend on who asks.
pub(crate) trait Asker {
    /// What the routers say of one table; `None` where none of them decides.
    ///
    /// # Errors
    /// A router named a database that the file does not have, or needs a hint.
    fn ask(
        &mut self,
        routing: &Routing,
        model: &PreparedModel,
        side: Operation,
        hints: &Hints<'_>,
    ) -> Result<Option<DatabaseId>, RouteError>;
}

/// Asks and keeps nothing: for statements that run.
pub(super) struct Quiet;

impl Asker for Quiet {
    #[inline]
    fn ask(
        &mut self,
        routing: &Routing,
        model: &PreparedModel,
        side: Operation,
        hints: &Hints<'_>,
    ) -> Result<Option<DatabaseId>, RouteError> {
        if let Some(fixed) = model.fixed {
            return Ok(if side == Operation::Read { fixed.read } else { fixed.write });
        }
        routing.decided(model, &routing.chain.route(side, &model.as_model(), hints))
    }
}

/// Asks and keeps what each router answered: for explanations.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The last answers, one for each table that was asked about.
    answers: Vec<(String, Decision)>,
}

impl Asker for Witness {
    fn ask(
        &mut self,
        routing: &Routing,
        model: &PreparedModel,
        side: Operation,
        hints: &Hints<'_>,
    ) -> Result<Option<DatabaseId>, RouteError> {
        let decision = routing.chain.explain(side, &model.as_model(), hints);
        let answer = routing.decided(model, &decision);
        let table = model.table.to_string();
        self.answers.retain(|(known, _)| *known != table);
        self.answers.push((table, decision));
        answer
    }
}

impl Witness {
    /// The answer that counted for a table, if it was asked about.
    pub(crate) fn answer(&self, table: &str) -> Option<&Decision> {
        self.answers.iter().find(|(known, _)| known == table).map(|(_, decision)| decision)
    }
}

impl Routing {
    /// The database of a router's answer; `None` where no router decided.
    ///
    /// # Errors
    /// The router named a database that the file does not have, or needs a hint.
    #[inline]
    fn decided(&self, model: &PreparedModel, decision: &Decision) -> Result<Option<DatabaseId>, RouteError> {
        if decision.is_fallback() {
            return Ok(None);
        }
        if let Some(missing) = decision.missing_hint() {
            return Err(RouteError::MissingHint {
                router: missing.router().clone(),
                hint: missing.hint(),
                table: Some(model.table.to_string()),
                app: model.app.clone(),
            });
        }
        let alias = decision.alias();
        let unknown = || RouteError::UnknownDatabase {
            alias: alias.clone(),
            router: Some(decision.reason().to_string()),
            suggestion: self.nearest(alias.as_str()),
        };
        self.id(alias.as_str()).map(Some).ok_or_else(unknown)
    }
}
