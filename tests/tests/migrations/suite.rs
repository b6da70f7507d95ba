// What holds on every engine. `main.rs` includes this file once for each kind of connection.

use std::sync::{Arc, Mutex};

use diesel::backend::Backend;
use diesel::connection::BoxableConnection;
use diesel::migration::{Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion};
use router_diesel::migrate::diesel_migrations::{self, EmbeddedMigrations, embed_migrations};
use router_diesel::migrate::{
    Action, Event, FailureKind, LintCode, OnError, Outcome, Resolution, State, Target, Treat, Version,
};
use router_diesel::{Model, hint_fn, migrate_fn, read_fn, relation_fn, write_fn};

use super::world;
use crate::world::{Engine, told};

const USERS: &str = "default users 20240101000000 applied";

#[test]
fn three_databases_end_to_end() {
    let Some(world) = world("") else { return };
    world.project();

    let plan = world.migrator().plan().unwrap();
    let steps: Vec<_> = plan
        .databases
        .iter()
        .map(|database| {
            let steps: Vec<_> = database.steps.iter().map(|step| step.migration.to_string()).collect();
            format!("{} ({}): {}", database.database, database.history, steps.join(", "))
        })
        .collect();
    assert_eq!(
        steps,
        [
            "default (default): users/20240101000000_users",
            "blog_admin (default): blog/20240102000000_posts, blog/20240104000000_comments",
            "shop_db (shop_db): shop/20240102000000_products, shop/20240103000000_prices",
        ]
    );

    let report = world.migrator().migrate().unwrap();
    assert_eq!(report.done(), 5);
    assert!(report.databases.iter().all(|database| database.outcome == Outcome::Done));

    assert_eq!(world.tables("default"), "__dbrouter_migrations users");
    assert_eq!(world.tables("blog_db"), "__dbrouter_journal comments posts");
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations prices products");
    assert_eq!(
        world.records("default"),
        ["blog_admin blog 20240102000000 applied", "blog_admin blog 20240104000000 applied", USERS]
    );
    assert_eq!(
        world.records("shop_db"),
        ["shop_db shop 20240102000000 applied", "shop_db shop 20240103000000 applied"]
    );
    let status = world.migrator().status().unwrap();
    assert!(status.is_clean(), "{:?}", told(&status));
    let users = &status.database("default").unwrap().migrations[0];
    assert!(users.applied_at.as_ref().unwrap().starts_with("20"), "{users:?}");
    assert!(users.duration.is_some());

    // A second time there is nothing to do.
    let report = world.migrator().migrate().unwrap();
    assert_eq!(report.done(), 0);
    assert!(report.databases.iter().all(|database| database.outcome == Outcome::UpToDate));
}

#[test]
fn a_plan_and_a_status_write_nothing() {
    let Some(world) = world("") else { return };
    world.project();
    let before = world.dump();
    assert!(!world.migrator().plan().unwrap().is_empty());
    assert!(!world.migrator().status().unwrap().is_clean());
    world.migrator().lint().unwrap();
    assert!(world.migrator().adopt().unwrap().is_empty());
    assert_eq!(world.dump(), before);

    world.migrator().target(Target::Version("20240102000000".into())).migrate().unwrap();
    let before = world.dump();
    assert_eq!(world.migrator().plan().unwrap().databases.iter().map(|it| it.steps.len()).sum::<usize>(), 2);
    assert!(!world.migrator().status().unwrap().is_clean());
    assert_eq!(world.dump(), before);
}

#[test]
fn a_routers_word_counts_and_unmanaged_apps_stay_away() {
    let Some(world) = world("") else { return };
    world.project();
    let is_shop = |model: &Model<'_>| model.app == "shop";
    let databases = world.rebuilt(|builder| {
        builder
            .router(read_fn(move |model, _| is_shop(model).then(|| "default".into())))
            .router(write_fn(move |model, _| is_shop(model).then(|| "default".into())))
            .router(migrate_fn(move |database, model, _| is_shop(model).then(|| *database == "default")))
    });
    databases.migrator().app("shop").migrate().unwrap();
    assert_eq!(world.tables("default"), "__dbrouter_migrations prices products");
    assert_eq!(world.tables("shop_db"), "");
    let error = databases.migrator().app("legacy").migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage, "{error}");
}

#[test]
fn rollback_and_redo_go_back_from_the_last() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();

    let error = world.migrator().rollback(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rollback needs a database: there are `default`, `blog_admin`, `shop_db`; name the ones that are meant"
    );
    let report = world.migrator().database("blog_admin").rollback(1).unwrap();
    assert_eq!(report.databases[0].done[0].action, Action::Reverted);
    assert_eq!(world.records("default"), ["blog_admin blog 20240102000000 applied", USERS]);
    assert!(!world.tables("blog_db").contains("comments"));

    let report = world.migrator().database("shop_db").redo(2).unwrap();
    let done: Vec<_> =
        report.databases[0].done.iter().map(|done| format!("{} {}", done.action, done.migration)).collect();
    assert_eq!(
        done,
        [
            "reverted shop/20240103000000_prices",
            "reverted shop/20240102000000_products",
            "applied shop/20240102000000_products",
            "applied shop/20240103000000_prices",
        ]
    );
    let report = world.migrator().app("users").rollback(5).unwrap();
    assert_eq!(report.databases[0].warnings, ["only 1 of 5 can be reverted: no more is applied"]);
    assert_eq!(world.records("default"), ["blog_admin blog 20240102000000 applied"]);
    for again in [world.migrator().app("users").rollback(1), world.migrator().app("users").redo(1)] {
        assert_eq!(again.unwrap().databases[0].outcome, Outcome::NothingToRevert);
    }
}

