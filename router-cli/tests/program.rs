//! The program as a process: its streams, its exit status, and what it reads.

use std::io::Write;
use std::process::{Command, Stdio};

const CONFIG: &str = "
apps: { blog: { tables: [posts] } }
databases:
  default: { url: 'sqlite://default.sqlite3' }
  blog_db: { url: 'sqlite://blog.sqlite3', apps: [blog] }
";

fn dbrouter(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbrouter"));
    command.env_clear().current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/databases.yml"), CONFIG).unwrap();
    folder
}

#[test]
fn the_file_is_where_most_projects_have_it() {
    let folder = folder();
    let output = dbrouter(&folder).args(["check"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"config/databases.yml is sound: 2 databases, 1 app\n");
}

#[test]
fn folders_of_migrations_that_are_no_apps_are_told() {
    let folder = folder();
    let make = |name: &str| {
        let place = folder.path().join("migrations").join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("up.sql"), "SELECT 1;").unwrap();
    };
    let check = || {
        let output = dbrouter(&folder).args(["check"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    make("blog/1_posts");
    make(".git/1_x");
    assert_eq!(check(), "config/databases.yml is sound: 2 databases, 1 app\n");
    make("blgo/2_tags");
    make("2024-03-01-120000_create_users");
    make("warehouse/1_items");
    assert_eq!(
        check(),
        "note[StrayFolder]: `migrations/2024-03-01-120000_create_users` is the folder of no app: no migration in it is run
help: move it to `migrations/<app>/2024-03-01-120000_create_users`

note[StrayFolder]: `migrations/blgo` is the folder of no app: no migration in it is run
help: did you mean `blog`?

note[StrayFolder]: `migrations/warehouse` is the folder of no app: no migration in it is run
help: declare `warehouse` under `apps`, or move the folder elsewhere

config/databases.yml is sound: 2 databases, 1 app
"
    );
    let config = CONFIG.replace("tables: [posts]", "tables: [posts], migrations: db/blog");
    std::fs::write(folder.path().join("config/databases.yml"), config).unwrap();
    assert_eq!(
        check(),
        "note[StrayFolder]: `migrations/blog` is the folder of no app: no migration in it is run
help: app `blog` has its migrations in `db/blog`, as the file says: correct its `migrations`, or move what is in `migrations/blog` there

config/databases.yml is sound: 2 databases, 1 app
"
    );
}

#[test]
fn a_statement_comes_from_stdin() {
    let folder = folder();
    let mut child = dbrouter(&folder)
        .args(["route", "--sql", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"DELETE FROM posts\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with(r#"{"operation":"write","tables":["posts"],"alias":"blog_db","#), "{stdout}");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let folder = folder();
    let mut child = dbrouter(&folder).args(["routes"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panic"), "{output:?}");
}

#[test]
fn the_exit_status_reaches_the_shell() {
    let folder = folder();
    for (arguments, code) in [
        (&["routes"][..], 0),
        (&["route", "--sql", "SELECT * FROM posts, users"], 1),
        (&["no-command"], 2),
        (&["--config", "nowhere.yml", "routes"], 2),
        (&["health"], 0),
        (&["migrate"], 0),
        (&["status"], 0),
        // Not one folder of migrations: this is perhaps the wrong place.
        (&["status", "--check"], 1),
        (&["migrate", "--database", "nowhere"], 2),
    ] {
        let output = dbrouter(&folder).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_migration_that_fails_reaches_the_shell() {
    let folder = folder();
    for arguments in [&["migrate"][..], &["plan"], &["status"]] {
        let output = dbrouter(&folder).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let warning =
            "blog_db: warning: there are no migrations: `migrations/blog` is not there, seen from `";
        assert!(output.status.success() && said.contains(warning), "{arguments:?}: {said}");
    }
    let migration = |name: &str, sql: &str| {
        let place = folder.path().join("migrations/blog").join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("up.sql"), sql).unwrap();
    };
    let code = |arguments: &[&str]| dbrouter(&folder).args(arguments).output().unwrap().status.code();
    migration("1_posts", "CREATE TABLE posts (id INTEGER);");
    assert_eq!(code(&["status", "--check"]), Some(1));
    assert_eq!(code(&["migrate"]), Some(0));
    migration("2_broken", "CREATE TALBE x (id INTEGER);");
    assert_eq!(code(&["migrate"]), Some(4));
    std::fs::remove_file(folder.path().join("blog.sqlite3")).unwrap();
    std::fs::create_dir(folder.path().join("blog.sqlite3")).unwrap();
    assert_eq!(code(&["migrate"]), Some(3));
    assert_eq!(code(&["status", "--check"]), Some(3));
}

#[test]
fn what_is_done_stands_before_what_is_said_of_the_next() {
    let folder = folder();
    std::fs::write(
        folder.path().join("config/databases.yml"),
        CONFIG.replace("blog.sqlite3'", "/dev/null/blog.sqlite3'"),
    )
    .unwrap();
    let both = std::fs::File::create(folder.path().join("both")).unwrap();
    let mut command = dbrouter(&folder);
    command.args(["create"]).stdout(both.try_clone().unwrap()).stderr(both);
    assert_eq!(command.status().unwrap().code(), Some(4));
    let both = std::fs::read_to_string(folder.path().join("both")).unwrap();
    let starts: Vec<_> = both.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(starts, ["default:", "blog_db:", "error:"], "{both}");
}

#[test]
fn folders_of_seeds_that_are_nobodys_are_told() {
    let folder = folder();
    let make = |name: &str| std::fs::create_dir_all(folder.path().join("seeds").join(name)).unwrap();
    let run = |command: &str| {
        let output = dbrouter(&folder).args([command]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let note =
        "note[StrayFolder]: `seeds/blgo` is the folder of no database and no app: no seed in it is sown
help: did you mean `blog`?
";
    make("blgo");
    assert!(run("seed").contains(note));
    assert!(run("setup").ends_with(note));
    assert!(!run("check").contains("StrayFolder"), "it may be somebody else's");
    make("blog_db");
    assert!(run("check").contains(note));
    std::fs::remove_dir(folder.path().join("seeds/blgo")).unwrap();
    assert!(!run("seed").contains("note"));
}
