//! Which node a session says that it would read from, and why not from the others.
#![cfg(feature = "sqlite")]
#![allow(missing_docs, reason = "Diesel's macro writes public items")]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;
use router_diesel::{Databases, Explanation, Routing, Scope, Serves};

diesel::table! { posts { id -> Integer, title -> Text } }

const TABLE: &str = "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)";

/// A primary and its replicas as SQLite files, each with an empty table.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["default", "one", "two"] {
            let file = folder.path().join(name);
            let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
            conn.batch_execute(TABLE).unwrap();
        }
        Self { folder }
    }

    fn config(&self, primary: &str) -> Config {
        let url = |name: &str| format!("sqlite://{}", self.folder.path().join(name).display());
        let yaml = format!(
            "databases:
  default: {{ url: '{}', {primary} }}
  one: {{ url: '{}', replica_of: default }}
  two: {{ url: '{}', replica_of: default }}",
            url("default"),
            url("one"),
            url("two")
        );
        Config::loader().yaml(yaml, "databases.yml").load().unwrap()
    }

    fn databases(&self, primary: &str) -> Databases<SqliteConnection> {
        Databases::builder(self.config(primary)).build().unwrap()
    }
}

/// The lines about nodes.
fn nodes(explanation: &Explanation) -> String {
    let text = explanation.to_string();
    text[text.find("nodes:").unwrap_or(text.len())..].to_owned()
}

#[test]
fn a_new_session_names_those_among_which_the_policy_chooses() {
    let files = Files::new();
    let databases = files.databases("");
    let explanation = databases.explain(&posts::table.count()).unwrap();
    insta::assert_snapshot!(nodes(&explanation), @r"
    nodes:     default does not: it reads only where no replica can
               one may serve it: by round_robin
               two may serve it: by round_robin
    ");
    assert_eq!(explanation.alias().unwrap(), "default");
    assert_eq!(explanation.node(), None);

    let write = databases.explain(&diesel::delete(posts::table)).unwrap();
    insta::assert_snapshot!(nodes(&write), @r"
    nodes:     default serves it: it is the primary, and the statement does more than read
               one does not: the statement goes to `default`
               two does not: the statement goes to `default`
    ");
    assert_eq!(write.node().unwrap(), "default");

    let always = files.databases("primary_reads: always, policy: random");
    insta::assert_snapshot!(nodes(&always.explain(&posts::table.count()).unwrap()), @r"
    nodes:     default may serve it: by random
               one may serve it: by random
               two may serve it: by random
    ");
}

#[test]
fn a_session_names_the_node_that_it_keeps_and_where_its_state_sends_it() {
    let files = Files::new();
    let databases = files.databases("primary_window: 1m");
    let mut conn = databases.session();
    posts::table.count().get_result::<i64>(&mut conn).unwrap();
    let query = posts::table.count();
    insta::assert_snapshot!(nodes(&conn.explain(&query).unwrap()), @r"
    nodes:     default does not: it reads only where no replica can
               one serves it: this session reads from it
               two does not: this session reads from `one`
    ");
    conn.scoped(Scope::writing(), |conn| {
        insta::assert_snapshot!(nodes(&conn.explain(&query).unwrap()), @r"
        nodes:     default serves it: the scope reads where it writes
                   one does not: the statement goes to `default`
                   two does not: the statement goes to `default`
        ");
    });
    let by_hand = conn.using("two").unwrap().explain(&query).unwrap();
    insta::assert_snapshot!(nodes(&by_hand), @r"
    nodes:     default does not: the statement goes to `two`
               one does not: the statement goes to `two`
               two serves it: it was chosen by hand
    ");
    conn.transaction(|conn| {
        insta::assert_snapshot!(nodes(&conn.explain(&query)?), @r"
        nodes:     default serves it: a transaction begins with it
                   one does not: the statement goes to `default`
                   two does not: the statement goes to `default`
        ");
        QueryResult::Ok(())
    })
    .unwrap();

    diesel::insert_into(posts::table).values(posts::title.eq("new")).execute(&mut conn).unwrap();
    let text = nodes(&conn.explain(&query).unwrap());
    assert!(text.starts_with("nodes:     default serves it: no replica may\n"), "{text}");
    assert_eq!(text.matches("does not: used the primary less than a window ago, ").count(), 2, "{text}");
}

#[test]
fn a_node_that_may_not_serve_says_why() {
    let files = Files::new();
    let databases = files.databases("primary_reads: never");
    databases.drain("one").unwrap();
    let explanation = databases.explain(&posts::table.count()).unwrap();
    insta::assert_snapshot!(nodes(&explanation), @r"
    nodes:     default does not: `primary_reads` is `never`
               one does not: drained
               two serves it: no other may
    ");
    databases.drain("two").unwrap();
    let explanation = databases.explain(&posts::table.count()).unwrap();
    assert!(explanation.nodes().iter().all(|node| node.serves == Serves::No), "{explanation}");
    let error = posts::table.count().get_result::<i64>(&mut databases.session()).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"no node of `default` can serve the read: the primary: `primary_reads` is `never`; `one`: drained; `two`: drained");
    databases.undrain("one").unwrap();
    assert_eq!(databases.explain(&posts::table.count()).unwrap().node().unwrap(), "one");
}

#[test]
fn the_file_alone_names_the_nodes_too() {
    let files = Files::new();
    let routing = Routing::new(files.config("policy: least_connections")).unwrap();
    let explain = |sql: &str| nodes(&routing.explain_sql(sql, Dialect::Sqlite));
    insta::assert_snapshot!(explain("SELECT * FROM posts"), @r"
    nodes:     default does not: it reads only where no replica can
               one may serve it: by least_connections
               two may serve it: by least_connections
    ");
    insta::assert_snapshot!(explain("SELECT 1"), @r"
    nodes:     default serves it: the statement names no table
               one does not: the statement goes to `default`
               two does not: the statement goes to `default`
    ");

    let offline = |what: &str| {
        let routing = Routing::new(files.config(what)).unwrap();
        let by_file = nodes(&routing.explain_sql("SELECT * FROM posts", Dialect::Sqlite));
        let databases = files.databases(what);
        let by_session = databases.explain(&posts::table.count()).unwrap();
        (by_file, by_session.node().map(ToString::to_string))
    };
    let (text, node) = offline("offline: replicas");
    insta::assert_snapshot!(text, @r"
    nodes:     default serves it: no replica may
               one does not: offline by configuration
               two does not: offline by configuration
    ");
    assert_eq!(node.as_deref(), Some("default"));
    let (text, node) = offline("offline: primary");
    insta::assert_snapshot!(text, @r"
    nodes:     default does not: offline by configuration
               one may serve it: by round_robin
               two may serve it: by round_robin
    ");
    assert_eq!(node, None);
}