#[test]
fn a_database_stands_for_the_one_that_it_is_migrated_through() {
    let Some(world) = world("") else { return };
    world.project();
    let report = world.migrator().database("blog_db").migrate().unwrap();
    assert_eq!(report.done(), 2);
    assert!(report.database("blog_admin").is_some());
}

#[test]
fn a_target_is_the_last_to_run() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().target(Target::Version("2024-01-02-000000".into())).migrate().unwrap();
    assert_eq!(
        told(&world.migrator().status().unwrap())[2],
        "shop_db: shop/20240102000000_products applied, shop/20240103000000_prices pending"
    );
    let error = world.migrator().target(Target::Version("2".into())).migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage);
    assert!(error.to_string().contains("no migration of `blog`, `shop`, `users` has the version 2"), "{error}");
}

#[test]
fn states_are_told_and_treated() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    let shop = || told(&world.migrator().status().unwrap())[2].clone();

    // A later branch is merged: it runs, with a warning.
    world.table("shop/20240102120000_stock", "stock");
    assert!(shop().contains("shop/20240102120000_stock out of order"), "{}", shop());
    let error = world.migrator().out_of_order(Treat::Refuse).migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    let report = world.migrator().migrate().unwrap();
    assert!(report.database("shop_db").unwrap().warnings[0].contains("runs out of order"));

    // A table is dropped by hand.
    world.execute("shop_db", "DROP TABLE stock");
    assert!(shop().contains("shop/20240102120000_stock drift"), "{}", shop());
    let resolved = world.migrator().resolve("shop", "20240102120000", Resolution::Reverted).unwrap();
    assert_eq!(resolved.databases[0].done[0].action, Action::Forgotten);
    world.migrator().migrate().unwrap();
    assert!(world.tables("shop_db").contains("stock"));

    // A folder is lost.
    world.remove("shop/20240102120000_stock");
    assert!(shop().contains("shop/20240102120000_stock missing"), "{}", shop());
    let report = world.migrator().migrate().unwrap();
    assert!(report.database("shop_db").unwrap().warnings[0].contains("not among the migrations"));
    assert_eq!(report.database("shop_db").unwrap().outcome, Outcome::UpToDate);
}

#[test]
fn what_a_newer_version_has_applied_keeps_no_old_one_from_starting() {
    let Some(world) = world("") else { return };
    world.project();
    let behind = || world.migrator().status().unwrap().is_behind();
    assert!(behind());
    world.migrator().migrate().unwrap();
    assert!(!behind());

    // The newer version has one migration more, which is under way; it has edited one, and dropped a table.
    world.table("shop/20240105000000_newer", "newer");
    assert!(behind());
    world.migrator().migrate().unwrap();
    world.execute("shop_db", "UPDATE __dbrouter_migrations SET state = 'running' WHERE version = '20240105000000'");
    assert!(behind());
    world.remove("shop/20240105000000_newer");
    world.write("shop/20240103000000_prices/up.sql", "CREATE TABLE prices (id INTEGER, more INTEGER);");
    world.execute("shop_db", "DROP TABLE products");
    let status = world.migrator().status().unwrap();
    assert_eq!(
        told(&status)[2],
        "shop_db: shop/20240102000000_products drift, shop/20240103000000_prices changed, \
         shop/20240105000000_newer dirty"
    );
    assert!(!status.is_behind() && !status.is_clean());
}

#[test]
fn fake_records_and_runs_nothing() {
    let Some(world) = world("") else { return };
    world.project();
    let report = world.migrator().database("shop_db").fake(["20240102000000"]).unwrap();
    assert_eq!(report.databases[0].done[0].action, Action::Recorded);
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations");
    world.migrator().fake(Vec::<Version>::new()).unwrap();
    assert_eq!(world.tables("default"), "__dbrouter_migrations");
    assert_eq!(world.migrator().migrate().unwrap().done(), 0);
}

