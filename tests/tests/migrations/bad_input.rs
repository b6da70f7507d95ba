// What is wrong is told clearly, with database, app, version and file, and what was and was not applied.

use router_diesel::migrate::{FailureKind, LintCode, MigrateError, Outcome, Resolution};

use super::world;
use crate::world::Engine;

#[track_caller]
fn says(error: &MigrateError, kind: FailureKind, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` in:\n{text}");
    }
}

#[test]
fn folders_that_are_wrong_are_told_all_at_once() {
    let Some(world) = world("") else { return };
    world.project();
    world.write("blog/create_tags/up.sql", "CREATE TABLE tags (id INTEGER);");
    let empty = world.write("shop/20240105000000_empty/up.sql", " \n");
    world.table("users/20240101000000_again", "users_again");
    world.write("users/20240106000000_down_only/down.sql", "SELECT 1;");
    world.write("users/20240107000000_engine/up.oracle.sql", "SELECT 1;");
    world.write("users/20240108000000_meta/up.sql", "SELECT 1;");
    world.write("users/20240108000000_meta/metadata.toml", "run_in_transactoin = false");
    world.write("users/README.md", "This is no migration, and no folder.");
    let error = world.migrator().migrate().unwrap_err();
    says(&error, FailureKind::Lint, &[
        "`create_tags` in the migrations of app `blog` is no migration: its name has no version",
        &format!("{}: migration `20240105000000_empty` of app `shop` is empty", empty.display()),
        "app `users` has the version 20240101000000 twice: `20240101000000_again` and `20240101000000_users`",
        "`20240106000000_down_only` in the migrations of app `users` has no `up.sql`",
        "`up.oracle.sql` is for no engine that is known",
        "nothing was applied",
    ]);
    let mut codes: Vec<_> = error.lint.iter().map(|problem| problem.code).collect();
    codes.dedup();
    assert!(codes.contains(&LintCode::Metadata) && error.lint.len() == 6, "{error}");
    assert_eq!(world.tables("default"), "");
}

#[test]
fn folders_that_are_not_there_are_told_of() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    let databases = world.with("/blog'", "/bolg'");
    let error = databases.migrator().migrate().unwrap_err();
    says(&error, FailureKind::Lint, &["bolg: the folder of the migrations of app `blog` is not there"]);
    assert_eq!(error.lint[0].code, LintCode::NoFolder);
    let status = databases.migrator().status().unwrap();
    assert_eq!((status.lint.len(), status.is_clean(), status.is_behind()), (1, false, true));
    says(&databases.migrator().fake(["20240102000000"]).unwrap_err(), FailureKind::Lint, &["bolg"]);

    // Of an app that nobody says has any, there are records all the same.
    world.remove("shop");
    std::fs::create_dir(world.path("shop")).unwrap();
    let report = world.migrator().migrate().unwrap();
    let shop = report.database("shop_db").unwrap();
    assert!(shop.warnings.len() == 2 && shop.warnings[0].contains("not among the migrations"), "{shop:?}");
    assert_eq!(world.migrator().plan().unwrap().databases[2].warnings.len(), 2);
    assert!(!world.migrator().status().unwrap().is_clean());

    // A wrong current directory: no app has a folder, and no file says that one should.
    let mut elsewhere = world;
    for app in ["users", "blog", "shop", "legacy"] {
        let folder = elsewhere.path(app);
        elsewhere.yaml = elsewhere.yaml.replace(&format!(", migrations: '{}'", folder.display()), "");
    }
    assert!(!elsewhere.yaml.contains("migrations: "), "{}", elsewhere.yaml);
    let databases = elsewhere.rebuilt(|builder| builder);
    let report = databases.migrator().migrate().unwrap();
    for database in &report.databases {
        assert!(database.warnings[0].starts_with("there are no migrations: `migrations/"), "{database:?}");
        assert!(database.warnings[0].contains("is not there, seen from `"), "{database:?}");
    }
    assert_eq!(databases.migrator().plan().unwrap().databases[0].warnings.len(), 2);
    let status = databases.migrator().status().unwrap();
    assert_eq!((status.is_clean(), status.is_behind()), (false, true));
}

