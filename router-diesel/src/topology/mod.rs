//! What there is: the rules of one file, its databases with their pools, and which of them form a cluster.
//!
//! - `routing`: the rules and routers of one file.
//! - `pool`: the connections of one database.
//! - `cluster`: a primary and its replicas, with what all sessions know of them.
//! - `balance`: which of several replicas is next.
//! - `health`: which of them may serve at all; a state machine that reads no clock and opens no connection.
//! - `monitor`: the thread that probes the nodes and tells the state machine.
//! - `view`: who may serve at one moment, as sessions see it; `status`, as operators do.

pub(crate) mod balance;
pub(crate) mod cluster;
pub(crate) mod health;
mod monitor;
pub(crate) mod pool;
pub(crate) mod routing;
pub(crate) mod status;
mod view;

pub(crate) use cluster::{Cluster, Clusters, Failure, Member, PRIMARY, Policies};
pub(crate) use health::Standing;
pub(crate) use monitor::Monitor;
pub(crate) use routing::Routing;
pub(crate) use status::Fallback;
pub(crate) use view::{Skipped, View};