#[test]
fn an_existing_diesel_project_is_adopted() {
    let Some(world) = world("") else { return };
    world.project();
    world.table("shop/20240105000000_orders", "orders");
    world.execute(
        "shop_db",
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
         run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    );
    for (version, run_on) in [("20240102000000", "2024-01-02 03:04:05"), ("19990101000000", "2024-01-01 00:00:00")] {
        let row = format!("INSERT INTO __diesel_schema_migrations VALUES ('{version}', '{run_on}')");
        world.execute("shop_db", &row);
    }
    world.execute("shop_db", "CREATE TABLE products (id INTEGER PRIMARY KEY)");

    // Nothing that Diesel ran is run again, and nothing is written where it is refused.
    let error = world.migrator().database("shop_db").migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    let text = error.to_string();
    for part in [
        "Diesel's own harness has run migrations on `shop_db` that are not recorded here: shop/20240102000000_products",
        "`dbrouter adopt --database shop_db` shows what it takes over",
        "`dbrouter fake 20240102000000 --database shop_db --app shop`",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(world.migrator().plan().unwrap().databases[2].failures.len(), 1);
    assert!(told(&world.migrator().status().unwrap())[2].ends_with("Refused"));
    assert!(world.migrator().database("default").migrate().is_ok());

    let migrator = world.migrator();
    let plan = migrator.adopt().unwrap();
    assert_eq!(plan.databases.len(), 1);
    let shop = &plan.databases[0];
    assert_eq!(shop.adopted[0].migration.to_string(), "shop/20240102000000_products");
    assert!(shop.adopted[0].run_on.starts_with("2024-01-02 03:04:05"), "{:?}", shop.adopted);
    assert_eq!(shop.unknown, [Version::new("19990101000000")]);
    assert!(!world.tables("shop_db").contains("__dbrouter_migrations"));

    assert_eq!(plan.apply().unwrap().done(), 1);
    let status = world.migrator().database("shop_db").status().unwrap();
    let products = &status.databases[0].migrations[0];
    assert_eq!((products.state, products.applied_at.as_deref()), (State::Applied, Some("2024-01-02 03:04:05")));
    assert!(world.migrator().adopt().unwrap().is_empty());
    world.migrator().database("shop_db").migrate().unwrap();
    assert_eq!(
        world.tables("shop_db"),
        "__dbrouter_migrations __diesel_schema_migrations orders prices products"
    );

    // An old process goes on with Diesel's harness, and what it has run is not run again.
    world.table("shop/20240106000000_stock", "stock");
    world.execute("shop_db", "INSERT INTO __diesel_schema_migrations (version) VALUES ('20240106000000')");
    let shop = world.migrator().database("shop_db");
    for error in [shop.migrate().unwrap_err(), shop.rollback(1).unwrap_err()] {
        assert_eq!(error.kind(), FailureKind::Refused, "{error}");
        assert!(error.to_string().contains("not recorded here: shop/20240106000000_stock"), "{error}");
    }
    assert!(!world.tables("shop_db").contains("stock"));
    world.execute("shop_db", "CREATE TABLE stock (id INTEGER PRIMARY KEY)");
    assert_eq!(shop.adopt().unwrap().apply().unwrap().done(), 1);
    assert!(shop.status().unwrap().is_clean());

    // What is reverted is not Diesel's any more either.
    let diesels = || world.texts("shop_db", "SELECT version AS value FROM __diesel_schema_migrations ORDER BY version");
    assert_eq!(shop.rollback(1).unwrap().done(), 1);
    assert_eq!(diesels(), ["19990101000000", "20240102000000"]);
    assert_eq!(shop.migrate().unwrap().done(), 1);
    shop.resolve("shop", "20240102000000", Resolution::Reverted).unwrap();
    assert_eq!(diesels(), ["19990101000000"]);
}

#[test]
fn a_version_of_several_apps_or_databases_is_to_be_narrowed() {
    let Some(world) = world("") else { return };
    world.project();
    let error = world.migrator().fake(["20240102000000"]).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            FailureKind::Usage,
            "version 20240102000000 may be blog/20240102000000_posts on `blog_admin` or \
             shop/20240102000000_products on `shop_db`; say by `--app` which is meant"
        )
    );
    assert_eq!(world.tables("default"), "");
    let both = world.migrator().app("shop").app("blog");
    assert_eq!(both.fake(["20240102000000"]).unwrap().done(), 2);

    let everywhere = world.rebuilt(|builder| {
        builder.router(migrate_fn(|_, model, _| (model.app == "shop").then_some(true)))
    });
    let error = everywhere.migrator().app("shop").fake(["20240103000000"]).unwrap_err();
    assert!(error.to_string().ends_with("; say by `--database` which is meant"), "{error}");
    for alias in ["default", "shop_db"] {
        let report = everywhere.migrator().database(alias).fake(["20240103000000"]).unwrap();
        assert_eq!(report.done(), 1);
    }
    // What is there of it differs from database to database.
    let error = everywhere.migrator().resolve("shop", "20240103000000", Resolution::Reverted).unwrap_err();
    assert!(error.to_string().contains("drift on `default`"), "{error}");
    assert!(error.to_string().ends_with("; say by `--database` which is meant"), "{error}");
    let shop = everywhere.migrator().database("shop_db");
    assert_eq!(shop.resolve("shop", "20240103000000", Resolution::Reverted).unwrap().done(), 1);
}

#[test]
fn what_is_not_in_doubt_is_told_of_as_it_stands() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().target(Target::Version("20240102000000".into())).migrate().unwrap();
    for (version, said) in [
        ("20240102000000", "is applied on `shop_db`, so there is nothing to resolve; nothing of app `shop` is in doubt"),
        ("20240103000000", "is pending on `shop_db`, so there is nothing to resolve; nothing of app `shop` is in doubt"),
        ("7", "is neither recorded nor among the migrations; nothing of app `shop` is in doubt"),
    ] {
        let error = world.migrator().resolve("shop", version, Resolution::Applied).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Usage);
        assert_eq!(error.to_string(), format!("version {version} of app `shop` {said}"));
    }
    world.execute("shop_db", "DROP TABLE products");
    let error = world.migrator().resolve("shop", "7", Resolution::Reverted).unwrap_err();
    assert!(error.to_string().ends_with("; in doubt: shop/20240102000000_products (drift on `shop_db`)"), "{error}");
}

#[test]
fn what_waits_elsewhere_may_be_faked_by_name_alone() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    let renamed = world.with("shop_db:", "store:");
    let store = renamed.migrator().database("store");
    assert_eq!(store.fake(["20240102000000"]).unwrap_err().kind(), FailureKind::Refused);
    let report = store.app("shop").fake(["20240102000000", "20240103000000"]).unwrap();
    assert_eq!(report.done(), 2);
    assert!(report.databases[0].warnings[0].contains("what is recorded on `store` for `shop_db` stays there"), "{report:?}");
    assert!(renamed.migrator().status().unwrap().is_clean());
}

