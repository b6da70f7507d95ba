//! What lives as long as its node may serve, and what as long as its databases.

use std::collections::BTreeSet;
use std::process::Command;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use router_diesel::Databases;
use router_diesel::cluster::Standing;
use router_diesel::pool::Checkout;
use router_tests::proxy::Proxy;

use crate::world::{Conn, Engine, HASTY, World, count, eventually, standing, warm_up};

/// The server's process behind a connection.
fn process(conn: &mut Checkout<Conn>) -> i32 {
    diesel::select(sql::<Integer>("pg_backend_pid()")).get_result(&mut **conn).unwrap()
}

/// So many connections to the replica at once.
fn connections(databases: &Databases<Conn>, many: usize) -> Vec<Checkout<Conn>> {
    (0..many).map(|_| databases.connection("replica_0").unwrap()).collect()
}

#[test]
fn connections_of_a_node_that_is_out_are_not_used_again() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let proxy = Proxy::to(world.port(0)).unwrap();
    let mut file = world.file().with(HASTY);
    file.replicas[0] = proxy.url_through(&file.replicas[0]);
    let databases = file.build();
    warm_up(&databases);
    let processes = |held: &mut [Checkout<Conn>]| held.iter_mut().map(process).collect::<BTreeSet<i32>>();

    // Ordinarily they are.
    let mut held = connections(&databases, 2);
    let before = processes(&mut held);
    drop(held);
    let mut held = connections(&databases, 2);
    assert_eq!(processes(&mut held), before);

    let is_up = || standing(&databases, "replica_0") == Standing::Up;
    for is_ban in [true, false] {
        // One comes back before the node is out, the other one after.
        let mut held = if is_ban { std::mem::take(&mut held) } else { connections(&databases, 2) };
        let before = processes(&mut held);
        drop(held.pop());
        if is_ban {
            proxy.stall().unwrap();
            eventually("the replica to be out", || {
                matches!(standing(&databases, "replica_0"), Standing::Banned { .. })
            });
            proxy.restore().unwrap();
        } else {
            databases.drain("replica_0").unwrap();
            databases.undrain("replica_0").unwrap();
        }
        eventually("the replica to be back", is_up);
        // It still works, for whoever has it.
        assert!(before.contains(&process(&mut held[0])));
        drop(held);
        let after = processes(&mut connections(&databases, 4));
        assert!(before.is_disjoint(&after), "{before:?} and {after:?}");
    }
}

/// How many threads of this process have a name.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|it| it.trim_end() == name).count()
}

#[test]
fn the_monitor_ends_with_its_databases() {
    if std::env::var_os("NEXTEST").is_none() {
        // Other tests have monitors in this process. In one of its own, as nextest has it:
        let test = std::thread::current().name().expect("a test's thread has its name").to_owned();
        let mut alone = Command::new(std::env::current_exe().unwrap());
        assert!(alone.args(["--exact", &test]).env("NEXTEST", "1").status().unwrap().success());
        return;
    }
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let proxy = Proxy::to(world.port(0)).unwrap();
    let mut file = world.file().with(HASTY);
    file.replicas[0] = proxy.url_through(&file.replicas[0]);
    let monitors = || threads("router-monitor");

    let databases = file.build();
    assert_eq!(monitors(), 0, "nobody reads yet");
    warm_up(&databases);
    assert_eq!(monitors(), 1);
    let other = file.build();
    warm_up(&other);
    count(&mut other.session()).unwrap();
    assert_eq!(monitors(), 2);
    drop(other);
    eventually("the second monitor to end", || monitors() == 1);

    // A session is a use of its databases.
    let mut session = databases.session();
    drop(databases);
    count(&mut session).unwrap();
    assert_eq!(monitors(), 1);
    // Not even a node that hangs holds it.
    proxy.stall().unwrap();
    eventually("a probe to hang", || threads("router-probe") > 0);
    drop(session);
    eventually("the monitor to end", || monitors() == 0);
    proxy.cut();
    eventually("the probes to end", || threads("router-probe") == 0);
}

/// OpenSSL cleans up at exit, under whichever thread is still connecting with it.
#[test]
fn a_process_ends_well_while_nodes_are_asked() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("databases.yml");
    let mut file = world.file();
    // Many are asked at once.
    file.replicas = vec![file.replicas[0].clone(); 8];
    std::fs::write(&path, file.yaml()).unwrap();
    let ends = |when: &str| {
        let mut process = Command::new(env!("CARGO_BIN_EXE_leave_early"));
        process.arg(&path).arg(when).status().unwrap()
    };
    let mut ended_badly = Vec::new();
    for run in 0..40 {
        let when = if run % 2 == 0 { "read".to_owned() } else { (run / 4).to_string() };
        let status = ends(&when);
        if !status.success() {
            ended_badly.push(format!("{when}: {status}"));
        }
    }
    assert!(ended_badly.is_empty(), "{ended_badly:?}");
}
