use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    connection::SimpleConnection as _,
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Text},
};
use router_tests::{ClusterDatabase, Stop, postgres::PostgresCluster, require};

use crate::servers::Held;

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}

/// A cluster with a database that has an empty table `posts` on all nodes.
fn cluster_with_posts(replicas: usize) -> Option<(PostgresCluster, ClusterDatabase)> {
    let cluster = require(PostgresCluster::start(replicas))?;
    let blog = cluster.database("blog").unwrap();
    connect(blog.url()).batch_execute("CREATE TABLE posts (id INTEGER)").unwrap();
    cluster.wait_until_caught_up().unwrap();
    Some((cluster, blog))
}

fn add_post(url: &str) -> QueryResult<usize> {
    sql_query("INSERT INTO posts VALUES (1)").execute(&mut connect(url))
}

fn posts(url: &str) -> i64 {
    diesel::select(sql::<BigInt>("(SELECT count(*) FROM posts)")).get_result(&mut connect(url)).unwrap()
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
    assert!(blog.name().starts_with("blog"));
    add_post(blog.url()).unwrap();
    cluster.wait_until_caught_up().unwrap();
    for replica in 0..2 {
        let mut conn = connect(blog.replica_url(replica));
        let standby = sql::<(Bool, Text)>("pg_is_in_recovery(), current_database()::text");
        assert_eq!(diesel::select(standby).get_result(&mut conn), Ok((true, blog.name().to_owned())));
        assert_eq!(posts(blog.replica_url(replica)), 1);
        let refusal = add_post(blog.replica_url(replica)).unwrap_err().to_string();
        assert!(refusal.contains("read-only transaction"), "{refusal}");
    }
}

#[test]
fn a_node_counts_what_a_test_sent_it_and_nothing_of_the_harness() {
    let Some((cluster, blog)) = cluster_with_posts(1) else { return };
    let marks = (cluster.primary().mark().unwrap(), cluster.replica(0).mark().unwrap());
    let mut conn = connect(blog.replica_url(0));
    sql_query("SELECT 1").execute(&mut conn).unwrap();
    cluster.pause_replay(0).unwrap();
    cluster.resume_replay(0).unwrap();
    cluster.set_apply_delay(0, Duration::from_millis(1)).unwrap();
    cluster.wait_until_caught_up().unwrap();

    assert_eq!(cluster.primary().statements_since(marks.0).unwrap(), []);
    let statements = cluster.replica(0).statements_since(marks.1).unwrap();
    let sent: Vec<_> = statements.iter().map(|s| (s.database.as_str(), s.sql.as_str())).collect();
    assert!(sent.iter().all(|(database, _)| *database == blog.name()), "{sent:?}");
    assert_eq!(sent.last(), Some(&(blog.name(), "SELECT 1")));
}

#[test]
fn a_delayed_replica_shows_a_row_when_the_delay_is_over_and_not_before() {
    let Some((cluster, blog)) = cluster_with_posts(2) else { return };
    let delay = Duration::from_millis(700);
    cluster.set_apply_delay(0, delay).unwrap();

    // Before the commit, so that it began no later than the server's own count of the delay.
    let start = Instant::now();
    add_post(blog.url()).unwrap();
    wait_for_posts(blog.replica_url(1), 1);
    // The machine may have been busy for longer than the delay since the commit: then this look proves nothing.
    let seen = posts(blog.replica_url(0));
    assert!(seen == 0 || start.elapsed() >= delay);
    wait_for_posts(blog.replica_url(0), 1);
    assert!(start.elapsed() >= delay, "{:?}", start.elapsed());

    cluster.set_apply_delay(0, Duration::from_secs(3600)).unwrap();
    add_post(blog.url()).unwrap();
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
    add_post(blog.url()).unwrap();
    wait_for_posts(blog.replica_url(0), 1);
    assert_eq!(posts(blog.replica_url(1)), 0);

    cluster.resume_replay(1).unwrap();
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(1)), 1);
}

#[test]
fn a_promoted_replica_takes_writes_which_another_can_follow() {
    let Some((mut cluster, blog)) = cluster_with_posts(2) else { return };
    cluster.primary_mut().stop(Stop::Kill).unwrap();
    cluster.promote(0).unwrap();
    cluster.follow(1, 0).unwrap();
    add_post(blog.replica_url(0)).unwrap();
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(1)), 1);

    // The old primary knows nothing of it, as no old primary does.
    cluster.primary_mut().start_again().unwrap();
    assert_eq!(posts(blog.url()), 0);
    cluster.promote(0).unwrap_err();
}

#[test]
fn a_replica_that_was_stopped_catches_up() {
    let Some((mut cluster, blog)) = cluster_with_posts(1) else { return };
    for (stop, count) in [(Stop::Kill, 1), (Stop::Fast, 2)] {
        let port = cluster.replica(0).port();
        cluster.replica_mut(0).stop(stop).unwrap();
        assert!(PgConnection::establish(blog.replica_url(0)).is_err());
        add_post(blog.url()).unwrap();
        // It has to ask for more than what is in the primary's memory.
        connect(blog.url()).batch_execute("SELECT pg_switch_wal(); CHECKPOINT").unwrap();
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
    cluster.replica_mut(0).stop(Stop::Fast).unwrap();
    cluster.replica_mut(0).start_again().unwrap();
    assert_eq!(posts(blog.replica_url(0)), 0);

    cluster.primary_mut().start_again().unwrap();
    add_post(blog.url()).unwrap();
    cluster.wait_until_caught_up().unwrap();
    assert_eq!(posts(blog.replica_url(0)), 1);
}

#[test]
fn a_database_is_dropped_while_a_replica_reads_it() {
    let Some((cluster, blog)) = cluster_with_posts(1) else { return };
    let url = blog.replica_url(0).to_owned();
    let mut reader = connect(&url);
    reader.batch_execute("BEGIN; SELECT * FROM posts").unwrap();
    drop(blog);
    cluster.wait_until_caught_up().unwrap();
    assert!(PgConnection::establish(&url).is_err());
    reader.batch_execute("SELECT * FROM posts").unwrap_err();
}

#[test]
fn an_unrelated_cluster_has_a_system_identifier_of_its_own() {
    fn identifier(url: &str) -> String {
        let identifier = sql::<Text>("(SELECT system_identifier::text FROM pg_control_system())");
        diesel::select(identifier).get_result(&mut connect(url)).unwrap()
    }
    let Some(cluster) = require(PostgresCluster::start(1)) else { return };
    let unrelated = PostgresCluster::start_unrelated(0).unwrap();
    let blog = cluster.database("blog").unwrap();
    assert_eq!(identifier(blog.url()), identifier(blog.replica_url(0)));
    assert_ne!(identifier(blog.url()), identifier(unrelated.database("blog").unwrap().url()));
}

#[test]
fn all_nodes_are_stopped_and_removed_when_their_process_is_killed() {
    if require(PostgresCluster::start(0)).is_some() {
        Held::start("postgres_cluster").goes_when_killed();
    }
}
