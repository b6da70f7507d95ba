//! A final answer, which carries its reason.

use std::fmt;

use crate::{Alias, MissingHint, Reason, RouterName, Trace};

/// The database that a chain chose, and why.
///
/// [`RouterChain::route`](crate::RouterChain::route) names the router that decided, or the fall-back;
/// [`RouterChain::explain`](crate::RouterChain::explain) asks that router for its own reason and keeps a trace.
///
/// If a router needs a [hint](crate::Router::missing_hint), no database was chosen: see [`missing_hint`](Self::missing_hint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    alias: Alias,
    reason: Reason,
    trace: Option<Box<Trace>>,
}

impl Decision {
    pub(crate) const fn new(alias: Alias, reason: Reason) -> Self {
        Self { alias, reason, trace: None }
    }

    /// No database, because a hint is missing. The alias is empty: no database is called so, and none can be taken for it.
    pub(crate) fn missing(missing: MissingHint, trace: Option<Trace>) -> Self {
        Self { alias: Alias::new(""), reason: Reason::MissingHint(missing), trace: trace.map(Box::new) }
    }

    pub(crate) fn traced(alias: Alias, reason: Reason, trace: Trace) -> Self {
        Self { alias, reason, trace: Some(Box::new(trace)) }
    }

    /// The database that was chosen. The alias is empty where a [hint is missing](Self::missing_hint).
    #[must_use]
    pub const fn alias(&self) -> &Alias {
        &self.alias
    }

    /// The database that was chosen, by value.
    #[must_use]
    pub fn into_alias(self) -> Alias {
        self.alias
    }

    /// The hint without which no database can be chosen, and the router that needs it.
    ///
    /// ```
    /// use router_core::{Hints, Model, Operation, RouterChain, hint_fn};
    ///
    /// let chain = RouterChain::new("default").with_named("tenants", hint_fn(|_, _, _| Some("tenant")));
    /// let decision = chain.route(Operation::Read, &Model::app("blog"), &Hints::default());
    /// assert_eq!(decision.missing_hint().map(|missing| missing.hint()), Some("tenant"));
    /// assert_eq!(decision.to_string(), "no database, because router `tenants` needs the hint `tenant`");
    /// ```
    #[must_use]
    pub const fn missing_hint(&self) -> Option<&MissingHint> {
        match &self.reason {
            Reason::MissingHint(missing) => Some(missing),
            _ => None,
        }
    }

    /// Why it was chosen.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Who was asked; only an explanation keeps it.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// The router that decided, or that needs a hint. Nothing where a fall-back did.
    #[must_use]
    pub fn decider(&self) -> Option<&RouterName> {
        match (&self.reason, &self.trace) {
            (Reason::MissingHint(missing), _) => Some(missing.router()),
            (_, Some(trace)) => trace.decider(),
            (Reason::Router { name }, None) => Some(name),
            _ => None,
        }
    }

    /// Whether no router decided, so that the instance's database or the default one was taken.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        self.reason.is_fallback()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.missing_hint() {
            Some(missing) => write!(f, "no database, because {missing}"),
            None => write!(f, "`{}`, because {}", self.alias, self.reason),
        }
    }
}

/// Whether a relation or a migration is allowed, why, and who was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    allowed: bool,
    reason: Reason,
    trace: Trace,
}

impl Verdict {
    pub(crate) const fn new(allowed: bool, reason: Reason, trace: Trace) -> Self {
        Self { allowed, reason, trace }
    }

    /// Whether it is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Why, or why not.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Who was asked.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The router that decided, or nothing where a fall-back did.
    #[must_use]
    pub fn decider(&self) -> Option<&RouterName> {
        self.trace.decider()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, because {}", if self.allowed { "yes" } else { "no" }, self.reason)
    }
}
