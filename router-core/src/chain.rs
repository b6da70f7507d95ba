//! Routers asked one after the other, and what holds where none of them decides.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::trace::{Answer, Step};
use crate::{
    Alias, ChainError, Decision, Hints, MissingHint, Model, Operation, Reason, Router, RouterName, Trace,
    UnknownAlias, Verdict,
};

/// Routers asked one after the other: the first opinion decides.
///
/// Where none has one, the chain falls back:
///
/// | question | answer |
/// |---|---|
/// | read, write | the database that the hints' instance came from, else the default database |
/// | relation | whether both models are *written* to one database: there rows are made and foreign keys checked |
/// | migration | whether the database is the default one |
///
/// The last one departs from Django, where tables of an unclaimed app appear on every database.
///
/// If a router without an opinion on a read or a write says that it needs a [hint](Router::missing_hint), the chain stops
/// there and does not fall back.
///
/// A chain is a [`Router`] itself. As a router it gives its members' opinions only, without the fall-backs, so
/// that chains nest and the outermost one alone falls back.
///
/// ```
/// use router_core::{DatabaseRule, Hints, Model, Operation, RouterChain, RuleRouter};
///
/// let rules = RuleRouter::compile(
///     "default",
///     [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")],
///     [],
/// )
/// .expect("the rules agree");
/// let chain = RouterChain::new("default").with(rules);
///
/// let decision = chain.route(Operation::Write, &Model::new("blog", "posts"), &Hints::default());
/// assert_eq!(decision.alias(), "blog_db");
///
/// let decision = chain.explain(Operation::Read, &Model::app("users"), &Hints::default());
/// assert_eq!(decision.to_string(), "`default`, because no database claims `users`");
/// ```
#[derive(Debug, Clone)]
pub struct RouterChain {
    default: Alias,
    members: Vec<Member>,
    aliases: Option<Arc<FxHashSet<Alias>>>,
}

#[derive(Debug, Clone)]
struct Member {
    name: RouterName,
    router: Arc<dyn Router>,
}

impl RouterChain {
    /// Makes a chain without routers, which sends everything to the default database.
    #[must_use]
    pub fn new(default: impl Into<Alias>) -> Self {
        Self { default: default.into(), members: Vec::new(), aliases: None }
    }

