//! `shell`, which replaces the process: so the program itself is run, with clients that tell how they were called.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const CONFIG: &str = "
databases:
  default: { url: 'postgres://blog:p%40ss-word@db.internal:5433/blog?sslmode=require' }
  shop: { url: 'mysql://shop:p%40ss-word@db.internal:3307/shop' }
  lite: { url: 'sqlite://db/lite.sqlite3' }
  replica: { url: 'postgres://blog@replica.internal/blog', replica_of: default }
  reports: { url: 'mysql://shop@db.internal/shop', operations: [read] }
  frozen: { url: 'sqlite://db/lite.sqlite3', read_only: true }
  owner: { url: 'sqlite://db/lite.sqlite3', operations: [migrate] }
";

/// Writes its name, its arguments and whatever may hold a password, one a line.
const FAKE: &str = r#"#!/bin/sh
echo "program: ${0##*/}"
for argument in "$@"; do echo "argument: $argument"; done
echo "PGPASSWORD: ${PGPASSWORD-none}"
echo "MYSQL_PWD: ${MYSQL_PWD-none}"
[ -z "$PGOPTIONS" ] || echo "PGOPTIONS: $PGOPTIONS"
exit 7
"#;

/// A folder with a configuration and a folder of programs, the only ones that are found.
struct World {
    folder: TempDir,
}

impl World {
    fn with_clients(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("databases.yml"), CONFIG).unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        for name in names {
            let path = programs.join(name);
            fs::write(&path, FAKE).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn shell(&self, arguments: &[&str]) -> Output {
        self.shell_with(&[], arguments)
    }

    fn shell_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dbrouter"))
            .env_clear()
            .env("PATH", self.path("bin"))
            .envs(variables.iter().copied())
            .current_dir(self.folder.path())
            .args(["--config", "databases.yml", "shell"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

fn shown(output: &Output) -> String {
    format!(
        "exit: {}\n{}{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_password_is_in_the_environment_and_no_argument() {
    let world = World::with_clients(&["psql", "mariadb", "sqlite3"]);
    insta::assert_snapshot!(shown(&world.shell(&["default", "--", "-c", "SELECT 1"])), @r#"
    exit: 7
    program: psql
    argument: --dbname=postgres://blog@db.internal:5433/blog?sslmode=require
    argument: -c
    argument: SELECT 1
    PGPASSWORD: p@ss-word
    MYSQL_PWD: none
    "#);
    insta::assert_snapshot!(shown(&world.shell(&["shop", "--", "--execute=SELECT 1"])), @r#"
    exit: 7
    program: mariadb
    argument: --host=db.internal
    argument: --port=3307
    argument: --user=shop
    argument: --database=shop
    argument: --execute=SELECT 1
    PGPASSWORD: none
    MYSQL_PWD: p@ss-word
    "#);
    insta::assert_snapshot!(shown(&world.shell(&["lite"])), @r#"
    exit: 7
    program: sqlite3
    argument: db/lite.sqlite3
    PGPASSWORD: none
    MYSQL_PWD: none
    "#);
}

#[test]
fn where_nothing_may_be_written_the_client_only_reads() {
    let world = World::with_clients(&["psql", "mariadb", "sqlite3"]);
    insta::assert_snapshot!(shown(&world.shell(&["replica"])), @r#"
    exit: 7
    program: psql
    argument: --dbname=postgres://blog@replica.internal/blog
    PGPASSWORD: none
    MYSQL_PWD: none
    PGOPTIONS: -c default_transaction_read_only=on
    note: `replica` is opened read-only: it is a replica
    "#);
    insta::assert_snapshot!(
        shown(&world.shell_with(&[("PGOPTIONS", "-c statement_timeout=5s")], &["replica"])), @r#"
    exit: 7
    program: psql
    argument: --dbname=postgres://blog@replica.internal/blog
    PGPASSWORD: none
    MYSQL_PWD: none
    PGOPTIONS: -c statement_timeout=5s -c default_transaction_read_only=on
    note: `replica` is opened read-only: it is a replica
    "#
    );
    insta::assert_snapshot!(shown(&world.shell(&["reports", "--", "--execute=SELECT 1"])), @r#"
    exit: 7
    program: mariadb
    argument: --host=db.internal
    argument: --user=shop
    argument: --database=shop
    argument: --init-command=SET SESSION TRANSACTION READ ONLY
    argument: --execute=SELECT 1
    PGPASSWORD: none
    MYSQL_PWD: none
    note: `reports` is opened read-only: its `operations` have neither `write` nor `migrate`
    "#);
    insta::assert_snapshot!(shown(&world.shell(&["frozen"])), @r#"
    exit: 7
    program: sqlite3
    argument: -readonly
    argument: db/lite.sqlite3
    PGPASSWORD: none
    MYSQL_PWD: none
    note: `frozen` is opened read-only: it is `read_only: true`
    "#);
    // Who may migrate may write, if only as the owner.
    insta::assert_snapshot!(shown(&world.shell(&["owner"])), @r#"
    exit: 7
    program: sqlite3
    argument: db/lite.sqlite3
    PGPASSWORD: none
    MYSQL_PWD: none
    "#);
}

#[test]
fn mysqls_own_client_will_do() {
    let world = World::with_clients(&["mysql"]);
    assert!(shown(&world.shell(&["shop"])).starts_with("exit: 7\nprogram: mysql\n"));
}

#[test]
fn a_client_that_is_missing_is_named_with_its_package() {
    let world = World::with_clients(&[]);
    insta::assert_snapshot!(shown(&world.shell(&["default"])), @r#"
    exit: 2
    error: `psql` is not installed; on Debian: apt-get install postgresql-client
    "#);
    insta::assert_snapshot!(shown(&world.shell(&["shop"])), @r#"
    exit: 2
    error: `mariadb` or `mysql` is not installed; on Debian: apt-get install mariadb-client
    "#);
    insta::assert_snapshot!(shown(&world.shell(&["lite"])), @r#"
    exit: 2
    error: `sqlite3` is not installed; on Debian: apt-get install sqlite3
    "#);
}
