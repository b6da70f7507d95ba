//! A decision allocates nothing, whoever makes it.

use allocation_counter::measure;
use router_core::{
    Alias, DatabaseRule, Hints, Model, NoRouter, Operation, Role, Router, RouterChain, RuleRouter, ShardKey,
};

#[derive(Debug)]
struct Tenants {
    database: Alias,
}

impl Router for Tenants {
    fn missing_hint(&self, _: Operation, model: &Model<'_>, _: &Hints<'_>) -> Option<&'static str> {
        (model.app == "secrets").then_some("tenant")
    }

    fn db_for_write(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
        (model.app == "tenants").then(|| self.database.clone())
    }
}

#[test]
fn a_decision_allocates_nothing() {
    let rules = [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")];
    let chain = RouterChain::new("default")
        .with(NoRouter)
        .with_named("nested".to_owned(), RouterChain::default().with(Tenants { database: "tenant_7".into() }))
        .with(RuleRouter::compile("default", rules, []).unwrap())
        .with_aliases(["default".into(), "blog_db".into(), "tenant_7".into(), "archive".into()]);
    let (archive, key) = (Alias::new("archive"), ShardKey::from(7));

    for (app, alias) in [("apps.blog", "blog_db"), ("users", "default"), ("tenants", "tenant_7")] {
        let allocations = measure(|| {
            let hints = Hints::default().shard_key(&key).role(Role::Writing);
            let model = Model::new(app, "table");
            assert_eq!(chain.route(Operation::Write, &model, &hints).alias(), alias);
            assert!(chain.try_route(Operation::Write, &model, &hints).is_ok());
        });
        assert_eq!(allocations.count_total, 0, "{app}");
    }

    let by_instance = measure(|| {
        let hints = Hints::default().instance(&archive);
        assert_eq!(chain.route(Operation::Read, &Model::app("users"), &hints).alias(), "archive");
    });
    assert_eq!(by_instance.count_total, 0);
}

#[test]
fn permissions_allocate_nothing() {
    let rules = [DatabaseRule::new("default"), DatabaseRule::new("blog_db").app("blog")];
    let chain = RouterChain::new("default").with(RuleRouter::compile("default", rules, []).unwrap());
    let database = Alias::new("blog_db");
    let allocations = measure(|| {
        let (blog, users, hints) = (Model::app("blog"), Model::app("users"), Hints::default());
        assert!(!chain.relation_allowed(&blog, &users, &hints));
        assert!(chain.migration_allowed(&database, &blog, &hints));
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn the_counter_counts() {
    assert_ne!(measure(|| drop(Alias::new("text"))).count_total, 0);
}
