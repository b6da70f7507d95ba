//! What the servers themselves refuse, and what they are spared.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use router_diesel::config::Config;
use router_diesel::{Databases, RoutedConnection};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

use crate::schema::strays;

fn databases<C: RoutedConnection>(database: &TestDatabase) -> Databases<C> {
    let url = database.url();
    let yaml = format!(
        "databases:
  default: {{ url: '{url}', pool: {{ max_size: 1 }} }}
  replica: {{ replica_of: default, url: '{url}' }}
  reports: {{ url: '{url}', operations: [read] }}
  hasty: {{ url: '{url}', pool: {{ statement_timeout: 100ms }} }}
  wary: {{ url: '{url}', pool: {{ validate_after: 0s }} }}"
    );
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    let databases = Databases::builder(config).build().unwrap();
    let mut conn: router_diesel::Session<C> = databases.session();
    conn.batch_execute("CREATE TABLE strays (id INTEGER PRIMARY KEY)").unwrap();
    databases
}

/// Past all routing, the server says no.
fn refuses_writes<C: RoutedConnection>(databases: &Databases<C>, expected: &str) {
    for alias in ["replica", "reports"] {
        let mut conn = databases.pool(alias).unwrap().get().unwrap();
        let error = conn.batch_execute("INSERT INTO strays (id) VALUES (1)").unwrap_err();
        assert!(error.to_string().contains(expected), "{alias}: {error}");
    }
    let mut conn = databases.pool("default").unwrap().get().unwrap();
    conn.batch_execute("INSERT INTO strays (id) VALUES (1)").unwrap();
}

#[test]
fn sqlite_refuses_writes_on_a_replica() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let databases = databases::<SqliteConnection>(&sqlite.database("main").unwrap());
    refuses_writes(&databases, "readonly database");
}

#[test]
fn postgres_refuses_writes_on_a_replica() {
    let Some(server) = require(Postgres::shared()) else { return };
    let database = server.database("main").unwrap();
    let databases = databases::<PgConnection>(&database);
    refuses_writes(&databases, "read-only transaction");
}

#[test]
fn mariadb_refuses_writes_on_a_replica() {
    let Some(server) = require(MariaDb::shared()) else { return };
    let database = server.database("main").unwrap();
    let databases = databases::<MysqlConnection>(&database);
    refuses_writes(&databases, "READ ONLY transaction");
}

#[test]
fn a_select_that_writes_is_refused_while_writes_are_prevented() {
    let Some(server) = require(Postgres::shared()) else { return };
    let database = server.database("main").unwrap();
    let databases = databases::<PgConnection>(&database);
    let mut conn = databases.session();
    conn.batch_execute("CREATE SEQUENCE tickets").unwrap();
    let next = "SELECT nextval('tickets')";
    conn.prevent_writes(|conn| assert!(diesel::sql_query(next).execute(conn).is_err()));
    let hidden = "WITH gone AS (DELETE FROM strays RETURNING id) SELECT * FROM gone";
    conn.prevent_writes(|conn| assert!(diesel::sql_query(hidden).execute(conn).is_err()));
    diesel::sql_query(next).execute(&mut conn).unwrap();
}

#[test]
fn statements_are_bounded_in_time() {
    let Some(server) = require(Postgres::shared()) else { return };
    let database = server.database("main").unwrap();
    let postgres = databases::<PgConnection>(&database);
    let sleep = diesel::sql_query("SELECT pg_sleep(60)");
    let error = sleep.execute(&mut postgres.session().using("hasty").unwrap()).unwrap_err();
    assert!(error.to_string().contains("statement timeout"), "{error}");

    let Some(server) = require(MariaDb::shared()) else { return };
    let database = server.database("main").unwrap();
    let mariadb = databases::<MysqlConnection>(&database);
    let sleep = diesel::sql_query("SELECT SLEEP(60) FROM (SELECT 1) AS one");
    let start = std::time::Instant::now();
    // MariaDB ends the statement with an error, or SLEEP alone with a 1, by where it is caught.
    let _ = sleep.execute(&mut mariadb.session().using("hasty").unwrap());
    assert!(start.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn a_check_out_costs_no_round_trip_while_the_connection_is_fresh() {
    let Some(server) = require(Postgres::start()) else { return };
    let database = server.database("main").unwrap();
    let databases = databases::<PgConnection>(&database);
    let statements = |alias: &str| {
        diesel::sql_query("SELECT 1").execute(&mut databases.session().using(alias).unwrap()).unwrap();
        let mark = server.mark().unwrap();
        for _ in 0..10 {
            strays::table.count().get_result::<i64>(&mut databases.session().using(alias).unwrap()).unwrap();
        }
        server.statements_since(mark).unwrap().len()
    };
    assert_eq!(statements("default"), 10);
    assert_eq!(statements("wary"), 20, "with `validate_after: 0s` each check-out asks the server");
}

#[test]
fn what_writes_on_any_of_the_engines_is_a_write_on_any_connection() {
    let Some(server) = require(Postgres::shared()) else { return };
    let database = server.database("main").unwrap();
    let databases = databases::<router_diesel::AnyConnection>(&database);
    let mut conn = databases.session();
    conn.batch_execute("CREATE SEQUENCE tickets").unwrap();
    for sql in ["SELECT nextval('tickets')", "SELECT set_config('search_path', 'nowhere', false)"] {
        conn.prevent_writes(|conn| assert!(diesel::sql_query(sql).execute(conn).is_err(), "{sql}"));
    }
}

#[test]
fn a_database_that_is_only_written_to_is_not_read_in_a_transaction_either() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("main").unwrap();
    let url = database.url();
    let yaml = format!(
        "apps: {{ blog: {{ tables: [strays] }} }}
databases:
  default: {{ url: '{url}' }}
  writer: {{ url: '{url}', apps: [blog], operations: [write, migrate] }}
  reader: {{ url: '{url}', apps: [blog], operations: [read] }}"
    );
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
    let mut conn = databases.session();
    conn.batch_execute("CREATE TABLE strays (id INTEGER PRIMARY KEY)").unwrap();
    diesel::insert_into(strays::table).values(strays::id.eq(1)).execute(&mut conn).unwrap();
    let count = strays::table.count();
    assert_eq!(conn.transaction(|conn| count.get_result::<i64>(conn)).unwrap(), 1);
    let read: QueryResult<i64> = conn.read_only_transaction(|read| read.get_result(count));
    assert_eq!(read.unwrap(), 1);
}

#[test]
fn catalogues_belong_to_no_app_and_are_no_error() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("main").unwrap();
    let yaml = format!("unrouted: error\ndatabases: {{ default: {{ url: '{}' }} }}", database.url());
    let config =
        Config::loader().yaml(yaml, "databases.yml").load().unwrap_or_else(|error| panic!("{error}"));
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
    diesel::sql_query("SELECT name FROM sqlite_master").execute(&mut databases.session()).unwrap();
    assert!(diesel::sql_query("SELECT name FROM strays").execute(&mut databases.session()).is_err());
}
