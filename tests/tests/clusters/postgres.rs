//! A PostgreSQL primary with streaming replicas.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::config::Config;
use router_tests::postgres::PostgresCluster;
use router_tests::{ClusterDatabase, require};

diesel::table! { posts { id -> Integer, title -> Text } }

fn databases(cluster: &ClusterDatabase, extra: &str) -> Databases<PgConnection> {
    let replicas: String = (0..2)
        .map(|number| {
            format!("  replica_{number}: {{ url: '{}', replica_of: default }}\n", cluster.replica_url(number))
        })
        .collect();
    let yaml = format!(
        "apps: {{ blog: {{ tables: [posts] }} }}\ndatabases:\n  default:\n    url: '{}'\n    apps: [blog]\n{extra}\n{replicas}",
        cluster.url()
    );
    Databases::builder(Config::loader().yaml(yaml, "databases.yml").load().unwrap()).build().unwrap()
}

#[test]
fn a_write_is_read_back_at_once_whatever_the_delay() {
    let Some(cluster) = require(PostgresCluster::start(2)) else { return };
    let database = cluster.database("blog").unwrap();
    let databases = databases(&database, "");
    let mut conn = databases.session();
    conn.batch_execute("CREATE TABLE posts (id serial PRIMARY KEY, title text NOT NULL)").unwrap();
    cluster.wait_until_caught_up().unwrap();
    for number in 0..2 {
        cluster.set_apply_delay(number, Duration::from_millis(500)).unwrap();
    }
    let mut stale = 0;
    for number in 1..=50 {
        let mut conn = databases.session();
        diesel::insert_into(posts::table).values(posts::title.eq("new")).execute(&mut conn).unwrap();
        let seen = posts::table.count().get_result::<i64>(&mut conn).unwrap();
        assert_eq!(seen, number);
        let token = conn.token().unwrap();
        let seen = posts::table.count().get_result::<i64>(&mut databases.session_after(&token).unwrap());
        assert_eq!(seen.unwrap(), number);
        let seen = posts::table.count().get_result::<i64>(&mut databases.session()).unwrap();
        stale += i32::from(seen < number);
    }
    println!("{stale} {:#?}", databases.cluster("default").unwrap());
    assert!(stale > 40);
}
