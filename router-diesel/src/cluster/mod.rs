//! Clusters: a primary and its replicas.
//!
//! The fourth step: from a database to the node that serves a statement, its primary or a replica.
//!
//! - `position`: how far a server is, so that "has it replayed my write" has an exact answer.
//! - `token`: a position as a short text, for a cookie or a job.
//! - `balance`: which of several replicas is next.
//! - `health`: which of them may serve at all; a state machine that reads no clock and opens no connection.

mod balance;
mod health;
mod position;
mod token;

pub use balance::{Balance, Candidate, LeastConnections, Random, RoundRobin, Weighted};
pub use health::Standing;
