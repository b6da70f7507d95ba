//! `routes`.

use router_core::{read_fn, write_fn};

use crate::assert_shown;
use crate::world::World;

#[test]
fn a_table_lines_up_in_a_pipe() {
    assert_shown!(World::shop().show(["routes"]), @r#"
    exit: 0
    --- stdout
    app     read       write    migrate
    users   default    default  default
    blog    blog_db    blog_db  blog_owner
    events  analytics  default  default
    legacy  default    default  -
    audit   analytics  default  default
    --- stderr
    a table of no app goes to default
    "#);
}

#[test]
fn json_is_one_line_that_scripts_can_rely_on() {
    let shown = World::shop().run(["routes", "--format", "json"]);
    let expected = concat!(
        r#"{"default":"default","routes":["#,
        r#"{"app":"users","read":"default","write":"default","migrate":["default"]},"#,
        r#"{"app":"blog","read":"blog_db","write":"blog_db","migrate":["blog_owner"]},"#,
        r#"{"app":"events","read":"analytics","write":"default","migrate":["default"]},"#,
        r#"{"app":"legacy","read":"default","write":"default","migrate":[]},"#,
        r#"{"app":"audit","read":"analytics","write":"default","migrate":["default"]}]}"#,
        "\n",
    );
    assert_eq!(shown.stdout, expected);
}

#[test]
fn a_side_that_the_database_does_not_allow_is_null() {
    let to_analytics = || write_fn(|model, _| (model.app == "events").then(|| "analytics".into()));
    let world = World::shop().with(|program| program.named_router("events", to_analytics()));
    let shown = world.run(["routes", "--format", "json"]).stdout;
    assert!(shown.contains(r#"{"app":"events","read":"analytics","write":null,"#), "{shown}");
    assert_shown!(world.show(["routes"]), @r#"
    exit: 0
    --- stdout
    app     read       write    migrate
    users   default    default  default
    blog    blog_db    blog_db  blog_owner
    events  analytics  -        default
    legacy  default    default  -
    audit   analytics  default  default
    --- stderr
    a table of no app goes to default
    "#);
}

#[test]
fn routers_are_asked_before_the_rules() {
    let moved = read_fn(|model, _| (model.app == "blog").then(|| "analytics".into()));
    let world = World::shop().with(|program| program.named_router("moved", moved));
    let shown = world.run(["routes", "--format", "json"]).stdout;
    assert!(shown.contains(r#"{"app":"blog","read":"analytics","write":"blog_db","#), "{shown}");
}

#[test]
fn a_file_without_apps_has_no_routes() {
    let world = World::new("databases: { main: { url: 'sqlite://FOLDER/main.sqlite3' } }");
    assert_shown!(world.show(["routes", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"default":"main","routes":[]}
    --- stderr
    "#);
    assert_shown!(world.show(["routes"]), @r#"
    exit: 0
    --- stdout
    --- stderr
    a table of no app goes to main
    "#);
}

#[cfg(feature = "sqlite")]
#[test]
fn what_serves_the_reads_of_a_cluster_is_told() {
    let world = World::cluster([]);
    assert_shown!(world.show(["routes"]), @r#"
    exit: 0
    --- stdout
    app   read     write    migrate
    blog  default  default  default
    --- stderr
    a read of default is served by copy or second
    a table of no app goes to default
    "#);
    let always = crate::world::CLUSTER.replace("apps: [blog] }", "apps: [blog], primary_reads: always }");
    let stderr = World::new(&always).run(["routes"]).stderr;
    assert!(stderr.starts_with("a read of default is served by default or copy or second\n"), "{stderr}");
    assert_shown!(world.show(["routes", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"default":"default","routes":[{"app":"blog","read":"default","write":"default","migrate":["default"]}]}
    --- stderr
    "#);
}
