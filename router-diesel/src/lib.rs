//! Routes ordinary Diesel statements to several databases.

pub mod statement;
