//! A hint that a router needs and was not given.

use std::fmt;

use crate::RouterName;

/// A router had no opinion because a hint is missing: see [`Router::missing_hint`](crate::Router::missing_hint).
///
/// ```
/// use router_core::MissingHint;
///
/// let missing = MissingHint::new("ByTenant", "tenant");
/// assert_eq!(missing.to_string(), "router `ByTenant` needs the hint `tenant`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingHint {
    router: RouterName,
    hint: &'static str,
}

impl MissingHint {
    /// Describes what is missing, and which router needs it.
    #[must_use]
    pub fn new(router: impl Into<RouterName>, hint: &'static str) -> Self {
        Self { router: router.into(), hint }
    }

    /// The router that needs the hint.
    #[must_use]
    pub const fn router(&self) -> &RouterName {
        &self.router
    }

    /// The hint, as the router calls it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.hint
    }
}

impl fmt::Display for MissingHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "router `{}` needs the hint `{}`", self.router, self.hint)
    }
}

impl std::error::Error for MissingHint {}
