//! The decisions about a statement: pure functions of what is known, whose answers carry their reasons.
//!
//! ```text
//! statement ─classify→ operation + tables ─route→ database ─balance→ node ─check out→ connection
//!                                          Route            Reach, Step
//! ```
//! - `route` finds the database of a statement, or the [`RouteError`] that refuses it. `reason` puts the first into words.
//! - `asker` asks the routers about one table: quietly for a statement that runs, with a record for an explanation.
//! - `asked` finds the connection that can answer a statement which asks about earlier ones.
//! - `reach` says whether the replicas of that database may serve the statement, or why only one node can.
//! - `freshness` chooses the node that serves a read: a state machine with events in and questions out. It has what a
//!   session must be shown. `token` is that as text.
//! - `passed` are the reasons for which a node does not serve.
//! - `nodes` says of each node of a cluster whether it would serve a statement, by the same values.
//! - `explanation` gathers all of these for people. It decides nothing.
//!
//! Nothing here opens a connection, asks a server or reads a clock. `session/` does what a decision asks for.

mod asked;
mod asker;
mod circumstances;
mod cluster_error;
mod explanation;
pub(crate) mod freshness;
mod nodes;
mod passed;
mod reach;
mod reason;
mod refusal;
mod route;
mod setting_error;
pub(crate) mod token;

pub(crate) use asked::Marks;
pub use asked::NoAnswerReason;
pub(crate) use circumstances::{Circumstances, Transaction};
pub use cluster_error::ClusterError;
pub(crate) use cluster_error::why_no_replica;
pub use explanation::{Explanation, TableRoute};
pub use nodes::{Condition, NodeReason, NodeRoute, Serves};
pub(crate) use nodes::{Scene, by_file};
pub use passed::{Passed, Shortfall};
pub use reach::OnPrimary;
pub(crate) use reach::{Place, Reach, Standpoint, Wants, reach};
pub use reason::RouteReason;
pub use refusal::RouteError;
pub(crate) use route::{Route, route};
pub use setting_error::SettingError;
