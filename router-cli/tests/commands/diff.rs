//! `diff`.

use crate::assert_shown;
use crate::world::{SHOP, World};

/// The shop after it moved the blog, gave a table away, and dropped an app for a new one.
const MOVED: &str = "
default: main
unrouted: error
apps:
  users: { tables: [users] }
  blog: { tables: [posts, groups] }
  news: { tables: [comments, headlines] }
  events: { tables: [page_views, 'events_*'] }

databases:
  main:
    url: sqlite://FOLDER/default.sqlite3
    apps: [users]
  blog_db:
    url: sqlite://FOLDER/blog.sqlite3
    apps: [blog, news]
  analytics:
    url: sqlite://FOLDER/analytics.sqlite3
    apps: [events, audit]
    operations: [read]
";

#[test]
fn a_file_does_not_differ_from_itself() {
    let world = World::shop();
    let file = world.write("same.yml", SHOP);
    assert_shown!(world.show(["diff", &file, &file]), @r#"
    exit: 0
    --- stdout
    --- stderr
    no route differs
    "#);
    assert_shown!(world.show(["diff", &file, &file, "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"same":true,"default":null,"unrouted":null,"databases":{"added":[],"removed":[]},"apps":{"added":[],"removed":[]},"routes":[],"tables":[]}
    --- stderr
    "#);
}

#[test]
fn what_moves_is_shown_before_and_after() {
    let world = World::shop();
    let (old, new) = (world.write("old.yml", SHOP), world.write("new.yml", MOVED));
    assert_shown!(world.show(["diff", &old, &new]), @r#"
    exit: 1
    --- stdout
    default: default -> main
    unrouted: default -> error
    databases:
    - default
    - blog_owner
    + main
    routes:
       users   read     default -> main
               write    default -> main
               migrate  default -> main
       blog    migrate  blog_owner -> blog_db
    +  news    read     blog_db
               write    blog_db
               migrate  blog_db
       events  write    default -> main
               migrate  default -> main
       audit   write    default -> main
               migrate  default -> main
    -  legacy  read     default
               write    default
               migrate  -
    tables:
    groups    users -> blog
    comments  blog -> news
    --- stderr
    "#);
    assert_shown!(world.show(["diff", &old, &new, "--format", "json"]), @r#"
    exit: 1
    --- stdout
    {"same":false,"default":{"before":"default","after":"main"},"unrouted":{"before":"default","after":"error"},"databases":{"added":["main"],"removed":["default","blog_owner"]},"apps":{"added":["news"],"removed":["legacy"]},"routes":[{"app":"users","before":{"read":"default","write":"default","migrate":["default"]},"after":{"read":"main","write":"main","migrate":["main"]}},{"app":"blog","before":{"read":"blog_db","write":"blog_db","migrate":["blog_owner"]},"after":{"read":"blog_db","write":"blog_db","migrate":["blog_db"]}},{"app":"news","before":null,"after":{"read":"blog_db","write":"blog_db","migrate":["blog_db"]}},{"app":"events","before":{"read":"analytics","write":"default","migrate":["default"]},"after":{"read":"analytics","write":"main","migrate":["main"]}},{"app":"audit","before":{"read":"analytics","write":"default","migrate":["default"]},"after":{"read":"analytics","write":"main","migrate":["main"]}},{"app":"legacy","before":{"read":"default","write":"default","migrate":[]},"after":null}],"tables":[{"table":"groups","before":"users","after":"blog"},{"table":"comments","before":"blog","after":"news"}]}
    --- stderr
    "#);
}

#[test]
fn a_file_that_is_not_there_cannot_be_compared() {
    let world = World::shop();
    let file = world.write("same.yml", SHOP);
    assert_eq!(world.run(["diff", &file, "nowhere.yml"]).exit, router_cli::Exit::Usage);
}

#[test]
fn tables_in_quotes_are_compared_by_what_they_mean() {
    let file = |blog: &str, news: &str| {
        format!(
            "apps: {{ blog: {{ tables: [{blog}] }}, news: {{ tables: [{news}] }} }}\n\
             databases: {{ default: {{ url: ':memory:', apps: [blog, news] }} }}\n"
        )
    };
    let world = World::shop();
    let old = world.write("old.yml", &file(r#"posts, '"a.b"', '"My Schema".*'"#, "news"));
    let same = world.write("same.yml", &file(r#"'[a.b]', '`My Schema`.*', '"posts"'"#, "news"));
    let moved = world.write("moved.yml", &file(r#"posts, '"My Schema".*'"#, r#"news, '"a.b"'"#));
    for (new, expected) in [(&same, 0), (&moved, 1)] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let _ =
            world.program.run(["dbrouter", "diff", &old, new, "--format", "json"], &mut stdout, &mut stderr);
        let answer: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
        let tables = answer["tables"].as_array().unwrap();
        assert_eq!(tables.len(), expected, "{answer}");
        assert!(
            tables.iter().all(|table| table["table"] == "\"a.b\"" && table["after"] == "news"),
            "{answer}"
        );
    }
}
