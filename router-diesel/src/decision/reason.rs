//! Why a statement goes to its database.

use std::fmt;

use router_core::{Alias, Reason};

use super::asker::Witness;
use super::route::{By, Route};
use crate::topology::{Prepared, PreparedModel, Routing};

/// Why a statement goes to its database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteReason {
    /// The caller chose the database, through [`Session::using`](crate::Session::using).
    ByHand {
        /// The database.
        alias: Alias,
    },
    /// The statement names no table, and the open transaction is there.
    OpenTransaction,
    /// The statement names no table, and asks about earlier statements, which ran on the connection there.
    Asked,
    /// The statement names no table, so it goes to the default database.
    NoTable,
    /// The table belongs to no app, so it is on the default database.
    NoApp {
        /// The table.
        table: String,
    },
    /// The statement itself names the database, as in MySQL's `database.table`.
    Named {
        /// The table, with its database.
        table: String,
    },
    /// A router or a rule says so. Where none of them decided, the default holds.
    Routers(Reason),
}

impl fmt::Display for RouteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByHand { alias } => write!(f, "chosen by hand: using(`{alias}`)"),
            Self::OpenTransaction => f.write_str("it names no table, and the open transaction is there"),
            Self::Asked => f.write_str("it asks about earlier statements on the connection there"),
            Self::NoTable => f.write_str("it names no table"),
            Self::Named { table } => write!(f, "`{table}` names the database"),
            Self::NoApp { table } => write!(f, "no app has the table `{table}`"),
            Self::Routers(reason) => reason.fmt(f),
        }
    }
}

impl Routing {
    /// Why a statement goes where a [`Route`] says, with what the routers answered.
    pub(crate) fn reason(&self, route: Route, prepared: &Prepared, witness: &Witness) -> RouteReason {
        let asked = || {
            prepared.models.first().and_then(|model| Some((model, witness.answer(&model.table.to_string())?)))
        };
        match (route.by, asked()) {
            (By::Hand, _) => RouteReason::ByHand { alias: self.alias(route.database).clone() },
            (By::OpenTransaction, _) => RouteReason::OpenTransaction,
            (By::Asked, _) => RouteReason::Asked,
            (By::Named, _) => RouteReason::Named {
                table: prepared.models.first().map(|model| model.table.to_string()).unwrap_or_default(),
            },
            (By::NoTable, _) | (By::Routers(_), None) => RouteReason::NoTable,
            (By::Routers(_), Some((PreparedModel { app: None, table, .. }, decision)))
                if matches!(decision.reason(), Reason::Default | Reason::Unclaimed { .. }) =>
            {
                RouteReason::NoApp { table: table.to_string() }
            }
            (By::Routers(_), Some((_, decision))) => RouteReason::Routers(decision.reason().clone()),
        }
    }
}
