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
    {"databases":[{"alias":"memory","engine":"sqlite","url":":memory:","ok":true,"error":null,"ms":TIME,"version":"VERSION","note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null},{"alias":"lost","engine":"sqlite","url":"FOLDER/none/lost.sqlite3","ok":false,"error":"there is no folder `FOLDER/none`","ms":TIME,"version":null,"note":null,"role":null,"standing":null,"lag_ms":null,"position":null,"why":null}]}
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
fn a_cluster_is_asked_whatever_is_said_of_migrations_in_the_file() {
    let world = World::new(
        "apps: { blog: { tables: [posts] } }
databases:
  default: { url: 'sqlite://FOLDER/a' }
  copy: { url: 'sqlite://FOLDER/b', replica_of: default }
  blog_db:
    { url: 'sqlite://FOLDER/c', apps: [blog], operations: [read, write], migrate_to: owner, migration_history: default }
  owner: { url: 'sqlite://FOLDER/c' }",
    );
    for name in ["a", "b", "c"] {
        world.write(name, "");
    }
    let ended = world.run(["health"]);
    assert_eq!(ended.exit, Exit::Fine, "{ended:?}");
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

#[test]
fn nodes_of_a_cluster_say_what_they_are() {
    let world = World::cluster(["default.sqlite3", "copy.sqlite3", "second.sqlite3"]);
    assert_shown!(world.show(["health"]), @r#"
    exit: 0
    --- stdout
    default  ok TIME  SQLite VERSION; primary
    copy     ok TIME  SQLite VERSION; replica of default
    second   ok TIME  SQLite VERSION; replica of default
    other    ok TIME  SQLite VERSION
    --- stderr
    "#);
    assert_shown!(world.show(["health", "-d", "default", "-d", "copy", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {"databases":[{"alias":"default","engine":"sqlite","url":"FOLDER/default.sqlite3","ok":true,"error":null,"ms":TIME,"version":"VERSION","note":null,"role":"primary","standing":"up","lag_ms":null,"position":null,"why":null},{"alias":"copy","engine":"sqlite","url":"FOLDER/copy.sqlite3","ok":true,"error":null,"ms":TIME,"version":"VERSION","note":null,"role":"replica","standing":"up","lag_ms":null,"position":null,"why":null}]}
    --- stderr
    "#);
}

#[test]
fn a_replica_without_its_file_is_not_there() {
    let world = World::cluster(["default.sqlite3", "second.sqlite3"]);
    assert_shown!(world.show(["health"]), @r#"
    exit: 3
    --- stdout
    default  ok TIME  SQLite VERSION; primary
    copy     failed TIME  there is no file `FOLDER/copy.sqlite3`, and none is made for a replica; replica of default
    second   ok TIME  SQLite VERSION; replica of default
    other    ok TIME  SQLite VERSION
    --- stderr
    "#);
    assert!(!world.path("copy.sqlite3").exists(), "to look makes no file");
    assert_shown!(world.show(["health", "-d", "copy", "--format", "json"]), @r#"
    exit: 3
    --- stdout
    {"databases":[{"alias":"copy","engine":"sqlite","url":"FOLDER/copy.sqlite3","ok":false,"error":"there is no file `FOLDER/copy.sqlite3`, and none is made for a replica","ms":TIME,"version":null,"note":null,"role":"replica","standing":"unreachable","lag_ms":null,"position":null,"why":null}]}
    --- stderr
    "#);
    assert_eq!(world.run(["health", "-d", "second", "-d", "default"]).exit, Exit::Fine);
}

#[test]
fn a_primary_that_is_yet_to_be_made_is_no_fault() {
    let world = World::cluster(["copy.sqlite3"]);
    assert_shown!(world.show(["health", "-d", "default", "-d", "copy"]), @r#"
    exit: 0
    --- stdout
    default  ok TIME  no file yet, it is made at first use; primary
    copy     ok TIME  SQLite VERSION; replica of default
    --- stderr
    "#);
    assert!(!world.path("default.sqlite3").exists(), "to look makes no file");
}

#[test]
fn what_an_operator_took_out_is_told_and_no_fault() {
    let world = World::new(
        "databases:
  default: { url: 'sqlite://FOLDER/a', offline: replicas }
  copy: { url: 'sqlite://FOLDER/b', replica_of: default }",
    );
    std::fs::write(world.path("a"), "").unwrap();
    std::fs::write(world.path("b"), "").unwrap();
    assert_shown!(world.show(["health"]), @r#"
    exit: 0
    --- stdout
    default  ok TIME  SQLite VERSION; primary
    copy     ok TIME  SQLite VERSION; replica of default; serves no reads: offline by configuration
    --- stderr
    "#);
}

#[test]
fn a_replica_that_may_not_lag_and_cannot_tell_is_found() {
    let world = World::new(
        "databases:
  default: { url: 'sqlite://FOLDER/a' }
  copy: { url: 'sqlite://FOLDER/b', replica_of: default, max_lag: 1s }",
    );
    std::fs::write(world.path("a"), "").unwrap();
    std::fs::write(world.path("b"), "").unwrap();
    assert_shown!(world.show(["health"]), @r#"
    exit: 1
    --- stdout
    default  ok TIME  SQLite VERSION; primary
    copy     ok TIME  SQLite VERSION; replica of default; serves no reads: lag unknown, max_lag is 1 s
    --- stderr
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