#[test]
fn a_renamed_database_is_not_migrated_again() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    let renamed = world.with("shop_db:", "store:");
    let before = world.records("shop_db");
    let error = renamed.migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    let text = error.to_string();
    assert!(text.contains("2 migrations of its apps are recorded on it for `shop_db`"), "{text}");
    assert_eq!(renamed.migrator().plan().unwrap().databases[2].failures.len(), 1);
    assert_eq!(world.records("shop_db"), before);

    let migrator = renamed.migrator();
    let took = |databases: &router_diesel::Databases<super::Conn>, alias: &str| {
        let status = databases.migrator().database(alias).status().unwrap();
        let all = &status.databases[0].migrations;
        all.iter().map(|it| (it.applied_at.clone(), it.duration)).collect::<Vec<_>>()
    };
    let before = took(&world.databases, "shop_db");
    assert!(before.iter().all(|(_, duration)| duration.is_some()), "{before:?}");
    let plan = migrator.adopt().unwrap();
    assert_eq!(plan.databases[0].from.as_ref().unwrap(), "shop_db");
    assert_eq!(plan.apply().unwrap().done(), 2);
    assert_eq!(took(&renamed, "store"), before);
    assert_eq!(migrator.migrate().unwrap().done(), 0);
    assert!(migrator.status().unwrap().is_clean());
}

#[test]
fn records_that_are_elsewhere_by_now_are_found_and_moved() {
    const APART: &str = ", migrate_to: blog_admin, migration_history: default";
    const KEPT: &str = ", migration_history: default";
    const SENT: &str = ", migrate_to: blog_admin";
    for (before, after, from, place) in [
        // The history is shared before and after.
        (("blog_db:", KEPT), ("posts_db:", KEPT), "blog_db", "`default`"),
        (("blog_db:", KEPT), ("blog_db:", APART), "blog_db", "`default`"),
        (("blog_db:", APART), ("blog_db:", KEPT), "blog_admin", "`default`"),
        // Out of the database itself, and back into it.
        (("blog_db:", ""), ("blog_db:", KEPT), "blog_db", "it"),
        (("blog_db:", ""), ("blog_db:", APART), "blog_db", "it"),
        (("blog_db:", KEPT), ("blog_db:", ""), "blog_db", "`default`"),
        (("blog_db:", APART), ("blog_db:", SENT), "blog_admin", "`default`"),
        (("blog_db:", APART), ("blog_db:", ""), "blog_admin", "`default`"),
        // Both at once: another name, and another place.
        (("blog_db:", KEPT), ("posts_db:", ""), "blog_db", "`default`"),
        (("blog_db:", ""), ("posts_db:", KEPT), "blog_db", "it"),
    ] {
        let Some(mut world) = world("") else { return };
        let case = format!("{before:?} to {after:?} on {:?}", world.engine);
        world.project();
        let yaml = world.yaml.clone();
        let file = |(name, keys): (&str, &str)| yaml.replace("blog_db:", name).replace(APART, keys);
        world.yaml = file(before);
        world.rebuilt(|builder| builder).migrator().migrate().unwrap();
        world.yaml = file(after);
        let changed = world.rebuilt(|builder| builder);
        let migrator = changed.migrator();

        let error = migrator.migrate().expect_err(&case);
        assert_eq!(error.kind(), FailureKind::Refused, "{case}: {error}");
        let alias = error.failed[0].database.as_ref().unwrap().as_str();
        let part = match place {
            _ if alias != from => format!("2 migrations of its apps are recorded on {place} for `{from}`"),
            "it" => "belong on `default` now, but 2 migrations of its apps are recorded on `blog_db` itself".to_owned(),
            _ => format!("the records of `{from}` belong on `{from}` now, but 2 migrations of its apps are recorded on {place}"),
        };
        assert!(error.to_string().contains(&part), "{case}: {error}");
        let plan = migrator.plan().unwrap();
        assert_eq!(plan.databases.iter().map(|it| it.failures.len()).sum::<usize>(), 1, "{case}");
        assert_eq!(
            told(&migrator.status().unwrap()).iter().filter(|told| told.ends_with("Refused")).count(),
            1,
            "{case}"
        );
        // Whatever else would hide them or need them is refused in the same way.
        let narrowed = migrator.clone().database(alias);
        for again in [narrowed.rollback(1), narrowed.redo(1), narrowed.fake(Vec::<Version>::new())] {
            let again = again.expect_err(&case);
            assert_eq!(again.failed, error.failed, "{case}: {again}");
        }

        let plan = migrator.adopt().unwrap();
        assert_eq!(plan.databases[0].from.as_ref().unwrap(), from, "{case}");
        assert_eq!(plan.apply().unwrap().done(), 2, "{case}");
        assert_eq!(migrator.migrate().unwrap().done(), 0, "{case}");
        assert!(migrator.status().unwrap().is_clean(), "{case}");
        assert!(migrator.adopt().unwrap().is_empty(), "{case}");
        // They were moved, not copied.
        let mut blog = 0;
        for alias in ["default", "blog_db"] {
            if world.tables(alias).contains("__dbrouter_migrations") {
                blog += world.records(alias).iter().filter(|record| record.contains(" blog ")).count();
            }
        }
        assert_eq!(blog, 2, "{case}");
    }
}