#[test]
fn invalid_sql_in_the_third_of_five_leaves_two_applied() {
    let Some(world) = world("") else { return };
    for (number, table) in ["products", "prices", "broken", "fourth", "fifth"].iter().enumerate() {
        world.table(&format!("shop/{number}_{table}"), table);
    }
    let file = world.write(
        "shop/2_broken/up.sql",
        "CREATE TABLE broken (id INTEGER);\nINSERT INTO broken VALUES (1);\nINSERT INTO nowhere VALUES (1);\n",
    );
    let error = world.migrator().migrate().unwrap_err();
    says(&error, FailureKind::Failed, &[
        &file.display().to_string(),
        "migration `2_broken` of app `shop` failed on `shop_db`",
        "nowhere",
        "shop_db: failed; applied: shop/0_products, shop/1_prices; not applied: shop/2_broken, shop/3_fourth, shop/4_fifth",
    ]);
    if world.engine == Engine::MariaDb {
        says(&error, FailureKind::Failed, &[
            "it may have run in part",
            "`dbrouter resolve shop 2 --applied --database shop_db`",
            "`dbrouter resolve shop 2 --reverted --database shop_db`",
        ]);
        says(&world.migrator().migrate().unwrap_err(), FailureKind::Refused, &[
            "migration `2_broken` of app `shop` is dirty on `shop_db`: it failed half-way",
        ]);
        world.execute("shop_db", "DROP TABLE broken");
        world.migrator().resolve("shop", "2", Resolution::Reverted).unwrap();
    } else {
        says(&error, FailureKind::Failed, &["nothing of it was changed"]);
        assert!(!world.tables("shop_db").contains("broken"));
    }
    world.table("shop/2_broken", "broken");
    assert_eq!(world.migrator().migrate().unwrap().done(), 3);
}

#[test]
fn one_refused_statement_leaves_nothing_dirty() {
    let Some(world) = world("") else { return };
    world.project();
    world.write("shop/20240103000000_prices/up.sql", "CREATE TABLE prices (id NOSUCH TYPE AT ALL);");
    world.write("shop/20240103000000_prices/metadata.toml", "run_in_transaction = false # on its own\n");
    if world.engine == Engine::Sqlite {
        world.write("shop/20240103000000_prices/up.sql", "CREATE TABLE products (id INTEGER);");
    }
    let error = world.migrator().migrate().unwrap_err();
    says(&error, FailureKind::Failed, &["nothing of it was changed"]);
    assert_eq!(world.records("shop_db"), ["shop_db shop 20240102000000 applied"]);
    world.table("shop/20240103000000_prices", "prices");
    world.migrator().migrate().unwrap();
}

#[test]
fn a_missing_down_file_is_told_before_anything_is_reverted() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    world.remove("shop/20240103000000_prices/down.sql");
    let error = world.migrator().database("shop_db").rollback(1).unwrap_err();
    says(&error, FailureKind::Failed, &[
        "20240103000000_prices",
        "`20240103000000_prices` of app `shop` cannot be reverted on `shop_db`: its `down.sql` is missing",
        "nothing of it was changed",
        "not reverted",
    ]);
    assert_eq!(world.records("shop_db").len(), 2);

    // All that is wrong is told at once, and the last one, which could go, stays with the others.
    world.table("shop/20240105000000_stock", "stock");
    world.migrator().migrate().unwrap();
    world.write("shop/20240102000000_products/down.sql", "DROP TABLE products;\nDELETE FROM users;\n");
    let error = world.migrator().database("shop_db").rollback(3).unwrap_err();
    says(&error, FailureKind::Failed, &[
        "`20240103000000_prices` of app `shop` cannot be reverted on `shop_db`: its `down.sql` is missing",
        "`20240102000000_products` of app `shop` cannot be reverted on `shop_db`: line 2 uses `users` of app `users`",
        "not reverted: shop/20240105000000_stock, shop/20240103000000_prices, shop/20240102000000_products",
    ]);
    assert_eq!(error.failed.iter().map(|it| it.kind).collect::<Vec<_>>(), [FailureKind::Failed, FailureKind::Lint]);
    assert_eq!(world.records("shop_db").len(), 3);
    world.migrator().database("shop_db").rollback(1).unwrap();

    world.remove("shop/20240103000000_prices");
    let error = world.migrator().database("shop_db").rollback(1).unwrap_err();
    says(&error, FailureKind::Failed, &["version 20240103000000 of app `shop` is recorded on `shop_db`"]);
}

