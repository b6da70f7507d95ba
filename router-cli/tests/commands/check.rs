//! `check`.

use router_cli::Exit;
use router_core::read_fn;

use crate::assert_shown;
use crate::world::{SHOP, World};

/// The shop without the half claims of which there is a note.
fn sound() -> World {
    World::new(&SHOP.replace("    apps: [events, audit]\n", ""))
}

#[test]
fn a_sound_file_is_one_line() {
    let world = sound();
    assert_shown!(world.show(["check"]), @r#"
    exit: 0
    --- stdout
    FOLDER/databases.yml is sound: 4 databases, 4 apps
    --- stderr
    "#);
    assert_shown!(world.show(["check", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"files":["FOLDER/databases.yml"],"environment":"development","problems":[],"databases":[{"alias":"default","engine":"sqlite","url":"FOLDER/default.sqlite3","ok":null,"error":null,"ms":null,"version":null,"note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null},{"alias":"blog_db","engine":"sqlite","url":"FOLDER/blog.sqlite3","ok":null,"error":null,"ms":null,"version":null,"note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null},{"alias":"blog_owner","engine":"sqlite","url":"FOLDER/blog.sqlite3","ok":null,"error":null,"ms":null,"version":null,"note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null},{"alias":"analytics","engine":"sqlite","url":"FOLDER/analytics.sqlite3","ok":null,"error":null,"ms":null,"version":null,"note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null}]}
    --- stderr
    "#);
}

#[test]
fn notes_are_shown_of_a_file_that_is_sound() {
    let world = World::new(
        "unrouted: error
apps: { users: {}, blog: {}, news: {} }
databases:
  default: { url: 'sqlite://FOLDER/default', apps: [users] }
  blog_db: { url: 'sqlite://FOLDER/blog', apps: [blgo], operations: [read] }",
    );
    assert_shown!(world.show(["check"]), @r#"
    exit: 0
    --- stdout
    note[R048]: no database claims the app `news`
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    2 | apps: { users: {}, blog: {}, news: {} }
      |                              ^^^^ its tables are looked for in `default`
      |
    help: add `news` to the `apps` of a database, of `default` too, unless a router of your own sends it

    note[R048]: `blog_db` claims `blgo`, which is not under `apps`
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    2 | apps: { users: {}, blog: {}, news: {} }
      |                    ---- and no database claims this one
    ...
    5 |   blog_db: { url: 'sqlite://FOLDER/blog', apps: [blgo], operations: [read] }
      |                                                           ^^^^ no app is declared as `blgo`
      |
    help: did you mean `blog`?

    note[R049]: `blgo` is read from `blog_db`, and its writes go to `default`
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    5 |   blog_db: { url: 'sqlite://FOLDER/blog', apps: [blgo], operations: [read] }
      |                                                                  ^^^^^^^^^^ nobody claims `blgo` for write
      |
    help: add `write` to these `operations`, or let another database claim `blgo` for write, unless a router of your own sends its writes

    FOLDER/databases.yml is sound: 2 databases, 4 apps
    --- stderr
    "#);
}

#[test]
fn a_broken_file_cannot_be_used() {
    let world = World::new("databases: { default: { url: 'redis://here' } }");
    let ended = world.run(["check"]);
    assert_eq!(ended.exit, Exit::Usage);
    assert!(ended.stdout.contains("error[R0"), "{ended:?}");
    // Together, also where a log keeps one stream only.
    assert!(ended.stdout.ends_with("databases.yml cannot be used: 1 error\n"), "{ended:?}");
    assert_eq!(ended.stderr, "");

    let ended = world.run(["check", "--format", "json"]);
    assert_eq!(ended.exit, Exit::Usage);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["problems"][0]["severity"], "error");
    assert!(report["problems"][0]["code"].as_str().unwrap().starts_with("R0"));
    assert!(report["files"][0].as_str().unwrap().ends_with("databases.yml"));
    assert_eq!(report["environment"], "development");
    assert_eq!(report["databases"], serde_json::json!([]));
}

#[test]
fn rules_that_contradict_each_other_cannot_be_used() {
    let world = World::new(
        "databases:
  default: { url: 'sqlite://FOLDER/default', apps: [blog] }
  blog_db: { url: 'sqlite://FOLDER/blog', apps: [blog] }",
    );
    for format in ["text", "json"] {
        let ended = world.run(["check", "--format", format]);
        assert_eq!(ended.exit, Exit::Usage);
        assert!(ended.stdout.contains("`blog`"), "{ended:?}");
    }
    let ended = world.run(["routes"]);
    assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::Usage, ""));
    assert!(ended.stderr.contains("`blog`"), "{}", ended.stderr);
}

#[test]
fn every_problem_of_the_rules_is_shown_with_its_code_and_its_lines() {
    let world = World::new(
        "apps: { blog: { managed: false } }
databases:
  default: { url: 'sqlite://FOLDER/default', pool: { max_size: 0 } }
  blog_db: { url: 'sqlite://FOLDER/blog', apps: [blog], operations: [migrate] }
  copy: { replica_of: defualt }",
    );
    assert_shown!(world.show(["check"]), @r#"
    exit: 2
    --- stdout
    error[R010]: `max_size` is zero
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    3 |   default: { url: 'sqlite://FOLDER/default', pool: { max_size: 0 } }
      |                                                                         ^ at least 1

    error[R025]: the claim of `blog_db` on `blog` can never be reached
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    1 | apps: { blog: { managed: false } }
      |                          ----- but no migration of the app runs
    ...
    4 |   blog_db: { url: 'sqlite://FOLDER/blog', apps: [blog], operations: [migrate] }
      |                                                           ^^^^ `blog_db` claims it for migrations alone
      |
    help: remove one of the two

    error[R028]: nothing says where `copy` is
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    5 |   copy: { replica_of: defualt }
      |   ^^^^ this database has no URL
      |
    help: add `url`, or set the variable `COPY_DATABASE_URL`

    error[R012]: `replica_of` names no database
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    5 |   copy: { replica_of: defualt }
      |                       ^^^^^^^ no database is called `defualt`
      |
    help: did you mean `default`?

    FOLDER/databases.yml cannot be used: 4 errors
    --- stderr
    "#);
}

#[test]
fn a_file_that_is_not_there_cannot_be_used() {
    let ended = World::shop().run(["check", "--config", "nowhere.yml"]);
    assert_eq!(ended.exit, Exit::Usage);
    assert!(ended.stdout.contains("error[R001]"), "{ended:?}");
}

#[test]
fn a_router_that_names_no_database_is_found() {
    let typo = read_fn(|model, _| (model.app == "events").then(|| "analytcis".into()));
    let world = sound().with(|program| program.named_router("stats", typo));
    assert_shown!(world.show(["check"]), @r#"
    exit: 1
    --- stdout
    error[UnknownDatabase]: for a read of `events`, router `stats` answered with unknown database `analytcis`; did you mean `analytics`?

    FOLDER/databases.yml has 1 problem: 4 databases, 4 apps
    --- stderr
    "#);
}

#[cfg(not(feature = "postgres"))]
#[test]
fn an_engine_that_the_build_lacks_is_a_note_until_it_is_to_be_connected() {
    let world = World::new("databases: { default: { url: 'postgres://u:hunter2@127.0.0.1:1/db' } }");
    assert_shown!(world.show(["check"]), @r#"
    exit: 0
    --- stdout
    note[R047]: `default` cannot be connected: this build has no postgres
      --> FOLDER/databases.yml:LINE:COLUMN
      = help: build with the feature `postgres`

    FOLDER/databases.yml is sound: 1 database, 0 apps
    --- stderr
    "#);
    assert_shown!(world.show(["check", "--connect"]), @r#"
    exit: 3
    --- stdout
    note[R047]: `default` cannot be connected: this build has no postgres
      --> FOLDER/databases.yml:LINE:COLUMN
      = help: build with the feature `postgres`

    FOLDER/databases.yml is sound: 1 database, 0 apps
    default  failed TIME  this build has no support for postgres; build with the feature `postgres`
    --- stderr
    "#);
}

#[cfg(feature = "sqlite")]
#[test]
fn every_database_is_connected_and_reported() {
    let world = sound();
    std::fs::write(world.path("default.sqlite3"), "").unwrap();
    assert_shown!(world.show(["check", "--connect"]), @r#"
    exit: 0
    --- stdout
    FOLDER/databases.yml is sound: 4 databases, 4 apps
    default     ok TIME  SQLite VERSION
    blog_db     ok TIME  no file yet, it is made at first use
    blog_owner  ok TIME  no file yet, it is made at first use
    analytics   ok TIME  no file yet, and it is only read here
    --- stderr
    "#);
    assert!(!world.path("blog.sqlite3").exists(), "to look makes no file");
    assert_shown!(world.show(["check", "--connect", "--database", "default", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"files":["FOLDER/databases.yml"],"environment":"development","problems":[],"databases":[{"alias":"default","engine":"sqlite","url":"FOLDER/default.sqlite3","ok":true,"error":null,"ms":TIME,"version":"VERSION","note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null}]}
    --- stderr
    "#);
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_that_cannot_be_reached_hides_no_other() {
    let world = World::new(
        "databases: { default: { url: 'sqlite://FOLDER/none/a.sqlite3' }, b: { url: 'sqlite://FOLDER/b.sqlite3' } }",
    );
    assert_shown!(world.show(["check", "--connect"]), @r#"
    exit: 3
    --- stdout
    FOLDER/databases.yml is sound: 2 databases, 0 apps
    default  failed TIME  there is no folder `FOLDER/none`
    b        ok TIME  no file yet, it is made at first use
    --- stderr
    "#);
}

#[cfg(feature = "sqlite")]
#[test]
fn two_aliases_of_a_cluster_that_are_one_database_are_told() {
    let world = World::cluster(["default.sqlite3", "copy.sqlite3"]);
    std::fs::hard_link(world.path("copy.sqlite3"), world.path("second.sqlite3")).unwrap();
    assert_shown!(world.show(["check", "--connect"]), @r#"
    exit: 0
    --- stdout
    FOLDER/databases.yml is sound: 4 databases, 1 app
    default  ok TIME  SQLite VERSION; primary
    copy     ok TIME  SQLite VERSION; replica of default
    second   ok TIME  SQLite VERSION; replica of default
    other    ok TIME  SQLite VERSION

    note[SameDatabase]: `copy` and `second` of one cluster are the same database
     --> FOLDER/databases.yml:LINE:COLUMN
    help: give `second` the URL of another copy, or take it out
    --- stderr
    "#);
    let ended = world.run(["check", "--connect", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(ended.exit, Exit::Fine);
    assert_eq!(report["problems"][0]["code"], "SameDatabase");
    assert_eq!(report["problems"][0]["severity"], "note");
    assert_eq!(report["databases"][1]["role"], "replica");
    // Only what was asked can be compared.
    let ended = world.run(["check", "--connect", "-d", "default", "-d", "second", "--format", "json"]);
    assert!(ended.stdout.contains("\"problems\":[],"), "{ended:?}");
}

#[cfg(feature = "sqlite")]
#[test]
fn what_no_migration_can_ever_run_on_is_wrong() {
    let world = World::migrated_as(crate::world::GUIDE);
    assert_eq!(world.run(["check"]).exit, Exit::Fine);
    world.write(
        "databases.yml",
        &crate::world::GUIDE.replace("blog.sqlite3', operations", "blog_x.sqlite3', operations"),
    );
    assert_shown!(world.show(["check"]), @r#"
    exit: 1
    --- stdout
    note[R046]: `blog_db` reads from where its tables are not
     --> FOLDER/databases.yml:LINE:COLUMN
      |
    9 |   blog_db: { url: 'sqlite://FOLDER/blog.sqlite3', apps: [blog], migrate_to: blog_owner, migration_history: default }
      |   ------- and are looked for in FOLDER/blog.sqlite3                         ^^^^^^^^^^ the tables are made in FOLDER/blog_x.sqlite3
      |
    help: `migrate_to` is for one database under two aliases; to keep only the records elsewhere, write `migration_history`

    error[ReadElsewhere]: app `blog` is migrated on `blog_owner`, and read from `blog_db`, which is another database: no migration will run
     --> FOLDER/databases.yml:LINE:COLUMN
    help: let it be migrated where it is read; to keep only the records elsewhere, write `migration_history`

    FOLDER/databases.yml has 1 problem: 4 databases, 3 apps
    --- stderr
    "#);
    assert_eq!(world.run(["migrate"]).exit, Exit::Usage);
    for file in ["default", "blog", "blog_x", "shop"] {
        assert!(!world.path(&format!("{file}.sqlite3")).exists(), "nothing is connected");
    }
    // Migrated where it is read, all is well.
    world.write("databases.yml", &crate::world::GUIDE.replace("migrate_to: blog_owner, ", ""));
    assert_shown!(world.show(["check"]), @r#"
    exit: 0
    --- stdout
    FOLDER/databases.yml is sound: 4 databases, 3 apps
    --- stderr
    "#);
}
