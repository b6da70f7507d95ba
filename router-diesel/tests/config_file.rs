//! What a configuration file means.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use router_core::Operation;
use router_diesel::config::{
    Code, Config, ConfigError, HealthSettings, Offline, Policy, PrimaryReads, Problem,
};

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::loader().yaml(text, "databases.yml").variables(variables.iter().copied()).load()
}

fn sound(text: &str) -> Config {
    load(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn codes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let error = load(text, variables).expect_err("a problem");
    error.problems().iter().map(|problem| problem.code().to_string()).collect()
}

#[test]
fn the_example_of_the_design_is_read_whole() {
    let text = r"
default: default
unrouted: default
env_prefix: SHOP
write_functions: [bump_counter]
apps:
  blog: { tables: [posts, comments], migrations: db/blog }
  legacy: { tables: [customers], managed: false }
databases:
  default:
    url: ${DATABASE_URL:-postgres://h/default}
    pool: { max_size: 20, min_idle: 1, connection_timeout: 3s, statement_timeout: 30s, prepared_statements: false }
    policy: weighted
    primary_reads: always
    wait_for_replica: 100ms
    primary_window: 5s
    health: { interval: 2s, ban: 30s }
    offline: replicas
  blog_db:
    engine: postgres
    host: blog.db.internal
    port: 6432
    name: blog
    user: blog
    password: ${BLOG_PASSWORD}
    options: { sslmode: require, connect_timeout: 5 }
    apps: [blog, search]
    operations: [read, write]
    migrate_to: blog_admin
  blog_admin: { url: '${BLOG_ADMIN_URL}' }
  default_replica: { replica_of: default, url: '${REPLICA_URL}', weight: 2, max_lag: 10s }
environments:
  production:
    databases: { default: { url: '${NOT_ASKED_FOR}', pool: { max_size: '${N}', idle_timeout: '${T}' } } }
";
    let config = load(
        text,
        &[
            ("BLOG_PASSWORD", "p@ss: #1"),
            ("BLOG_ADMIN_URL", "postgres://owner@blog.db.internal/blog"),
            ("SHOP_DEFAULT_REPLICA_DATABASE_URL", "postgres://replica/default"),
        ],
    )
    .unwrap();
    assert_eq!(
        config.apps.iter().map(|app| app.label.as_str()).collect::<Vec<_>>(),
        ["blog", "legacy", "search"]
    );
    assert_eq!(config.app("apps.blog").unwrap().migrations.to_str(), Some("db/blog"));
    assert!(!config.app("legacy").unwrap().managed);
    assert_eq!(config.app("blog").unwrap().place.as_ref().unwrap().to_string(), "databases.yml:7:3");

    let default = config.database("default").unwrap();
    assert_eq!(default.url.expose(), "postgres://h/default");
    assert_eq!((default.pool.max_size, default.pool.min_idle), (20, 1));
    assert_eq!(default.pool.connection_timeout, Duration::from_secs(3));
    assert_eq!(default.pool.statement_timeout, Some(Duration::from_secs(30)));
    assert!(!default.pool.prepared_statements);
    assert_eq!((default.policy, default.primary_reads), (Policy::Weighted, PrimaryReads::Always));
    assert_eq!(default.offline, Some(Offline::Replicas));
    assert_eq!(default.primary_window, Duration::from_secs(5));
    assert_eq!(
        (default.health.interval, default.health.ban),
        (Duration::from_secs(2), Duration::from_secs(30))
    );
    assert_eq!(default.health.timeout, HealthSettings::default().timeout);
    assert_eq!(default.place.to_string(), "databases.yml:10:3");

    let blog = config.database("blog_db").unwrap();
    assert_eq!(
        blog.url.expose(),
        "postgres://blog:p%40ss%3A%20%231@blog.db.internal:6432/blog?sslmode=require&connect_timeout=5"
    );
    assert_eq!(blog.migrate_to.as_ref().unwrap(), &"blog_admin");
    assert!(!blog.operations.contains(Operation::Migrate));

    let replica = config.database("default_replica").unwrap();
    assert_eq!(replica.url.expose(), "postgres://replica/default");
    assert_eq!((replica.weight, replica.max_lag), (2, Some(Duration::from_secs(10))));
    assert!(!replica.operations.contains(Operation::Write) && !replica.migrate);
    assert_eq!(config.replicas_of("default").count(), 1);
}

#[test]
fn the_default_is_named_or_default_or_primary_or_the_first() {
    let database = |alias: &str| format!("  {alias}: {{ url: 'sqlite://{alias}' }}\n");
    for (first_line, aliases, default) in [
        ("default: b\n", &["a", "b", "default"][..], "b"),
        ("", &["a", "primary", "default"], "default"),
        ("", &["a", "primary"], "primary"),
        ("", &["a", "b"], "a"),
    ] {
        let databases: String = aliases.iter().map(|alias| database(alias)).collect();
        assert_eq!(sound(&format!("{first_line}databases:\n{databases}")).default, default);
    }
}

#[test]
fn an_environment_is_merged_over_the_rest() {
    let text = "
databases:
  default: { url: sqlite://dev, apps: [a, b], pool: { max_size: 3, min_idle: 1 } }
environments:
  production:
    databases:
      default: { url: ~, engine: postgres, host: h, name: n, apps: [c], pool: { max_size: 30 } }
      extra: { url: 'sqlite://extra' }
  test:
";
    let loader = Config::loader().yaml(text, "databases.yml");
    let development = loader.clone().variables([("A", "")]).load().unwrap();
    assert_eq!(development.environment, "development");
    assert_eq!(development.databases.len(), 1);

    let production = loader.clone().variables([("DBROUTER_ENV", "production")]).load().unwrap();
    let default = &production.databases[0];
    assert_eq!(default.url.expose(), "postgres://h/n");
    assert_eq!(default.apps, ["c"]);
    assert_eq!((default.pool.max_size, default.pool.min_idle), (30, 1));
    assert_eq!(production.databases[1].alias, "extra");

    assert_eq!(loader.environment("test").variables([("A", "")]).load().unwrap().databases.len(), 1);
}

#[test]
fn a_url_in_the_environment_comes_before_all_else() {
    let text = "databases: { blog-db: { url: '${MISSING}', engine: '${MISSING}' } }";
    let config = load(text, &[("BLOG_DB_DATABASE_URL", "sqlite://from-env")]).unwrap();
    assert_eq!(config.databases[0].url.expose(), "from-env");
    assert_eq!(codes(text, &[("BLOG_DB_DATABASE_URL", "")]), ["R035", "R035"]);
    let error = load(text, &[("BLOG_DB_DATABASE_URL", "psotgres://u:hunter2@h/db")]).unwrap_err();
    assert!(error.to_string().contains("BLOG_DB_DATABASE_URL"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn merge_keys_bring_what_is_not_there() {
    let config = sound(
        "
x-base: &base { url: sqlite://base, pool: { max_size: 3 }, apps: [blog] }
x-more: &more { url: sqlite://more, read_only: true }
databases:
  one: { <<: *base, url: sqlite://one }
  two: { <<: [*more, *base], apps: [shop] }
",
    );
    let [one, two] = &config.databases[..] else { panic!("two databases") };
    assert_eq!((one.url.expose(), one.pool.max_size, one.read_only), ("one", 3, false));
    assert_eq!((two.url.expose(), two.pool.max_size, two.read_only), ("more", 3, true));
    assert_eq!(two.apps, ["shop"]);
}

#[test]
fn included_files_add_apps_and_databases() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "databases.yml",
        "include: [stats.yml, 'tenants/*.yml']\ndatabases: { default: { url: 'sqlite://d' } }\n",
    );
    write(
        "stats.yml",
        "apps: { stats: { tables: [hits] } }\ndatabases: { stats_db: { url: 'sqlite://s', apps: [stats] } }\n",
    );
    write("tenants/b.yml", "databases: { b: { url: 'sqlite://b' } }\n");
    write("tenants/a.yml", "include: ../stats.yml\ndatabases: { a: { url: 'sqlite://a' } }\n");
    let load = || Config::loader().file(folder.path().join("databases.yml")).variables([("A", "")]).load();
    let config = load().unwrap();
    let aliases: Vec<&str> = config.databases.iter().map(|database| database.alias.as_str()).collect();
    assert_eq!(aliases, ["default", "stats_db", "a", "b"]);
    assert_eq!(config.files.len(), 4);
    assert!(config.databases[1].place.to_string().ends_with("stats.yml:2:14"));

    write("tenants/b.yml", "default: b\ndatabases: { b: { url: 'sqlite://b' }, a: {} }\n");
    let codes: Vec<Code> = load().unwrap_err().problems().iter().map(|problem| problem.code()).collect();
    assert_eq!(codes, [Code::UnknownKey, Code::DeclaredTwice]);
}

#[test]
fn an_env_file_never_overrides_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prod.env");
    fs::write(&path, "ONE=sqlite://file-one\nTWO='sqlite://file two'\n").unwrap();
    let config = Config::loader()
        .yaml("databases: { a: { url: '${ONE}' }, b: { url: '${TWO}' } }", "databases.yml")
        .variables([("ONE", "sqlite://set-one")])
        .env_file(&path)
        .load()
        .unwrap();
    assert_eq!(config.databases[0].url.expose(), "set-one");
    assert_eq!(config.databases[1].url.expose(), "file two");
}

#[test]
fn tables_find_their_apps() {
    let config = sound(
        "
apps:
  blog: { tables: [posts, 'blog_*', archive.posts] }
  shop: {}
  rest: { tables: ['*_log', 'x?z'] }
databases: { default: { url: ':memory:', apps: [events] } }
",
    );
    let map = config.table_map();
    let expected = HashMap::from([
        ((None, "posts"), Some("blog")),
        ((None, "POSTS"), Some("blog")),
        ((Some("public"), "posts"), Some("blog")),
        ((Some("archive"), "posts"), Some("blog")),
        ((Some("other"), "posts"), None),
        ((None, "blog_log"), Some("blog")),
        ((None, "shop_items"), Some("shop")),
        ((Some("shop"), "items"), Some("shop")),
        ((None, "audit_log"), Some("rest")),
        ((None, "xyz"), Some("rest")),
        ((None, "events_raw"), Some("events")),
        ((None, "nothing"), None),
    ]);
    for ((schema, table), app) in expected {
        assert_eq!(map.app_of(schema, table).map(|label| label.as_str()), app, "{schema:?} {table}");
    }
}

#[test]
fn all_problems_are_told_at_once_in_file_order() {
    let text = "
unrouted: nowhere
apps:
  blog: { tables: [], managed: 3 }
databases:
  a: { url: 'sqlite://a', operations: [raed], port: many, unknown: 1 }
  b: { url: [], pool: { max_size: 0, idle_timeout: 7, no_such: 1 } }
  c: not a map
  d: { url: 'sqlite://d', migrate_to: zzz, apps: [blog, blog] }
environments:
  staging: { databases: { a: { port: 0, unknown: 1 } } }
";
    assert_eq!(
        codes(text, &[]),
        [
            "R013", "R025", "R009", "R017", "R029", "R009", "R008", "R009", "R010", "R011", "R008", "R009",
            "R012", "R027", "R010", "R008"
        ]
        .map(str::to_owned)
        .to_vec()
    );
}

#[test]
fn oddities_are_refused_with_a_code() {
    for (text, expected) in [
        ("", "R002"),
        ("# comment", "R002"),
        ("just text", "R009"),
        ("[1, 2]", "R009"),
        ("databases:", "R016"),
        ("databases: 3", "R009"),
        ("a: b: c", "R005"),
        ("\tdatabases: {}", "R005"),
        ("databases: *nothing", "R005"),
        ("--- {}\n--- {}", "R005"),
        ("databases: !tag { a: 1 }", "R005"),
        ("databases: { a: { url: 'sqlite://a', replica_of: a } }", "R022"),
        ("databases: { a: { url: 'sqlite://a', apps: [x], migrate_to: a } }", "R023"),
        ("databases: { a: { url: 'sqlite://a', pool: { connection_timeout: 0s } } }", "R011"),
        ("databases: { a: { url: 'sqlite://a', pool: { connection_timeout: 999999h } } }", "R011"),
        ("databases: { a: { url: 'sqlite://a', pool: { max_size: -1 } } }", "R010"),
        ("databases: { a: { url: 'sqlite://a', pool: { max_size: 1.5 } } }", "R010"),
        ("databases: { a: { engine: postgres, host: h, password: 123456 } }", "R009"),
        ("databases: { a: { engine: sqlite, name: x, host: h } }", "R034"),
        ("databases: { a: { url: '' } }", "R031"),
        ("databases: { a: { url: 'a/b.sqlite3' } }", "R031"),
        ("databases: { a: { url: 'sqlite://a', shards: {} } }", "R008"),
        ("databases: { blog-db: { url: ':memory:' }, blog_db: { url: ':memory:' } }", "R015"),
        ("apps: { Blog: {} }\ndatabases: { a: { url: ':memory:', apps: [blog] } }", "R015"),
        ("apps: { blog: {}, x.blog: {} }\ndatabases: { a: { url: ':memory:' } }", "R007"),
        (
            "apps: { a: { tables: ['*'] }, b: { tables: ['b_*'] } }\ndatabases: { a: { url: ':memory:' } }",
            "R025",
        ),
        ("env_prefix: a b\ndatabases: { a: { url: ':memory:' } }", "R014"),
        ("default: b\ndatabases: { a: { url: ':memory:' } }", "R012"),
        ("databases: { a: { url: ':memory:', replica_of: b } }", "R012"),
        ("databases: { a: { url: ':memory:', migration_history: b } }", "R012"),
        ("databases: { a: { url: ':memory:', max_lag: 1s } }", "R034"),
        ("databases: { a: { url: ':memory:', policy: fastest } }", "R013"),
        ("databases: { a: { url: ':memory:', weight: 0 } }", "R010"),
        ("databases: { a: { url: ':memory:', weight: 101 } }", "R010"),
        ("databases: { a: { url: ':memory:', primary_reads: sometimes } }", "R013"),
        ("databases: { a: { url: ':memory:', offline: all } }", "R013"),
        (
            "databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, max_lag: 199ms } }",
            "R011",
        ),
        ("databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, health: {} } }", "R034"),
        (
            "databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, primary_window: 1s } }",
            "R034",
        ),
        ("databases: { a: { url: ':memory:', health: { intervall: 1s } } }", "R008"),
        ("databases: { a: { url: ':memory:', health: { interval: 49ms } } }", "R011"),
        ("databases: { a: { url: ':memory:', health: { timeout: 2s } } }", "R011"),
        ("databases: { a: { url: ':memory:', health: { timeout: 0s } } }", "R011"),
        ("databases: { a: { url: ':memory:', health: { ban: 0s } } }", "R011"),
        ("databases: { a: { url: ':memory:', primary_window: 9999h } }", "R011"),
        (
            "databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, policy: random } }",
            "R034",
        ),
        (
            "databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, operations: [write] } }",
            "R024",
        ),
        (
            "databases: { a: { url: ':memory:' }, b: { url: ':memory:', replica_of: a, migrate: true } }",
            "R024",
        ),
        ("databases: { a: { url: ':memory:' }, b: { url: 'mysql://h/d', replica_of: a } }", "R033"),
        (
            "databases: { a: { url: ':memory:', migration_history: b }, b: { url: ':memory:', replica_of: a } }",
            "R034",
        ),
        (
            "databases: { a: { url: ':memory:', apps: [x], migrate_to: b }, b: { url: ':memory:', replica_of: a } }",
            "R020",
        ),
        (
            "databases: { a: { url: ':memory:', apps: [x], migrate_to: b }, b: { url: ':memory:', operations: [read] } }",
            "R020",
        ),
        ("databases: { a: { url: ':memory:', migrate_to: b }, b: { url: ':memory:' } }", "R025"),
        ("databases: { a: { url: ':memory:', apps: [x], operations: [migrate], migrate: false } }", "R025"),
        ("databases: { a: { url: ':memory:', apps: ['x y'] } }", "R014"),
        ("databases: { a: { url: ':memory:' } }\nwrite_functions: ['f()']", "R014"),
        ("databases: { a: { url: ':memory:', operations: [read, read] } }", "R027"),
        ("databases: { ? [a] : { url: ':memory:' } }", "R009"),
    ] {
        let codes = codes(text, &[]);
        assert!(codes.iter().any(|code| code == expected), "{text}\n{codes:?}, and not {expected}");
    }
}

#[test]
fn a_bomb_of_aliases_is_refused_quickly() {
    let mut text = String::from("x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let names = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{names}]\n"));
    }
    text.push_str("databases: { a: { url: ':memory:' } }\n");
    assert_eq!(codes(&text, &[]), ["R006"]);
    assert_eq!(codes(&format!("x-deep: {}{}", "[".repeat(500), "]".repeat(500)), &[]), ["R006"]);
    // Half a megabyte of brackets.
    assert_eq!(codes(&format!("x-deep: {}", "[".repeat(500_000)), &[]).len(), 1);
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets = ["hunter2", "hunter3", "hunter4", "987654"];
    for text in [
        "databases: { a: { url: 'postgres://u:hunter2@h/d', unknown: 1 } }",
        "databases: { a: { url: 'postgers://u:hunter2@h/d' } }",
        "databases:\n  a:\n    url: postgres://u:hunter2@h/w@x\n",
        "databases:\n  a:\n    url: postgres://u:hu@nt/hunter2@h/d/e\n",
        "databases:\n  a:\n    password: hunter2\n    host: [\n",
        "databases:\n  a: { password: hunter2, host: h\n",
        "databases:\n  a:\n    password: \"hunter2\n    host: h\n",
        "databases:\n  a:\n    password: [hunter2]\n",
        "databases:\n  a: { engine: postgres, password: 987654 }\n",
        "databases:\n  a: { engine: postgres, password: {x: hunter2} }\n",
        "x-secret: &s hunter2\nx-p: &p { password: hunter3 }\ndatabases:\n  a: { engine: postgers, password: *s, <<: *p }\n",
        "x: &s hunter2\ndatabases:\n  a: { engine: postgres, host: h, password: *s }\n",
        "databases:\n  a:\n    engine: postgres\n    password: |\n      hunter2\n      hunter3\n    prot: 1\n",
        "databases: { a: { url: '${URL}', migrate_to: '${SECRET}', apps: [x] } }",
        "databases: { a: { url: '${URL}x', port: '${SECRET}' } }",
        "databases: { a: { url: '${OTHER:-mysql://u:hunter2@h/d/e}' } }",
        "databases: { a: { url: 'postgres://h/d?password=hunter2', x: 1 } }",
        "x: &s hunter2\ndatabases: { a: { url: ':memory:' } }\nenvironments: { p: { databases: { a: { password: *s } } } }",
        "databases: { a: { engine: postgres, host: h, password: hunter$2, options: { password: hunter3, a: [] } } }",
    ] {
        let variables = [("URL", "postgres://u:hunter4@h/d/e"), ("SECRET", "hunter4")];
        let error = load(text, &variables).expect_err(text);
        let json = serde_json::to_string(error.problems()).unwrap();
        let shown = format!("{error}\n{error:?}\n{json}");
        for secret in secrets {
            assert!(!shown.contains(secret), "{secret} of\n{text}\nis shown in\n{shown}");
        }
    }
    let config = sound(
        "databases:
  a: { url: 'postgres://u:hunter2@h/d' }
  b: { engine: postgres, host: h, user: u, password: hunter3, options: { token: hunter4 } }
",
    );
    let shown = format!("{config:?} {}", config.databases[0].url);
    assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    let loader = Config::loader().yaml("password: hunter2", "x").variables([("SECRET", "hunter4")]);
    assert!(!format!("{loader:?}").contains("hunter"));
}

#[test]
fn a_file_that_is_broken_anywhere_is_refused_without_panic_or_secret() {
    let text = "apps: { blog: { tables: [posts, 'b_*'] } }
databases:
  default: &base { url: 'postgres://u:hunter2@h/d', pool: { max_size: 3, idle_timeout: 5s } }
  blog_db:
    <<: *base
    url: ~
    engine: mysql
    password: hunter2
    host: \"h\" # as \u{e9}ver
    apps: [blog]
environments: { production: { default: blog_db } }
";
    assert!(load(text, &[]).is_ok());
    let told = |broken: &str| {
        if let Err(error) = load(broken, &[]) {
            let shown = error.to_string();
            assert!(!error.problems().is_empty());
            assert!(!shown.contains("hunter2"), "{broken}\n{shown}");
        }
    };
    for (at, c) in text.char_indices() {
        told(&text[..at]);
        // Without its colon a password cannot be told from a user, nor without its name from anything.
        let before = &text[..at];
        if before.ends_with("//u")
            || before.lines().last().is_some_and(|line| "    password:".starts_with(line))
        {
            continue;
        }
        let damages = ["", "'", "\"", "{", "]", ":", "\n", "\t", "&", "*", "$", "\u{2028}", " #", "%"];
        for new in damages.iter().skip(at % 3).step_by(3) {
            told(&format!("{}{new}{}", &text[..at], &text[at + c.len_utf8()..]));
        }
    }
}

#[test]
fn a_thousand_mistakes_are_told_in_good_time() {
    let mut text = String::from("databases:\n");
    for index in 0..1_000 {
        text.push_str(&format!(
            "  db_{index}: {{ url: 'sqlite://{index}', replica_of: none_{index}, nothing: 1, url: x }}\n"
        ));
    }
    let begun = std::time::Instant::now();
    assert_eq!(codes(&text, &[]).len(), 3_000);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_pooler_and_the_owner_of_one_database_give_no_note() {
    let config = sound(
        "
databases:
  app: { url: sqlite://db/app.sqlite3, apps: [blog], migrate_to: owner }
  owner: { url: 'sqlite://./db/app.sqlite3?mode=rwc' }
",
    );
    assert_eq!(config.notes.len(), 0, "{:?}", config.notes);
}

/// What is worth saying of a sound file: code, message and help of each note.
fn notes(text: &str) -> Vec<String> {
    let words =
        |note: &Problem| format!("{}: {}; {}", note.code(), note.message(), note.help().unwrap_or_default());
    sound(text).notes.iter().map(words).collect()
}

#[test]
fn a_time_limit_that_is_never_set_is_noted() {
    let file = |pool: &str| format!("databases:\n  main: {{ url: 'postgres://u@h/d', pool: {{ {pool} }} }}");
    assert_eq!(
        notes(&file("statement_timeout: 5s, prepared_statements: false")),
        ["R050: `statement_timeout` of `main` has no effect; give the server's role one: `ALTER ROLE … SET \
          statement_timeout`"]
    );
    assert!(notes(&file("statement_timeout: 5s")).is_empty());
    assert!(notes(&file("prepared_statements: false")).is_empty());
}

#[test]
fn a_claim_that_looks_misspelt_is_noted() {
    let databases = "
databases:
  default: { url: ':memory:' }
  shop_db: { url: 'sqlite://shop', apps: [shp] }
  stock_db: { url: 'sqlite://stock', apps: [stock] }";
    let noted = "R048: `shop_db` claims `shp`, which is not under `apps`; did you mean `shop`?";
    assert_eq!(notes(&format!("apps: {{ shop: {{}}, stock: {{}} }}{databases}")), [noted]);
    // It is said once, also where every app is to be declared.
    assert_eq!(notes(&format!("unrouted: error\napps: {{ shop: {{}} }}{databases}")), [noted]);
    for sound in [
        // Nothing like it is declared, it is declared itself, or a database has the app already.
        "apps: { news: {} }",
        "apps: { shp: {} }",
        "apps: { stocks: {}, stock: {}, shp: {} }",
        "apps: { stock: {}, shp: {} }",
        "apps: {}",
    ] {
        assert_eq!(notes(&format!("{sound}{databases}")), [""; 0], "{sound}");
    }
}

#[test]
fn an_app_that_nobody_claims_is_noted_where_all_are_to_be_declared() {
    let apps = "apps: { news: {}, legacy: { managed: false } }";
    let two = "databases: { default: { url: ':memory:' }, other: { url: 'sqlite://o' } }";
    let one = "databases: { default: { url: ':memory:' }, copy: { url: ':memory:', replica_of: default } }";
    assert_eq!(
        notes(&format!("unrouted: error\n{apps}\n{two}")),
        [
            "R048: no database claims the app `news`; add `news` to the `apps` of a database, of `default` too, unless \
          a router of your own sends it"
        ]
    );
    assert_eq!(notes(&format!("{apps}\n{two}")), [""; 0]);
    assert_eq!(notes(&format!("unrouted: error\n{apps}\n{one}")), [""; 0]);
}

#[test]
fn what_is_said_of_a_cluster_in_vain_is_noted() {
    let file = |main: &str, copy: &str| {
        let copy =
            if copy.is_empty() { String::new() } else { format!("  copy: {{ url: 'sqlite://b', {copy} }}") };
        format!("databases:\n  main: {{ url: 'sqlite://main'{main} }}\n{copy}")
    };
    for (main, copy, expected) in [
        (
            ", policy: random, weight: 2, offline: replicas",
            "",
            &[
                "R050: `policy` of `main` has no effect; ",
                "R050: `weight` of `main` has no effect; ",
                "R050: `offline` of `main` has no effect; ",
            ][..],
        ),
        (", offline: primary", "", &[]),
        (
            "",
            "replica_of: main, weight: 3",
            &["R050: `weight` of `copy` has no effect; write `policy: weighted` on `main`"],
        ),
        (
            ", policy: weighted, weight: 2",
            "replica_of: main, weight: 3",
            &[
                "R050: `weight` of `main` has no effect; write `primary_reads: always` for reads that it shares with its \
             replicas",
            ],
        ),
        (
            ", policy: weighted, weight: 2, primary_reads: always, health: { interval: 400ms }",
            "replica_of: main, weight: 3",
            &[],
        ),
        (", policy: least_connections", "replica_of: main, weight: 3", &[]),
        (
            "",
            "replica_of: main, max_lag: 200ms",
            &[
                "R050: `max_lag` of `copy` keeps it from ever serving; remove it; `primary_window` on the primary keeps \
             reads there after a write",
            ],
        ),
    ] {
        let mut notes = notes(&file(main, copy));
        notes.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(notes, expected, "{main} {copy}");
    }
    let health = sound(&file(", health: { interval: 400ms }", "replica_of: main")).databases[0].health;
    assert_eq!((health.interval, health.timeout), (Duration::from_millis(400), Duration::from_millis(400)));
}

#[test]
fn an_app_of_which_one_half_goes_to_the_default_database_is_noted() {
    let file = |databases: &str| format!("databases:\n  main: {{ url: 'sqlite://main' }}\n{databases}");
    assert_eq!(
        notes(&file("  b: { url: 'sqlite://b', apps: [blog, news], operations: [read] }")),
        [
            "R049: `blog` and `news` are read from `b`, and their writes go to `main`; add `write` to these `operations`, \
          or let another database claim `blog` and `news` for write, unless a router of your own sends their writes"
        ]
    );
    assert_eq!(
        notes(&file("  b: { url: 'sqlite://b', apps: [blog], operations: [write, migrate] }")),
        [
            "R049: `blog` is written to `b`, and its reads go to `main`; add `read` to these `operations`, or let \
          another database claim `blog` for read, unless a router of your own sends its reads"
        ]
    );
    assert_eq!(
        notes(&file(
            "  b: { url: 'sqlite://b' }\n  \
             c: { url: 'sqlite://c', replica_of: b, apps: [blog], operations: [read] }"
        )),
        [
            "R049: `blog` is read from `c`, and its writes go to `main`; let `b` claim `blog` for write, unless a \
          router of your own sends its writes"
        ]
    );
    for sound in [
        // Somebody claims the other half; it is the default database's own replica, or the default under another
        // alias; nothing is claimed.
        "  b: { url: 'sqlite://b', apps: [blog], operations: [read] }\n  \
         c: { url: 'sqlite://c', apps: [blog], operations: [write] }",
        "  b: { url: 'sqlite://b', replica_of: main, apps: [blog], operations: [read] }",
        "  b: { url: 'sqlite://main', apps: [blog], operations: [read] }",
        "  b: { url: 'sqlite://b', operations: [read] }",
        "  b: { url: 'sqlite://b', apps: [blog], operations: [read, write] }",
        "  b: { url: 'sqlite://b', apps: [blog], read_only: true }",
    ] {
        assert_eq!(notes(&file(sound)), [""; 0], "{sound}");
    }
    let default =
        "databases: { main: { url: ':memory:', apps: [blog], operations: [read] }, b: { url: ':memory:' } }";
    assert_eq!(notes(&format!("default: main\n{default}")), [""; 0]);
}

#[test]
fn what_yaml_takes_for_its_own_is_told_with_help() {
    for (text, label, help) in [
        ("databases:\n  default: { url: ${DATABASE_URL} }", "did not find expected ',' or '}'", Some(QUOTES)),
        ("databases:\n  default: { apps: [blog, ${APP}] }", "did not find expected ',' or ']'", Some(QUOTES)),
        ("databases:\n\tdefault: { url: a }", "here is a tab", Some("put spaces in the place of each tab")),
        (
            "databases:\n  a:\n    url: a\n\tapps: b",
            "here is a tab",
            Some("put spaces in the place of each tab"),
        ),
        (
            "databases:\n  a: { url: @a }",
            "found character that cannot start any token",
            Some("put the value in quotes"),
        ),
        ("databases:\n  a: { url: '${A}'\n  b: { url: '${B}' }", "did not find expected ',' or '}'", None),
    ] {
        let error = load(text, &[]).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!((problem.code(), problem.help()), (Code::Syntax, help), "{text}");
        assert!(problem.to_string().contains(label), "{problem}");
    }
}

const QUOTES: &str = "within `{ … }` and `[ … ]` write it in quotes: `\"${NAME}\"`";

#[test]
fn a_bad_url_names_the_variables_that_it_came_from() {
    for (database, message) in [
        ("{ url: '${BLOG_URL}' }", "the URL of `a`, with `BLOG_URL` from the environment, has no scheme"),
        (
            "{ url: 'redis://${USER}:${PASSWORD}@h/${USER}' }",
            "the URL of `a`, with `USER` and `PASSWORD` from the environment, has the unknown scheme `redis`",
        ),
        (
            "{ url: '${SERVER}/db', engine: postgres }",
            "the URL of `a`, with `SERVER` from the environment, is one of mysql, but `engine` is postgres",
        ),
        (
            "{ url: 'postgres://${WORSE}@h/d' }",
            "the URL of `a`, with `WORSE` from the environment, can be read in several ways",
        ),
        (
            "{ engine: mysql, host: '${HOST:-h}', password: '${PASSWORD}', name: '${BLOG_URL}' }",
            "the URL of `a`, with `BLOG_URL` and `PASSWORD` from the environment, has a database name that MySQL's \
             client cannot be told",
        ),
        // What stands in for a variable is the file's own, and so is a dollar sign.
        ("{ url: '${NOT_SET:-db}$${BLOG_URL}' }", "the URL of `a` has no scheme"),
        ("{ url: 'x${EMPTY:-db}' }", "the URL of `a` has no scheme"),
    ] {
        let variables = [
            ("BLOG_URL", "hunter2/x"),
            ("USER", "u"),
            ("PASSWORD", "hunter2"),
            ("SERVER", "mysql://u:hunter2@h"),
            ("WORSE", "u:hunter2%2F/"),
            ("EMPTY", ""),
        ];
        let error = load(&format!("databases: {{ a: {database} }}"), &variables).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.message(), message);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn files_of_any_editor_are_read_and_other_things_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("databases.yml");
    fs::write(&path, "\u{feff}databases:\r\n  default:\r\n    url: ':memory:'\r\n    weight: x\r\n").unwrap();
    let load =
        |path: &std::path::Path| Config::loader().file(path).variables([("A", "")]).load().unwrap_err();
    let error = load(&path);
    let [problem] = error.problems() else { panic!("{error}") };
    assert!(problem.place().unwrap().to_string().ends_with("databases.yml:4:13"), "{error}");
    assert!(error.to_string().contains("4 |     weight: x\n"), "{error}");

    assert_eq!(load(folder.path()).problems()[0].code(), Code::MissingFile);
    #[cfg(target_os = "linux")]
    assert_eq!(load("/dev/zero".as_ref()).problems()[0].code(), Code::TooLarge);
}

#[test]
fn options_that_would_be_ignored_are_problems_where_they_stand() {
    let error = load(
        "
databases:
  default: { engine: mysql, host: h, name: d, options: { sslmode: require, nonsense: 1, ssl_ca: /ca.pem } }
  url: { url: 'mariadb://u@h/d?ssl_mode=requird' }
  file: { url: 'sqlite://db/x?mod=ro' }
  variable: { url: ':memory:' }
",
        &[("VARIABLE_DATABASE_URL", "mysql://u@h/d?connect_timeout=5")],
    )
    .unwrap_err();
    let told: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| {
            let place = problem.place().map(|place| (place.line(), place.column()));
            (place.unwrap(), problem.code().as_str(), problem.message(), problem.help().unwrap())
        })
        .collect();
    let options = "there is `ssl_mode`, `ssl_ca`, `ssl_cert`, `ssl_key`, `unix_socket`";
    let timeout =
        "the client has no such option; `connection_timeout` under `pool` says how long a check-out waits";
    assert_eq!(
        told,
        [
            (
                (3, 58),
                "R008",
                "unknown option `sslmode` for MySQL in the URL of `default`",
                "write `ssl_mode` with the value `required`"
            ),
            ((3, 76), "R008", "unknown option `nonsense` for MySQL in the URL of `default`", options),
            (
                (4, 15),
                "R008",
                "the option `ssl_mode` for MySQL cannot have this value in the URL of `url`",
                "did you mean `required`?"
            ),
            ((5, 16), "R008", "unknown option `mod` for SQLite in the URL of `file`", "did you mean `mode`?"),
            (
                (6, 3),
                "R008",
                "unknown option `connect_timeout` for MySQL in the URL that `VARIABLE_DATABASE_URL` gives `variable`",
                timeout
            ),
        ]
    );
}

#[test]
fn what_libpq_may_not_know_is_a_note() {
    let config = sound(
        "
databases:
  default: { engine: postgres, host: h, name: d, options: { sslmode: require, ssl_mode: require } }
  url: { url: 'postgres://u@h/d?connect_timeout=5&application_name=x' }
",
    );
    let notes: Vec<_> =
        config.notes.iter().map(|note| (note.severity(), note.message(), note.help())).collect();
    assert_eq!(
        notes,
        [(
            router_diesel::config::Severity::Note,
            "unknown option `ssl_mode` for PostgreSQL in the URL of `default`",
            Some("did you mean `sslmode`?")
        )]
    );
}

#[test]
fn a_password_file_is_relative_to_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::create_dir(file("more")).unwrap();
    fs::write(
        file("databases.yml"),
        "
include: more/shop.yml
databases:
  default: { url: postgres://u@h/default, password_file: secrets/default }
  copy: { url: postgres://u@r/default, replica_of: default, password_file: '${FOLDER}/copy' }
  blog_db: { engine: mysql, host: h, name: blog, user: u, password: hunter2 }
  none: { url: postgres://u@h/none }
environments:
  production:
    databases: { blog_db: { password: ~, password_file: ../blog } }
",
    )
    .unwrap();
    fs::write(
        file("more/shop.yml"),
        "databases: { shop_db: { url: mysql://u@h/shop, password_file: shop } }",
    )
    .unwrap();
    let load = |environment: &str| {
        let loader = Config::loader().file(file("databases.yml")).environment(environment);
        loader.variables([("FOLDER", "/run")]).load().unwrap_or_else(|error| panic!("{error}"))
    };
    let config = load("production");
    let of = |config: &Config, alias: &str| config.database(alias).unwrap().password_file.clone();
    for (alias, expected) in [
        ("default", Some(file("secrets/default"))),
        ("copy", Some("/run/copy".into())),
        ("blog_db", Some(file("../blog"))),
        ("shop_db", Some(file("more/shop"))),
        ("none", None),
    ] {
        assert_eq!(of(&config, alias), expected, "{alias}");
    }
    assert_eq!(of(&load("development"), "blog_db"), None);
    let beside = sound("databases: { default: { url: postgres://u@h/d, password_file: pw } }");
    assert_eq!(of(&beside, "default"), Some("pw".into()));
}

#[test]
fn a_password_file_that_could_never_be_used_is_a_problem_of_the_file() {
    for (database, expected) in [
        ("url: 'postgres://u:hunter2@h/d', password_file: pw", "R051"),
        ("url: 'postgres://h/d?user=u&password=hunter2', password_file: pw", "R051"),
        ("url: 'mysql://u:hunter2@h/d', password_file: pw", "R051"),
        ("engine: mariadb, host: h, name: d, password: hunter2, password_file: pw", "R051"),
        ("engine: postgres, host: h, options: { password: hunter2 }, password_file: pw", "R051"),
        ("url: 'sqlite://d', password_file: pw", "R034"),
        ("url: ':memory:', password_file: pw", "R034"),
        ("engine: sqlite, name: d, password_file: pw", "R034"),
        ("url: 'postgres://u@h/d', password_file: ' '", "R014"),
        ("url: 'postgres://u@h/d', password_file: [pw]", "R009"),
        ("url: 'postgres://u@h/d', password_file: 7", "R009"),
        ("url: 'postgres://u@h/d', password_fiel: pw", "R008"),
    ] {
        let text = format!("databases: {{ default: {{ {database} }} }}");
        let error = load(&text, &[]).expect_err(&text);
        let found: Vec<_> = error.problems().iter().map(|problem| problem.code().to_string()).collect();
        assert_eq!(found, [expected], "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        if expected == "R051" {
            assert_eq!(error.to_string().matches("here stands one").count(), 1, "{error}");
        }
    }
    // What stands above an environment is taken away there, whichever of the two it is.
    for (above, below) in [
        ("url: 'postgres://u@h/d', password_file: pw", "url: 'postgres://u:hunter2@h/d', password_file: ~"),
        ("engine: mysql, host: h, name: d, password: hunter2", "password: ~, password_file: pw"),
    ] {
        let text = format!(
            "databases: {{ default: {{ {above} }} }}\nenvironments: {{ test: {{ databases: {{ default: {{ {below} }} }} }} }}"
        );
        load(&text, &[("DBROUTER_ENV", "test")]).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_variable_with_a_url_overrules_a_password_file_unless_it_brings_no_password() {
    let text = "databases: { blog_db: { url: postgres://u@h/d, password_file: pw } }";
    for (url, is_kept) in [
        ("postgres://v@i/e", true),
        ("mysql://v@i/e", true),
        ("postgres://v:hunter2@i/e", false),
        ("sqlite://d", false),
    ] {
        let config = load(text, &[("BLOG_DB_DATABASE_URL", url)]).unwrap();
        assert_eq!(config.databases[0].password_file.is_some(), is_kept, "{url}");
    }
}
