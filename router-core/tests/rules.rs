//! What the rules of a configuration mean, as data.
//!
//! A line of rules declares a database, `blog_db: apps blog, operations read write, migrate_to admin`, or says
//! `unmanaged: blog`. Its place is `rules:<line>:1`. An expectation is `read blog -> blog_db`, with or without
//! `because …`; `migrate blog -> admin` lists every database where migrations run; `migrate blog on admin -> yes`
//! asks for one. Rules that are refused are expected as all their errors, `refused: …`, in order.

use router_core::{
    Alias, AppLabel, DatabaseRule, Hints, Model, Operation, Operations, Place, RouterChain, RuleError,
    RuleRouter,
};

fn check(rules: &str, expectations: &str) {
    let expected: Vec<_> = expectations.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let actual: Vec<_> = match compile(rules) {
        Ok(rules) => expected.iter().map(|line| answer(&rules, line)).collect(),
        Err(errors) => errors.iter().map(|error| format!("refused: {error}")).collect(),
    };
    assert_eq!(actual.join("\n"), expected.join("\n"));
}

fn compile(text: &str) -> Result<RuleRouter, Vec<RuleError>> {
    let mut unmanaged = Vec::new();
    let mut databases = Vec::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for (number, line) in (1..).zip(lines) {
        let (alias, settings) = line.split_once(':').unwrap_or((line, ""));
        if alias == "unmanaged" {
            unmanaged.extend(settings.split_whitespace().map(AppLabel::new));
            continue;
        }
        let rule = DatabaseRule::new(alias).place(Place::new("rules", number, 1));
        databases.push(settings.split(',').map(str::trim).fold(rule, set));
    }
    RuleRouter::compile("default", databases, unmanaged)
}

fn set(rule: DatabaseRule, setting: &str) -> DatabaseRule {
    let (key, values) = setting.split_once(' ').unwrap_or((setting, ""));
    match key {
        "" => rule,
        "apps" => rule.apps(values.split_whitespace()),
        "operations" => {
            let operations: Operations =
                values.split_whitespace().map(|name| name.parse().unwrap()).collect();
            rule.operations(operations)
        }
        "migrate_to" => rule.migrate_to(values),
        "replica_of" => rule.replica_of(values),
        "migration_history" => rule.migration_history(values),
        "migrate" if values == "true" => {
            let mut rule = rule;
            rule.migrate = Some(true);
            rule
        }
        "migrate" => rule.without_migrations(),
        _ => panic!("no setting is called `{key}`"),
    }
}

/// The expectation's question, with the answer that the rules give.
fn answer(rules: &RuleRouter, expectation: &str) -> String {
    let chain = RouterChain::new(rules.default_alias().clone()).with_named("rules", rules.clone());
    let hints = Hints::default();
    let (question, answer) = expectation.split_once(" -> ").expect("an expectation has an arrow");
    let (operation, subject) = question.split_once(' ').expect("an expectation has an operation");
    let (app, database) = match subject.split_once(" on ") {
        Some((app, database)) => (app, Some(Alias::new(database))),
        None => (subject, None),
    };
    let model = Model::app(app);
    let operation: Operation = operation.parse().unwrap();

    let (alias, reason) = match (operation, database) {
        (Operation::Migrate, Some(database)) => {
            let verdict = chain.explain_migration(&database, &model, &hints);
            assert_eq!(verdict.is_allowed(), chain.migration_allowed(&database, &model, &hints));
            (if verdict.is_allowed() { "yes" } else { "no" }.to_owned(), verdict.reason().to_string())
        }
        (Operation::Migrate, None) => {
            let targets: Vec<_> = rules
                .databases()
                .map(|rule| &rule.alias)
                .filter(|alias| chain.migration_allowed(alias, &model, &hints))
                .collect();
            assert_eq!(targets, rules.targets(app).collect::<Vec<_>>(), "targets of `{app}`");
            let targets = targets.iter().map(|alias| alias.as_str()).collect::<Vec<_>>().join(", ");
            (if targets.is_empty() { "nowhere".to_owned() } else { targets }, String::new())
        }
        (operation, _) => {
            let decision = chain.explain(operation, &model, &hints);
            assert_eq!(decision.alias(), chain.route(operation, &model, &hints).alias());
            (decision.alias().to_string(), decision.reason().to_string())
        }
    };
    if answer.contains(" because ") {
        format!("{question} -> {alias} because {reason}")
    } else {
        format!("{question} -> {alias}")
    }
}

