//! No command shows a password, neither where all is well nor where nothing answers.

use crate::world::World;

const SECRET: &str = "hunter2";

/// Nothing listens on these ports.
const CLOSED: &str = "
apps: { blog: { tables: [posts] }, shop: { tables: [products] } }
databases:
  default: { url: 'postgres://u:hunter2@127.0.0.1:1/db?sslpassword=hunter2', pool: { connection_timeout: 1s } }
  blog_db: { url: 'mysql://u:hunter2@127.0.0.1:1/db', apps: [blog], pool: { connection_timeout: 1s } }
  parts:
    engine: postgres
    host: 127.0.0.1
    port: 1
    name: db
    user: u
    password: ${PASSWORD}
    apps: [shop]
    pool: { connection_timeout: 1s }
  copy:
    url: 'postgres://u:hunter2@127.0.0.1:1/db?sslpassword=hunter2'
    replica_of: default
    max_lag: 1s
    pool: { connection_timeout: 1s }
  lite: { url: 'sqlite://FOLDER/none/x?vfs=crypt&key=hunter2' }
";

/// Broken in ways that make a parser quote what it read.
const BROKEN: [&str; 4] = [
    "databases: { default: { url: 'postgres://u:hunter2@h:port/db' } }",
    "databases: { default: { url: 'redis://u:hunter2@h/db' } }",
    "databases: { default: { engine: oracle, password: hunter2 } }",
    "databases: { default: { url: 'postgres://u:hunter2@h/db', pool: { max_size: many } } }",
];

fn commands(world: &World) -> Vec<Vec<String>> {
    let file = world.path("databases.yml").to_str().unwrap().to_owned();
    let folder = world.path("none").to_str().unwrap().to_owned();
    let commands = [
        vec!["check"],
        vec!["check", "--connect"],
        vec!["routes"],
        vec!["route", "blog.posts"],
        vec!["route", "blgo", "--write"],
        vec!["route", "--sql", "SELECT * FROM posts, products"],
        vec!["diff", &file, &file],
        vec!["health"],
        vec!["migrate", "--on-error", "continue"],
        vec!["plan", "--sql"],
        vec!["status"],
        vec!["rollback", "--database", "default"],
        vec!["redo", "--database", "blog_db"],
        vec!["fake", "--all"],
        vec!["resolve", "blog", "1", "--applied"],
        vec!["adopt", "--apply"],
        vec!["new", "blgo", "posts"],
        vec!["create"],
        vec!["drop"],
        vec!["setup"],
        vec!["reset"],
        vec!["seed", "--seeds", &folder],
        vec!["schema", "dump", "--folder", &folder],
        vec!["schema", "load", "--folder", &folder],
        // The others would start a client.
        vec!["shell", "default"],
        vec!["shell", "lite"],
    ];
    let formats = commands
        .into_iter()
        .flat_map(|command| ["text", "json"].map(|format| [&command[..], &["--format", format]].concat()));
    formats.map(|command| command.into_iter().map(str::to_owned).collect()).collect()
}

fn assert_silent(world: &World) {
    for command in commands(world) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let arguments = std::iter::once("dbrouter".to_owned()).chain(command.iter().cloned());
        let exit = world.program.run(arguments, &mut stdout, &mut stderr);
        let written = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(!written.is_empty(), "{command:?} said nothing");
        assert!(!written.contains(SECRET), "{command:?} ended with {exit:?} and wrote:\n{written}");
    }
}

#[test]
fn no_password_of_a_database_that_cannot_be_reached() {
    assert_silent(&World::new(CLOSED).with(|program| program.variables([("PASSWORD", SECRET)])));
}

#[test]
fn no_password_of_a_file_that_cannot_be_used() {
    for yaml in BROKEN {
        assert_silent(&World::new(yaml));
    }
}