    /// Adds a router at the end, under the name of its type.
    #[must_use]
    pub fn with<R: Router + 'static>(self, router: R) -> Self {
        self.with_named(RouterName::of_type::<R>(), router)
    }

    /// Adds a router at the end, under a name of its own.
    #[must_use]
    pub fn with_named(mut self, name: impl Into<RouterName>, router: impl Router + 'static) -> Self {
        self.push(name, Arc::new(router));
        self
    }

    /// Adds a router of a type known only at run time at the end, under a name of its own.
    #[must_use]
    pub fn with_boxed(mut self, name: impl Into<RouterName>, router: Box<dyn Router>) -> Self {
        self.push(name, router.into());
        self
    }

    /// Adds a shared router at the end, in place.
    pub fn push(&mut self, name: impl Into<RouterName>, router: Arc<dyn Router>) {
        self.members.push(Member { name: name.into(), router });
    }

    /// Tells the chain which databases there are, so that [`try_route`](Self::try_route) can refuse others.
    #[must_use]
    pub fn with_aliases(mut self, aliases: impl IntoIterator<Item = Alias>) -> Self {
        self.aliases = Some(Arc::new(aliases.into_iter().collect()));
        self
    }

    /// The default database.
    #[must_use]
    pub const fn default_alias(&self) -> &Alias {
        &self.default
    }

    /// The names of the routers, in the order in which they are asked.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &RouterName> {
        self.members.iter().map(|member| &member.name)
    }

    /// Chooses the database for a read or a write.
    ///
    /// A statement that changes the schema is routed like a write. Nothing is allocated, and the decision names
    /// the router rather than the router's reason; ask [`explain`](Self::explain) for that.
    ///
    /// The alias is the router's answer as it stands. [`try_route`](Self::try_route) checks it; a caller that
    /// looks the alias up anyway can check there and name the [`Decision::decider`]. Where a router needs a hint, the
    /// alias is empty, so that no database has it, and [`Decision::missing_hint`] says what is missing.
    #[inline]
    #[must_use]
    pub fn route(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Decision {
        let operation = as_statement(operation);
        for member in &self.members {
            if let Some(alias) = database_for(&*member.router, operation, model, hints) {
                return Decision::new(alias, Reason::Router { name: member.name.clone() });
            }
            if let Some(hint) = member.router.missing_hint(operation, model, hints) {
                return self.without_hint(
                    MissingHint::new(member.name.clone(), hint),
                    operation,
                    model,
                    hints,
                );
            }
        }
        let (alias, reason) = self.fall_back(hints);
        Decision::new(alias, reason)
    }

    /// Chooses the database like [`route`](Self::route), and says why and who was asked.
    #[must_use]
    pub fn explain(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Decision {
        let operation = as_statement(operation);
        let Heard { answer, missing, reason, trace } = self.ask_for_database(operation, model, hints);
        match (answer, missing) {
            (Some(alias), _) => Decision::traced(alias, decided(reason, &trace), trace),
            (None, Some(missing)) => Decision::missing(missing, Some(trace)),
            (None, None) => {
                let (alias, fallback) = self.fall_back(hints);
                let reason = match (fallback, reason) {
                    (Reason::Default, Some(unclaimed @ Reason::Unclaimed { .. })) => unclaimed,
                    (fallback, _) => fallback,
                };
                Decision::traced(alias, reason, trace)
            }
        }
    }

    /// Chooses the database like [`route`](Self::route) and refuses one that no configuration names.
    ///
    /// Without [`with_aliases`](Self::with_aliases) every alias passes.
    ///
    /// # Errors
    ///
    /// [`ChainError::UnknownAlias`], naming the router that answered so, or [`ChainError::MissingHint`], naming the router
    /// that needs a hint.
    ///
    /// ```
    /// use router_core::{Hints, Model, Operation, RouterChain, read_fn};
    ///
    /// let chain = RouterChain::new("default")
    ///     .with_named("stats", read_fn(|_, _| Some("analytcis".into())))
    ///     .with_aliases(["default".into(), "analytics".into()]);
    /// let error = chain.try_route(Operation::Read, &Model::app("stats"), &Hints::default()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "router `stats` answered with unknown database `analytcis`; did you mean `analytics`?",
    /// );
    /// ```
    pub fn try_route(
        &self,
        operation: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Result<Decision, ChainError> {
        let decision = self.route(operation, model, hints);
        if let Some(missing) = decision.missing_hint() {
            return Err(missing.clone().into());
        }
        match &self.aliases {
            Some(aliases) if !aliases.contains(decision.alias()) => {
                // Asked again for the innermost router, which a nested chain hides from the first answer.
                let explained = self.explain(operation, model, hints);
                let router = if explained.alias() == decision.alias() { &explained } else { &decision }
                    .decider()
                    .cloned();
                Err(UnknownAlias::new(decision.into_alias(), router, aliases.iter()).into())
            }
            _ => Ok(decision),
        }
    }

    /// Whether rows of the one model may refer to rows of the other.
    ///
    /// Where no router has an opinion, and a hint is missing to say where one of the two is written, they may not.
    #[must_use]
    pub fn relation_allowed(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> bool {
        self.allow_relation(a, b, hints).unwrap_or_else(|| {
            let [a, b] = [a, b].map(|model| self.route(Operation::Write, model, hints));
            a.missing_hint().is_none() && b.missing_hint().is_none() && a.alias() == b.alias()
        })
    }

    /// Whether rows of the one model may refer to rows of the other, why, and who was asked.
    #[must_use]
    pub fn explain_relation(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> Verdict {
        let Heard { answer, reason, trace, .. } =
            self.ask(|router| router.allow_relation(a, b, hints), |_| None, |_| None);
        match answer {
            Some(allowed) => Verdict::new(allowed, decided(reason, &trace), trace),
            None => {
                let [a, b] = [a, b].map(|model| self.route(Operation::Write, model, hints));
                if let Some(missing) = a.missing_hint().or(b.missing_hint()) {
                    return Verdict::new(false, Reason::MissingHint(missing.clone()), trace);
                }
                let (a, b) = (a.into_alias(), b.into_alias());
                let same = a == b;
                let reason = if same {
                    Reason::SameDatabase { database: a }
                } else {
                    Reason::DifferentDatabases { a, b }
                };
                Verdict::new(same, reason, trace)
            }
        }
    }

    /// Whether the model's migrations run on the database.
    #[must_use]
    pub fn migration_allowed(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> bool {
        self.allow_migrate(database, model, hints).unwrap_or_else(|| *database == self.default)
    }

    /// Whether the model's migrations run on the database, why, and who was asked.
    #[must_use]
    pub fn explain_migration(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> Verdict {
        let about = hints.clone().database(database);
        let Heard { answer, reason, trace, .. } = self.ask(
            |router| router.allow_migrate(database, model, hints),
            |_| None,
            |router| router.reason(Operation::Migrate, model, &about),
        );
        match answer {
            Some(allowed) => Verdict::new(allowed, decided(reason, &trace), trace),
            None => {
                let reason = Reason::OnlyDefault { default: self.default.clone() };
                Verdict::new(*database == self.default, reason, trace)
            }
        }
    }

    fn fall_back(&self, hints: &Hints<'_>) -> (Alias, Reason) {
        match hints.instance {
            Some(alias) => (alias.clone(), Reason::Instance),
            None => (self.default.clone(), Reason::Default),
        }
    }

    /// The first opinion of the members on a read or a write, unless one before it needs a hint.
    #[inline]
    fn opinion(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        for member in &self.members {
            let opinion = database_for(&*member.router, operation, model, hints);
            if opinion.is_some() || member.router.missing_hint(operation, model, hints).is_some() {
                return opinion;
            }
        }
        None
    }

    /// The decision of a chain that stopped for a hint. It names the innermost router, which a nested chain hides.
    #[cold]
    fn without_hint(
        &self,
        outermost: MissingHint,
        operation: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Decision {
        let innermost = self.ask_for_database(operation, model, hints).missing;
        Decision::missing(innermost.unwrap_or(outermost), None)
    }

    /// Asks the members for the database of a read or a write, and keeps a record.
    fn ask_for_database(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Heard<Alias> {
        self.ask(
            |router| database_for(router, operation, model, hints),
            |router| router.missing_hint(operation, model, hints),
            |router| router.reason(operation, model, hints),
        )
    }

    /// Asks the members until one answers or needs a hint, and keeps a record.
    fn ask<A: Clone + Into<Answer>>(
        &self,
        question: impl Fn(&dyn Router) -> Option<A>,
        missing: impl Fn(&dyn Router) -> Option<&'static str>,
        why: impl Fn(&dyn Router) -> Option<Reason>,
    ) -> Heard<A> {
        let mut trace = Trace::default();
        let mut last_abstention = None;
        for member in &self.members {
            let router = &*member.router;
            let answer = question(router);
            let hint = if answer.is_none() { missing(router) } else { None };
            let (reason, nested) = match why(router) {
                Some(Reason::Chain { reason, trace }) => (reason.map(|reason| *reason), trace),
                reason => (reason, Trace::default()),
            };
            trace.push(Step {
                router: member.name.clone(),
                answer: answer.clone().map_or(hint.map_or(Answer::NoOpinion, Answer::NeedsHint), Into::into),
                reason: reason.clone(),
                nested,
            });
            if answer.is_some() || hint.is_some() {
                let router = trace.decider().unwrap_or(&member.name);
                let missing = hint.map(|hint| MissingHint::new(router.clone(), hint));
                return Heard { answer, missing, reason, trace };
            }
            last_abstention = reason.or(last_abstention);
        }
        Heard { answer: None, missing: None, reason: last_abstention, trace }
    }
}

/// What the members of a chain said.
struct Heard<A> {
    /// The first opinion.
    answer: Option<A>,
    /// The hint for which the chain stopped before anybody had an opinion.
    missing: Option<MissingHint>,
    /// The last reason given.
    reason: Option<Reason>,
    trace: Trace,
}

impl<A> Heard<A> {
    /// What a chain says as the member of another.
    fn nested(self) -> Reason {
        let Self { answer, missing, reason, trace } = self;
        let reason = match (answer, missing) {
            (Some(_), _) => Some(decided(reason, &trace)),
            (None, Some(missing)) => Some(Reason::MissingHint(missing)),
            (None, None) => reason,
        };
        Reason::Chain { reason: reason.map(Box::new), trace }
    }
}

/// A decided question's reason: the router's own, else its name.
fn decided(reason: Option<Reason>, trace: &Trace) -> Reason {
    match (reason, trace.decider()) {
        (Some(reason), _) => reason,
        (None, Some(name)) => Reason::Router { name: name.clone() },
        (None, None) => Reason::Default,
    }
}

/// A statement that changes the schema goes where writes go.
const fn as_statement(operation: Operation) -> Operation {
    match operation {
        Operation::Read => Operation::Read,
        Operation::Write | Operation::Migrate => Operation::Write,
    }
}

#[inline]
fn database_for(
    router: &dyn Router,
    operation: Operation,
    model: &Model<'_>,
    hints: &Hints<'_>,
) -> Option<Alias> {
    match as_statement(operation) {
        Operation::Read => router.db_for_read(model, hints),
        _ => router.db_for_write(model, hints),
    }
}

/// The alias `default`, and no routers.
impl Default for RouterChain {
    fn default() -> Self {
        Self::new("default")
    }
}

#[deny(clippy::missing_trait_methods)]
impl Router for RouterChain {
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.opinion(Operation::Read, model, hints)
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.opinion(Operation::Write, model, hints)
    }

    fn allow_relation(&self, a: &Model<'_>, b: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        self.members.iter().find_map(|member| member.router.allow_relation(a, b, hints))
    }

    fn allow_migrate(&self, database: &Alias, model: &Model<'_>, hints: &Hints<'_>) -> Option<bool> {
        self.members.iter().find_map(|member| member.router.allow_migrate(database, model, hints))
    }

    fn missing_hint(
        &self,
        operation: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Option<&'static str> {
        self.members.iter().find_map(|member| member.router.missing_hint(operation, model, hints))
    }

    fn reason(&self, operation: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<Reason> {
        if operation != Operation::Migrate {
            return Some(self.ask_for_database(operation, model, hints).nested());
        }
        let database = hints.database?;
        let heard = self.ask(
            |router| router.allow_migrate(database, model, hints),
            |_| None,
            |router| router.reason(operation, model, hints),
        );
        Some(heard.nested())
    }
}