#[test]
fn what_is_adopted_is_adopted_as_a_whole() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    // The first of two records can be written by the new name, and the second cannot.
    world.execute("shop_db", "UPDATE __dbrouter_migrations SET checksum = NULL WHERE version = '20240102000000'");
    world.execute("shop_db", "CREATE UNIQUE INDEX one_checksum ON __dbrouter_migrations (checksum)");
    let before = world.records("shop_db");
    let renamed = world.with("shop_db:", "store:");
    let migrator = renamed.migrator();
    let error = migrator.adopt().unwrap().apply().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Failed);
    let text = error.to_string();
    assert!(text.contains("`20240103000000_prices` of app `shop` cannot be recorded for `store`"), "{text}");
    assert_eq!(error.report.done(), 0);
    assert_eq!(world.records("shop_db"), before);
    assert_eq!(migrator.migrate().unwrap_err().kind(), FailureKind::Refused);

    let of = if world.engine == Engine::MariaDb { " ON __dbrouter_migrations" } else { "" };
    world.execute("shop_db", &format!("DROP INDEX one_checksum{of}"));
    assert_eq!(migrator.adopt().unwrap().apply().unwrap().done(), 2);
    assert!(migrator.status().unwrap().is_clean());
}

#[test]
fn what_is_in_doubt_stays_in_doubt_when_it_is_moved() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    world.execute("shop_db", "UPDATE __dbrouter_migrations SET state = 'running' WHERE version = '20240103000000'");
    let renamed = world.with("shop_db:", "store:");
    let migrator = renamed.migrator();

    let plan = migrator.adopt().unwrap();
    assert_eq!(plan.apply().unwrap().done(), 2);
    assert_eq!(
        world.records("shop_db"),
        ["store shop 20240102000000 applied", "store shop 20240103000000 dirty"]
    );
    assert_eq!(migrator.migrate().unwrap_err().kind(), FailureKind::Refused);
    migrator.resolve("shop", "20240103000000", Resolution::Applied).unwrap();
    assert!(migrator.status().unwrap().is_clean());
}

#[test]
fn an_app_that_moves_to_another_database_begins_there_only_if_it_is_named() {
    let Some(mut world) = world("") else { return };
    world.project();
    world.yaml = world.yaml.replace("apps: [shop, legacy] }", "apps: [shop, legacy], migration_history: default }");
    world.rebuilt(|builder| builder).migrator().migrate().unwrap();
    world.yaml = world.yaml.replace(", apps: [blog], migrate_to: blog_admin, migration_history: default", "").replace("[shop, legacy]", "[shop, legacy, blog]");
    let databases = world.rebuilt(|builder| builder);
    let said = "nothing of app `blog` is recorded for `shop_db`, but 2 migrations of it are recorded for `blog_admin`, \
                on which `blog` is not migrated any more";
    for migrator in [databases.migrator(), databases.migrator().anew("shop")] {
        let error = migrator.migrate().unwrap_err();
        assert_eq!((error.kind(), error.failed[0].message.as_str()), (FailureKind::Refused, said), "{error}");
    }
    assert_eq!(databases.migrator().plan().unwrap().databases[1].failures[0].message, said);
    assert!(told(&databases.migrator().status().unwrap())[1].ends_with("Refused"));
    assert_eq!(databases.migrator().anew("blgo").migrate().unwrap_err().kind(), FailureKind::Usage);
    let report = databases.migrator().anew("blog").migrate().unwrap();
    assert_eq!(report.done(), 2);
    let shop = world.tables("shop_db");
    assert!(shop.contains("comments posts"), "{shop}");
}

#[test]
fn an_app_that_a_wrong_name_sends_elsewhere_does_not_begin_there() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    let databases = world.with("apps: [shop, legacy]", "apps: [shopp, legacy]");
    let error = databases.migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused, "{error}");
    let text = error.to_string();
    for part in [
        "nothing of app `shop` is recorded for `default`, but 2 migrations of it are recorded for `shop_db`",
        "`dbrouter fake --all --database default --app shop`",
        "`dbrouter migrate --anew shop`",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!world.tables("default").contains("products"));
    // Where its tables were moved, that can be said.
    databases.migrator().database("default").app("shop").fake(Vec::<Version>::new()).unwrap();
    assert_eq!(databases.migrator().migrate().unwrap().done(), 0);
}

#[test]
fn a_record_elsewhere_is_mended_after_a_crash() {
    let Some(world) = world("") else { return };
    if world.engine == Engine::MariaDb {
        return;
    }
    world.project();
    world.migrator().migrate().unwrap();
    let comments = "WHERE version = '20240104000000'";

    // The transaction was committed, and the record does not know.
    world.execute("default", &format!("UPDATE __dbrouter_migrations SET state = 'applying' {comments}"));
    world.execute("blog_db", "INSERT INTO __dbrouter_journal VALUES ('blog_admin', 'blog', '20240104000000', 'up')");
    assert!(world.migrator().status().unwrap().is_clean());
    let mended = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&mended);
    let report = world
        .migrator()
        .on_event(move |event| {
            if let Event::Mended { migration, applied, .. } = event {
                listener.lock().unwrap().push(format!("{migration} {applied}"));
            }
        })
        .migrate()
        .unwrap();
    assert_eq!(report.done(), 0);
    assert_eq!(*mended.lock().unwrap(), ["blog/20240104000000_comments true"]);
    assert!(world.records("default")[1].ends_with("applied"));
    assert_eq!(world.texts("blog_db", "SELECT direction AS value FROM __dbrouter_journal"), ["kept"]);

    // The transaction was not committed.
    world.execute("default", &format!("UPDATE __dbrouter_migrations SET state = 'applying' {comments}"));
    world.execute("blog_db", "DROP TABLE comments");
    assert_eq!(world.migrator().migrate().unwrap().done(), 1);
    assert!(world.tables("blog_db").contains("comments"));

    // The same on the way back.
    world.execute("default", &format!("UPDATE __dbrouter_migrations SET state = 'reverting' {comments}"));
    assert_eq!(world.migrator().migrate().unwrap().done(), 0);
    world.execute("default", &format!("UPDATE __dbrouter_migrations SET state = 'reverting' {comments}"));
    world.execute("blog_db", "INSERT INTO __dbrouter_journal VALUES ('blog_admin', 'blog', '20240104000000', 'down')");
    world.execute("blog_db", "DROP TABLE comments");
    assert_eq!(world.migrator().migrate().unwrap().done(), 1);
    assert!(world.tables("blog_db").contains("comments"));
}

