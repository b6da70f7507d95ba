//! Which product of an engine's family a server is.

use router_diesel::{AnyConnection, Databases, ErrorKind, config::Config};
use router_tests::mariadb::MariaDb;
use router_tests::require;

fn databases(url: &str, engine: &str) -> Databases<AnyConnection> {
    let yaml = format!("databases: {{ default: {{ url: '{url}', engine: {engine} }} }}");
    Databases::builder(Config::from_yaml(&yaml).unwrap()).build().unwrap()
}

#[test]
fn a_server_says_what_it_is_and_mariadb_asks_for_it() {
    let Some(server) = require(MariaDb::start()) else { return };
    let database = server.database("blog").unwrap();
    for engine in ["mysql", "mariadb"] {
        let databases = databases(database.url(), engine);
        let conn = databases.connection("default").unwrap();
        assert_eq!(conn.server().product.to_string(), "MariaDB", "{engine}");
        let version = conn.server().version.as_deref().unwrap();
        assert!(version.contains("MariaDB"), "{version}");
    }
}

/// MariaDB can be told to call itself MySQL, which is all that tells the two apart.
#[test]
fn mariadb_is_not_satisfied_by_mysql() {
    let Some(server) = require(MariaDb::start_with(&[("version", "8.0.36")])) else { return };
    let database = server.database("blog").unwrap();
    let conn = databases(database.url(), "mysql").connection("default").unwrap();
    assert_eq!(conn.server().product.to_string(), "MySQL");
    let wish = database.url().replace("mysql://", "mariadb://");
    for (url, engine) in [(database.url(), "mariadb"), (&wish, "mysql"), (&wish, "mariadb")] {
        let error = databases(url, engine).connection("default").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedEngine, "{error}");
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(
            error.to_string(),
            "the server of database `default` is MySQL, but the configuration asks for MariaDB; write `mysql` for any \
             server of the family"
        );
    }
}
