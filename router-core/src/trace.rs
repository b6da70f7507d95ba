//! Who was asked, and what they said.

use std::fmt;

use crate::{Alias, Reason, RouterName};

/// The routers that were asked, in order, each with its answer. The last one decided or needs a hint, if any did.
///
/// ```
/// use router_core::{Hints, Model, NoRouter, Operation, RouterChain, read_fn};
///
/// let chain = RouterChain::new("default")
///     .with(NoRouter)
///     .with_named("blog", read_fn(|_, _| Some("blog_db".into())));
/// let decision = chain.explain(Operation::Read, &Model::app("blog"), &Hints::default());
/// let trace = decision.trace().expect("`explain` keeps one");
/// assert_eq!(trace.to_string(), "NoRouter: no opinion\nblog: `blog_db`\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Vec<Step>,
}

/// One router that was asked, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The router.
    pub router: RouterName,
    /// What it answered.
    pub answer: Answer,
    /// Why, where it says so.
    pub reason: Option<Reason>,
    /// The routers that it asked in turn, where it is a chain itself.
    pub nested: Trace,
}

/// What a router answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It left the question to the next one.
    NoOpinion,
    /// It needs this hint before it can answer, and the chain asked nobody else.
    NeedsHint(&'static str),
    /// It named a database, for a read or a write.
    Database(Alias),
    /// It allowed or forbade a migration or a relation.
    Allowed(bool),
}

impl Trace {
    /// The routers that were asked, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The innermost router that decided, or that stopped the chain for a hint. Nothing if none did.
    #[must_use]
    pub fn decider(&self) -> Option<&RouterName> {
        let step = self.steps.last().filter(|step| step.answer != Answer::NoOpinion)?;
        step.nested.decider().or(Some(&step.router))
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn fmt_indented(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:1$}{step}", "", depth * 2)?;
            step.nested.fmt_indented(f, depth + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_indented(f, 0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.router, self.answer)?;
        match &self.reason {
            Some(reason) => write!(f, ", because {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOpinion => f.write_str("no opinion"),
            Self::NeedsHint(hint) => write!(f, "needs `{hint}`"),
            Self::Database(alias) => write!(f, "`{alias}`"),
            Self::Allowed(true) => f.write_str("yes"),
            Self::Allowed(false) => f.write_str("no"),
        }
    }
}

impl From<Alias> for Answer {
    fn from(alias: Alias) -> Self {
        Self::Database(alias)
    }
}

impl From<bool> for Answer {
    fn from(allowed: bool) -> Self {
        Self::Allowed(allowed)
    }
}
