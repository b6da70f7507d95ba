//! `health`.
#![cfg(feature = "sqlite")]

use router_cli::Exit;

use crate::assert_shown;
use crate::world::World;

#[test]
fn each_database_answers_for_itself() {
    let world = World::new(
        "databases:
  default: { url: 'sqlite://FOLDER/default.sqlite3' }
  memory: { url: 'sqlite::memory:' }
  shared: { url: 'sqlite://health?mode=memory&cache=shared' }
  broken: { url: 'sqlite://FOLDER' }
  lost: { url: 'sqlite://FOLDER/none/lost.sqlite3' }",
    );
    std::fs::write(world.path("default.sqlite3"), "").unwrap();
    assert_shown!(world.show(["health"]), @r#"
    exit: 3
    --- stdout
    default  ok TIME  SQLite VERSION
    memory   ok TIME  SQLite VERSION
    shared   ok TIME  SQLite VERSION
    broken   failed TIME  unable to open database file
    lost     failed TIME  there is no folder `FOLDER/none`
    --- stderr
    "#);
    assert_shown!(world.show(["health", "--database", "memory", "--database", "lost", "--format", "json"]), @r#"
    exit: 3
    --- stdout
    {"databases":[{"alias":"memory","engine":"sqlite","url":":memory:","ok":true,"error":null,"ms":TIME,"version":"VERSION","note":null},{"alias":"lost","engine":"sqlite","url":"FOLDER/none/lost.sqlite3","ok":false,"error":"there is no folder `FOLDER/none`","ms":TIME,"version":null,"note":null}]}
    --- stderr
    "#);
}

#[test]
fn only_those_that_are_named_are_asked() {
    let world = World::new(
        "databases: { default: { url: 'sqlite://FOLDER/none/a' }, well: { url: 'sqlite://FOLDER/b' } }",
    );
    assert_eq!(world.run(["health", "-d", "well"]).exit, Exit::Fine);
    assert_eq!(world.run(["health"]).exit, Exit::Unreachable);
}

#[test]
fn a_name_that_is_no_database_is_wrong_usage() {
    assert_shown!(World::shop().show(["health", "--database", "analytcis"]), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: no database is called `analytcis`; did you mean `analytics`?
    "#);
}

/// A server that accepts and then says nothing is given up after the time to connect.
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[test]
fn a_silent_server_is_given_up() {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let engine = if cfg!(feature = "mysql") { "mysql" } else { "postgres" };
    let world = World::new(&format!(
        "databases: {{ default: {{ url: '{engine}://u:hunter2@127.0.0.1:{port}/db', pool: {{ connection_timeout: 300ms }} }} }}"
    ));
    let start = Instant::now();
    let ended = world.run(["health"]);
    assert_eq!(ended.exit, Exit::Unreachable);
    assert!(start.elapsed() < Duration::from_secs(2), "{ended:?}");
    assert!(ended.stdout.contains("no answer within 300ms"), "{ended:?}");
}
