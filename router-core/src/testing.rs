//! Conformance functions: what any router should keep, for the tests of your own.
//!
//! Each panics with a message that names the model and both answers.
//!
//! ```
//! use router_core::{Model, NoRouter, testing};
//!
//! let models = [Model::app("blog"), Model::new("shop", "products")];
//! testing::abstains_on(&NoRouter, &models);
//! testing::is_deterministic(&NoRouter, &models);
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use crate::{Alias, Hints, Model, Operation, Reason, Router, RouterChain};

/// Every answer of a router on one model, with empty hints.
#[derive(Debug, PartialEq)]
struct Answers {
    read: Option<Alias>,
    write: Option<Alias>,
    relation: Option<bool>,
    migrate: Option<bool>,
    /// The hints that a read and a write need.
    missing: [Option<&'static str>; 2],
    reasons: [Option<Reason>; 3],
}

impl Answers {
    fn of(router: &dyn Router, model: &Model<'_>) -> Self {
        let (hints, database) = (Hints::default(), Alias::new("default"));
        let (read, write) = (router.db_for_read(model, &hints), router.db_for_write(model, &hints));
        // As a chain does, this asks for a missing hint only after the router had no opinion.
        let missing = [(Operation::Read, read.is_none()), (Operation::Write, write.is_none())];
        Self {
            missing: missing
                .map(|(side, is_asked)| is_asked.then(|| router.missing_hint(side, model, &hints)).flatten()),
            read,
            write,
            relation: router.allow_relation(model, model, &hints),
            migrate: router.allow_migrate(&database, model, &hints),
            reasons: Operation::ALL
                .map(|operation| router.reason(operation, model, &hints.clone().database(&database))),
        }
    }
}

/// The router has no opinion on any of the models: it stays out of what is not its business.
///
/// # Panics
///
/// Where it has an opinion.
pub fn abstains_on(router: &dyn Router, models: &[Model<'_>]) {
    for model in models {
        let Answers { read, write, relation, migrate, missing: [for_read, for_write], .. } =
            Answers::of(router, model);
        refuse(router, model, "should have no opinion on a read", read);
        refuse(router, model, "should have no opinion on a write", write);
        refuse(router, model, "should have no opinion on a relation", relation);
        refuse(router, model, "should have no opinion on a migration", migrate);
        refuse(router, model, "should need no hint for a read", for_read);
        refuse(router, model, "should need no hint for a write", for_write);
    }
}

fn refuse(router: &dyn Router, model: &Model<'_>, expectation: &str, answer: Option<impl Debug>) {
    if let Some(answer) = answer {
        panic!("{router:?} {expectation} of `{model}`, but answers {answer:?}");
    }
}

/// The router names none but the given databases, be it for a read or for a write.
///
/// # Panics
///
/// Where it names another one.
pub fn answers_only(router: &dyn Router, aliases: &[Alias], models: &[Model<'_>]) {
    for model in models {
        let Answers { read, write, .. } = Answers::of(router, model);
        for (operation, alias) in [(Operation::Read, read), (Operation::Write, write)] {
            if let Some(alias) = alias
                && !aliases.contains(&alias)
            {
                panic!(
                    "{router:?} sends a {operation} of `{model}` to {alias:?}, which is none of {aliases:?}"
                );
            }
        }
    }
}

/// The router answers alike when asked alike. One that draws lots is hard to explain and to cache.
///
/// # Panics
///
/// Where two of several answers differ.
pub fn is_deterministic(router: &dyn Router, models: &[Model<'_>]) {
    for model in models {
        let first = Answers::of(router, model);
        for _ in 0..8 {
            let again = Answers::of(router, model);
            assert!(
                first == again,
                "{router:?} answers differently on `{model}`: first {first:?}, then {again:?}"
            );
        }
    }
}

/// The router answers alike in a box, behind a shared pointer, by reference and as a chain's only member.
///
/// For a wrapper of your own, [`agree`] shows that it forwards every method.
///
/// # Panics
///
/// Where an answer is lost on the way.
pub fn agrees_when_wrapped(router: impl Router + 'static, models: &[Model<'_>]) {
    let router: Arc<dyn Router> = Arc::new(router);
    agree(&*router, &&*router, models);
    agree(&*router, &Box::new(Arc::clone(&router)), models);
    agree(&*router, &router, models);

    let hints = Hints::default();
    let database = Alias::new("default");
    let chain = RouterChain::default().with_named("wrapped", Arc::clone(&router));
    for model in models {
        let bare = Answers::of(&*router, model);
        assert!(
            bare.read == chain.db_for_read(model, &hints)
                && bare.write == chain.db_for_write(model, &hints)
                && bare.relation == chain.allow_relation(model, model, &hints)
                && bare.migrate == chain.allow_migrate(&database, model, &hints)
                && bare.missing == Answers::of(&chain, model).missing,
            "{router:?} answers differently on `{model}` as a chain's only member"
        );
    }
}

/// The router needs a hint for a read or a write of each model. Without it the router names it and has no opinion. With
/// `given` the router has an opinion.
///
/// ```
/// use router_core::{Alias, Hints, Model, Operation, Router, testing};
///
/// struct Tenant(&'static str);
///
/// #[derive(Debug)]
/// struct ByTenant;
///
/// impl Router for ByTenant {
///     fn db_for_read(&self, _: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
///         hints.get::<Tenant>().map(|tenant| Alias::new(tenant.0))
///     }
///
///     fn missing_hint(&self, operation: Operation, _: &Model<'_>, hints: &Hints<'_>) -> Option<&'static str> {
///         (operation == Operation::Read && hints.get::<Tenant>().is_none()).then_some("tenant")
///     }
/// }
///
/// let acme = Tenant("acme");
/// let given = Hints::default().extension(&acme);
/// testing::needs_hint(&ByTenant, Operation::Read, "tenant", &given, &[Model::app("blog")]);
/// ```
///
/// # Panics
///
/// Where it has an opinion without the hint, names another hint or none, or has no opinion with it.
pub fn needs_hint(
    router: &dyn Router,
    operation: Operation,
    hint: &str,
    given: &Hints<'_>,
    models: &[Model<'_>],
) {
    let opinion = |model: &Model<'_>, hints: &Hints<'_>| match operation {
        Operation::Read => router.db_for_read(model, hints),
        Operation::Write | Operation::Migrate => router.db_for_write(model, hints),
    };
    let nothing = Hints::default();
    for model in models {
        let guess = opinion(model, &nothing);
        assert!(
            guess.is_none(),
            "{router:?} answers {guess:?} for a {operation} of `{model}` without the hint `{hint}`"
        );
        let named = router.missing_hint(operation, model, &nothing);
        assert!(
            named == Some(hint),
            "{router:?} should need the hint `{hint}` for a {operation} of `{model}`, but needs {named:?}"
        );
        assert!(
            opinion(model, given).is_some(),
            "{router:?} has no opinion on a {operation} of `{model}` although the hint `{hint}` is given"
        );
    }
}

/// Two routers answer every question alike, reasons included, such as a router and a wrapper around it.
///
/// # Panics
///
/// Where they differ.
pub fn agree(one: &dyn Router, other: &dyn Router, models: &[Model<'_>]) {
    for model in models {
        let (first, second) = (Answers::of(one, model), Answers::of(other, model));
        assert!(
            first == second,
            "{one:?} and {other:?} answer differently on `{model}`: {first:?} and {second:?}"
        );
    }
}

/// The router sends reads and writes of each model to one database, so that a read finds what was written.
///
/// # Panics
///
/// Where the two differ.
pub fn reads_where_it_writes(router: &dyn Router, models: &[Model<'_>]) {
    for model in models {
        let Answers { read, write, .. } = Answers::of(router, model);
        assert!(read == write, "{router:?} reads `{model}` from {read:?} but writes it to {write:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::{DatabaseRule, NoRouter, RuleRouter, hint_fn, migrate_fn, read_fn, relation_fn, write_fn};

    const MODELS: [Model<'_>; 2] =
        [Model { app: "blog", table: None }, Model { app: "shop", table: Some("products") }];

    fn blog_db() -> Alias {
        Alias::new("blog_db")
    }

    #[test]
    fn a_router_without_opinions_passes_everything() {
        abstains_on(&NoRouter, &MODELS);
        answers_only(&NoRouter, &[], &MODELS);
        is_deterministic(&NoRouter, &MODELS);
        agrees_when_wrapped(NoRouter, &MODELS);
        agree(&NoRouter, &RouterChain::default().with(NoRouter).with(NoRouter), &[]);
        reads_where_it_writes(&NoRouter, &MODELS);
    }

    #[test]
    fn the_rules_pass_what_they_promise() {
        let rules = [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")];
        let rules = RuleRouter::compile("default", rules, []).unwrap();
        abstains_on(&rules, &[Model::app("users")]);
        answers_only(&rules, &[blog_db()], &MODELS);
        is_deterministic(&rules, &MODELS);
        reads_where_it_writes(&rules, &MODELS);
        agrees_when_wrapped(rules, &MODELS);
    }

    #[test]
    #[should_panic(expected = "ReadFn should have no opinion on a read of `blog`, but answers \"blog_db\"")]
    fn an_opinion_on_reads_is_found() {
        abstains_on(&read_fn(|_, _| Some(blog_db())), &MODELS);
    }

    #[test]
    #[should_panic(expected = "should have no opinion on a relation of `shop.products`, but answers false")]
    fn an_opinion_on_relations_is_found() {
        abstains_on(&relation_fn(|a, _, _| (a.app == "shop").then_some(false)), &MODELS);
    }

    #[test]
    #[should_panic(expected = "should have no opinion on a migration")]
    fn an_opinion_on_migrations_is_found() {
        abstains_on(&migrate_fn(|_, _, _| Some(false)), &MODELS);
    }

    #[test]
    #[should_panic(expected = "HintFn should need no hint for a write of `blog`, but answers \"tenant\"")]
    fn a_hint_that_is_needed_is_found() {
        abstains_on(&hint_fn(|operation, _, _| (operation == Operation::Write).then_some("tenant")), &MODELS);
    }

    /// Reads by a hint of a number.
    fn by_number(knows: bool, says: Option<&'static str>) -> impl Router {
        RouterChain::default()
            .with(read_fn(move |_, hints| hints.get::<u8>().filter(|_| knows).map(|_| blog_db())))
            .with(hint_fn(move |_, _, hints| says.filter(|_| hints.get::<u8>().is_none())))
    }

    #[test]
    fn a_router_that_needs_a_hint_passes() {
        let router = by_number(true, Some("number"));
        needs_hint(&router, Operation::Read, "number", &Hints::default().extension(&1_u8), &MODELS);
        is_deterministic(&router, &MODELS);
        agrees_when_wrapped(router, &MODELS);
    }

    #[test]
    #[should_panic(
        expected = "should need the hint `number` for a read of `blog`, but needs Some(\"tenant\")"
    )]
    fn another_hint_is_found() {
        let router = by_number(true, Some("tenant"));
        needs_hint(&router, Operation::Read, "number", &Hints::default().extension(&1_u8), &MODELS);
    }

    #[test]
    #[should_panic(expected = "should need the hint `number` for a write of `blog`, but needs None")]
    fn a_hint_that_is_not_named_is_found() {
        let router = by_number(true, None);
        needs_hint(&router, Operation::Write, "number", &Hints::default().extension(&1_u8), &MODELS);
    }

    #[test]
    #[should_panic(expected = "has no opinion on a read of `blog` although the hint `number` is given")]
    fn a_hint_for_nothing_is_found() {
        let router = by_number(false, Some("number"));
        needs_hint(&router, Operation::Read, "number", &Hints::default().extension(&1_u8), &MODELS);
    }

    #[test]
    #[should_panic(expected = "answers Some(\"blog_db\") for a read of `blog` without the hint `number`")]
    fn a_guess_without_the_hint_is_found() {
        let router = read_fn(|_, _| Some(blog_db()));
        needs_hint(&router, Operation::Read, "number", &Hints::default().extension(&1_u8), &MODELS);
    }

    #[test]
    #[should_panic(expected = "answer differently on `blog`")]
    fn a_wrapper_that_loses_the_hint_is_found() {
        #[derive(Debug)]
        struct Forgetful<R>(R);

        impl<R: Router> Router for Forgetful<R> {
            fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
                self.0.db_for_read(model, hints)
            }
        }

        let needs = hint_fn(|_, _, _| Some("tenant"));
        agree(&needs, &Forgetful(needs), &MODELS);
    }

    #[test]
    fn a_known_alias_passes() {
        answers_only(&write_fn(|_, _| Some(blog_db())), &[blog_db()], &MODELS);
    }

    #[test]
    #[should_panic(
        expected = "WriteFn sends a write of `blog` to \"blog_db\", which is none of [\"default\"]"
    )]
    fn an_unknown_alias_is_found() {
        answers_only(&write_fn(|_, _| Some(blog_db())), &["default".into()], &MODELS);
    }

    #[test]
    #[should_panic(expected = "answers differently on `blog`")]
    fn a_change_of_mind_is_found() {
        let turn = AtomicBool::new(false);
        is_deterministic(&read_fn(|_, _| turn.fetch_xor(true, Ordering::Relaxed).then(blog_db)), &MODELS);
    }

    #[test]
    #[should_panic(expected = "as a chain's only member")]
    fn an_answer_that_is_lost_in_a_chain_is_found() {
        // Both sides of three comparisons ask each of two models once, then the bare router is asked once more.
        let left = AtomicUsize::new(13);
        let runs_dry = read_fn(move |_, _| (left.fetch_sub(1, Ordering::Relaxed) > 0).then(blog_db));
        agrees_when_wrapped(runs_dry, &MODELS);
    }

    #[test]
    #[should_panic(expected = "answer differently on `blog`")]
    fn a_wrapper_that_forgets_a_method_is_found() {
        #[derive(Debug)]
        struct Forgetful<R>(R);

        impl<R: Router> Router for Forgetful<R> {
            fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
                self.0.db_for_read(model, hints)
            }
        }

        let writes = write_fn(|_, _| Some(blog_db()));
        agree(&writes, &Forgetful(writes), &MODELS);
    }

    #[test]
    #[should_panic(expected = "reads `blog` from None but writes it to Some(\"blog_db\")")]
    fn a_read_that_misses_its_write_is_found() {
        reads_where_it_writes(&write_fn(|_, _| Some(blog_db())), &MODELS);
    }
}
