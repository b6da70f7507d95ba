//! `--help` of every command.

use crate::assert_shown;
use crate::world::World;

#[test]
fn help_of_the_program() {
    assert_shown!(World::shop().show(["--help"]), @r#"
    exit: 0
    --- stdout
    Says which database a model or a statement belongs to, and migrates them all by the same rules

    Usage: dbrouter [OPTIONS] <COMMAND>

    Commands:
      check     Check the configuration, and with --connect the way to every database
      routes    Show where each app is read, written and migrated
      route     Say where a model or a statement goes, and why
      diff      Compare the routes of two configuration files
      health    Ask every database whether it answers, and the nodes of clusters how they stand
      migrate   Run what is pending, on every database
      plan      Show what migrate would do, and write nothing at all
      status    Show where every migration stands
      rollback  Revert the last migrations of a database
      redo      Revert the last migrations of a database and run them again
      fake      Record migrations as applied without running them
      resolve   Say what became of a migration whose state is in doubt
      adopt     Take over what Diesel's own command recorded
      new       Begin a migration of an app
      create    Create the databases that are not there yet
      drop      Remove databases, with everything in them
      setup     Create, migrate and seed
      reset     Drop, then set up
      seed      Sow the SQL files of databases and apps, each once
      schema    Write schemas to files, or load them from there
      shell     Open the database's own client: psql, mariadb or sqlite3
      help      Print this message or the help of the given subcommand(s)

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
      3  a database could not be reached, or another process kept it locked
      4  a migration or another task failed, or what an earlier one left keeps it from running
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
    Ask every database whether it answers, and the nodes of clusters how they stand

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
fn help_of_migrate() {
    assert_shown!(World::shop().show(["migrate", "--help"]), @r#"
    exit: 0
    --- stdout
    Run what is pending, on every database

    Usage: dbrouter migrate [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --to <VERSION>          Migrate up to and with this version; by default all that is pending
          --anew <APP>            Begin this app from nothing, though another database has records of it; may be repeated
          --jobs <N>              How many databases are migrated at once [default: 1]
          --canary <ALIAS>        The database to migrate first and alone: if it fails, no other is begun
          --on-error <WHAT>       What happens to the other databases when one has failed [default: stop] [possible values: stop, continue]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_plan() {
    assert_shown!(World::shop().show(["plan", "--help"]), @r#"
    exit: 0
    --- stdout
    Show what migrate would do, and write nothing at all

    Usage: dbrouter plan [OPTIONS]

    Options:
      -d, --database <ALIAS>  This database only; may be repeated
          --app <APP>         This app only; may be repeated
          --to <VERSION>      Plan up to and with this version; by default all that is pending
          --anew <APP>        Begin this app from nothing, though another database has records of it; may be repeated
          --sql               Show the SQL of each migration, too
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
fn help_of_status() {
    assert_shown!(World::shop().show(["status", "--help"]), @r#"
    exit: 0
    --- stdout
    Show where every migration stands

    Usage: dbrouter status [OPTIONS]

    Options:
      -d, --database <ALIAS>  This database only; may be repeated
          --app <APP>         This app only; may be repeated
          --check             End with 1 where anything is pending or wrong
      -h, --help              Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]

    States:
      applied       run, and as it was since
      pending       yet to run
      out of order  yet to run, though a later one of its app was applied
      changed       its file was edited after it was applied
      missing       recorded, but not among the migrations any more
      dirty         it failed or was interrupted where nothing can be rolled back
      drift         applied, but a table that it creates is not there

    With --format json, one line, to which fields may be added at the end:
      {"clean":BOOL,"databases":[{"database":ALIAS,"history":ALIAS,"migrations":[
        {"app":APP,"version":TEXT,"name":TEXT,"state":STATE,"applied_at":TEXT?,"ms":NUMBER?,
         "file":PATH?,"detail":TEXT?,"help":TEXT?}],"failure":FAILURE?,"warnings":[TEXT]}],
       "problems":[PROBLEM]}
      FAILURE is {"kind":TEXT,"database":ALIAS?,"app":APP?,"version":TEXT?,"file":PATH?,
        "message":TEXT,"help":TEXT?}
      PROBLEM, which keeps a run from beginning, is {"code":TEXT,"app":APP,"version":TEXT?,
        "databases":[ALIAS],"file":PATH?,"line":NUMBER?,"message":TEXT,"help":TEXT?}
      What has a ? may be null.
    --- stderr
    "#);
}

#[test]
fn help_of_rollback() {
    assert_shown!(World::shop().show(["rollback", "--help"]), @r#"
    exit: 0
    --- stdout
    Revert the last migrations of a database

    Usage: dbrouter rollback [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --steps <N>             How many migrations of each database [default: 1]
          --jobs <N>              How many databases are migrated at once [default: 1]
          --canary <ALIAS>        The database to migrate first and alone: if it fails, no other is begun
          --on-error <WHAT>       What happens to the other databases when one has failed [default: stop] [possible values: stop, continue]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_redo() {
    assert_shown!(World::shop().show(["redo", "--help"]), @r#"
    exit: 0
    --- stdout
    Revert the last migrations of a database and run them again

    Usage: dbrouter redo [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --steps <N>             How many migrations of each database [default: 1]
          --jobs <N>              How many databases are migrated at once [default: 1]
          --canary <ALIAS>        The database to migrate first and alone: if it fails, no other is begun
          --on-error <WHAT>       What happens to the other databases when one has failed [default: stop] [possible values: stop, continue]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_fake() {
    assert_shown!(World::shop().show(["fake", "--help"]), @r#"
    exit: 0
    --- stdout
    Record migrations as applied without running them

    Usage: dbrouter fake [OPTIONS] <VERSION|--all>

    Arguments:
      [VERSION]...  The versions to record as applied

    Options:
          --all                   Record all that is pending
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_resolve() {
    assert_shown!(World::shop().show(["resolve", "--help"]), @r#"
    exit: 0
    --- stdout
    Say what became of a migration whose state is in doubt

    Usage: dbrouter resolve [OPTIONS] <--applied|--reverted> <APP> <VERSION>

    Arguments:
      <APP>      The app of the migration
      <VERSION>  Its version

    Options:
          --applied               All of it is there, as its file now stands: it counts as applied
          --reverted              Nothing of it is there: it is pending again
      -d, --database <ALIAS>      This database only; may be repeated
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_adopt() {
    assert_shown!(World::shop().show(["adopt", "--help"]), @r#"
    exit: 0
    --- stdout
    Take over what Diesel's own command recorded

    Usage: dbrouter adopt [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --apply                 Record it; by default it is only shown
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_new() {
    assert_shown!(World::shop().show(["new", "--help"]), @r#"
    exit: 0
    --- stdout
    Begin a migration of an app

    Usage: dbrouter new [OPTIONS] <APP> <NAME>

    Arguments:
      <APP>   The app
      <NAME>  What the migration does, such as create_posts

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
fn help_of_create() {
    assert_shown!(World::shop().show(["create", "--help"]), @r#"
    exit: 0
    --- stdout
    Create the databases that are not there yet

    Usage: dbrouter create [OPTIONS]

    Options:
      -d, --database <ALIAS>  This database only; may be repeated
          --app <APP>         This app only; may be repeated
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
fn help_of_drop() {
    assert_shown!(World::shop().show(["drop", "--help"]), @r#"
    exit: 0
    --- stdout
    Remove databases, with everything in them

    Usage: dbrouter drop [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --force                 Do it also in production, where others are connected, and where records would be lost
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_setup() {
    assert_shown!(World::shop().show(["setup", "--help"]), @r#"
    exit: 0
    --- stdout
    Create, migrate and seed

    Usage: dbrouter setup [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --seeds <FOLDER>        The folder with a folder of seeds for each database and app [default: seeds]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_reset() {
    assert_shown!(World::shop().show(["reset", "--help"]), @r#"
    exit: 0
    --- stdout
    Drop, then set up

    Usage: dbrouter reset [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --seeds <FOLDER>        The folder with a folder of seeds for each database and app [default: seeds]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
          --force                 Do it also in production, where others are connected, and where records would be lost
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_seed() {
    assert_shown!(World::shop().show(["seed", "--help"]), @r#"
    exit: 0
    --- stdout
    Sow the SQL files of databases and apps, each once

    Usage: dbrouter seed [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --seeds <FOLDER>        The folder with a folder of seeds for each database and app [default: seeds]
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

    Global options:
      -c, --config <FILE>    The configuration file; else DBROUTER_CONFIG, else config/databases.yml
      -e, --env <NAME>       The environment; else DBROUTER_ENV, else development
          --env-file <FILE>  A file of variables, which must be there; else .env if present
          --format <FORMAT>  How the answer is written [default: text] [possible values: text, json]
    --- stderr
    "#);
}

#[test]
fn help_of_schema() {
    assert_shown!(World::shop().show(["schema", "--help"]), @r#"
    exit: 0
    --- stdout
    Write schemas to files, or load them from there

    Usage: dbrouter schema [OPTIONS] <COMMAND>

    Commands:
      dump  Write each database's schema to a file, in a form that diffs well
      load  Load each database's schema from its file, and record the migrations that it names
      help  Print this message or the help of the given subcommand(s)

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
fn help_of_schema_dump() {
    assert_shown!(World::shop().show(["schema", "dump", "--help"]), @r#"
    exit: 0
    --- stdout
    Write each database's schema to a file, in a form that diffs well

    Usage: dbrouter schema dump [OPTIONS]

    Options:
      -d, --database <ALIAS>  This database only; may be repeated
          --app <APP>         This app only; may be repeated
          --folder <FOLDER>   The folder of the files, each named after its database [default: schema]
          --data <TABLE>      Write the rows of this table too, such as those that migrations wrote; may be repeated
          --grants            Write grants too, on PostgreSQL; the server that loads the file needs its roles
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
fn help_of_schema_load() {
    assert_shown!(World::shop().show(["schema", "load", "--help"]), @r#"
    exit: 0
    --- stdout
    Load each database's schema from its file, and record the migrations that it names

    Usage: dbrouter schema load [OPTIONS]

    Options:
      -d, --database <ALIAS>      This database only; may be repeated
          --app <APP>             This app only; may be repeated
          --folder <FOLDER>       The folder of the files, each named after its database [default: schema]
          --force                 Do it also in production, and beside tables that are there
          --record-incomplete     Record also the migrations that wrote rows or grants which the file lacks
          --lock-wait <DURATION>  How long to wait for another process at the same database: 500ms, 60s, 5m [default: 60s]
      -h, --help                  Print help

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
