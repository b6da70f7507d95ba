//! What holds for every set of rules.

use proptest::prelude::*;
use router_core::{
    Alias, AppLabel, DatabaseRule, Hints, Model, Operation, Operations, Router, RouterChain, RuleError,
    RuleRouter,
};

const APPS: [&str; 5] = ["blog", "shop", "users", "events", "legacy"];

/// Any databases, claims and unmanaged apps, most of them contradictory.
fn any_rules() -> impl Strategy<Value = (Vec<DatabaseRule>, Vec<AppLabel>)> {
    let operations = prop::sample::subsequence(Operation::ALL.to_vec(), 0..=3);
    let apps = prop::sample::subsequence(APPS.to_vec(), 0..=3);
    let alias = || prop::option::weighted(0.2, 0..6_usize);
    let database = (operations, apps, alias(), alias(), prop::bool::weighted(0.9));
    let databases = prop::collection::vec(database, 1..6).prop_map(|databases| {
        let rules =
            databases.into_iter().enumerate().map(|(index, (operations, apps, target, primary, migrate))| {
                let mut rule = DatabaseRule::new(format!("db{index}")).apps(apps);
                rule.operations = Some(operations.into_iter().collect::<Operations>());
                rule.migrate_to = target.map(name);
                rule.replica_of = primary.map(name);
                rule.migrate = (!migrate).then_some(false);
                rule
            });
        rules.collect()
    });
    let unmanaged = prop::sample::subsequence(APPS.map(AppLabel::new).to_vec(), 0..=1);
    (databases, unmanaged)
}

/// Rules that agree with each other, made by dropping from any rules what is refused.
fn sound_rules() -> impl Strategy<Value = RuleRouter> {
    any_rules().prop_map(|(mut rules, unmanaged)| {
        loop {
            match RuleRouter::compile("db0", rules.clone(), unmanaged.clone()) {
                Ok(router) => return router,
                Err(errors) => {
                    for error in errors {
                        let rule = rules.iter_mut().find(|rule| rule.alias == *error.alias()).unwrap();
                        (rule.migrate_to, rule.replica_of) = (None, None);
                        rule.apps.pop();
                        if let RuleError::AllowsNothing { .. } = error {
                            rule.operations = None;
                        }
                    }
                }
            }
        }
    })
}

fn name(index: usize) -> Alias {
    Alias::new(format!("db{index}"))
}

fn models() -> impl Iterator<Item = Model<'static>> {
    APPS.into_iter().chain(["unheard_of"]).map(Model::app)
}

proptest! {
    #[test]
    fn every_answer_names_a_database_that_claims_the_operation(rules in sound_rules()) {
        let hints = Hints::default();
        for model in models() {
            for (operation, alias) in [
                (Operation::Read, rules.db_for_read(&model, &hints)),
                (Operation::Write, rules.db_for_write(&model, &hints)),
            ] {
                let claims: Vec<_> = rules.claims(model.app).filter(|claim| claim.operations.contains(operation)).collect();
                prop_assert!(claims.len() <= 1);
                prop_assert_eq!(alias.as_ref(), claims.first().map(|claim| claim.database));
                if let Some(alias) = alias {
                    prop_assert!(rules.allows(&alias, operation));
                }
            }
        }
    }

    #[test]
    fn every_app_has_at_most_one_target_which_may_migrate(rules in sound_rules()) {
        let chain = RouterChain::new(rules.default_alias().clone()).with(rules.clone());
        for model in models() {
            let targets: Vec<_> = rules
                .databases()
                .filter(|rule| chain.migration_allowed(&rule.alias, &model, &Hints::default()))
                .collect();
            prop_assert!(targets.len() <= 1);
            prop_assert!(targets.iter().all(|rule| rule.may_migrate()));
            let aliases: Vec<_> = targets.iter().map(|rule| &rule.alias).collect();
            prop_assert_eq!(aliases, rules.targets(model.app).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_explanation_never_differs_from_the_answer(rules in sound_rules()) {
        let chain = RouterChain::new("db0").with(RouterChain::default().with(rules.clone()));
        let hints = Hints::default();
        for model in models() {
            for operation in Operation::ALL {
                let (answer, explained) = (chain.route(operation, &model, &hints), chain.explain(operation, &model, &hints));
                prop_assert_eq!(answer.alias(), explained.alias());
                prop_assert_eq!(answer.is_fallback(), explained.is_fallback());
            }
            for rule in rules.databases() {
                prop_assert_eq!(
                    chain.migration_allowed(&rule.alias, &model, &hints),
                    chain.explain_migration(&rule.alias, &model, &hints).is_allowed()
                );
            }
        }
    }

    #[test]
    fn nesting_changes_no_answer(a in sound_rules(), b in sound_rules(), c in sound_rules()) {
        let hints = Hints::default();
        let nest = |one: RouterChain| RouterChain::new("elsewhere").with(one);
        let flat = RouterChain::new("db0").with(a.clone()).with(b.clone()).with(c.clone());
        let left = RouterChain::new("db0")
            .with(nest(RouterChain::default().with(a.clone()).with(b.clone())))
            .with(c.clone());
        let right = RouterChain::new("db0").with(a).with(nest(RouterChain::default().with(b).with(c)));
        for model in models() {
            for operation in [Operation::Read, Operation::Write] {
                let expected = flat.route(operation, &model, &hints).into_alias();
                prop_assert_eq!(left.route(operation, &model, &hints).into_alias(), expected.clone());
                prop_assert_eq!(right.route(operation, &model, &hints).into_alias(), expected);
            }
            for database in (0..6).map(name) {
                let expected = flat.migration_allowed(&database, &model, &hints);
                prop_assert_eq!(left.migration_allowed(&database, &model, &hints), expected);
                prop_assert_eq!(right.migration_allowed(&database, &model, &hints), expected);
            }
        }
    }

    #[test]
    fn compiling_never_panics_and_names_what_exists((rules, unmanaged) in any_rules()) {
        if let Err(errors) = RuleRouter::compile("db0", rules.clone(), unmanaged) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(rules.iter().any(|rule| rule.alias == *error.alias()));
            }
        }
    }
}
