//! What the last INSERT generated, and how the last statement ended: the session's own, or an error.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_diesel::{Error, ErrorKind};

use crate::connection::{Session, Two, ask, insert, load, on_each_engine, run, text};
use crate::world::Engine;

on_each_engine!(
    an_insert_that_wrote_nothing_answers_nothing,
    an_insert_that_found_no_connection_answers_nothing,
    an_insert_that_generates_nothing_does_not_answer_for_an_earlier_user,
    a_new_connection_does_not_answer_for_a_lost_one,
);

/// An INSERT of the key 1, and the same where a row has that key already.
fn of_key_1(engine: Engine) -> [&'static str; 2] {
    match engine {
        Engine::Sqlite => {
            ["INSERT INTO posts (id) VALUES (1)", "INSERT OR IGNORE INTO posts (id) VALUES (1)"]
        }
        Engine::Postgres => {
            ["INSERT INTO posts (id) VALUES (1)", "INSERT INTO posts (id) VALUES (1) ON CONFLICT DO NOTHING"]
        }
        Engine::MariaDb => ["INSERT INTO posts (id) VALUES (1)", "INSERT IGNORE INTO posts (id) VALUES (1)"],
    }
}

fn an_insert_that_wrote_nothing_answers_nothing(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let [fails, ignores] = of_key_1(engine);
    let none = if engine == Engine::Sqlite {
        "INSERT INTO posts (name) SELECT 'x' WHERE 1 = 0"
    } else {
        "INSERT INTO posts (name) SELECT 'x' FROM (SELECT 1 AS one) AS few WHERE one = 0"
    };
    insert(&mut world.session(), "posts");
    insert(&mut world.session(), "posts");
    for sql in [fails, ignores, none] {
        let mut conn = world.session();
        let outcome = diesel::sql_query(sql).execute(&mut conn);
        assert!(matches!(outcome, Err(_) | Ok(0)), "{sql}: {outcome:?}");
        assert_eq!(ask(&mut conn, world.last_id()), Err(ErrorKind::NoAnswer), "{sql}");
        // An own id from before stays.
        insert(&mut conn, "posts");
        let own = ask(&mut conn, world.last_id()).unwrap();
        let _ = diesel::sql_query(sql).execute(&mut conn);
        if sql != fails {
            assert_eq!(ask(&mut conn, world.last_id()), Ok(own), "{sql}");
        }
    }
    if engine == Engine::Sqlite {
        let mut conn = world.session();
        run(&mut world.session(), "UPDATE posts SET name = 'all'").unwrap();
        assert_eq!(ask(&mut conn, "CAST(changes() AS TEXT)"), Err(ErrorKind::NoAnswer));
        conn.batch_execute(fails).unwrap_err();
        assert_eq!(ask(&mut conn, "CAST(changes() AS TEXT)"), Err(ErrorKind::NoAnswer));
    }
}

fn an_insert_that_found_no_connection_answers_nothing(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1, connection_timeout: 100ms") else { return };
    insert(&mut world.session(), "posts");
    let mut conn = world.session();
    let only_one = world.databases.pool("blog_db").unwrap().get().unwrap();
    let sql = "INSERT INTO posts (name) VALUES ('x')";
    assert_eq!(run(&mut conn, sql), Err(ErrorKind::Exhausted));
    drop(only_one);
    assert_eq!(ask(&mut conn, world.last_id()), Err(ErrorKind::NoAnswer));
    assert_eq!(ask(&mut conn.using("blog_db").unwrap(), world.last_id()), Err(ErrorKind::NoAnswer));
    run(&mut conn, sql).unwrap();
    assert_eq!(ask(&mut conn, world.last_id()), text("2"));
}

