//! A server that dies and comes back, on the engines that have one.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use router_diesel::config::Config;
use router_diesel::{Databases, RoutedConnection};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::{PASSWORD, Stop, require};

use crate::schema::posts;

/// Long, so that a check-out that waits for it is told from a machine that is busy.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(8);

fn databases<C: RoutedConnection>(url: &str) -> Databases<C> {
    // `validate_after` is far longer than the test, so that no ping hides what is tested.
    let yaml = format!(
        "databases: {{ default: {{ url: '{url}', pool: {{ validate_after: 10m, connection_timeout: {}s }} }} }}",
        CONNECTION_TIMEOUT.as_secs()
    );
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    Databases::builder(config).build().unwrap()
}

macro_rules! survives {
    ($name:ident, $server:ty, $connection:ty) => {
        #[test]
        fn $name() {
            let Some(mut server) = require(<$server>::start()) else { return };
            let database = server.database("blog").unwrap();
            let databases = databases::<$connection>(database.url());
            let create = "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title VARCHAR(9) NOT NULL)";
            diesel::sql_query(create).execute(&mut databases.session()).unwrap();
            let read = |conn: &mut router_diesel::Session<$connection>| {
                posts::table.select(posts::id).load::<i32>(conn)
            };
            let mut held = databases.session();
            let mut transaction = databases.session();
            read(&mut held).unwrap();

            server.stop(Stop::Kill).unwrap();

            // A pooled connection that died unseen fails once, and says whose it was.
            let error = read(&mut held).unwrap_err();
            assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)), "{error:?}");
            assert!(error.to_string().contains("`default`"), "{error}");
            assert!(!error.to_string().contains(PASSWORD), "{error}");
            // It is not handed out a second time: now the server itself is missed.
            let error = read(&mut held).unwrap_err();
            assert!(error.to_string().contains("`default` cannot be reached"), "{error}");
            assert!(!error.to_string().contains(PASSWORD), "{error}");
            let error = transaction.transaction(|conn| read(conn)).unwrap_err();
            assert!(error.to_string().contains("`default`"), "{error}");

            server.start_again().unwrap();
            eventually("the server to be reached again", || read(&mut held).is_ok());
            // No dead connection is left in the pool for anyone to meet.
            for _ in 0..10 {
                read(&mut databases.session()).unwrap();
                transaction.transaction(|conn| read(conn)).unwrap();
            }
        }
    };
}

survives!(postgres_dies_and_comes_back, Postgres, PgConnection);
survives!(mariadb_dies_and_comes_back, MariaDb, MysqlConnection);

macro_rules! loses_its_transaction {
    ($name:ident, $server:ty, $connection:ty) => {
        #[test]
        fn $name() {
            let Some(mut server) = require(<$server>::start()) else { return };
            let database = server.database("blog").unwrap();
            let databases = databases::<$connection>(database.url());
            let mut conn = databases.session();
            diesel::sql_query("CREATE TABLE posts (id INTEGER PRIMARY KEY)").execute(&mut conn).unwrap();
            let result = conn.transaction(|conn| {
                diesel::insert_into(posts::table).values(posts::id.eq(1)).execute(conn)?;
                server.stop(Stop::Kill).unwrap();
                server.start_again().unwrap();
                diesel::insert_into(posts::table).values(posts::id.eq(2)).execute(conn)
            });
            assert!(result.unwrap_err().to_string().contains("`default`"));
            // Nothing of it was kept, and the same session can begin anew.
            conn.transaction(|conn| {
                assert!(posts::table.select(posts::id).load::<i32>(conn)?.is_empty());
                diesel::insert_into(posts::table).values(posts::id.eq(3)).execute(conn)
            })
            .unwrap();
        }
    };
}

loses_its_transaction!(postgres_dies_in_a_transaction, Postgres, PgConnection);
loses_its_transaction!(mariadb_dies_in_a_transaction, MariaDb, MysqlConnection);

