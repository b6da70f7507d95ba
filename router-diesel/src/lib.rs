//! Routes ordinary Diesel statements to several databases.

pub mod config;
pub mod statement;