/// Once somebody asks, an earlier user's number is taken off a connection before the first INSERT on it.
fn an_insert_that_generates_nothing_does_not_answer_for_an_earlier_user(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    insert(&mut conn, "posts");
    assert_eq!(ask(&mut conn, world.last_id()), text("1"));
    drop(conn);
    let mut conn = world.session();
    run(&mut conn, "INSERT INTO posts (id, name) VALUES (77, 'chosen')").unwrap();
    let sql = format!("SELECT {} AS value", world.last_id());
    let answer = diesel::sql_query(sql).load::<crate::connection::Row>(&mut conn);
    match engine {
        // The key of the row is the last id, whoever chose it.
        Engine::Sqlite => assert_eq!(answer.unwrap()[0].value.as_deref(), Some("77")),
        Engine::MariaDb => assert_eq!(answer.unwrap()[0].value.as_deref(), Some("0"), "none was generated"),
        Engine::Postgres => {
            let error = answer.map(|_| ()).unwrap_err();
            assert!(Error::from_diesel(&error).is_none(), "the server's own: {error}");
        }
    }
    insert(&mut conn, "users");
    insert(&mut conn, "posts");
    let generated = if engine == Engine::Postgres { "2" } else { "78" };
    assert_eq!(ask(&mut conn, world.last_id()), text(generated));
}

fn a_new_connection_does_not_answer_for_a_lost_one(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 2") else { return };
    let kill = match engine {
        // SQLite loses no connection.
        Engine::Sqlite => return,
        Engine::Postgres => "SELECT pg_terminate_backend(pg_backend_pid())",
        Engine::MariaDb => "KILL CONNECTION_ID()",
    };
    for is_noticed in [true, false] {
        let mut conn = world.session();
        insert(&mut conn, "posts");
        if is_noticed {
            conn.using("blog_db").unwrap().batch_execute(kill).unwrap_err();
        } else {
            let id = if engine == Engine::Postgres { "pg_backend_pid()" } else { "CONNECTION_ID()" };
            let sql = format!("SELECT CAST({id} AS CHAR(20)) AS value");
            let id = load(&mut conn.using("blog_db").unwrap(), &sql).unwrap().unwrap();
            let kill = match engine {
                Engine::Postgres => format!("SELECT pg_terminate_backend({id}, 10000)"),
                _ => format!("KILL {id}"),
            };
            world.on("default", &kill);
        }
        let sql = format!("SELECT {} AS value", world.last_id());
        for time in 0..3 {
            let answer = diesel::sql_query(&sql).load::<crate::connection::Row>(&mut conn);
            let error = answer.map(|rows| rows[0].value.clone()).expect_err("another connection answered");
            if is_noticed || time > 0 {
                let error = Error::from_diesel(&error).unwrap_or_else(|| panic!("{error}"));
                assert_eq!(error.kind(), ErrorKind::NoAnswer, "{error}");
            }
        }
        // In a transaction that has yet to begin too.
        let asked = conn.transaction::<(), diesel::result::Error, _>(|conn| {
            assert_eq!(ask(conn, world.last_id()), Err(ErrorKind::NoAnswer));
            Ok(())
        });
        asked.unwrap();
    }
}

#[test]
fn what_the_router_sends_itself_is_not_the_last_statement() {
    let Some(world) = Two::start(Engine::MariaDb, "") else { return };
    let count = "CAST(ROW_COUNT() AS CHAR)";
    let three = |conn: &mut Session| {
        diesel::sql_query("INSERT INTO posts (name) VALUES ('a'), ('b'), ('c')").execute(conn).unwrap();
    };
    let mut conn = world.session();
    three(&mut conn);
    conn.set("@tenant", "7").unwrap();
    assert_eq!(ask(&mut conn, count), text("3"), "the setting waits for the next statement");
    assert_eq!(load(&mut conn, "SELECT @tenant AS value FROM posts LIMIT 1"), text("7"));
    three(&mut conn);
    assert_eq!(ask(&mut conn, count), text("3"));

    // The setting bears on a statement with a table, so it is made first, and hides how the last statement ended.
    three(&mut conn);
    conn.set("@tenant", "8").unwrap();
    assert_eq!(run(&mut conn, "UPDATE posts SET name = ROW_COUNT()"), Err(ErrorKind::NoAnswer));
    assert_eq!(ask(&mut conn, "CAST(last_insert_id() AS CHAR)"), text("7"), "that is still known");
    three(&mut conn);
    assert_eq!(run(&mut conn, "UPDATE posts SET name = ROW_COUNT()"), Ok(()));
}