#[test]
fn an_edited_file_is_refused_until_it_is_accepted() {
    let Some(world) = world("") else { return };
    world.project();
    world.migrator().migrate().unwrap();
    // Another system's line ends are no edit.
    world.write("shop/20240102000000_products/up.sql", "CREATE TABLE products (id INTEGER PRIMARY KEY);\r\n");
    assert!(world.migrator().status().unwrap().is_clean());

    let file =
        world.write("shop/20240102000000_products/up.sql", "CREATE TABLE products (id BIGINT PRIMARY KEY);\n");
    world.table("shop/20240109000000_more", "more");
    let error = world.migrator().migrate().unwrap_err();
    says(&error, FailureKind::Refused, &[
        &file.display().to_string(),
        "migration `20240102000000_products` of app `shop` was edited after it was applied to `shop_db`",
        "not applied: shop/20240109000000_more",
    ]);
    world.migrator().resolve("shop", "20240102000000", Resolution::Applied).unwrap();
    assert_eq!(world.migrator().migrate().unwrap().done(), 1);
}

#[test]
fn names_that_are_wrong_are_usage_errors() {
    let Some(world) = world("  default_replica: { url: 'MAIN', replica_of: default }\n  quiet: { url: 'SHOP', migrate: false }\n")
    else {
        return;
    };
    world.project();
    assert!(!world.migrator().database("quiet").migrate().unwrap_err().is_retryable());
    for (alias, text) in [
        ("shop_bd", "unknown database `shop_bd`; did you mean `shop_db`?"),
        ("default_replica", "database `default_replica` is a replica, and no task touches one; name its primary `default`"),
        ("quiet", "no migration may run on database `quiet`: its `migrate` is false, or its `operations` lack `migrate`"),
    ] {
        let error = world.migrator().database(alias).migrate().unwrap_err();
        assert_eq!(error.to_string(), text);
        says(&error, FailureKind::Usage, &[]);
    }
    says(&world.migrator().app("shp").status().unwrap_err(), FailureKind::Usage, &["did you mean `shop`?"]);
    says(&world.migrator().fake(["7"]).unwrap_err(), FailureKind::Usage, &["has the version 7"]);
    // A replica is left alone when nobody names it.
    let targets = world.migrator().targets().unwrap();
    assert_eq!(targets, ["default", "blog_admin", "shop_db"]);
}