#[test]
fn what_is_recorded_nowhere_any_more_does_not_run_again() {
    let Some(world) = world("") else { return };
    world.project();
    world.write("blog/20240105000000_rise/up.sql", "UPDATE posts SET id = id * 2;");
    world.write("blog/20240105000000_rise/down.sql", "UPDATE posts SET id = id / 2;");
    world.migrator().migrate().unwrap();
    world.execute("blog_db", "INSERT INTO posts VALUES (7)");
    world.execute("default", "DROP TABLE __dbrouter_migrations");
    world.execute("default", "DROP TABLE users");

    let blog = world.migrator().database("blog_db");
    let said = "`blog_admin` was migrated before, but `default` has no records of it";
    for error in [blog.migrate().unwrap_err(), blog.rollback(1).unwrap_err(), blog.redo(1).unwrap_err()] {
        assert_eq!(error.kind(), FailureKind::Refused, "{error}");
        let text = error.to_string();
        assert!(text.contains(said) && text.contains("`dbrouter fake --all --database blog_admin`"), "{text}");
    }
    assert_eq!(blog.plan().unwrap().databases[0].failures[0].message, said);
    assert_eq!(blog.status().unwrap().databases[0].failure.as_ref().unwrap().message, said);
    assert_eq!(world.texts("blog_db", "SELECT CAST(id AS CHAR(3)) AS value FROM posts").concat().trim(), "7");

    // What was lost is recorded anew, and what was reverted is no more to be recorded.
    assert_eq!(blog.fake(Vec::<Version>::new()).unwrap().done(), 3);
    assert!(blog.status().unwrap().is_clean());
    assert_eq!(blog.rollback(3).unwrap().done(), 3);
    assert!(world.texts("blog_db", "SELECT direction AS value FROM __dbrouter_journal").is_empty());
    assert_eq!(world.migrator().migrate().unwrap().done(), 4);
}

#[test]
fn without_a_transaction_a_crash_leaves_it_dirty_until_it_is_resolved() {
    let Some(world) = world("") else { return };
    world.project();
    world.write("shop/20240103000000_prices/metadata.toml", "run_in_transaction = false\n");
    world.migrator().migrate().unwrap();
    world.execute("shop_db", "UPDATE __dbrouter_migrations SET state = 'running' WHERE version = '20240103000000'");
    let error = world.migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    let text = error.to_string();
    for part in [
        "`20240103000000_prices` of app `shop` is dirty on `shop_db`",
        "`dbrouter resolve shop 20240103000000 --applied --database shop_db`",
        "`dbrouter resolve shop 20240103000000 --reverted --database shop_db`",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    world.migrator().resolve("shop", "20240103000000", Resolution::Applied).unwrap();
    assert!(world.migrator().status().unwrap().is_clean());
    let error = world.migrator().resolve("shop", "20240103000000", Resolution::Reverted).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Usage, "{error}");
}

#[test]
fn many_at_once_run_each_migration_once() {
    let Some(world) = world("") else { return };
    world.project();
    for number in 0..10 {
        let folder = format!("shop/2025010{number}000000_more");
        world.write(&format!("{folder}/up.sql"), &format!("INSERT INTO products VALUES ({number});"));
    }
    let done: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let databases = world.rebuilt(|builder| builder);
                scope.spawn(move || databases.migrator().jobs(2).migrate().unwrap().done())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(done, 15);
    assert!(world.migrator().status().unwrap().is_clean());
}

#[test]
fn a_canary_goes_first_and_others_go_on_as_they_are_told() {
    let Some(world) = world("") else { return };
    world.project();
    world.write("shop/20240102000000_products/up.sql", "CREATE TABEL products (id INTEGER);");
    let error = world.migrator().canary("shop_db").migrate().unwrap_err();
    let outcomes: Vec<_> = error.report.databases.iter().map(|database| database.outcome).collect();
    assert_eq!(outcomes, [Outcome::NotStarted, Outcome::NotStarted, Outcome::Failed]);

    world.write("users/20240101000000_users/up.sql", "CREATE TABEL users (id INTEGER);");
    let error = world.migrator().on_error(OnError::Continue).migrate().unwrap_err();
    let outcomes: Vec<_> = error.report.databases.iter().map(|database| database.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Done, Outcome::Failed]);
    assert_eq!(error.failed.len(), 2);
    let error = world.migrator().canary("blog_db").migrate().unwrap_err();
    assert_eq!(error.to_string(), "canary `blog_db` is none of the databases that are migrated: `default`, `blog_admin`, `shop_db`");
}

