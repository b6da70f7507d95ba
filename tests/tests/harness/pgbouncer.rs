use diesel::{connection::SimpleConnection as _, dsl::sql, prelude::*, sql_types::Integer};
use router_tests::{PASSWORD, Stop, pgbouncer::PgBouncer, postgres::Postgres, require};

use crate::servers::Held;

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}

/// The server's process that serves a client's next transaction.
fn process(conn: &mut PgConnection) -> i32 {
    conn.transaction(|conn| diesel::select(sql::<Integer>("pg_backend_pid()")).get_result(conn)).unwrap()
}

#[test]
fn clients_share_a_connection_one_transaction_after_another() {
    let Some(server) = require(Postgres::shared()) else { return };
    let Some(bouncer) = require(PgBouncer::start_with(server, &[("default_pool_size", "1")])) else { return };
    let blog = server.database("blog").unwrap();
    let url = bouncer.url_through(blog.url());
    let (mut one, mut two) = (connect(&url), connect(&url));
    assert_eq!(process(&mut one), process(&mut two));

    one.batch_execute("CREATE TABLE posts (id INTEGER)").unwrap();
    two.batch_execute("BEGIN; INSERT INTO posts VALUES (1); COMMIT").unwrap();
    assert_eq!(diesel::sql_query("DELETE FROM posts").execute(&mut connect(blog.url())), Ok(1));

    // What a client leaves behind in its session, the next one finds.
    one.batch_execute("PREPARE left_behind AS SELECT 1").unwrap();
    two.batch_execute("EXECUTE left_behind").unwrap();
}

#[test]
fn two_transactions_run_at_once() {
    let Some(server) = require(Postgres::shared()) else { return };
    let Some(bouncer) = require(PgBouncer::start(server)) else { return };
    let blog = server.database("blog").unwrap();
    let url = bouncer.url_through(blog.url());
    let (mut one, mut two) = (connect(&url), connect(&url));
    one.transaction(|one| {
        assert_ne!(process(one), process(&mut two));
        QueryResult::Ok(())
    })
    .unwrap();
}

#[test]
fn a_wrong_password_is_refused() {
    let Some(server) = require(Postgres::shared()) else { return };
    let Some(bouncer) = require(PgBouncer::start(server)) else { return };
    let blog = server.database("blog").unwrap();
    let url = bouncer.url_through(blog.url());
    assert!(PgConnection::establish(&url).is_ok());
    assert!(PgConnection::establish(&url.replace(PASSWORD, "guess")).is_err());
}

#[test]
fn answers_and_is_gone_when_dropped() {
    let Some(server) = require(Postgres::shared()) else { return };
    let Some(bouncer) = require(PgBouncer::start(server)) else { return };
    let blog = server.database("blog").unwrap();
    let (url, folder) = (bouncer.url_through(blog.url()), bouncer.folder().to_owned());
    connect(&url).batch_execute("SELECT 1").unwrap();
    drop(bouncer);
    assert!(!folder.exists());
    assert!(PgConnection::establish(&url).is_err());
    connect(blog.url()).batch_execute("SELECT 1").unwrap();
}

#[test]
fn comes_back_on_its_port() {
    let Some(server) = require(Postgres::shared()) else { return };
    let Some(mut bouncer) = require(PgBouncer::start(server)) else { return };
    let blog = server.database("blog").unwrap();
    let url = bouncer.url_through(blog.url());
    for stop in [Stop::Kill, Stop::Fast] {
        let mut open = connect(&url);
        bouncer.stop(stop).unwrap();
        open.batch_execute("SELECT 1").unwrap_err();
        assert!(PgConnection::establish(&url).is_err());
        bouncer.start_again().unwrap();
        connect(&url).batch_execute("SELECT 1").unwrap();
    }
}

#[test]
fn is_stopped_and_removed_when_its_process_is_killed() {
    let Some(server) = require(Postgres::shared()) else { return };
    if require(PgBouncer::start(server)).is_some() {
        Held::start("pgbouncer").goes_when_killed();
    }
}