#[test]
fn one_of_three_that_is_not_reached_keeps_the_others_outcome() {
    let Some(world) = world("") else { return };
    world.project();
    let url = world.databases.config().database("blog_admin").unwrap().url.expose().to_owned();
    let gone = match world.engine {
        Engine::Sqlite => "sqlite:///no/such/folder/blog.sqlite3".to_owned(),
        Engine::Postgres => format!("postgres://router@127.0.0.1:{}/x", router_tests::free_port().unwrap()),
        Engine::MariaDb => format!("mysql://router@127.0.0.1:{}/x", router_tests::free_port().unwrap()),
    };
    let from = if world.engine == Engine::Sqlite { format!("sqlite://{url}") } else { url };
    let databases = world.with(&format!("blog_admin: {{ url: '{from}' }}"), &format!("blog_admin: {{ url: '{gone}' }}"));
    let migrator = databases.migrator().on_error(router_diesel::migrate::OnError::Continue);
    let error = migrator.migrate().unwrap_err();
    if error.kind() == FailureKind::Lint {
        // Files of SQLite can be told apart without being opened.
        says(&error, FailureKind::Lint, &["app `blog` is migrated on `blog_admin`, and read from `blog_db`"]);
        return;
    }
    says(&error, FailureKind::Unreachable, &["database `blog_admin` cannot be reached"]);
    assert!(error.is_retryable(), "{error}");
    let outcomes: Vec<_> = error.report.databases.iter().map(|database| database.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Failed, Outcome::Done]);
    let status = migrator.status().unwrap();
    assert!(!status.is_clean());
    assert_eq!(status.databases[1].failure.as_ref().unwrap().kind, FailureKind::Unreachable);
    assert_eq!(migrator.plan().unwrap().databases[1].failures[0].kind, FailureKind::Unreachable);
}

#[test]
fn a_history_that_is_not_reached_is_told_with_those_whose_records_it_keeps() {
    let Some(world) = world("") else { return };
    world.project();
    let gone = match world.engine {
        Engine::Sqlite => "sqlite:///no/such/folder/main.sqlite3".to_owned(),
        Engine::Postgres => format!("postgres://router@127.0.0.1:{}/x", router_tests::free_port().unwrap()),
        Engine::MariaDb => format!("mysql://router@127.0.0.1:{}/x", router_tests::free_port().unwrap()),
    };
    let url = world.databases.config().database("default").unwrap().url.expose().to_owned();
    let from = if world.engine == Engine::Sqlite { format!("sqlite://{url}") } else { url };
    let databases = world.with(&format!("default: {{ url: '{from}'"), &format!("default: {{ url: '{gone}'"));
    let blog = databases.migrator().database("blog_db");
    let error = blog.migrate().unwrap_err();
    says(&error, FailureKind::Unreachable, &["database `default` cannot be reached: ", "; it keeps the records of `blog_admin`"]);
    assert!(error.is_retryable(), "{error}");
    if world.engine != Engine::Sqlite {
        let failure = blog.status().unwrap().databases.remove(0).failure.unwrap();
        assert!(failure.message.ends_with("; it keeps the records of `blog_admin`"), "{failure}");
    }
}

#[test]
fn a_lock_that_is_held_is_waited_for_and_told_of() {
    let Some(world) = world("") else { return };
    world.project();
    let file = world.path("go");
    // The first migration waits until the second process has given up.
    let slow = world.rebuilt(|builder| builder);
    let (started, wait) = std::sync::mpsc::channel();
    let go = file.clone();
    std::thread::scope(|scope| {
        let holder = scope.spawn(move || {
            let told = std::sync::Mutex::new(Some(started));
            slow.migrator()
                .database("shop_db")
                .on_event(move |event| {
                    if let router_diesel::migrate::Event::MigrationStarted { .. } = event
                        && let Some(started) = told.lock().unwrap().take()
                    {
                        started.send(()).unwrap();
                        while !go.exists() {
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                    }
                })
                .migrate()
                .unwrap()
                .done()
        });
        wait.recv().unwrap();
        let error = world
            .migrator()
            .database("shop_db")
            .lock_wait(std::time::Duration::from_millis(100))
            .migrate()
            .unwrap_err();
        std::fs::write(&file, "").unwrap();
        says(&error, FailureKind::Locked, &["database `shop_db` is locked by", "shop_db: failed"]);
        assert_eq!(holder.join().unwrap(), 2);
    });
    assert_eq!(world.migrator().database("shop_db").migrate().unwrap().done(), 0);
}
