//! What is answered to a command that was typed wrongly, and where the file is looked for.

use router_cli::{Exit, Program};

use crate::assert_shown;
use crate::world::World;

#[test]
fn wrong_usage_is_explained_on_stderr() {
    let world = World::shop();
    assert_shown!(world.show(["rout"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'rout'

      tip: some similar subcommands exist: 'routes', 'route'

    Usage: dbrouter [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["route"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      <APP[.TABLE]|--sql <STATEMENT>>

    Usage: dbrouter route <APP[.TABLE]|--sql <STATEMENT>>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["route", "blog", "--sql", "SELECT 1"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the argument '[APP[.TABLE]]' cannot be used with '--sql <STATEMENT>'

    Usage: dbrouter route <APP[.TABLE]|--sql <STATEMENT>>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["route", ".posts"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: `.posts` is no model; write `app` or `app.table`
    "#);
    assert_shown!(world.show(["route", "--sql", " "]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the statement is empty
    "#);
    assert_shown!(world.show(["check", "--database", "default"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      --connect

    Usage: dbrouter check --connect --database <ALIAS>

    For more information, try '--help'.
    "#);
    assert_shown!(world.show(["health", "-d", "nope"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no database is called `nope`; the file has `default`, `blog_db`, `blog_owner`, `analytics`
    "#);
    assert_shown!(world.show(["shell", "blog"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no database is called `blog`; the file has `default`, `blog_db`, `blog_owner`, `analytics`
    "#);
}

#[test]
fn every_command_refuses_a_file_that_is_not_there() {
    for command in [
        &["check"][..],
        &["routes"],
        &["route", "blog"],
        &["health"],
        &["shell", "default"],
        &["migrate"],
        &["plan"],
        &["status"],
        &["rollback"],
        &["redo"],
        &["fake", "1"],
        &["resolve", "blog", "1", "--applied"],
        &["adopt"],
        &["new", "blog", "posts"],
        &["create"],
        &["drop"],
        &["setup"],
        &["reset"],
        &["seed"],
        &["schema", "dump"],
        &["schema", "load"],
    ] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let arguments = ["dbrouter", "--config", "nowhere.yml"].iter().chain(command);
        assert_eq!(Program::new().run(arguments, &mut stdout, &mut stderr), Exit::Usage, "{command:?}");
    }
}

#[test]
fn the_file_is_the_option_else_the_variable_else_the_programs_own() {
    let world = World::shop();
    let other = world.write("other.yml", "databases: { other: { url: 'sqlite://FOLDER/other' } }");
    let routes = |world: &World| world.run(["routes", "--format", "json"]).stdout;
    assert!(routes(&world).starts_with(r#"{"default":"default""#));

    let world = world.with(|program| program.variables([("DBROUTER_CONFIG", other.as_str())]));
    assert!(routes(&world).starts_with(r#"{"default":"other""#));

    let first = world.path("databases.yml");
    let ended = world.run(["--config", first.to_str().unwrap(), "routes", "--format", "json"]);
    assert!(ended.stdout.starts_with(r#"{"default":"default""#));
}

/// A pipe whose other end is closed.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::shop();
    for command in [&["routes"][..], &["routes", "--format", "json"], &["check"], &["--help"]] {
        let mut stderr = Vec::new();
        let exit = world.program.run(["dbrouter"].iter().chain(command), &mut Closed, &mut stderr);
        assert_eq!((exit, stderr), (Exit::Fine, Vec::new()), "{command:?}");
    }
}

/// What was begun is brought to its end, and a failure is one also where nobody reads of it.
#[cfg(feature = "sqlite")]
#[test]
fn work_outlives_its_reader() {
    let world = World::migrated();
    let run = |command: &[&str]| {
        let all = [&["dbrouter"], command].concat();
        world.program.run(all, &mut Closed, &mut Vec::new())
    };
    assert_eq!(run(&["setup"]), Exit::Fine);
    assert_eq!(world.run(["status", "--check"]).exit, Exit::Fine);
    world.migration("blog/3_broken", "CREATE TALBE x (id INTEGER);", "");
    for format in ["text", "json"] {
        assert_eq!(run(&["migrate", "--format", format]), Exit::Failed);
        assert_eq!(run(&["status", "--check", "--format", format]), Exit::Found);
    }
}
