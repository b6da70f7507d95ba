//! One database's claim on one app.

use crate::{Alias, Operations, Place};

/// One database's claim on one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim<'a> {
    /// The database that claims.
    pub database: &'a Alias,
    /// What it claims the app for.
    pub operations: Operations,
    /// Where it says so: the app in its list, else the database's own place.
    pub place: Option<&'a Place>,
}
