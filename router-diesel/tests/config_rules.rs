//! Rules are judged in one place: every problem of a file has a code and a place, none hides another, and what loads
//! also compiles.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use router_core::Operations;
use router_diesel::Routing;
use router_diesel::config::{Config, ConfigError, Problem, Severity};

const ALIASES: [&str; 5] = ["a", "b", "c", "C", "nowhere"];
const APPS: [&str; 3] = ["blog", "shop", "news"];

/// One database of a file; an alias is a position in `ALIASES`, of which the last names no database.
#[derive(Debug, Clone)]
struct Database {
    apps: Vec<&'static str>,
    operations: Option<Vec<&'static str>>,
    migrate: Option<bool>,
    migrate_to: Option<usize>,
    migration_history: Option<usize>,
    replica_of: Option<usize>,
}

#[derive(Debug, Clone)]
struct File {
    default: Option<usize>,
    /// The apps that are declared, and whether they are managed.
    apps: Vec<(&'static str, bool)>,
    databases: Vec<Database>,
}

fn files() -> impl Strategy<Value = File> {
    let alias = |weight| prop::option::weighted(weight, 0..ALIASES.len());
    let database = move || {
        let apps = prop::collection::vec(prop::sample::select(&APPS[..]), 0..=2);
        let words =
            prop_oneof![9 => Just(["read", "write", "migrate"]), 1 => Just(["read", "wirte", "migrate"])];
        let operations = words.prop_flat_map(|words| prop::sample::subsequence(words.to_vec(), 0..=3));
        (
            apps,
            prop::option::weighted(0.4, operations),
            prop::option::weighted(0.2, any::<bool>()),
            alias(0.2),
            alias(0.15),
            alias(0.2),
        )
            .prop_map(|(apps, operations, migrate, migrate_to, migration_history, replica_of)| {
                Database { apps, operations, migrate, migrate_to, migration_history, replica_of }
            })
    };
    let apps = prop::sample::subsequence(APPS.to_vec(), 1..=3).prop_flat_map(|apps| {
        apps.into_iter().map(|app| (Just(app), prop::bool::weighted(0.7))).collect::<Vec<_>>()
    });
    (alias(0.2), apps, prop::collection::vec(database(), 2..=4)).prop_map(|(default, apps, databases)| File {
        default,
        apps,
        databases,
    })
}

/// The file as YAML: a line for each setting, so that a mistake can take the place of another line.
fn yaml(file: &File) -> String {
    let mut text = String::new();
    let _ = match file.default {
        Some(default) => writeln!(text, "default: {}", ALIASES[default]),
        None => writeln!(text, "unrouted: default"),
    };
    text.push_str("apps:\n");
    for (app, managed) in &file.apps {
        let _ = writeln!(text, "  {app}: {{ managed: {managed} }}");
    }
    text.push_str("databases:\n");
    for (alias, database) in ALIASES.iter().zip(&file.databases) {
        let _ = writeln!(text, "  {alias}:\n    url: sqlite://{alias}\n    seeds: {alias}");
        if !database.apps.is_empty() {
            let _ = writeln!(text, "    apps: [{}]", database.apps.join(", "));
        }
        if let Some(operations) = &database.operations {
            let _ = writeln!(text, "    operations: [{}]", operations.join(", "));
        }
        if let Some(migrate) = database.migrate {
            let _ = writeln!(text, "    migrate: {migrate}");
        }
        for (key, named) in [
            ("migrate_to", database.migrate_to),
            ("migration_history", database.migration_history),
            ("replica_of", database.replica_of),
        ] {
            if let Some(named) = named {
                let _ = writeln!(text, "    {key}: {}", ALIASES[named]);
            }
        }
    }
    text
}

/// Mistakes that have nothing to do with the rest of a file, at its end.
const MORE: [&str; 12] = [
    "  more: {}\n",
    "  more: nothing\n",
    "  more: { url: 'redis://more' }\n",
    "  more: { url: 'sqlite://more', pool: { max_size: 0 } }\n",
    "  more: { url: 'sqlite://more', primary_window: 1 }\n",
    "  more: { url: 'sqlite://more', apps: ['x y'] }\n",
    "  more: { url: 'sqlite://more', apps: [more, more] }\n",
    "  more: { url: 'sqlite://more', operations: [raed] }\n",
    "  more: { url: 'sqlite://more', apps: [more], migrate_to: more }\n",
    "  more: { url: 'sqlite://more', replica_of: more }\n",
    "  more: { url: 'sqlite://more', migrate_to: nobody }\n",
    "  more: { url: 'sqlite://more', apps: [more] }\n  other: { url: 'sqlite://other', apps: [more] }\n",
];

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::loader().yaml(text, "f.yml").variables([("A", "1")]).load()
}

