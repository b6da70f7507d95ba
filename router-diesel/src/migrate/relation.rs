//! What routers say of a constraint that refers to a table, wherever the two tables are.

use router_core::{AppLabel, Hints, Model, Router};

use super::lint::{LintCode, LintProblem, Linter};
use super::sql::Mention;
use crate::statement::TableName;

/// What the routers say of a relation between two tables.
pub(super) enum Relation {
    /// A router allows it, on whichever databases they are.
    Allowed,
    /// A router refuses it, also within one database.
    Refused(LintProblem),
    /// No router has an opinion, so both tables have to be on one database.
    Unsaid,
}

impl Linter<'_> {
    /// Asks the routers about a constraint of a migration of `app` on a table of `owner`.
    ///
    /// The table that has the constraint belongs to the app that the file says, or else to the migration's.
    pub(super) fn relation(&self, app: &AppLabel, owner: Option<&AppLabel>, mention: &Mention) -> Relation {
        let Mention { table, from, .. } = mention;
        let owner_of =
            |table: &TableName| self.tables.app_in(table.schema(), table.name(), table.case()).unwrap_or(app);
        let from_app = from.as_ref().map_or(app, owner_of);
        let here = Model::of(from_app, from.as_ref().map(TableName::name));
        let there = match owner {
            Some(owner) => Model::of(owner, Some(table.name())),
            None => Model::new("", table.name()),
        };
        let (chain, hints) = (self.routing.chain(), Hints::default());
        match chain.allow_relation(&here, &there, &hints) {
            None => Relation::Unsaid,
            Some(true) => Relation::Allowed,
            Some(false) => {
                let decider = chain.explain_relation(&here, &there, &hints).decider().cloned();
                let router = decider.map_or_else(String::new, |name| format!(" `{name}`"));
                let of_app =
                    owner.map_or_else(|| " of no app".to_owned(), |owner| format!(" of app `{owner}`"));
                let named = from.as_ref().map_or_else(String::new, |from| format!("`{from}` "));
                let message = format!(
                    "{named}of app `{from_app}` refers to `{table}`{of_app}, and router{router} allows no relation between \
                     them"
                );
                let problem = LintProblem::new(LintCode::RelationRefused, app, message).help(
                    "keep the id column, drop the constraint; or let the router's `allow_relation` say yes",
                );
                Relation::Refused(problem)
            }
        }
    }
}