#[test]
fn a_claim_is_for_all_three_operations() {
    check(
        "default
         warehouse: apps events",
        "read events -> warehouse because `warehouse` claims `events` for read (rules:2:1)
         write events -> warehouse because `warehouse` claims `events` for write (rules:2:1)
         migrate events -> warehouse
         migrate events on warehouse -> yes because migrations of `events` run on `warehouse` (rules:2:1)
         migrate events on default -> no because migrations of `events` run on `warehouse` (rules:2:1)",
    );
}

#[test]
fn an_unclaimed_app_is_on_the_default_database() {
    check(
        "warehouse: apps events
         default",
        "read users -> default because no database claims `users`
         write users -> default because no database claims `users`
         migrate users -> default
         migrate users on warehouse -> no because no router decided and migrations then run on `default` alone",
    );
}

#[test]
fn a_path_and_its_last_segment_are_one_label() {
    check(
        "default
         blog_db: apps apps.blog",
        "read blog -> blog_db
         read shop.blog -> blog_db
         migrate apps.blog -> blog_db",
    );
}

#[test]
fn operations_may_be_claimed_apart() {
    check(
        "default
         reports: apps events, operations read
         intake: apps events, operations write migrate",
        "read events -> reports because `reports` claims `events` for read (rules:2:1)
         write events -> intake because `intake` claims `events` for write (rules:3:1)
         migrate events -> intake",
    );
}

#[test]
fn what_nobody_claims_falls_to_the_default() {
    check(
        "default
         reports: apps events, operations read",
        "read events -> reports
         write events -> default because no database claims `events` for write
         migrate events -> default
         migrate events on reports -> no because no migration runs on `reports` (rules:2:1)
         migrate events on default -> yes because migrations of `events` run on `default`",
    );
}

#[test]
fn migrate_to_sends_migrations_elsewhere() {
    check(
        "default
         pooled: apps blog, operations read write, migrate_to owner
         owner",
        "write blog -> pooled
         migrate blog -> owner
         migrate blog on owner -> yes because migrations of `blog` run on `owner` (rules:2:1)
         migrate blog on default -> no because migrations of `blog` run on `owner` (rules:2:1)",
    );
}

#[test]
fn migrate_to_goes_before_an_own_migrate() {
    check(
        "default
         pooled: apps blog, migrate_to owner
         owner",
        "migrate blog -> owner
         migrate blog on pooled -> no",
    );
}

#[test]
fn the_first_claim_that_speaks_of_migrations_decides() {
    check(
        "default
         reader: apps blog, operations read
         writer: apps blog, operations write, migrate_to first
         first
         second",
        "migrate blog -> first",
    );
}

#[test]
fn an_unmanaged_app_is_migrated_nowhere() {
    check(
        "default
         crm: apps legacy
         unmanaged: apps.legacy billing",
        "read legacy -> crm
         migrate legacy -> nowhere
         migrate legacy on crm -> no because `legacy` is not managed
         migrate billing -> nowhere
         read billing -> default because no database claims `billing`",
    );
}

#[test]
fn migrate_false_holds_for_every_app() {
    check(
        "default: migrate false
         crm: apps legacy, migrate false",
        "write legacy -> crm
         migrate legacy -> nowhere
         migrate users -> nowhere
         migrate users on default -> no because no migration runs on `default` (rules:1:1)",
    );
}

#[test]
fn a_replica_is_never_a_target() {
    check(
        "default
         copy: replica_of default
         reports: replica_of default, apps stats, operations read",
        "read stats -> reports
         migrate stats -> default
         migrate stats on copy -> no because no migration runs on `copy` (rules:2:1)
         migrate users -> default",
    );
}

#[test]
fn unknown_names_are_refused() {
    check(
        "main
         copy: replica_of mian
         blog_db: apps blog, migrate_to owner",
        "refused: the default `default` names no database; declare it under `databases`
         refused: rules:2:1: `copy` is a replica of unknown database `mian`; declare that one too
         refused: rules:3:1: `blog_db` has `migrate_to` unknown database `owner`; declare that one too",
    );
}

#[test]
fn an_app_claimed_twice_is_refused() {
    check(
        "default: apps users
         a: apps blog shop, operations read write
         b: apps apps.blog shop, operations write migrate
         c: apps x x",
        "refused: rules:3:1: `b` claims `blog` for write, as `a` does already; remove the app from one of the two
         refused: rules:3:1: `b` claims `shop` for write, as `a` does already; remove the app from one of the two
         refused: rules:4:1: `c` claims `x` twice for read, write, migrate; remove one of the two",
    );
}

