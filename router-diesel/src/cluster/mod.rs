//! The fourth step: from a database to the node that serves a statement, its primary or a replica.
//!
//! - `position`: how far a server is, so that "has it replayed my write" has an exact answer.
//! - `observe`: asks a server for its position.
//! - `token`: a position as a short text, for a cookie or a job.
//! - `balance`: which of several replicas is next.
//! - `health`: which of them may serve at all; a state machine that reads no clock and opens no connection.

mod balance;
mod health;
mod observe;
mod position;
mod token;

pub use token::{Token, TokenError, TokenKey, TokenKeys};