/// What people may type where a name or a file belongs.
const SHAPES: [&str; 7] = [
    "postgres://u:hunter2@h/d",
    "u:hunter2@h",
    "postgres%3A%2F%2Fu%3Ahunter2%40h%2Fd",
    "host=h password=hunter2 dbname=d",
    "postgres://h/d?password=hunter2",
    "postgres://u:my`hunter2@h/d",
    "postgres://u:my\nhunter2@h/d",
];

fn assert_not_shown(world: &World, command: &[&str]) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("dbrouter").chain(command.iter().copied());
    let exit = world.program.run(arguments, &mut stdout, &mut stderr);
    let written = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!written.is_empty(), "{command:?} said nothing");
    assert!(
        !written.to_lowercase().contains(SECRET),
        "{command:?} ended with {exit:?} and wrote:\n{written}"
    );
}

#[test]
fn no_password_that_is_typed_in_the_wrong_place() {
    let world = World::new(crate::world::SHOP);
    for shape in SHAPES {
        let flag = |name: &str| format!("--{name}={shape}");
        for format in ["text", "json"] {
            for command in [
                &["check", "--config", shape][..],
                &["check", &flag("config")],
                &["check", "--env", shape],
                &["check", &flag("env")],
                &["check", "--env-file", shape],
                &["check", &flag("format")],
                &["check", shape],
                &["check", &flag("unknown")],
                &[shape],
                &["check", "--connect", "--database", shape],
                &["health", "--database", shape],
                &["health", shape],
                &["route", shape],
                &["route", &format!("blog.{shape}")],
                &["route", shape, "--write"],
                &["route", "--sql", &format!("SELECT * FROM \"{shape}\"")],
                &["route", "--sql", &format!("INSERT INTO posts VALUES '{shape}'")],
                &["route", "--sql", "SELECT 1", "--dialect", shape],
                &["diff", shape, shape],
                &["shell", shape],
                &["migrate", "--database", shape],
                &["migrate", "--app", shape],
                &["migrate", "--to", shape],
                &["plan", &flag("database")],
                &["status", "--app", shape],
                &["rollback", "--database", shape],
                &["fake", "--app", shape, "--all"],
                &["resolve", shape, "1", "--applied"],
                &["resolve", "blog", shape, "--applied"],
                &["new", shape, "posts"],
                &["create", shape],
                &["create", "--database", shape],
                &["drop", "--database", shape],
                &["seed", "--database", shape],
                &["seed", "--seeds", shape],
                &["schema", "dump", "--database", shape],
                &["schema", "load", "--database", shape],
                &["schema", "load", "--folder", shape],
            ] {
                assert_not_shown(&world, &[command, &["--format", format]].concat());
            }
        }
        for name in ["DBROUTER_CONFIG", "DBROUTER_ENV"] {
            let world = World::new(crate::world::SHOP).with(|program| program.variables([(name, shape)]));
            assert_not_shown(&world, &["check"]);
            assert_not_shown(&world, &["check", "--format", "json"]);
        }
    }
}

#[test]
fn no_password_where_a_name_belongs_in_the_file() {
    for shape in SHAPES {
        let shape = serde_json::to_string(shape).unwrap();
        for yaml in [
            format!("databases: {{ default: {{ {shape}: 1 }} }}"),
            format!("databases: {{ {shape}: ~ }}"),
            format!("databases: {{ default: {{ engine: {shape} }} }}"),
            format!("apps: {{ {shape}: ~ }}\ndatabases: {{ default: {{ url: ':memory:' }} }}"),
            format!(
                "apps: {{ blog: {{ migrations: {shape} }} }}\ndatabases: {{ default: {{ url: ':memory:', seeds: {shape} }} }}"
            ),
            format!("include: {shape}\ndatabases: {{ default: {{ url: ':memory:' }} }}"),
        ] {
            let world = World::new(&yaml);
            for command in
                [&["check"][..], &["routes"], &["route", "blog"], &["status"], &["seed"], &["migrate"]]
            {
                for format in ["text", "json"] {
                    assert_not_shown(&world, &[command, &["--format", format]].concat());
                }
            }
        }
    }
}