#[test]
fn a_target_that_may_not_migrate_is_refused() {
    check(
        "default: migrate_to copy
         copy: replica_of default
         frozen: migrate false
         reader: operations read
         a: apps a, migrate_to frozen
         b: apps b, migrate_to reader
         c: apps c, operations read, migrate_to c",
        "refused: rules:1:1: `default` has `migrate_to: copy`, on which no migration may run; allow `migrate` there or name another database
         refused: rules:5:1: `a` has `migrate_to: frozen`, on which no migration may run; allow `migrate` there or name another database
         refused: rules:6:1: `b` has `migrate_to: reader`, on which no migration may run; allow `migrate` there or name another database
         refused: rules:7:1: `c` has `migrate_to: c`, on which no migration may run; allow `migrate` there or name another database",
    );
}

#[test]
fn an_odd_replica_is_refused() {
    check(
        "default
         narcissus: replica_of narcissus
         copy: replica_of default
         copy_of_copy: replica_of copy
         busy: replica_of default, apps blog",
        "refused: rules:2:1: `narcissus` is a replica of itself; name its primary in `replica_of`
         refused: rules:4:1: `copy_of_copy` is a replica of `copy`, which is a replica too; name their primary in `replica_of`
         refused: rules:5:1: replica `busy` claims apps for write, migrate; a replica is only read: set `operations: [read]` or claim the apps on its primary",
    );
}

#[test]
fn a_claim_that_is_never_reached_is_refused() {
    check(
        "default
         idle: apps blog, operations
         pooled: apps shop, operations read write, migrate_to owner
         owner: apps shop, operations migrate
         crm: apps legacy, operations migrate
         unmanaged: legacy",
        "refused: rules:2:1: the claim of `idle` on `blog` can never be reached: its `operations` are empty; name some or remove the app
         refused: rules:4:1: the claim of `owner` on `shop` can never be reached: by `pooled` the app's migrations run on `owner`; remove one of the two
         refused: rules:5:1: the claim of `crm` on `legacy` can never be reached: the app is `managed: false`; remove one of the two",
    );
}

#[test]
fn a_circle_is_refused_once() {
    check(
        "default
         a: replica_of b
         b: replica_of c
         c: replica_of a
         d: replica_of a
         e: apps e, migrate_to f
         f: apps f, migrate_to e
         g: apps g, migrate_to g",
        "refused: rules:2:1: `replica_of` leads in a circle: `a` → `b` → `c` → `a`; declare one of them as the primary
         refused: rules:5:1: `d` is a replica of `a`, which is a replica too; name their primary in `replica_of`
         refused: rules:6:1: `migrate_to` leads in a circle: `e` → `f` → `e`; remove it from one of them
         refused: rules:8:1: `migrate_to` leads in a circle: `g` → `g`; remove it from one of them",
    );
}

#[test]
fn a_replica_gets_its_migrations_from_its_primary() {
    check(
        "default
         copy: replica_of default, migrate true, migrate_to default, migration_history default
         busy: replica_of default, operations read write",
        "refused: rules:2:1: replica `copy` has `migrate`; a replica is only read: put `migrate` on its primary
         refused: rules:2:1: replica `copy` has `migrate_to`; a replica is only read: put `migrate_to` on its primary
         refused: rules:2:1: replica `copy` has `migration_history`; a replica is only read: put `migration_history` on its primary
         refused: rules:3:1: replica `busy` claims apps for write; a replica is only read: set `operations: [read]` or claim the apps on its primary",
    );
}

#[test]
fn a_default_that_nobody_can_write_to_is_refused() {
    check(
        "default: replica_of main
         main",
        "refused: rules:1:1: the default `default` is a replica; make its primary the default",
    );
}

