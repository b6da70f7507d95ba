//! The fourth step: from a database to the node that serves a statement, its primary or a replica.

mod balance;
mod health;
mod observe;
mod position;
mod token;

pub use balance::{Balance, Candidate, LeastConnections, Random, RoundRobin, Weighted};
pub use health::Standing;
pub use token::{Token, TokenError, TokenKey, TokenKeys};