macro_rules! is_not_noticed {
    ($name:ident, $server:ty, $connection:ty) => {
        /// Where r2d2 would ping, and so find out.
        #[test]
        fn $name() {
            let Some(mut server) = require(<$server>::start()) else { return };
            let database = server.database("blog").unwrap();
            let databases = databases::<$connection>(database.url());
            let mut conn = databases.session();
            let create = "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title VARCHAR(9) NOT NULL)";
            diesel::sql_query(create).execute(&mut conn).unwrap();
            let read = |conn: &mut router_diesel::Session<$connection>| posts::table.select(posts::id).load::<i32>(conn);
            let boxed = |conn: &mut router_diesel::Session<$connection>| {
                posts::table.into_boxed().filter(posts::id.gt(0)).select(posts::id).load::<i32>(conn)
            };
            let own = diesel::dsl::sql::<diesel::sql_types::Integer>("charge(id)");
            let mut restart = || {
                server.stop(Stop::Kill).unwrap();
                server.start_again().unwrap();
            };

            restart();
            assert_eq!(read(&mut conn), Ok(vec![]), "on the connection that the session holds");
            restart();
            assert_eq!(boxed(&mut conn), Ok(vec![]));
            conn.release();
            restart();
            assert_eq!(read(&mut databases.session()), Ok(vec![]), "on one from the pool");
            restart();
            let begun = conn.transaction(|conn| {
                diesel::insert_into(posts::table)
                    .values((posts::id.eq(1), posts::user_id.eq(1), posts::title.eq("a")))
                    .execute(conn)
            });
            assert_eq!(begun, Ok(1), "a transaction had not begun");

            // What may have an effect does not run twice.
            restart();
            let error = posts::table.select(own).load::<i32>(&mut conn).unwrap_err();
            assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)), "{error:?}");
            read(&mut conn).unwrap();
            restart();
            let error = diesel::delete(posts::table).execute(&mut conn).unwrap_err();
            assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)), "{error:?}");
            assert_eq!(read(&mut conn).unwrap(), [1]);
            let lost = conn.transaction(|conn| {
                read(conn)?;
                restart();
                read(conn)
            });
            assert!(lost.is_err(), "a transaction is not begun again");
        }
    };
}

is_not_noticed!(a_restart_of_postgres_fails_no_read, Postgres, PgConnection);
is_not_noticed!(a_restart_of_mariadb_fails_no_read, MariaDb, MysqlConnection);

/// Waits until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the statement counts no connection any more. It is asked on a connection of its own.
fn until_none<C: RoutedConnection>(conn: &mut C, count: &str) {
    eventually("the idle connection to be closed", || conn.texts(count).unwrap() == [Some("0".to_owned())]);
}

/// A server that closes an idle connection, as after a fail-over or by `wait_timeout`, is not a server that is down.
fn is_replaced_unseen<C: RoutedConnection>(databases: &Databases<C>, close: impl Fn()) {
    let touch = || databases.session().using("wary").unwrap().batch_execute("SELECT 1");
    touch().unwrap();
    close();
    for _ in 0..3 {
        touch().unwrap();
    }
}

fn wary<C: RoutedConnection>(url: &str) -> Databases<C> {
    let yaml = format!(
        "databases:
  default: {{ url: '{url}' }}
  wary: {{ url: '{url}', pool: {{ validate_after: 0s, max_size: 4 }} }}"
    );
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    Databases::builder(config).build().unwrap()
}

#[test]
fn postgres_closes_an_idle_connection() {
    let Some(server) = require(Postgres::shared()) else { return };
    let database = server.database("idle").unwrap();
    let databases = wary::<PgConnection>(database.url());
    is_replaced_unseen(&databases, || {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut conn = PgConnection::establish(database.url()).unwrap();
        diesel::sql_query(others).execute(&mut conn).unwrap();
        until_none(
            &mut conn,
            "SELECT count(*)::text AS value FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    });
}

#[test]
fn mariadb_closes_an_idle_connection() {
    let Some(server) = require(MariaDb::shared()) else { return };
    let database = server.database("idle").unwrap();
    let databases = wary::<MysqlConnection>(database.url());
    let mut session = databases.session();
    session.using("wary").unwrap().batch_execute("SET SESSION wait_timeout = 1").unwrap();
    drop(session);
    is_replaced_unseen(&databases, || {
        databases.session().using("wary").unwrap().batch_execute("SET SESSION wait_timeout = 1").unwrap();
        until_none(
            &mut MysqlConnection::establish(database.url()).unwrap(),
            "SELECT CAST(count(*) AS CHAR(20)) AS value FROM information_schema.processlist
             WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        );
    });
}

#[test]
fn a_server_that_is_down_is_said_to_be_so_at_once_and_again() {
    let port = router_tests::free_port().unwrap();
    let databases = databases::<PgConnection>(&format!("postgres://user@127.0.0.1:{port}/nothing"));
    for _ in 0..6 {
        let asked = Instant::now();
        assert!(databases.session().batch_execute("SELECT 1").is_err());
        // r2d2 waits ever longer between its attempts; a check-out answers with what the last one said.
        assert!(asked.elapsed() < CONNECTION_TIMEOUT / 2, "{:?}", asked.elapsed());
        // The failure is no news any more.
        std::thread::sleep(Duration::from_millis(600));
    }
}