#[test]
fn settings_of_migrations_that_never_run_are_refused() {
    check(
        "default: migrate_to owner
         owner
         frozen: migrate false, migration_history default
         reader: operations read, migration_history default
         sender: apps blog, operations read write, migrate_to owner, migration_history default
         lost: migration_history nobody
         kept: migration_history copy
         copy: replica_of default
         idle: apps shop news, operations migrate, migrate false
         nothing: operations",
        "refused: rules:1:1: `default` has `migrate_to` and claims no app; claim the apps or remove it
         refused: rules:3:1: `frozen` has `migration_history` and no migration runs on it: it is `migrate: false`; remove one of the two
         refused: rules:4:1: `reader` has `migration_history` and no migration runs on it: its `operations` lack `migrate`; remove one of the two
         refused: rules:6:1: `lost` has `migration_history` on unknown database `nobody`; declare that one too
         refused: rules:7:1: `kept` has `migration_history: copy`, which is a replica; name a database that can be written
         refused: rules:9:1: the claim of `idle` on `shop` can never be reached: it is about migrations alone, and its database is `migrate: false`; remove one of the two
         refused: rules:9:1: the claim of `idle` on `news` can never be reached: it is about migrations alone, and its database is `migrate: false`; remove one of the two
         refused: rules:10:1: the `operations` of `nothing` are empty; name some, or leave them out for all three",
    );
}

#[test]
fn an_error_about_a_claim_knows_its_position() {
    let errors = compile("default: apps users blog\n blog_db: apps shop news blog").unwrap_err();
    let RuleError::ClaimedTwice { first_position, position, .. } = &errors[0] else { panic!("{errors:?}") };
    assert_eq!((errors.len(), *first_position, *position), (1, 1, 2));
}

#[test]
fn an_alias_that_could_be_mistaken_is_refused() {
    check(
        "default
         blog_db
         Blog_DB
         blog_db",
        "refused: rules:3:1: `Blog_DB` is spelt like `blog_db` but for case; give one of the two another name
         refused: rules:4:1: `blog_db` is declared twice; give one of the two another name",
    );
}

#[test]
fn an_error_knows_both_places() {
    let errors = compile("default: apps blog\n blog_db: apps blog").unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].alias(), "blog_db");
    assert_eq!(errors[0].place().map(Place::line), Some(2));
    assert_eq!(errors[0].other_place().map(Place::line), Some(1));
}

#[test]
fn operations_say_what_may_be_done_at_all() {
    let rules = compile(
        "default
         copy: replica_of default
         frozen: migrate false
         reader: operations read",
    )
    .unwrap();
    for (alias, operations) in
        [("default", "read, write, migrate"), ("copy", "read"), ("frozen", "read, write"), ("reader", "read")]
    {
        let allowed = rules.operations_of(&alias.into()).map(|operations| operations.to_string());
        assert_eq!(allowed.as_deref(), Some(operations), "{alias}");
    }
    assert!(rules.allows(&"frozen".into(), Operation::Write));
    assert!(!rules.allows(&"copy".into(), Operation::Write));
    assert!(!rules.allows(&"nobody".into(), Operation::Read));
    assert_eq!(rules.operations_of(&"nobody".into()), None);
}

#[test]
fn apps_and_claims_are_listed_in_file_order() {
    let rules = compile(
        "default: apps users
         reports: apps shop blog, operations read
         blog_db: apps blog, operations write migrate
         unmanaged: legacy blog",
    )
    .unwrap();
    let apps: Vec<_> = rules.apps().map(AppLabel::as_str).collect();
    assert_eq!(apps, ["users", "shop", "blog", "legacy"]);
    let claims: Vec<_> =
        rules.claims("blog").map(|claim| format!("{}: {}", claim.database, claim.operations)).collect();
    assert_eq!(claims, ["reports: read", "blog_db: write, migrate"]);
    assert_eq!(rules.claims("legacy").count() + rules.claims("nobody").count(), 0);
    let databases: Vec<_> = rules.databases().map(|rule| rule.alias.as_str()).collect();
    assert_eq!(databases, ["default", "reports", "blog_db"]);
}

#[test]
fn a_claim_has_the_place_of_its_app_before_that_of_its_database() {
    let rules = [
        DatabaseRule::new("default"),
        DatabaseRule::new("blog_db")
            .place(Place::new("db.yml", 2, 3))
            .app_at("blog", Place::new("db.yml", 4, 12))
            .app("shop"),
    ];
    let rules = RuleRouter::compile("default", rules, []).unwrap();
    let place = |app| rules.claims(app).next().and_then(|claim| claim.place).map(ToString::to_string);
    assert_eq!(place("blog").as_deref(), Some("db.yml:4:12"));
    assert_eq!(place("shop").as_deref(), Some("db.yml:2:3"));
}

#[test]
fn debug_stays_short_however_many_rules_there_are() {
    let rules = compile("default\n blog_db: apps blog").unwrap();
    assert_eq!(format!("{rules:?}"), r#"RuleRouter { default: "default", databases: 2, apps: 1 }"#);
}
