//! A URL with a password is shown nowhere, wherever in a file, a variable or an argument it stands.

use router_diesel::config::{Config, ConfigError, Loader};
use serde_json::{Map, Value, json};

/// URLs and other texts with the password `hunter…`, as people write and misplace them.
const SHAPES: [&str; 10] = [
    "postgres://u:hunter2@h/d",
    "postgres:/u:hunter2@h/d",
    "u:hunter2@h",
    "u:my hunter2@h/d",
    "postgres%3A%2F%2Fu%3Ahunter2%40h%2Fd",
    "host=h user=u password=hunter2 dbname=d",
    "host=h password = 'my hunter2' dbname=d",
    "postgres://h/d?user=u&password=hunter2&sslmode=require",
    "postgres://u:my\nhunter2@h/d",
    "mysql://u:my`hunter2@h/d",
];

/// A file with everything that a file can have.
fn everything() -> Value {
    json!({
        "default": "default",
        "unrouted": "error",
        "env_prefix": "SHOP",
        "write_functions": ["bump", "blog.touch"],
        "apps": {
            "blog": { "tables": ["posts", "blog_*", "blog.posts"], "migrations": "migrations/blog" },
            "legacy": { "tables": ["customers"], "managed": false },
        },
        "databases": {
            "default": {
                "url": "sqlite://db/default.sqlite3",
                "pool": {
                    "max_size": 10, "min_idle": 0, "connection_timeout": "5s", "idle_timeout": "5m",
                    "max_lifetime": "30m", "statement_timeout": "30s", "validate_after": "5s",
                    "prepared_statements": true,
                },
                "policy": "weighted", "primary_reads": "fallback", "wait_for_replica": "500ms",
                "primary_window": "2s", "offline": "replicas", "read_only": false, "seeds": "db/seeds",
                "health": { "interval": "1s", "timeout": "500ms", "ban": "1s" },
            },
            "blog_db": {
                "engine": "postgres", "host": "h", "port": 5432, "name": "blog", "user": "u",
                "password": "word", "options": { "sslmode": "require" },
                "apps": ["blog"], "operations": ["read", "write"], "migrate_to": "owner",
            },
            "owner": { "url": "postgres://owner@h/blog", "migration_history": "default", "migrate": true },
            "copy": { "replica_of": "default", "url": "sqlite://db/copy", "weight": 2, "max_lag": "1s" },
        },
        "environments": { "production": { "databases": { "copy": { "weight": 3 } } } },
    })
}

/// The file with one thing in it replaced: the value or the key at a place, which counts up.
fn replaced(node: &Value, by: &str, place: &mut usize) -> Value {
    let mut is_here = || {
        let here = *place == 0;
        *place = place.wrapping_sub(1);
        here
    };
    if is_here() {
        return Value::String(by.to_owned());
    }
    match node {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let key = if *place == 0 { by.to_owned() } else { key.clone() };
                *place = place.wrapping_sub(1);
                (key, replaced(value, by, place))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(|value| replaced(value, by, place)).collect(),
        value => value.clone(),
    }
}

/// Every way to put a text into the file.
fn everywhere(by: &str) -> Vec<Value> {
    let original = everything();
    let mut files = Vec::new();
    for place in 1.. {
        let mut left = place;
        let file = replaced(&original, by, &mut left);
        if file == original {
            return files;
        }
        files.push(file);
    }
    files
}

/// The file in blocks, without quotes where YAML needs none.
fn blocks(node: &Value, depth: usize) -> String {
    let indent = " ".repeat(depth);
    let plain = |text: &str| !text.contains(['\n', '\'', '*', '%', '`']) && !text.contains(": ");
    let scalar = |text: &str| if plain(text) { text.to_owned() } else { json!(text).to_string() };
    match node {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{indent}{}:\n{}", scalar(key), blocks(value, depth + 2))
                }
                value => format!("{indent}{}: {}\n", scalar(key), blocks(value, 0)),
            })
            .collect(),
        Value::Array(list) => list.iter().map(|value| format!("{indent}- {}\n", blocks(value, 0))).collect(),
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

fn loader(yaml: &str) -> Loader {
    Config::loader().yaml(yaml, "databases.yml").variables([("X", "y")])
}

/// All that is said of a file.
fn said(result: &Result<Config, ConfigError>) -> String {
    let problems = match result {
        Ok(config) => &config.notes,
        Err(error) => error.problems(),
    };
    let json = serde_json::to_string(problems).unwrap();
    let places: Vec<String> =
        problems.iter().filter_map(|problem| Some(problem.place()?.to_string())).collect();
    let errors = result.as_ref().err().map(|error| format!("{error}\n{error:?}")).unwrap_or_default();
    format!("{problems:?}\n{json}\n{places:?}\n{errors}")
}

fn assert_silent(said: &str, of: &str) {
    assert!(!said.to_lowercase().contains("hunter"), "of\n{of}\nthis is said:\n{said}");
}

