use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    connection::SimpleConnection as _,
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use router_tests::{ClusterDatabase, Stop, mariadb::MariaDbCluster, require};

use crate::servers::Held;

fn connect(url: &str) -> MysqlConnection {
    MysqlConnection::establish(url).unwrap()
}

/// A cluster with a database that has an empty table `posts` on all nodes.
fn cluster_with_posts(replicas: usize) -> Option<(MariaDbCluster, ClusterDatabase)> {
    let cluster = require(MariaDbCluster::start(replicas))?;
    let blog = cluster.database("blog").unwrap();
    connect(blog.url()).batch_execute("CREATE TABLE posts (id INTEGER)").unwrap();
    cluster.wait_until_caught_up().unwrap();
    Some((cluster, blog))
}

fn add_post(url: &str) {
    sql_query("INSERT INTO posts VALUES (1)").execute(&mut connect(url)).unwrap();
}

fn number(url: &str, expression: &str) -> i64 {
    diesel::select(sql::<BigInt>(expression)).get_result(&mut connect(url)).unwrap()
}

fn posts(url: &str) -> i64 {
    number(url, "(SELECT count(*) FROM posts)")
}

fn wait_for_posts(url: &str, count: i64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while posts(url) != count {
        assert!(Instant::now() < deadline, "{} posts instead of {count}", posts(url));
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_the_primary_commits_appears_on_every_replica() {
    let Some((cluster, blog)) = cluster_with_posts(2) else { return };
    assert_eq!(cluster.replicas(), 2);
    add_post(blog.url());
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(number(blog.url(), "@@read_only"), 0);
    for replica in [blog.replica_url(0), blog.replica_url(1)] {
        assert_eq!(posts(replica), 1);
        assert_eq!(number(replica, "@@read_only"), 1);
    }
    let position = |url| -> String {
        diesel::select(sql::<Text>("@@gtid_current_pos")).get_result(&mut connect(url)).unwrap()
    };
    assert!(position(blog.url()).starts_with("0-1-"));
    assert_eq!(position(blog.replica_url(0)), position(blog.url()));
}

#[test]
fn a_node_counts_what_a_test_sent_it_and_nothing_of_the_harness() {
    let Some((cluster, blog)) = cluster_with_posts(1) else { return };
    let mut writer = connect(blog.url());
    let mut reader = connect(blog.replica_url(0));
    let marks = (cluster.primary().mark().unwrap(), cluster.replica(0).mark().unwrap());
    writer.batch_execute("INSERT INTO posts VALUES (1)").unwrap();
    writer.batch_execute("CREATE TABLE tags (id INTEGER)").unwrap();
    cluster.pause_replay(0).unwrap();
    cluster.resume_replay(0).unwrap();
    cluster.set_apply_delay(0, Duration::ZERO).unwrap();
    cluster.wait_until_caught_up().unwrap();
    reader.batch_execute("SELECT 1").unwrap();

    let sent = |statements: Vec<router_tests::LoggedStatement>| -> Vec<String> {
        statements.into_iter().map(|statement| statement.sql).collect()
    };
    assert_eq!(
        sent(cluster.primary().statements_since(marks.0).unwrap()),
        ["INSERT INTO posts VALUES (1)", "CREATE TABLE tags (id INTEGER)"]
    );
    assert_eq!(sent(cluster.replica(0).statements_since(marks.1).unwrap()), ["SELECT 1"]);
}

#[test]
fn a_delayed_replica_shows_a_row_when_the_delay_is_over_and_not_before() {
    let Some((cluster, blog)) = cluster_with_posts(2) else { return };
    let delay = Duration::from_millis(400);
    cluster.set_apply_delay(0, delay).unwrap();

    let start = Instant::now();
    add_post(blog.url());
    wait_for_posts(blog.replica_url(1), 1);
    // The machine may have been busy for longer than the delay since the commit: then this look proves nothing.
    let seen = posts(blog.replica_url(0));
    assert!(seen == 0 || start.elapsed() >= delay);
    wait_for_posts(blog.replica_url(0), 1);
    assert!(start.elapsed() >= delay, "{:?}", start.elapsed());

    cluster.set_apply_delay(0, Duration::from_secs(3600)).unwrap();
    add_post(blog.url());
    wait_for_posts(blog.replica_url(1), 2);
    assert_eq!(posts(blog.replica_url(0)), 1);
    cluster.set_apply_delay(0, Duration::ZERO).unwrap();
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(0)), 2);
}

#[test]
fn a_paused_replica_hides_a_row_until_it_resumes() {
    let Some((cluster, blog)) = cluster_with_posts(2) else { return };
    cluster.pause_replay(1).unwrap();
    add_post(blog.url());
    wait_for_posts(blog.replica_url(0), 1);
    assert_eq!(posts(blog.replica_url(1)), 0);

    cluster.resume_replay(1).unwrap();
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(1)), 1);
}

#[test]
fn a_promoted_replica_is_not_read_only_and_follows_nobody() {
    let Some((mut cluster, blog)) = cluster_with_posts(1) else { return };
    cluster.promote(0).unwrap();
    assert_eq!(number(blog.replica_url(0), "@@read_only"), 0);
    add_post(blog.replica_url(0));
    // The primary's row would be the replica's second.
    add_post(blog.url());
    assert_eq!((posts(blog.url()), posts(blog.replica_url(0))), (1, 1));
    cluster.resume_replay(0).unwrap_err();
}

#[test]
fn a_replica_that_was_stopped_catches_up() {
    let Some((mut cluster, blog)) = cluster_with_posts(1) else { return };
    for (stop, count) in [(Stop::Kill, 1), (Stop::Fast, 2)] {
        let port = cluster.replica(0).port();
        cluster.replica_mut(0).stop(stop).unwrap();
        assert!(MysqlConnection::establish(blog.replica_url(0)).is_err());
        add_post(blog.url());
        connect(blog.url()).batch_execute("FLUSH BINARY LOGS").unwrap();
        // A replica that does not run is not waited for.
        cluster.database("shop").unwrap();

        cluster.replica_mut(0).start_again().unwrap();
        assert_eq!(cluster.replica(0).port(), port);
        cluster.wait_until_caught_up().unwrap();
        assert_eq!(posts(blog.replica_url(0)), count, "after {stop:?}");
    }
}

#[test]
fn replicas_answer_while_their_primary_is_away_and_find_it_again() {
    let Some((mut cluster, blog)) = cluster_with_posts(1) else { return };
    cluster.primary_mut().stop(Stop::Kill).unwrap();
    assert_eq!(posts(blog.replica_url(0)), 0);
    cluster.primary_mut().start_again().unwrap();
    add_post(blog.url());
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(0)), 1);
}

#[test]
fn all_nodes_are_stopped_and_removed_when_their_process_is_killed() {
    if require(MariaDbCluster::start(0)).is_some() {
        Held::start("mariadb_cluster").goes_when_killed();
    }
}
