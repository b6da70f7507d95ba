//! The decisions about a statement, each with its reason.

mod cluster_error;
mod explanation;
mod refusal;
mod route;
pub(crate) mod token;

pub use cluster_error::ClusterError;
pub use explanation::{Explanation, NodeRoute, Serves, TableRoute};
pub use refusal::RouteError;
pub(crate) use route::{Circumstances, Prepared, Transaction};
