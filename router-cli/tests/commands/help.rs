//! `--help` of every command.

use crate::assert_shown;
use crate::world::World;

#[test]
fn help_of_the_program() {
    assert_shown!(World::shop().show(["--help"]), @r#"
    exit: 0
    --- stdout
    Says which database a model or a statement belongs to, and checks that it can be so

    Usage: dbrouter [OPTIONS] <COMMAND>

    Commands:
      check   Check the configuration, and with --connect the way to every database
      routes  Show where each app is read, written and migrated
      route   Say where a model or a statement goes, and why
      diff    Compare the routes of two configuration files
      health  Ask every database whether it answers
      shell   Open the database's own client: psql, mariadb or sqlite3
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]

    Environment:
      DBROUTER_CONFIG  the file, where --config does not name it
      DBROUTER_ENV     the environment, where --env does not name it

    Exit status:
      0  all is well
      1  the command found what it looks for: a warning, a refusal, a difference
      2  wrong usage or configuration
      3  a database could not be reached
    --- stderr
    "#);
}

#[test]
fn help_of_check() {
    assert_shown!(World::shop().show(["check", "--help"]), @r#"
    exit: 0
    --- stdout
    Check the configuration, and with --connect the way to every database

    Usage: dbrouter check [OPTIONS]

    Options:
          --connect           Connect to every database, too
      -d, --database <ALIAS>  Connect to this database only; may be repeated
      -h, --help              Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_routes() {
    assert_shown!(World::shop().show(["routes", "--help"]), @r#"
    exit: 0
    --- stdout
    Show where each app is read, written and migrated

    Usage: dbrouter routes [OPTIONS]

    Options:
      -h, --help  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_route() {
    assert_shown!(World::shop().show(["route", "--help"]), @r#"
    exit: 0
    --- stdout
    Say where a model or a statement goes, and why

    Usage: dbrouter route [OPTIONS] <APP[.TABLE]|--sql <STATEMENT>>

    Arguments:
      [APP[.TABLE]]  The app, and perhaps one of its tables

    Options:
      -w, --write              Ask for a write; by default for a read
          --sql <STATEMENT>    The statement; `-` reads it from stdin
          --dialect <DIALECT>  Whose SQL it is; by default that of the default database [possible values: sqlite, postgres, mysql]
      -h, --help               Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_diff() {
    assert_shown!(World::shop().show(["diff", "--help"]), @r#"
    exit: 0
    --- stdout
    Compare the routes of two configuration files

    Usage: dbrouter diff [OPTIONS] <OLD> <NEW>

    Arguments:
      <OLD>  The configuration file as it was
      <NEW>  The configuration file as it will be

    Options:
      -h, --help  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_health() {
    assert_shown!(World::shop().show(["health", "--help"]), @r#"
    exit: 0
    --- stdout
    Ask every database whether it answers

    Usage: dbrouter health [OPTIONS]

    Options:
      -d, --database <ALIAS>  Ask this database only; may be repeated
      -h, --help              Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_shell() {
    assert_shown!(World::shop().show(["shell", "--help"]), @r#"
    exit: 0
    --- stdout
    Open the database's own client: psql, mariadb or sqlite3

    Usage: dbrouter shell [OPTIONS] <ALIAS> [-- <ARGUMENT>...]

    Arguments:
      <ALIAS>        The database
      [ARGUMENT]...  More arguments for the client, after `--`

    Options:
      -h, --help  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_and_version_are_data() {
    for argument in ["--help", "help", "--version"] {
        let ended = World::shop().run([argument]);
        assert_eq!(ended.exit, router_cli::Exit::Fine);
        assert!(ended.stdout.contains("dbrouter") && ended.stderr.is_empty(), "{ended:?}");
    }
}
