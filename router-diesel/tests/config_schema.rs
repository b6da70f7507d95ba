//! The sample of the README and the schema that it names.

use std::fs;
use std::path::{Path, PathBuf};

use router_diesel::config::{Config, Unrouted};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// `UPDATE_SCHEMA=1 cargo test -p router-diesel --test config_schema` writes the schema anew.
#[test]
fn the_committed_schema_is_current() {
    let path = in_repository("config/databases.schema.json");
    let schema = Config::json_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "config/databases.schema.json is not current; run with UPDATE_SCHEMA=1");
}

#[test]
fn the_sample_names_the_schema_and_loads_without_variables() {
    let path = in_repository("config/databases.yml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=./databases.schema.json"));

    let none: [(&str, &str); 0] = [];
    let config = Config::loader().file(&path).variables(none).load().unwrap();
    assert_eq!(config.default, "default");
    assert_eq!(config.unrouted, Unrouted::Error);
    assert_eq!(config.notes.len(), 0);
    let shown: Vec<String> = config
        .databases
        .iter()
        .map(|database| format!("{} {} {:?}", database.alias, database.url, database.apps))
        .collect();
    assert_eq!(
        shown,
        [
            "default db/default.sqlite3 [\"users\"]",
            "blog_db db/blog.sqlite3 [\"blog\"]",
            "shop_db db/shop.sqlite3 [\"shop\"]"
        ]
    );
    let test = Config::loader().file(&path).environment("test").variables(none).load().unwrap();
    assert_eq!(test.databases[1].url.expose(), "db/test_blog.sqlite3");
}

#[test]
fn the_schema_knows_every_key_of_the_sample() {
    let schema: serde_json::Value = serde_json::from_str(&Config::json_schema()).unwrap();
    let sample: serde_json::Value =
        serde_yaml::from_str(&fs::read_to_string(in_repository("config/databases.yml")).unwrap()).unwrap();
    known(&schema, &schema, &sample, "");
}

/// Walks a value and the schema that describes it, and panics at a key that the schema lacks.
fn known(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value, path: &str) {
    let schema = match schema.get("$ref").and_then(|reference| reference.as_str()) {
        Some(reference) => root.pointer(&reference[1..]).expect("a definition"),
        None => schema,
    };
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        let property = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        match property.filter(|property| !property.is_boolean()) {
            Some(property) => known(root, property, value, &path),
            None => panic!("the schema lacks {path}"),
        }
    }
}
