//! One process writes, the other reads, over replicas that are late.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::world::{Engine, PRIMARY, World};

#[test]
fn postgres_shows_what_the_token_names() {
    shows_what_the_token_names(Engine::Postgres, 2_000);
}

#[test]
fn mariadb_shows_what_the_token_names() {
    shows_what_the_token_names(Engine::MariaDb, 500);
}

fn shows_what_the_token_names(engine: Engine, pairs: usize) {
    let Some(world) = World::start(engine, 2) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("databases.yml");
    std::fs::write(&file, world.file().yaml()).unwrap();
    let mut processes = [Process::start(&file), Process::start(&file)];
    world.delay(Duration::from_millis(500));

    let mut ids = 1..;
    let mut token = String::new();
    let mut stale = |pairs: usize, with_tokens: bool, token: &mut String| {
        let mut stale = 0;
        for (pair, id) in ids.by_ref().take(pairs).enumerate() {
            *token = processes[pair % 2].ask(&format!("write {id}"));
            let given = if with_tokens { token.as_str() } else { "" };
            match processes[(pair + 1) % 2].ask(&format!("read {id} {given}")).as_str() {
                "fresh" => {}
                "stale" => stale += 1,
                other => panic!("{other}"),
            }
        }
        stale
    };
    assert_eq!(stale(pairs, true, &mut token), 0, "stale reads of {pairs}");
    let without = stale(100, false, &mut token);
    assert!(without > 0, "the replicas are not late, or nobody reads from them");

    // It is not the primary that serves everything: once the replicas have it, they do.
    world.catch_up();
    let last = ids.next().unwrap() - 1;
    let marks = world.mark();
    for process in &mut processes {
        assert_eq!(process.ask(&format!("read {last} {token}")), "fresh");
    }
    let served = world.reads_since(&marks);
    assert_eq!((served[PRIMARY], served[1] + served[2]), (0, 2), "{served:?}");
}

/// A process with sessions of its own.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(file: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pass_tokens"))
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.stdin, "{order}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