/// The errors of a file: code, line, column and message of each.
fn errors(text: &str) -> BTreeSet<(String, u32, u32, String)> {
    let Err(error) = load(text) else { return BTreeSet::new() };
    let errors = error.problems().iter().filter(|problem| problem.severity() == Severity::Error);
    errors
        .map(|problem| {
            let place = problem.place().unwrap_or_else(|| panic!("no place\n{problem}\n{text}"));
            (problem.code().to_string(), place.line(), place.column(), problem.message().to_owned())
        })
        .collect()
}

fn codes(text: &str) -> Vec<String> {
    let problems = load(text).map_or_else(|error| error.problems().to_vec(), |config| config.notes);
    problems.iter().map(|problem| problem.code().to_string()).collect()
}

/// A second mistake is tried with every first one, so a case takes long. `PROPTEST_CASES` asks for more than 64.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(64))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_error_has_a_code_and_a_place_and_what_loads_also_compiles(file in files()) {
        let text = yaml(&file);
        match load(&text) {
            Ok(config) => {
                let routing = Routing::new(config);
                prop_assert!(routing.is_ok(), "{text}\n{:?}", routing.err());
            }
            Err(error) => {
                let is_error = |problem: &Problem| problem.severity() == Severity::Error;
                prop_assert!(error.problems().iter().any(is_error), "{text}\n{error}");
                for problem in error.problems() {
                    let place = problem.place().map(ToString::to_string);
                    prop_assert!(place.is_some(), "{text}\n{problem}");
                    let said = problem.to_string();
                    let is_told = said.contains(&format!("[{}]: ", problem.code()))
                        && said.contains(&format!("--> {}", place.unwrap_or_default()))
                        && said.contains("^");
                    prop_assert!(is_told, "{text}\n{problem}");
                }
            }
        }
    }

    #[test]
    fn a_second_mistake_hides_no_first_one(file in files(), more in prop::sample::select(&MORE[..]), at in 0..4_usize) {
        let text = yaml(&file);
        let alias = ALIASES[at % file.databases.len()];
        let before = errors(&text);
        for (what, changed) in [
            ("at the end", format!("{text}{more}")),
            ("no URL", text.replace(&format!("    url: sqlite://{alias}\n"), "    read_only: false\n")),
            ("a bad URL", text.replace(&format!("url: sqlite://{alias}\n"), &format!("url: nosql://{alias}\n"))),
            ("a bad number", text.replace(&format!("    seeds: {alias}\n"), "    weight: 0\n")),
            ("a bad key", text.replace(&format!("    seeds: {alias}\n"), "    sedes: x\n")),
            ("a bad name above", text.replacen("apps:\n", "apps:\n  'x y': {}\n", 1)),
        ] {
            let after = errors(&changed);
            let moved = u32::from(what == "a bad name above");
            let hidden: Vec<_> = before
                .iter()
                .filter(|(code, line, column, message)| {
                    // The first line stays where it is.
                    let line = if *line > 1 { line + moved } else { *line };
                    !after.contains(&(code.clone(), line, *column, message.clone()))
                })
                .collect();
            prop_assert!(hidden.is_empty(), "{what}\n{changed}\n{hidden:#?}\n{after:#?}");
            prop_assert!(after.len() > before.len(), "{what}\n{changed}\n{after:#?}");
        }
    }
}

