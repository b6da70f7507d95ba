//! Servers that refuse a user in another language than English: what that means does not depend on its words.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, ErrorKind};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::{HarnessError, PASSWORD, require, with_language};

use crate::world::said;

/// What a server says to a user with a wrong password.
fn refusal(url: &str) -> String {
    assert!(url.contains(PASSWORD));
    let yaml = format!("databases: {{ blog_db: {{ url: '{}' }} }}", url.replace(PASSWORD, "wrong-one"));
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config).build().unwrap();
    let error = databases.ping("blog_db").unwrap_err();
    let message = said(&error, &["wrong-one"]);
    assert_eq!(error.kind(), ErrorKind::Authentication, "{message}");
    assert!(!error.is_retryable(), "{message}");
    message
}

#[test]
fn postgres_refuses_a_user_in_other_languages() {
    // The harness's servers have the locale C, and write `?` for the letters of other scripts.
    for language in ["de", "es", "fr", "it", "sv"] {
        let start = || Postgres::start_with(&[("lc_messages", "C.UTF-8")]);
        let Some(server) = require(with_language(language, start)) else { return };
        let message = refusal(server.database("blog").unwrap().url());
        if message.contains("password authentication failed") {
            let package = "postgresql";
            let missing = HarnessError::Missing { program: "messages in other languages", package };
            require(Err::<(), _>(missing));
            return;
        }
    }
}

#[test]
fn mariadb_refuses_a_user_in_other_languages() {
    let Some(server) = require(MariaDb::start()) else { return };
    let database = server.database("blog").unwrap();
    let mut admin = MysqlConnection::establish(database.url()).unwrap();
    let english = refusal(database.url());
    for locale in ["de_DE", "es_ES", "fr_FR", "it_IT", "ja_JP", "ru_RU", "hi_IN", "el_GR", "zh_CN"] {
        admin.batch_execute(&format!("SET GLOBAL lc_messages = '{locale}'")).unwrap();
        assert_ne!(refusal(database.url()), english, "{locale}");
    }
}