#[test]
fn what_refuses_a_transaction_runs_without_one() {
    let Some(world) = world("") else { return };
    if world.engine == Engine::MariaDb {
        return;
    }
    world.project();
    // Neither may be part of a transaction, nor of several statements that are sent at once.
    let sql = match world.engine {
        Engine::Postgres => {
            "CREATE INDEX CONCURRENTLY products_a ON products (id);\nCREATE INDEX CONCURRENTLY products_b ON products (id);\n"
        }
        _ => "VACUUM;\n",
    };
    world.write("shop/20240105000000_index/up.sql", sql);
    let error = world.migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Failed);
    assert!(error.to_string().contains("write `run_in_transaction = false` in a `metadata.toml`"), "{error}");
    world.write("shop/20240105000000_index/metadata.toml", "run_in_transaction = false\n");
    assert_eq!(world.migrator().migrate().unwrap().done(), 1);
    assert!(world.migrator().status().unwrap().is_clean());
}

#[test]
fn a_statement_that_may_fail_in_part_leaves_its_migration_dirty() {
    let Some(world) = world("") else { return };
    let sql = match world.engine {
        // An index that is not valid stays behind.
        Engine::Postgres => "CREATE UNIQUE INDEX CONCURRENTLY products_a ON products (id)",
        // The first table is gone when the second is missed.
        Engine::MariaDb => "DROP TABLE products, nothing",
        Engine::Sqlite => return,
    };
    world.write("shop/1_products/up.sql", "CREATE TABLE products (id INTEGER); INSERT INTO products VALUES (1), (1)");
    world.write("shop/2_more/up.sql", sql);
    world.write("shop/2_more/metadata.toml", "run_in_transaction = false");
    let error = world.migrator().database("shop_db").migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Failed, "{error}");
    assert!(error.to_string().contains("it may have run in part"), "{error}");
    let error = world.migrator().database("shop_db").migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused, "{error}");
}

#[test]
fn an_engine_has_files_of_its_own() {
    let Some(world) = world("") else { return };
    let engine = match world.engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
        Engine::MariaDb => "mysql",
    };
    world.table("shop/20240102000000_products", "products");
    world.write(&format!("shop/20240102000000_products/up.{engine}.sql"), "CREATE TABLE prices (id INTEGER);");
    world.write("blog/20240102000000_posts/up.sql", "-- nothing to do\n");
    world.migrator().migrate().unwrap();
    assert_eq!(world.tables("shop_db"), "__dbrouter_migrations prices");
    assert!(world.migrator().status().unwrap().is_clean());
}

#[test]
fn what_belongs_elsewhere_is_refused_before_anything_runs() {
    let Some(world) = world("") else { return };
    world.project();
    let file = world.write(
        "blog/20240103000000_tags/up.sql",
        "CREATE TABLE tags (\n  id INTEGER PRIMARY KEY,\n  user_id INTEGER REFERENCES users (id)\n);\n\nINSERT INTO products VALUES (1);\n",
    );
    world.table("shop/20240104000000_posts", "posts");
    let error = world.migrator().migrate().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Lint);
    let found: Vec<_> = error.lint.iter().map(|problem| (problem.code, problem.line)).collect();
    assert_eq!(
        found,
        [
            (LintCode::ReferenceElsewhere, Some(3)),
            (LintCode::StatementElsewhere, Some(6)),
            (LintCode::TableOfOtherApp, Some(1)),
            // By the file that would undo it.
            (LintCode::StatementElsewhere, Some(1)),
        ]
    );
    let text = error.to_string();
    assert!(text.contains(&format!("{}:3: refers to `users`", file.display())), "{text}");
    assert!(text.contains("keep the id column, drop the constraint"), "{text}");
    assert!(text.ends_with("nothing was applied"), "{text}");
    assert_eq!(world.tables("default"), "");
    assert_eq!(world.migrator().plan().unwrap().lint.len(), 4);
    assert_eq!(world.migrator().status().unwrap().lint.len(), 4);
}

#[test]
fn routers_allow_and_refuse_constraints() {
    let Some(world) = world("") else { return };
    world.project();
    world.write(
        "blog/20240103000000_tags/up.sql",
        "CREATE TABLE tags (\n  id INTEGER PRIMARY KEY,\n  post_id INTEGER REFERENCES posts (id),\n  user_id INTEGER REFERENCES users (id)\n);\n",
    );
    let strict = relation_fn(|a, b, _| match (a.table, b.table) {
        (Some("tags"), Some("posts")) => Some(false),
        (Some("tags"), Some("users")) => Some(true),
        _ => None,
    });
    let databases = world.rebuilt(|builder| builder.named_router("strict", strict));
    let error = databases.migrator().migrate().unwrap_err();
    let found: Vec<_> = error.lint.iter().map(|problem| (problem.code, problem.line)).collect();
    assert_eq!(found, [(LintCode::RelationRefused, Some(3))], "{error}");
    assert!(error.to_string().contains("router `strict` allows no relation"), "{error}");
    assert_eq!(databases.migrator().plan().unwrap().lint.len(), 1);
    assert_eq!(databases.migrator().lint_relations().unwrap().len(), 1);
    assert_eq!(world.tables("default"), "", "nothing ran");
    // Without the router, the file decides: the one is on the same database, and the other is not.
    let by_rules = world.migrator().lint_relations().unwrap();
    let found: Vec<_> = by_rules.iter().map(|problem| (problem.code, problem.line)).collect();
    assert_eq!(found, [(LintCode::ReferenceElsewhere, Some(4))]);
}

