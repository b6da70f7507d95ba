//! How routers are asked, who decides, and what holds where none does.

use std::sync::Arc;

use router_core::{
    Alias, ChainError, DatabaseRule, Hints, Model, NoRouter, Operation, Reason, Router, RouterChain,
    RuleRouter, ShardKey, hint_fn, migrate_fn, read_fn, relation_fn, write_fn,
};

const READ: Operation = Operation::Read;
const WRITE: Operation = Operation::Write;

fn always(alias: &'static str) -> impl Router {
    read_fn(move |_, _| Some(alias.into()))
}

fn rules() -> RuleRouter {
    let rules = [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")];
    RuleRouter::compile("default", rules, []).unwrap()
}

#[test]
fn the_first_opinion_decides() {
    let chain = RouterChain::default()
        .with(NoRouter)
        .with_named("first", always("a"))
        .with_named("second", always("b"));
    let decision = chain.route(READ, &Model::app("blog"), &Hints::default());
    assert_eq!(decision.alias(), "a");
    assert_eq!(decision.reason(), &Reason::Router { name: "first".into() });
    assert_eq!(decision.to_string(), "`a`, because router `first` says so");
    assert!(decision.trace().is_none() && !decision.is_fallback());
}

#[test]
fn reads_and_writes_are_asked_apart_and_ddl_is_a_write() {
    let chain = RouterChain::default().with(always("reads")).with(write_fn(|_, _| Some("writes".into())));
    let to = |operation| chain.route(operation, &Model::app("blog"), &Hints::default()).into_alias();
    assert_eq!(to(READ), "reads");
    assert_eq!(to(WRITE), "writes");
    assert_eq!(to(Operation::Migrate), "writes");
    assert_eq!(chain.explain(Operation::Migrate, &Model::app("blog"), &Hints::default()).alias(), "writes");
}

#[test]
fn nobody_decides_and_the_instance_goes_before_the_default() {
    let chain = RouterChain::new("main").with(NoRouter);
    let (archive, model) = (Alias::new("archive"), Model::app("blog"));
    for operation in [READ, WRITE] {
        let decision = chain.route(operation, &model, &Hints::default());
        assert_eq!((decision.alias().as_str(), decision.reason()), ("main", &Reason::Default));
        let hints = Hints::default().instance(&archive);
        let decision = chain.route(operation, &model, &hints);
        assert_eq!((decision.alias(), decision.reason()), (&archive, &Reason::Instance));
        assert_eq!(chain.explain(operation, &model, &hints).reason(), &Reason::Instance);
        assert!(decision.is_fallback() && decision.decider().is_none());
    }
}

#[test]
fn an_opinion_goes_before_the_instance() {
    let archive = Alias::new("archive");
    let chain = RouterChain::default().with(rules());
    assert_eq!(
        chain.route(READ, &Model::app("blog"), &Hints::default().instance(&archive)).alias(),
        "blog_db"
    );
}

#[test]
fn the_default_chain_has_the_default_alias() {
    let chain = RouterChain::default();
    assert_eq!(chain.default_alias(), "default");
    assert_eq!(chain.route(READ, &Model::app("blog"), &Hints::default()).alias(), "default");
}

#[test]
fn a_relation_is_allowed_where_both_are_written() {
    let (blog, users, hints) = (Model::app("blog"), Model::app("users"), Hints::default());
    let chain = RouterChain::default().with(rules());
    assert!(chain.relation_allowed(&blog, &blog, &hints));
    assert!(!chain.relation_allowed(&blog, &users, &hints));
    assert_eq!(
        chain.explain_relation(&blog, &users, &hints).to_string(),
        "no, because the one is written to `blog_db` and the other to `default`"
    );
    assert_eq!(
        chain.explain_relation(&users, &users, &hints).to_string(),
        "yes, because both are written to `default`"
    );

    let reads_apart = RouterChain::default().with(read_fn(|model, _| Some(model.app.into())));
    assert!(reads_apart.relation_allowed(&blog, &users, &hints));
}

#[test]
fn some_false_decides_a_relation() {
    let (blog, hints) = (Model::app("blog"), Hints::default());
    let chain = RouterChain::default()
        .with_named("never", relation_fn(|_, _, _| Some(false)))
        .with(relation_fn(|_, _, _| Some(true)));
    assert!(!chain.relation_allowed(&blog, &blog, &hints));
    let verdict = chain.explain_relation(&blog, &blog, &hints);
    assert_eq!(verdict.to_string(), "no, because router `never` says so");
    assert_eq!(verdict.trace().to_string(), "never: no\n");
}

#[test]
fn migrations_of_an_undecided_app_run_on_the_default_alone() {
    let (blog, hints) = (Model::app("blog"), Hints::default());
    let chain = RouterChain::new("main").with(NoRouter);
    assert!(chain.migration_allowed(&"main".into(), &blog, &hints));
    assert!(!chain.migration_allowed(&"other".into(), &blog, &hints));
    let verdict = chain.explain_migration(&"other".into(), &blog, &hints);
    assert_eq!(verdict.reason(), &Reason::OnlyDefault { default: "main".into() });
}

#[test]
fn some_false_decides_a_migration() {
    let (blog, hints) = (Model::app("blog"), Hints::default());
    let chain = RouterChain::default().with_named("frozen", migrate_fn(|_, _, _| Some(false))).with(rules());
    let verdict = chain.explain_migration(&"blog_db".into(), &blog, &hints);
    assert!(!verdict.is_allowed() && !chain.migration_allowed(&"blog_db".into(), &blog, &hints));
    assert_eq!(verdict.decider().map(AsRef::as_ref), Some("frozen"));
}

#[test]
fn an_explanation_tells_who_was_asked() {
    let inner = RouterChain::new("ignored").with(NoRouter).with_named("rules", rules());
    let chain =
        RouterChain::default().with_named("tenants", NoRouter).with_named("inner", inner).with(NoRouter);

    let decision = chain.explain(READ, &Model::new("blog", "posts"), &Hints::default());
    assert_eq!(decision.to_string(), "`blog_db`, because `blog_db` claims `blog` for read");
    assert_eq!(decision.decider().map(AsRef::as_ref), Some("rules"));
    assert_eq!(
        decision.trace().unwrap().to_string(),
        "tenants: no opinion\n\
         inner: `blog_db`, because `blog_db` claims `blog` for read\n  \
           NoRouter: no opinion\n  \
           rules: `blog_db`, because `blog_db` claims `blog` for read\n"
    );

    let decision = chain.explain(WRITE, &Model::app("users"), &Hints::default());
    assert_eq!(decision.to_string(), "`default`, because no database claims `users`");
    assert!(decision.is_fallback() && decision.decider().is_none());
    assert_eq!(
        decision.trace().unwrap().to_string(),
        "tenants: no opinion\n\
         inner: no opinion, because no database claims `users`\n  \
           NoRouter: no opinion\n  \
           rules: no opinion, because no database claims `users`\n\
         NoRouter: no opinion\n"
    );
}

#[test]
fn a_nested_chain_explains_migrations_too() {
    let inner = RouterChain::default().with_named("rules", rules());
    let chain = RouterChain::default().with_named("inner", Arc::new(inner));
    let verdict = chain.explain_migration(&"default".into(), &Model::app("blog"), &Hints::default());
    assert_eq!(verdict.to_string(), "no, because migrations of `blog` run on `blog_db`");
    assert_eq!(verdict.decider().map(AsRef::as_ref), Some("rules"));
}

#[test]
fn a_nested_chain_does_not_fall_back() {
    let inner = RouterChain::new("inner_default").with(NoRouter);
    let model = Model::app("blog");
    assert_eq!(inner.db_for_read(&model, &Hints::default()), None);
    assert_eq!(inner.allow_migrate(&"inner_default".into(), &model, &Hints::default()), None);
    assert_eq!(inner.allow_relation(&model, &model, &Hints::default()), None);
    let outer = RouterChain::new("outer_default").with(inner);
    assert_eq!(outer.route(READ, &model, &Hints::default()).alias(), "outer_default");
}

#[test]
fn a_router_may_say_why() {
    #[derive(Debug)]
    struct Tenants;

    impl Router for Tenants {
        fn db_for_write(&self, _: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
            hints.shard_key.map(|key| Alias::new(format!("tenant_{key}")))
        }

        fn reason(&self, _: Operation, _: &Model<'_>, hints: &Hints<'_>) -> Option<Reason> {
            let key = hints.shard_key?;
            Some(Reason::stated(format!("tenant {key} lives there")))
        }
    }

    let key = ShardKey::from(7);
    let chain = RouterChain::default().with(Tenants);
    let decision = chain.explain(WRITE, &Model::app("blog"), &Hints::default().shard_key(&key));
    assert_eq!(decision.to_string(), "`tenant_7`, because tenant 7 lives there");
    assert_eq!(decision.decider().map(AsRef::as_ref), Some("Tenants"));
    let undecided = chain.explain(WRITE, &Model::app("blog"), &Hints::default());
    assert_eq!(undecided.to_string(), "`default`, because no router decided");
}

#[test]
fn a_router_goes_by_its_type_unless_named() {
    let mut chain = RouterChain::default()
        .with(NoRouter)
        .with(read_fn(|_, _| None))
        .with(Box::new(NoRouter))
        .with(RouterChain::default())
        .with_named("mine", NoRouter)
        .with_boxed("boxed", Box::new(NoRouter));
    chain.push("shared".to_owned(), Arc::new(NoRouter));
    let names: Vec<_> = chain.names().map(AsRef::as_ref).collect();
    assert_eq!(names, ["NoRouter", "ReadFn", "Box<NoRouter>", "RouterChain", "mine", "boxed", "shared"]);
}

#[test]
fn an_unknown_alias_is_an_error_that_names_the_router() {
    let inner = RouterChain::default().with_named("stats", always("blog_bd"));
    let chain =
        RouterChain::default().with_named("inner", inner).with_aliases(["default".into(), "blog_db".into()]);
    let hints = Hints::default();
    let error = chain.try_route(READ, &Model::app("blog"), &hints).unwrap_err();
    assert_eq!(
        error.to_string(),
        "router `stats` answered with unknown database `blog_bd`; did you mean `blog_db`?"
    );
    assert_eq!(chain.try_route(WRITE, &Model::app("blog"), &hints).unwrap().alias(), "default");

    let gone = Alias::new("gone");
    let error = chain.try_route(WRITE, &Model::app("blog"), &hints.instance(&gone)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no router decided, and it fell to unknown database `gone`; declare it under `databases`"
    );
    let ChainError::UnknownAlias(error) = error else { panic!("{error}") };
    assert_eq!((error.router(), error.suggestion(), error.alias()), (None, None, &gone));
}

#[test]
fn without_known_aliases_every_alias_passes() {
    let chain = RouterChain::default().with(always("anything"));
    assert_eq!(chain.try_route(READ, &Model::app("blog"), &Hints::default()).unwrap().alias(), "anything");
}

#[test]
#[should_panic(expected = "the directory is down")]
fn a_panic_is_never_read_as_no_opinion() {
    let chain = RouterChain::default().with(read_fn(|_, _| panic!("the directory is down"))).with(rules());
    let _ = chain.route(READ, &Model::app("blog"), &Hints::default());
}

#[test]
fn chains_are_values_and_may_differ_in_one_program() {
    let one = RouterChain::new("one");
    let other = one.clone().with(always("other"));
    assert_eq!(one.route(READ, &Model::app("blog"), &Hints::default()).alias(), "one");
    assert_eq!(other.route(READ, &Model::app("blog"), &Hints::default()).alias(), "other");
}

struct Tenant(&'static str);
struct Unrelated;

/// Says where posts are by a hint.
#[derive(Debug)]
struct ByTenant;

impl Router for ByTenant {
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.db_for_write(model, hints)
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        hints.get::<Tenant>().filter(|_| model.app == "blog").map(|tenant| Alias::new(tenant.0))
    }

    fn missing_hint(&self, _: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<&'static str> {
        (model.app == "blog" && hints.get::<Tenant>().is_none()).then_some("tenant")
    }
}

#[test]
fn a_missing_hint_stops_the_chain() {
    let chain = RouterChain::default().with(NoRouter).with(ByTenant).with(rules());
    let (blog, users, archive) = (Model::app("blog"), Model::app("users"), Alias::new("archive"));
    // A hint of another type is as good as none, and the database of an instance does not take the place of one.
    for hints in
        [Hints::default(), Hints::default().extension(&Unrelated), Hints::default().instance(&archive)]
    {
        for operation in Operation::ALL {
            let decision = chain.route(operation, &blog, &hints);
            let missing = decision.missing_hint().unwrap();
            assert_eq!((missing.router().as_ref(), missing.hint()), ("ByTenant", "tenant"));
            assert_eq!(decision.alias(), "", "no database is called so");
            assert!(!decision.is_fallback());
            assert_eq!(decision.decider().map(AsRef::as_ref), Some("ByTenant"));
            let refused = chain.try_route(operation, &blog, &hints).unwrap_err();
            assert_eq!(refused, ChainError::MissingHint(missing.clone()));
            let explained = chain.explain(operation, &blog, &hints);
            assert_eq!(explained.missing_hint(), Some(missing));
            assert_eq!(
                explained.trace().unwrap().to_string(),
                "NoRouter: no opinion\nByTenant: needs `tenant`\n"
            );
        }
        assert_eq!(chain.route(READ, &users, &hints).missing_hint(), None);
    }
    let given = Hints::default().extension(&Tenant("acme"));
    assert_eq!(chain.route(WRITE, &blog, &given).alias(), "acme");
    assert_eq!(chain.explain(READ, &blog, &given).missing_hint(), None);
    // Migrations are decided without it.
    assert!(chain.migration_allowed(&"blog_db".into(), &blog, &Hints::default()));
}

#[test]
fn an_opinion_before_a_missing_hint_decides() {
    let chain = RouterChain::default().with(rules()).with(ByTenant);
    assert_eq!(chain.route(READ, &Model::app("blog"), &Hints::default()).alias(), "blog_db");
    let never_asked = hint_fn(|_, _, _| panic!("it had an opinion"));
    let chain = RouterChain::default().with(rules()).with(never_asked);
    assert_eq!(chain.route(READ, &Model::app("blog"), &Hints::default()).alias(), "blog_db");
}

#[test]
fn a_nested_chain_passes_a_missing_hint_on() {
    let inner = RouterChain::new("ignored").with(NoRouter).with_named("tenants", Arc::new(ByTenant));
    let inner = inner.with(always("a_wrong_one")).with_named("rules", rules());
    let middle = RouterChain::new("ignored").with_named("inner", Box::new(inner));
    let chain = RouterChain::default().with_named("middle", middle).with(always("a_wrong_one"));
    let (blog, hints) = (Model::app("blog"), Hints::default());
    let decision = chain.route(READ, &blog, &hints);
    assert_eq!(decision.to_string(), "no database, because router `tenants` needs the hint `tenant`");
    let explained = chain.explain(READ, &blog, &hints);
    assert_eq!(explained.to_string(), decision.to_string());
    assert_eq!(
        explained.trace().unwrap().to_string(),
        "middle: needs `tenant`, because router `tenants` needs the hint `tenant`\n  \
           inner: needs `tenant`, because router `tenants` needs the hint `tenant`\n    \
             NoRouter: no opinion\n    \
             tenants: needs `tenant`\n"
    );
    let given = Hints::default().extension(&Tenant("acme"));
    assert_eq!(chain.route(READ, &blog, &given).alias(), "acme");
}

#[test]
fn a_hint_may_be_missing_for_one_side_only() {
    let for_writes = hint_fn(|operation, _, _| (operation == WRITE).then_some("tenant"));
    let chain = RouterChain::default().with(for_writes);
    let missing = |operation| {
        let decision = chain.route(operation, &Model::app("blog"), &Hints::default());
        decision.missing_hint().map(|missing| missing.hint())
    };
    assert_eq!([READ, WRITE, Operation::Migrate].map(missing), [None, Some("tenant"), Some("tenant")]);
}

#[test]
fn a_relation_between_places_that_nobody_can_name_is_not_allowed() {
    let (blog, hints) = (Model::app("blog"), Hints::default());
    let chain = RouterChain::default().with(ByTenant);
    assert!(!chain.relation_allowed(&blog, &blog, &hints));
    assert!(!chain.relation_allowed(&Model::app("users"), &blog, &hints));
    assert_eq!(
        chain.explain_relation(&blog, &blog, &hints).to_string(),
        "no, because router `ByTenant` needs the hint `tenant`"
    );
    let given = Hints::default().extension(&Tenant("acme"));
    assert!(chain.relation_allowed(&blog, &blog, &given));
    assert!(chain.with(relation_fn(|_, _, _| Some(true))).relation_allowed(&blog, &blog, &hints));
}
