//! The commands of `dbrouter`, with passwords from files and with the hooks of a program of one's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::SimpleConnection as _;
use router_cli::{Exit, Program};
use router_diesel::AnyConnection;
use router_diesel::backend::{ClientProgram, Credentials};
use router_tests::PASSWORD;

use crate::world::{Engine, World};

on!([Postgres, MariaDb], commands_take_the_password_of_a_file_and_show_it_nowhere, commands_ask_the_program);
on!(@module on_sqlite Sqlite [hooks_run_for_migrations_and_not_for_health]);

const SECRET: &str = "hunter2-of-a-file";

/// Runs a command, which shows no password.
fn run(program: &Program, arguments: &[&str]) -> (Exit, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = program.run(std::iter::once(&"dbrouter").chain(arguments), &mut stdout, &mut stderr);
    let text = format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(!text.contains(SECRET) && !text.contains(PASSWORD), "{text}");
    (exit, text)
}

fn program(world: &World, keys: &str) -> Program {
    let url = if world.engine == Engine::Sqlite { world.url().to_owned() } else { world.url_of_user(None) };
    world.config(&url, keys);
    let none: [(&str, &str); 0] = [];
    Program::new().config(world.folder.path().join("databases.yml")).variables(none)
}

fn commands_take_the_password_of_a_file_and_show_it_nowhere(engine: Engine) {
    let Some(world) = World::with_user(engine, SECRET) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, 'a')");
    let program = program(&world, ", password_file: blog-password");
    for (command, exit) in [
        (&["health"][..], Exit::Unreachable),
        (&["check", "--connect"], Exit::Unreachable),
        (&["migrate"], Exit::Failed),
        (&["create"], Exit::Failed),
        (&["shell", "blog_db"], Exit::Usage),
    ] {
        let (ended, text) = run(&program, command);
        assert_eq!(ended, exit, "{command:?}: {text}");
        assert!(
            text.contains("blog-password") && text.contains("there is no such file"),
            "{command:?}: {text}"
        );
    }
    world.write("blog-password", format!("{SECRET}\n"));
    for command in [&["health"][..], &["check"], &["create"], &["migrate"], &["health", "--format", "json"]] {
        let (ended, text) = run(&program, command);
        assert_eq!(ended, Exit::Fine, "{command:?}: {text}");
    }
    world.write("blog-password", "wrong-one");
    let (ended, text) = run(&program, &["migrate", "--format", "json"]);
    assert_eq!(ended, Exit::Failed, "{text}");
    assert!(text.contains("\"authentication\"") && !text.contains("wrong-one"), "{text}");

    world.write("blog-password", SECRET);
    let config = world.config(&world.url_of_user(None), ", password_file: blog-password");
    let url = config.database("blog_db").unwrap().current_url().unwrap();
    let client = ClientProgram::new(&url, router_diesel::backend::Access::ReadWrite).unwrap();
    let command = client.command(client.programs()[0]);
    assert!(command.get_envs().any(|(_, value)| value.is_some_and(|value| value == SECRET)));
    assert!(!command.get_args().any(|argument| argument.to_string_lossy().contains(SECRET)));
}

fn commands_ask_the_program(engine: Engine) {
    let Some(world) = World::with_user(engine, SECRET) else { return };
    world.migration("1_insert", "INSERT INTO posts (id, title) VALUES (1, 'a')");
    let program = program(&world, "").credentials(|_| Ok::<_, String>(Credentials::password(SECRET)));
    for command in [&["health"][..], &["create"], &["migrate"]] {
        let (ended, text) = run(&program, command);
        assert_eq!(ended, Exit::Fine, "{command:?}: {text}");
    }
    let program = program.credentials(|_| Err::<Credentials, _>("nobody asks a second one"));
    assert_eq!(run(&program, &["health"]).0, Exit::Fine);
}

fn hooks_run_for_migrations_and_not_for_health(engine: Engine) {
    let Some(world) = World::start(engine) else { return };
    let marks = engine.marked();
    world.migration(
        "1_insert",
        &format!("INSERT INTO posts (id, title) SELECT 1, value FROM ({marks}) AS marks"),
    );
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let program = program(&world, "").on_connect(move |_, conn: &mut AnyConnection| {
        counter.fetch_add(1, Ordering::Relaxed);
        conn.batch_execute(engine.mark())
    });
    assert_eq!(run(&program, &["health"]).0, Exit::Fine);
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    let (ended, text) = run(&program, &["migrate"]);
    assert_eq!(ended, Exit::Fine, "{text}");
    assert!(runs.load(Ordering::Relaxed) >= 1);
    let failing = program.on_connect(|_, _: &mut AnyConnection| Err("no such extension"));
    let (ended, text) = run(&failing, &["migrate", "--format", "json"]);
    assert_eq!(ended, Exit::Failed, "{text}");
    assert!(text.contains("\"setup\"") && text.contains("no such extension"), "{text}");
}
