//! `route`, of a model and of a statement.

use router_cli::Exit;
use router_core::{RouterChain, read_fn, write_fn};

use crate::assert_shown;
use crate::world::World;

#[test]
fn a_model_goes_where_it_is_claimed() {
    let world = World::shop();
    assert_shown!(world.show(["route", "blog.posts"]), @r#"
    exit: 0
    --- stdout
    read blog.posts: blog_db
      because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    asked:
      rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    --- stderr
    "#);
    assert_shown!(world.show(["route", "events", "--write"]), @r#"
    exit: 0
    --- stdout
    write events: default
      because no database claims `events` for write
    asked:
      rules: no opinion, because no database claims `events` for write
    --- stderr
    "#);
    assert_shown!(world.show(["route", "blog.posts", "--write", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"app":"blog","table":"posts","operation":"write","alias":"blog_db","reason":"`blog_db` claims `blog` for write (FOLDER/databases.yml:LINE:COLUMN)","trace":[{"router":"rules","answer":"blog_db","reason":"`blog_db` claims `blog` for write (FOLDER/databases.yml:LINE:COLUMN)","nested":[]}],"error":null,"nodes":[]}
    --- stderr
    "#);
}

#[test]
fn the_trace_shows_who_was_asked() {
    let chain = RouterChain::new("default")
        .with_named("eu", read_fn(|_, _| None))
        .with_named("us", read_fn(|model, _| (model.app == "blog").then(|| "analytics".into())));
    let world = World::shop().with(|program| program.named_router("regions", chain));
    assert_shown!(world.show(["route", "blog"]), @r#"
    exit: 0
    --- stdout
    read blog: analytics
      because router `us` says so
    asked:
      regions: `analytics`, because router `us` says so
        eu: no opinion
        us: `analytics`
    --- stderr
    "#);
    assert_shown!(world.show(["route", "blog", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"app":"blog","table":null,"operation":"read","alias":"analytics","reason":"router `us` says so","trace":[{"router":"regions","answer":"analytics","reason":"router `us` says so","nested":[{"router":"eu","answer":null,"reason":null,"nested":[]},{"router":"us","answer":"analytics","reason":null,"nested":[]}]}],"error":null,"nodes":[]}
    --- stderr
    "#);
}

#[test]
fn an_unknown_app_goes_to_the_default_database_and_is_said_to_be_unknown() {
    let world = World::shop();
    assert_shown!(world.show(["route", "blgo"]), @r#"
    exit: 0
    --- stdout
    read blgo: default
      because no database claims `blgo`
    asked:
      rules: no opinion, because no database claims `blgo`
    --- stderr
    note: the file names no app `blgo`; did you mean `blog`?
    "#);
    assert_shown!(world.show(["route", "warehouse.boxes"]), @r#"
    exit: 0
    --- stdout
    read warehouse.boxes: default
      because no database claims `warehouse`
    asked:
      rules: no opinion, because no database claims `warehouse`
    --- stderr
    note: the file names no app `warehouse`
    "#);
}

#[test]
fn a_table_without_its_app_is_told_its_app() {
    let world = World::shop();
    assert_shown!(world.show(["route", "posts"]), @r#"
    exit: 0
    --- stdout
    read posts: default
      because no database claims `posts`
    asked:
      rules: no opinion, because no database claims `posts`
    --- stderr
    note: the file names no app `posts`; did you mean `blog.posts`?
    "#);
    for (asked, meant) in [
        ("POSTS", "blog.POSTS"),
        ("events_2026", "events.events_2026"),
        // In the schema that everybody has.
        ("public.posts", "blog.posts"),
    ] {
        let stderr = world.run(["route", asked]).stderr;
        assert!(stderr.ends_with(&format!("; did you mean `{meant}`?\n")), "{asked}: {stderr}");
    }
}

#[test]
fn an_unknown_app_is_refused_where_the_file_says_so() {
    let world = World::new("{ unrouted: error, databases: { default: { url: 'sqlite://FOLDER/a' } } }");
    assert_shown!(world.show(["route", "ghost"]), @r#"
    exit: 1
    --- stdout
    read ghost: refused, no app is called `ghost`, and the file says `unrouted: error`; declare it under `apps`
      the answer was default, because no database claims `ghost`
    asked:
      rules: no opinion, because no database claims `ghost`
    --- stderr
    note: the file names no app `ghost`
    "#);
}

#[test]
fn a_table_of_another_app_is_pointed_out() {
    let world = World::shop();
    assert_shown!(world.show(["route", "blog.users"]), @r#"
    exit: 0
    --- stdout
    read blog.users: blog_db
      because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    asked:
      rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    --- stderr
    note: the table `users` belongs to the app `users`, so a statement goes where that one goes
    "#);
    assert_shown!(world.show(["route", "blog.drafts"]), @r#"
    exit: 0
    --- stdout
    read blog.drafts: blog_db
      because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    asked:
      rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    --- stderr
    note: `drafts` is not among the tables of `blog`, nor of any app, so a statement does not go by it
    "#);
}

#[test]
fn of_a_path_the_last_segments_count() {
    let world = World::shop();
    assert_eq!(world.run(["route", "apps.blog.posts"]).stdout, world.run(["route", "blog.posts"]).stdout);
}

#[test]
fn an_operation_that_is_not_allowed_is_refused() {
    let to_analytics = write_fn(|model, _| (model.app == "events").then(|| "analytics".into()));
    let world = World::shop().with(|program| program.named_router("events", to_analytics));
    assert_shown!(world.show(["route", "events", "--write"]), @r#"
    exit: 1
    --- stdout
    write events: refused, database `analytics` does not allow write (FOLDER/databases.yml:LINE:COLUMN); add `write` to its `operations`, or route elsewhere
      the answer was analytics, because router `events` says so
    asked:
      events: `analytics`
    --- stderr
    "#);
    assert_shown!(world.show(["route", "events", "--write", "--format", "json"]), @r#"
    exit: 1
    --- stdout
    {"app":"events","table":null,"operation":"write","alias":null,"reason":"router `events` says so","trace":[{"router":"events","answer":"analytics","reason":null,"nested":[]}],"error":{"code":"OperationNotAllowed","message":"database `analytics` does not allow write (FOLDER/databases.yml:LINE:COLUMN); add `write` to its `operations`, or route elsewhere"},"nodes":[]}
    --- stderr
    "#);
}

#[test]
fn a_router_that_names_no_database_is_named_itself() {
    let typo = read_fn(|model, _| (model.app == "events").then(|| "analytcis".into()));
    let world = World::shop().with(|program| program.named_router("stats", typo));
    assert_shown!(world.show(["route", "events"]), @r#"
    exit: 1
    --- stdout
    read events: refused, router `stats` answered with unknown database `analytcis`; did you mean `analytics`?
      the answer was analytcis, because router `stats` says so
    asked:
      stats: `analytcis`
    --- stderr
    "#);
}

#[test]
fn a_statement_goes_where_its_tables_are() {
    let world = World::shop();
    assert_shown!(world.show(["route", "--sql", "SELECT * FROM posts JOIN comments USING (id)"]), @r#"
    exit: 0
    --- stdout
    operation: read (SELECT)
    table:     posts, app blog
               rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    table:     comments, app blog
               rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    goes to:   blog_db, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    --- stderr
    "#);
    assert_shown!(world.show(["route", "--sql", "SELECT 1"]), @r#"
    exit: 0
    --- stdout
    operation: read (SELECT)
    goes to:   default, because it names no table
    --- stderr
    "#);
    assert_shown!(world.show(["route", "--sql", "UPDATE posts SET title = ''", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"operation":"write","tables":["posts"],"alias":"blog_db","reason":"`blog_db` claims `blog` for write (FOLDER/databases.yml:LINE:COLUMN)","error":null,"nodes":[]}
    --- stderr
    "#);
}

#[test]
fn a_statement_of_two_databases_is_refused() {
    let world = World::shop();
    let sql = "SELECT * FROM posts, users";
    assert_shown!(world.show(["route", "--sql", sql]), @r#"
    exit: 1
    --- stdout
    operation: read (SELECT)
    table:     posts, app blog
               rules: `blog_db`, because `blog_db` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    table:     users, app users
               rules: `default`, because `default` claims `users` for read (FOLDER/databases.yml:LINE:COLUMN)
    refused:   one statement cannot reach two databases: `posts` is on `blog_db`, `users` is on `default`; make one statement for each, as `belonging_to` does
    --- stderr
    "#);
    assert_shown!(world.show(["route", "--sql", sql, "--format", "json"]), @r#"
    exit: 1
    --- stdout
    {"operation":"read","tables":["posts","users"],"alias":null,"reason":"one statement cannot reach two databases: `posts` is on `blog_db`, `users` is on `default`; make one statement for each, as `belonging_to` does","error":{"code":"CrossDatabaseQuery","message":"one statement cannot reach two databases: `posts` is on `blog_db`, `users` is on `default`; make one statement for each, as `belonging_to` does"},"nodes":[]}
    --- stderr
    "#);
}

#[test]
fn the_dialect_is_the_default_databases_or_the_one_that_is_named() {
    let world = World::shop();
    let sql = "SELECT `id` FROM `posts` LOCK IN SHARE MODE";
    let operation = |dialect| {
        let ended = world.run(["route", "--sql", sql, "--dialect", dialect, "--format", "json"]);
        assert_eq!(ended.exit, Exit::Fine, "{ended:?}");
        ended.stdout
    };
    assert!(operation("mysql").starts_with(r#"{"operation":"write","tables":["posts"],"alias":"blog_db""#));
    assert_eq!(operation("mysql"), operation("mariadb"));

    let quoted = r#"SELECT "id" FROM "posts""#;
    let plain = world.run(["route", "--sql", quoted]);
    assert_eq!(plain.stdout, world.run(["route", "--sql", quoted, "--dialect", "sqlite"]).stdout);
}

#[cfg(feature = "sqlite")]
#[test]
fn the_nodes_of_a_cluster_are_told() {
    let world = World::cluster([]);
    assert_shown!(world.show(["route", "blog.posts"]), @r#"
    exit: 0
    --- stdout
    read blog.posts: default
      because `default` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    nodes:
      default does not: it reads only where no replica can
      copy may serve it: by round_robin
      second may serve it: by round_robin
    asked:
      rules: `default`, because `default` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    --- stderr
    "#);
    assert_shown!(world.show(["route", "blog", "--write", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"app":"blog","table":null,"operation":"write","alias":"default","reason":"`default` claims `blog` for write (FOLDER/databases.yml:LINE:COLUMN)","trace":[{"router":"rules","answer":"default","reason":"`default` claims `blog` for write (FOLDER/databases.yml:LINE:COLUMN)","nested":[]}],"error":null,"nodes":[{"alias":"default","serves":"yes","why":"it is the primary, and the statement does more than read"},{"alias":"copy","serves":"no","why":"the statement goes to `default`"},{"alias":"second","serves":"no","why":"the statement goes to `default`"}]}
    --- stderr
    "#);
    assert_shown!(world.show(["route", "--sql", "SELECT title FROM posts"]), @r#"
    exit: 0
    --- stdout
    operation: read (SELECT)
    table:     posts, app blog
               rules: `default`, because `default` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    goes to:   default, because `default` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)
    nodes:     default does not: it reads only where no replica can
               copy may serve it: by round_robin
               second may serve it: by round_robin
    --- stderr
    "#);
    assert_shown!(world.show(["route", "--sql", "SELECT title FROM posts", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"operation":"read","tables":["posts"],"alias":"default","reason":"`default` claims `blog` for read (FOLDER/databases.yml:LINE:COLUMN)","error":null,"nodes":[{"alias":"default","serves":"no","why":"it reads only where no replica can"},{"alias":"copy","serves":"maybe","why":"by round_robin"},{"alias":"second","serves":"maybe","why":"by round_robin"}]}
    --- stderr
    "#);
}

#[cfg(feature = "sqlite")]
#[test]
fn a_model_and_a_statement_are_told_the_same_of_the_nodes() {
    for key in ["primary_reads: always", "primary_reads: never", "policy: random"] {
        let yaml = crate::world::CLUSTER.replace("apps: [blog] }", &format!("apps: [blog], {key} }}"));
        let world = World::new(&format!("unrouted: error\n{yaml}"));
        for (write, sql) in [(false, "SELECT title FROM posts"), (true, "DELETE FROM posts")] {
            let nodes = |ended: crate::world::Ended| {
                let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
                assert_eq!(answer["nodes"].as_array().unwrap().len(), 3, "{answer}");
                answer["nodes"].clone()
            };
            let model = match write {
                false => world.run(["route", "blog", "--format", "json"]),
                true => world.run(["route", "blog", "--write", "--format", "json"]),
            };
            assert_eq!(nodes(model), nodes(world.run(["route", "--sql", sql, "--format", "json"])));
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_refused_model_has_no_nodes() {
    let world = World::cluster([])
        .with(|program| program.named_router("second", write_fn(|_, _| Some("second".into()))));
    let ended = world.run(["route", "blog", "--write", "--format", "json"]);
    assert_eq!(ended.exit, Exit::Found);
    assert!(ended.stdout.ends_with("\"nodes\":[]}\n"), "{ended:?}");
}

#[test]
fn a_table_may_stand_in_quotes() {
    let world = World::new(
        r#"
apps: { blog: { tables: ['"Order Items"', '"a.b"'] }, shop: { tables: [products] } }
databases: { default: { url: 'sqlite://FOLDER/default.sqlite3', apps: [blog, shop] } }
"#,
    );
    for (model, app, table, note) in [
        (r#"blog."Order Items""#, "blog", "Order Items", ""),
        ("apps.blog.`a.b`", "blog", "a.b", ""),
        (
            "shop.[Order Items]",
            "shop",
            "Order Items",
            "note: the table `Order Items` belongs to the app `blog`, so a statement goes where that one goes\n",
        ),
    ] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit =
            world.program.run(["dbrouter", "route", model, "--format", "json"], &mut stdout, &mut stderr);
        let answer: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
        assert_eq!(
            (exit, &answer["app"], &answer["table"]),
            (Exit::Fine, &app.into(), &table.into()),
            "{model}"
        );
        assert_eq!(String::from_utf8(stderr).unwrap(), note, "{model}");
    }
    for model in ["blog.\"Order", "blog.", ".posts", "blog.\"\""] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = world.program.run(["dbrouter", "route", model], &mut stdout, &mut stderr);
        let told = String::from_utf8(stderr).unwrap();
        assert_eq!(
            (exit, told),
            (Exit::Usage, format!("error: `{model}` is no model; write `app` or `app.table`\n"))
        );
    }
}