#[test]
fn where_an_app_is_migrated_needs_no_hint() {
    let Some(world) = world("") else { return };
    world.table("shop/20240102000000_products", "products");
    let needs = || hint_fn(|_, model, _| (model.app == "shop").then_some("tenant"));
    // The file says where the app is migrated. That it is read there, nobody can tell.
    let databases = world.rebuilt(|builder| builder.named_router("tenants", needs()));
    let plan = databases.migrator().app("shop").plan().unwrap();
    assert_eq!(plan.databases[0].database, "shop_db");
    assert!(plan.lint.is_empty() && plan.databases[0].warnings.is_empty());
    let routes = databases.routing().routes();
    let shop = routes.iter().find(|route| route.app == "shop").unwrap();
    assert_eq!((&shop.read, &shop.write, &*shop.migrate), (&None, &None, &["shop_db".into()][..]));
    assert_eq!(shop.read_needs.as_ref().map(|missing| missing.hint()), Some("tenant"));
    // A router says so.
    let on_both = migrate_fn(|database, model, _| {
        (model.app == "shop").then(|| ["default", "shop_db"].contains(&database.as_str()))
    });
    let databases =
        world.rebuilt(|builder| builder.named_router("tenants", needs()).named_router("places", on_both));
    assert_eq!(databases.migrator().app("shop").targets().unwrap(), ["default", "shop_db"]);
    assert_eq!(databases.migrator().app("shop").migrate().unwrap().done(), 2);
    assert!(databases.migrator().app("shop").status().unwrap().is_clean());
}

#[test]
fn one_database_by_two_names_is_refused() {
    let Some(world) = world("  shop_again: { url: 'SHOP' }\n") else { return };
    world.project();
    let both = migrate_fn(|database, model, _| (model.app == "shop").then(|| database.as_str().starts_with("shop")));
    let databases = world.rebuilt(|builder| builder.router(both));
    let error = databases.migrator().migrate().unwrap_err();
    let found: Vec<_> = error.lint.iter().map(|problem| problem.code).collect();
    assert_eq!(found, [LintCode::OnePhysicalDatabase], "{error}");

    let elsewhere = migrate_fn(|database, model, _| (model.app == "shop").then(|| *database == "default"));
    let databases = world.rebuilt(|builder| builder.router(elsewhere));
    let error = databases.migrator().migrate().unwrap_err();
    let found: Vec<_> = error.lint.iter().map(|problem| problem.code).collect();
    assert_eq!(found, [LintCode::ReadElsewhere], "{error}");
}

/// What a program brings along.
const EMBEDDED: EmbeddedMigrations = embed_migrations!("tests/migrations/embedded");

#[test]
fn an_embedded_source_takes_the_folders_place() {
    let Some(world) = world("") else { return };
    world.table("blog/1_not_this", "posts");
    let migrator = world.migrator().source("blog", EMBEDDED).app("blog");
    let plan = migrator.plan().unwrap();
    let steps: Vec<_> =
        plan.databases[0].steps.iter().map(|step| (step.migration.to_string(), step.sql.is_some())).collect();
    let first = ("blog/2024-01-01-000000_posts".to_owned(), false);
    assert_eq!(steps, [first, ("blog/2024-01-02-000000_comments".to_owned(), false)]);
    assert_eq!(migrator.migrate().unwrap().done(), 2);
    assert!(world.tables("blog_db").ends_with("comments posts"));
    assert_eq!(
        world.records("default"),
        ["blog_admin blog 20240101000000 applied", "blog_admin blog 20240102000000 applied"]
    );
    assert!(migrator.status().unwrap().is_clean());
    assert_eq!(migrator.migrate().unwrap().done(), 0);
    migrator.redo(2).unwrap();
    migrator.rollback(1).unwrap();
    assert!(world.tables("blog_db").ends_with("posts") && !world.tables("blog_db").contains("comments"));
}

/// A source written by hand.
struct ByHand;

struct Hand(&'static str);

impl MigrationName for Hand {
    fn version(&self) -> MigrationVersion<'_> {
        MigrationVersion::from(self.0)
    }
}

impl std::fmt::Display for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_by_hand", self.0)
    }
}

impl MigrationMetadata for Hand {}

impl<DB: Backend> Migration<DB> for Hand {
    fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> diesel::migration::Result<()> {
        Ok(conn.batch_execute(&format!("CREATE TABLE by_hand_{} (id INTEGER)", self.0))?)
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<DB>) -> diesel::migration::Result<()> {
        Ok(conn.batch_execute(&format!("DROP TABLE by_hand_{}", self.0))?)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self
    }

    fn name(&self) -> &dyn MigrationName {
        self
    }
}

impl<DB: Backend> MigrationSource<DB> for ByHand {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        Ok(vec![Box::new(Hand("2")), Box::new(Hand("1"))])
    }
}

#[test]
fn a_source_written_by_hand_takes_the_folders_place() {
    let Some(world) = world("") else { return };
    let migrator = world.migrator().source("blog", ByHand).app("blog");
    assert_eq!(migrator.migrate().unwrap().done(), 2);
    assert!(world.tables("blog_db").ends_with("by_hand_1 by_hand_2"));
    assert!(migrator.status().unwrap().is_clean());
    migrator.rollback(1).unwrap();
    assert!(world.tables("blog_db").ends_with("by_hand_1"));
    let error = world.migrator().source("blgo", ByHand).migrate().unwrap_err();
    assert_eq!(error.to_string(), "unknown app `blgo`; did you mean `blog`?");
}