#[test]
fn no_place_of_the_file_shows_a_password() {
    assert!(
        loader(&blocks(&everything(), 0)).load().is_ok(),
        "{}",
        said(&loader(&blocks(&everything(), 0)).load())
    );
    for shape in SHAPES {
        let files = everywhere(shape);
        assert!(files.len() > 100, "{}", files.len());
        for file in files {
            for yaml in [blocks(&file, 0), file.to_string(), serde_json::to_string_pretty(&file).unwrap()] {
                assert_silent(&said(&loader(&yaml).load()), &yaml);
            }
        }
    }
}

#[test]
fn no_variable_shows_a_password() {
    for shape in SHAPES {
        for file in everywhere("${X}") {
            let yaml = file.to_string();
            let loader = Config::loader().yaml(&yaml, "databases.yml").variables([("X", shape)]);
            assert_silent(&said(&loader.load()), &yaml);
        }
        for name in
            ["DBROUTER_ENV", "DBROUTER_CONFIG", "SHOP_DEFAULT_DATABASE_URL", "SHOP_OWNER_DATABASE_URL"]
        {
            let yaml = everything().to_string();
            let loader = Config::loader().yaml(&yaml, "databases.yml").variables([(name, shape)]);
            assert_silent(&said(&loader.load()), name);
            let loader = Config::loader().variables([(name, shape)]);
            assert_silent(&said(&loader.load()), name);
        }
    }
}

#[test]
fn no_name_of_a_file_or_environment_shows_a_password() {
    let folder = tempfile::tempdir().unwrap();
    for shape in SHAPES {
        let yaml = everything().to_string();
        assert_silent(&said(&loader(&yaml).environment(shape).load()), "environment");
        assert_silent(&said(&loader(&yaml).env_file(shape).load()), "env_file");
        assert_silent(&said(&loader(&yaml).env_file(folder.path().join(shape)).load()), "env_file");
        assert_silent(&said(&Config::loader().file(shape).load()), "file");
        assert_silent(&said(&Config::loader().file(folder.path().join(shape)).load()), "file");
        assert_silent(&said(&Config::loader().yaml("databases: 1", shape).load()), "yaml");
        for include in [json!(shape), json!([shape]), json!([format!("{shape}/*")]), json!({ shape: 1 })] {
            let yaml = json!({ "include": include, "databases": { "default": { "url": ":memory:" } } });
            assert_silent(&said(&loader(&yaml.to_string()).load()), "include");
        }
        // An env file of which a line is no variable.
        let env_file = folder.path().join("env");
        std::fs::write(&env_file, format!("{shape}\nX={shape}\nX='{shape}\n")).unwrap();
        assert_silent(&said(&loader(&yaml).env_file(&env_file).load()), "env_file");
    }
}

#[test]
fn no_mark_of_yaml_shows_a_password() {
    for yaml in [
        "databases: { default: *u:hunter2@h }",
        "databases: { default: &u:hunter2@h }",
        "databases: { default: &u:hunter2@h { url: 1 }, other: *u:hunter2@g }",
        "databases: { default: !u:hunter2@h { url: 1 } }",
        "databases: { default: !<postgres://u:hunter2@h/d> { url: 1 } }",
        "%TAG ! postgres://u:hunter2@h/d\n---\ndatabases: 1",
        "databases:\n  default:\n    engine: postgres://u:my\n      hunter2@h/d\n",
        "databases:\n  default:\n    engine: >\n      postgres://u:my\n      hunter2@h/d\n    policy: x\n",
        "databases:\n  default:\n    engine: |\n      postgres://u:hunter2@h/d\n    policy: x\n",
        "databases: { default: { ? 'postgres://u:my\n  hunter2@h/d' : 1, policy: x } }",
        "databases: { default: { postgres://u:hunter2@h/d } }",
        "databases: { default: { postgres://u:hunter2@h/d: 1, postgres://u:hunter2@h/d: 2 } }",
        "databases: { postgres://u:hunter2@h/d: ~ }",
        "databases: { postgres://u:hunter2@h/d: ~, POSTGRES://u:hunter2@h/d: ~ }",
        "databases: { 'postgres://u:hunter2@h/d', x",
        "postgres://u:hunter2@h/d",
        "u:hunter2@h",
        "- postgres://u:hunter2@h/d",
        "databases: { default: { <<: postgres://u:hunter2@h/d } }",
        "databases: { default: { url: postgres://u:hunter2@h/d, postgres://u:hunter2@h/d",
    ] {
        let result = loader(yaml).load();
        assert!(result.is_err(), "{yaml}");
        assert_silent(&said(&result), yaml);
    }
}

#[test]
fn no_error_of_the_crate_shows_a_password() {
    use router_diesel::Routing;
    use router_diesel::statement::Dialect;

    let config = Config::from_yaml("unrouted: error\ndatabases: { default: { url: ':memory:' } }").unwrap();
    let routing = Routing::new(config).unwrap();
    for shape in SHAPES {
        let explanation = routing.explain_sql(&format!("SELECT * FROM \"{shape}\""), Dialect::Postgres);
        let error = explanation.alias().unwrap_err();
        let error = router_diesel::Error::from(error.clone());
        assert_silent(&format!("{error} {error:?} {error:#?}"), shape);
    }
}