/// Each cause is one problem, beside whatever else is wrong.
#[test]
fn one_cause_is_one_problem() {
    for (databases, expected) in [
        // What follows from a mistake is no problem of its own.
        ("a: { url: 'sqlite://a', apps: [x], operations: [raed] }", &["R017"][..]),
        ("a: { url: 'sqlite://a', apps: ['x y'], migrate_to: b }\nb: { url: 'sqlite://a' }", &["R014"]),
        (
            "a: { url: 'sqlite://a', apps: [x], migrate_to: b }\nb: { url: 'sqlite://a', operations: [raed] }",
            &["R017"],
        ),
        (
            "a: { url: 'sqlite://a', apps: [x], operations: [migrate], migrate: false, migrate_to: [b] }",
            &["R009"],
        ),
        // A circle is one mistake, however long it is.
        (
            "m: { url: 'sqlite://m' }\na: { url: 'sqlite://a', replica_of: b }\n\
             b: { url: 'sqlite://b', replica_of: c }\nc: { url: 'sqlite://c', replica_of: a }",
            &["R022"],
        ),
        // One list is empty, however many apps are claimed.
        ("a: { url: 'sqlite://a', apps: [x, y], operations: [] }", &["R018"]),
        ("a: { url: 'sqlite://a', apps: [x, y], operations: [migrate], migrate: false }", &["R025"]),
        // A replica that wants three things is wrong in three places.
        (
            "m: { url: 'sqlite://m' }\n\
             a: { url: 'sqlite://a', replica_of: m, operations: [write], migrate: true, migration_history: m }",
            &["R024", "R024", "R024"],
        ),
        // Two claims are in the way of a third, each for another operation.
        (
            "a: { url: 'sqlite://a', apps: [x], operations: [read] }\n\
             b: { url: 'sqlite://b', apps: [x], operations: [write] }\nc: { url: 'sqlite://c', apps: [x] }",
            &["R019", "R019"],
        ),
        // Claims about migrations alone, of which the first decides.
        (
            "a: { url: 'sqlite://a', apps: [x], operations: [read, write], migrate_to: b }\n\
             b: { url: 'sqlite://a', apps: [x], operations: [migrate] }",
            &["R025"],
        ),
        // The default is a replica, also where nothing says that it is the default.
        ("default: { url: 'sqlite://a', replica_of: m }\nm: { url: 'sqlite://m' }", &["R045"]),
        // No migration runs where it could be recorded.
        (
            "a: { url: 'sqlite://a' }\nb: { url: 'sqlite://b', operations: [read], migration_history: a }",
            &["R025"],
        ),
        // The target of the migrations keeps its records where the sender says.
        (
            "a: { url: 'sqlite://a' }\n\
             b: { url: 'sqlite://b', apps: [x], operations: [read, write], migrate_to: c, migration_history: a }\n\
             c: { url: 'sqlite://b' }",
            &[],
        ),
    ] {
        let indented: String = databases.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("databases:\n{indented}");
        assert_eq!(codes(&text), expected, "{text}");
    }
}

#[test]
fn a_claim_on_the_migrations_of_an_unmanaged_app_is_told_with_the_rest() {
    let text = "
apps:
  blog: { managed: false }
databases:
  default: { url: 'sqlite://a' }
  blog_db: { apps: [blog], operations: [migrate] }
  other: { url: 'sqlite://c', replica_of: nobody }
";
    assert_eq!(codes(text), ["R028", "R025", "R012"]);
    let error = load(text).unwrap_err();
    let told: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told[1], @r"
    error[R025]: the claim of `blog_db` on `blog` can never be reached
     --> f.yml:6:21
      |
    3 |   blog: { managed: false }
      |                    ----- but no migration of the app runs
    ...
    6 |   blog_db: { apps: [blog], operations: [migrate] }
      |                     ^^^^ `blog_db` claims it for migrations alone
      |
    help: remove one of the two
    ");
}

#[test]
fn rules_that_a_program_made_wrong_are_all_told() {
    let mut config = load(
        "
apps: { blog: {} }
databases:
  default: { url: 'sqlite://a' }
  blog_db: { url: 'sqlite://b', apps: [blog], operations: [migrate] }
",
    )
    .unwrap();
    config.apps[0].managed = false;
    config.databases[0].operations = Operations::none();
    config.databases[0].migration_history = Some("nobody".into());
    config.default = "gone".into();
    let error = Routing::new(config).unwrap_err();
    assert!(error.is_config());
    insta::assert_snapshot!(error.to_string().replace("; f.yml", ";\nf.yml"), @r"
    the default `gone` names no database; declare it under `databases`;
    f.yml:4:3: the `operations` of `default` are empty; name some, or leave them out for all three;
    f.yml:4:3: `default` has `migration_history` on unknown database `nobody`; declare that one too;
    f.yml:5:3: the claim of `blog_db` on `blog` can never be reached: the app is `managed: false`; remove one of the two
    ");
}
