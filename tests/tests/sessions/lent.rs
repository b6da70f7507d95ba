//! Diesel's own connection, lent within the session's transaction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::Integer;
use router_diesel::backend::RoutedConnection;
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, Error, ErrorKind, Scope};

use crate::connection::{Session, Two, kind, load, on_each_engine, posts, run, text, users};
use crate::world::Engine;

on_each_engine!(
    a_lent_connection_is_in_the_sessions_transaction,
    a_lent_connection_goes_where_the_rules_say,
    what_a_closure_leaves_nobody_else_sees,
    an_unbalanced_transaction_closes_the_connection,
    a_panic_closes_the_connection,
    the_last_id_of_a_lent_connection_is_the_sessions,
);

fn count(conn: &mut Session) -> i64 {
    posts::table.count().get_result(conn).unwrap()
}

fn insert_by_hand(conn: &mut AnyConnection) -> QueryResult<()> {
    conn.batch_execute("INSERT INTO posts (name) VALUES ('lent')")
}

fn typed<C: RoutedConnection>(world: &Two) -> Databases<C> {
    let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
    Databases::builder(config).build().unwrap()
}

fn a_lent_connection_is_in_the_sessions_transaction(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1, connection_timeout: 1s") else { return };
    let mut conn = world.session();
    // Outside of a transaction it is its own.
    conn.with_connection(posts::table, insert_by_hand).unwrap();
    assert_eq!(count(&mut conn), 1);
    // It begins the session's transaction, sees what that wrote, and is rolled back with it. A pool of one is enough.
    let rolled_back = conn.transaction::<(), DieselError, _>(|conn| {
        conn.with_connection(posts::table, insert_by_hand)?;
        run(conn, "INSERT INTO posts (name) VALUES ('own')").unwrap();
        let seen = conn.with_connection(posts::table, |conn| {
            conn.transaction(|conn| {
                insert_by_hand(conn)?;
                posts::table.count().get_result::<i64>(conn)
            })
        })?;
        assert_eq!(seen, 4);
        assert_eq!(
            kind(conn.with_connection(users::table, |_| QueryResult::Ok(()))),
            Some(ErrorKind::CrossDatabaseTransaction)
        );
        Err(DieselError::RollbackTransaction)
    });
    assert_eq!(rolled_back, Err(DieselError::RollbackTransaction));
    assert_eq!(count(&mut conn), 1);
    conn.test_transaction::<_, DieselError, _>(|conn| {
        conn.with_connection(posts::table, insert_by_hand)?;
        assert_eq!(count(conn), 2);
        Ok(())
    });
    assert_eq!(count(&mut conn), 1);
    // An error of the closure is its own, and nothing is closed for it.
    let failed = conn.with_connection(posts::table, |conn| conn.batch_execute("SELECT * FROM nowhere"));
    assert!(failed.is_err_and(|error| Error::from_diesel(&error).is_none()));
    assert_eq!(count(&mut conn), 1);
}

fn a_lent_connection_goes_where_the_rules_say(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let mut conn = world.session();
    let reads = |conn: &mut AnyConnection| posts::table.count().get_result::<i64>(conn);
    assert_eq!(conn.with_connection(posts::table, reads), Ok(0));
    assert_eq!(conn.with_connection_to("blog_db", reads), Ok(0));
    assert_eq!(conn.with_read_connection(posts::table, reads), Ok(0));
    assert!(conn.with_connection_to("default", reads).is_err(), "it has no posts");
    assert_eq!(conn.using("blog_db").unwrap().with_connection(users::table, reads), Ok(0));
    assert_eq!(kind(conn.with_connection_to("blgo_db", reads)), Some(ErrorKind::UnknownDatabase));
    conn.scoped(Scope::reading(), |conn| {
        assert_eq!(kind(conn.with_connection(posts::table, reads)), Some(ErrorKind::WritesPrevented));
        assert_eq!(conn.with_read_connection(posts::table, reads), Ok(0));
    });
    conn.allow_only(["default"]).unwrap();
    assert_eq!(kind(conn.with_connection(posts::table, reads)), Some(ErrorKind::DatabaseNotExpected));

    let yaml = world.yaml.replace("apps: [blog]", "apps: [blog], read_only: true");
    let config = Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config).build().unwrap();
    let mut conn = databases.session();
    assert_eq!(kind(conn.with_connection(posts::table, reads)), Some(ErrorKind::OperationNotAllowed));
    assert_eq!(conn.with_read_connection(posts::table, reads), Ok(0));
    assert!(conn.with_read_connection(posts::table, insert_by_hand).is_err(), "its server refuses writes");
}

/// A temporary table shows whether a connection is the one that was lent.
fn what_a_closure_leaves_nobody_else_sees(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let temporary = "CREATE TEMPORARY TABLE lent (id INTEGER)";
    let is_there =
        |world: &Two| world.session().using("blog_db").unwrap().batch_execute("SELECT id FROM lent").is_ok();
    let is_kept = |leave: &dyn Fn(&mut AnyConnection) -> QueryResult<()>| {
        let mut conn = world.session();
        conn.with_connection(posts::table, leave).unwrap();
        drop(conn);
        let closed = world.databases.pool("blog_db").unwrap().state().connections == 0;
        !closed
    };
    // SQLite's connection has methods that change it past all statements.
    let keeps = engine != Engine::Sqlite;
    assert_eq!(is_kept(&insert_by_hand), keeps);
    assert_eq!(is_kept(&|conn| conn.transaction(insert_by_hand)), keeps);
    assert!(!is_kept(&|conn| conn.batch_execute(temporary)));
    assert!(!is_there(&world));
    assert!(!is_kept(&|conn| {
        conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
        Ok(())
    }));
    assert!(!is_kept(&|conn| conn.batch_execute("BEGIN; COMMIT")));

    // What the session asks after it is answered as after its own statements.
    let mut conn = world.session();
    let last = world.last_id();
    let before = load(&mut conn, "SELECT CAST(MAX(id) AS CHAR(9)) AS value FROM posts").unwrap().unwrap();
    conn.with_connection(posts::table, insert_by_hand).unwrap();
    let next = before.trim().parse::<i64>().unwrap() + 1;
    assert_eq!(load(&mut conn, &format!("SELECT {last} AS value")), text(&next.to_string()));

    // A statement that leaves something is missed where the connection is lost.
    let reported = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reported);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    conn.with_connection(posts::table, insert_by_hand).unwrap();
    assert_eq!(reported.load(Ordering::Relaxed), 1, "the session's instrumentation sees it too");
    run(&mut conn, "SELECT id FROM posts").unwrap();
    assert_eq!(reported.load(Ordering::Relaxed), 2);
}

fn an_unbalanced_transaction_closes_the_connection(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let begin = |conn: &mut AnyConnection| {
        use diesel::connection::TransactionManager as _;
        insert_by_hand(conn)?;
        <AnyConnection as Connection>::TransactionManager::begin_transaction(conn)
    };
    let end = |conn: &mut AnyConnection| {
        use diesel::connection::TransactionManager as _;
        <AnyConnection as Connection>::TransactionManager::commit_transaction(conn)
    };
    let mut conn = world.session();
    let error = conn.with_connection(posts::table, begin).unwrap_err();
    assert_eq!(Error::from_diesel(&error).map(Error::kind), Some(ErrorKind::TransactionControl));
    assert!(error.to_string().contains("left a transaction open"), "{error}");
    assert_eq!(count(&mut conn), 1, "a new connection goes on");
    let outcome = conn.transaction::<(), DieselError, _>(|conn| {
        run(conn, "INSERT INTO posts (name) VALUES ('own')").unwrap();
        let error = conn.with_connection(posts::table, begin).unwrap_err();
        assert!(error.to_string().contains("left a transaction open"), "{error}");
        assert!(run_raw(conn).is_err(), "its transaction is gone");
        Ok(())
    });
    assert!(outcome.is_err());
    assert_eq!(count(&mut conn), 1);
    let outcome = conn.transaction::<(), DieselError, _>(|conn| {
        run(conn, "INSERT INTO posts (name) VALUES ('own')").unwrap();
        let error = conn.with_connection(posts::table, end).unwrap_err();
        assert!(error.to_string().contains("did not begin"), "{error}");
        Ok(())
    });
    assert!(
        outcome.is_err(),
        "what the closure committed is committed, but the session's transaction is not whole"
    );
    for sql in ["BEGIN", "BEGIN; SELECT 1"] {
        let left_open = conn.with_connection(posts::table, |conn| conn.batch_execute(sql));
        assert_eq!(kind(left_open), Some(ErrorKind::TransactionControl), "{sql}");
        let before = count(&mut conn);
        run(&mut conn, "INSERT INTO posts (name) VALUES ('kept')").unwrap();
        conn.release();
        assert_eq!(count(&mut conn), before + 1, "{sql}");
    }
    for sql in ["COMMIT; BEGIN", "SELECT 'x -- binds: '; COMMIT; BEGIN"] {
        let outcome = conn.transaction::<(), DieselError, _>(|conn| {
            conn.with_connection(posts::table, |conn| conn.batch_execute(sql))
        });
        assert_eq!(kind(outcome), Some(ErrorKind::TransactionControl), "{sql}");
    }
    count(&mut conn);
}

fn run_raw(conn: &mut Session) -> QueryResult<()> {
    conn.batch_execute("SELECT id FROM posts")
}

fn a_panic_closes_the_connection(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    for in_transaction in [false, true] {
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let panics = |conn: &mut AnyConnection| -> QueryResult<()> {
                conn.batch_execute("CREATE TEMPORARY TABLE lent (id INTEGER)")?;
                panic!("on purpose");
            };
            if in_transaction {
                conn.transaction(|conn| conn.with_connection(posts::table, panics))
            } else {
                conn.with_connection(posts::table, panics)
            }
        }));
        assert!(panicked.is_err());
        assert_eq!(count(&mut conn), 0, "a new connection goes on");
        let left = conn.using("blog_db").unwrap().batch_execute("SELECT id FROM lent");
        assert!(
            left.is_err_and(|error| Error::from_diesel(&error).is_none()),
            "the server knows no such table"
        );
    }
}

#[test]
fn postgres_copies_listens_and_knows_its_types() {
    use diesel::pg::CopyFormat;
    let Some(world) = Two::start(Engine::Postgres, "max_size: 1") else { return };
    let databases = typed::<PgConnection>(&world);
    let mut conn = databases.session();
    fn old_function(conn: &mut PgConnection) -> QueryResult<i64> {
        posts::table.count().get_result(conn)
    }
    conn.transaction::<_, DieselError, _>(|conn| {
        let copied = conn.with_connection(posts::table, |conn| {
            diesel::copy_from(posts::table)
                .from_raw_data(posts::table, |copy| {
                    copy.write_all(b"1,one\n2,two\n")
                        .map_err(|error| DieselError::DeserializationError(error.into()))
                })
                .with_format(CopyFormat::Csv)
                .execute(conn)
        })?;
        assert_eq!(copied, 2);
        assert_eq!(
            posts::table.count().get_result::<i64>(conn)?,
            2,
            "the session sees it in its transaction"
        );
        assert_eq!(conn.with_connection(posts::table, old_function)?, 2);
        let out = conn.with_read_connection(posts::table, |conn| {
            use std::io::Read as _;
            let mut out = String::new();
            let mut copy = diesel::copy_to(posts::table).with_format(CopyFormat::Csv).load_raw(conn)?;
            copy.read_to_string(&mut out).map_err(|error| DieselError::DeserializationError(error.into()))?;
            QueryResult::Ok(out)
        })?;
        assert_eq!(out, "1,one\n2,two\n");
        Err::<(), _>(DieselError::RollbackTransaction)
    })
    .unwrap_err();
    assert_eq!(posts::table.count().get_result::<i64>(&mut conn), Ok(0));

    let heard = conn.with_connection(posts::table, |conn| {
        conn.batch_execute("LISTEN lent; NOTIFY lent, 'hello'")?;
        conn.notifications_iter().next().transpose()
    });
    assert_eq!(heard.unwrap().unwrap().payload, "hello");
    let pid = |conn: &mut router_diesel::Session<PgConnection>| {
        conn.with_read_connection(posts::table, |conn| {
            diesel::select(diesel::dsl::sql::<Integer>("pg_backend_pid()")).get_result::<i32>(conn)
        })
        .unwrap()
    };
    let listening = pid(&mut conn);
    drop(conn);
    assert_ne!(pid(&mut databases.session()), listening, "nobody else listens");
}

#[test]
fn sqlite_has_functions_of_ones_own_and_is_serialized() {
    diesel::define_sql_function! { fn twice(x: Integer) -> Integer; }
    let Some(world) = Two::start(Engine::Sqlite, "max_size: 1") else { return };
    let databases = typed::<SqliteConnection>(&world);
    let mut conn = databases.session();
    let twice_four = conn.with_connection(posts::table, |conn| {
        twice_utils::register_impl(conn, |x: i32| x * 2)?;
        diesel::select(twice(4)).get_result::<i32>(conn)
    });
    assert_eq!(twice_four, Ok(8));
    let rows = vec![posts::name.eq(Some("a")), posts::name.eq(Some("b"))];
    let ids = conn.transaction::<_, DieselError, _>(|conn| {
        conn.with_connection(posts::table, |conn| {
            diesel::insert_into(posts::table).values(&rows).returning(posts::id).get_results::<i32>(conn)
        })
    });
    assert_eq!(ids, Ok(vec![1, 2]));
    let bytes =
        conn.with_connection(posts::table, |conn| QueryResult::Ok(conn.serialize_database_to_buffer()));
    assert!(bytes.unwrap().starts_with(b"SQLite format 3"));
}

#[test]
fn a_session_copies_and_inserts_in_batches_itself() {
    if let Some(world) = Two::start(Engine::Postgres, "max_size: 1") {
        let databases = typed::<PgConnection>(&world);
        let mut conn = databases.session();
        let copied = conn.transaction::<_, DieselError, _>(|conn| {
            diesel::copy_from(posts::table)
                .from_raw_data((posts::id, posts::name), |copy| {
                    copy.write_all(b"1\tone\n2\ttwo\n")
                        .map_err(|error| DieselError::DeserializationError(error.into()))
                })
                .execute(conn)
        });
        assert_eq!(copied, Ok(2));
        assert_eq!(posts::table.count().get_result::<i64>(&mut conn), Ok(2));
        let refused = conn.prevent_writes(|conn| {
            diesel::copy_from(posts::table).from_raw_data(posts::table, |_| QueryResult::Ok(())).execute(conn)
        });
        assert_eq!(kind(refused), Some(ErrorKind::WritesPrevented));
        conn.release();
        // Check-outs take both.
        let mut checkout = databases.write(posts::table).unwrap();
        let copied = diesel::copy_from(posts::table)
            .from_raw_data((posts::id, posts::name), |copy| {
                copy.write_all(b"3\tthree\n").map_err(|error| DieselError::DeserializationError(error.into()))
            })
            .execute(&mut **checkout);
        assert_eq!(copied, Ok(1));
    }
    if let Some(world) = Two::start(Engine::Sqlite, "max_size: 1") {
        let databases = typed::<SqliteConnection>(&world);
        let mut conn = databases.session();
        let rows = vec![posts::name.eq(Some("a")), posts::name.eq(Some("b"))];
        let insert = || diesel::insert_into(posts::table).values(&rows);
        let ids = conn.transaction::<_, DieselError, _>(|conn| {
            conn.load_batch::<_, _, _, _, i32>(insert().returning(posts::id))
        });
        assert_eq!(ids, Ok(vec![1, 2]));
        let all: Vec<(i32, Option<String>)> = conn.load_batch(insert()).unwrap();
        assert_eq!(all, [(3, Some("a".to_owned())), (4, Some("b".to_owned()))]);
        let refused =
            conn.prevent_writes(|conn| conn.load_batch::<_, _, _, _, i32>(insert().returning(posts::id)));
        assert_eq!(kind(refused), Some(ErrorKind::WritesPrevented));
        let upsert =
            vec![(posts::id.eq(1), posts::name.eq(Some("c"))), (posts::id.eq(9), posts::name.eq(Some("d")))];
        let upsert = diesel::insert_into(posts::table)
            .values(&upsert)
            .on_conflict(posts::id)
            .do_update()
            .set(posts::name.eq(diesel::upsert::excluded(posts::name)))
            .returning(posts::id);
        assert_eq!(conn.load_batch::<_, _, _, _, i32>(upsert), Ok(vec![1, 9]));
    }
}

/// Where there is one database, nothing is refused for want of knowing which.
#[test]
fn one_database_is_as_with_diesel_alone() {
    let yaml = "databases: { default: { url: ':memory:', pool: { max_size: 1 } } }";
    let databases = Databases::<SqliteConnection>::builder(Config::from_yaml(yaml).unwrap()).build().unwrap();
    let mut conn = databases.session();
    let error = conn.batch_execute("SELECT 'open").unwrap_err();
    assert!(Error::from_diesel(&error).is_none(), "the server says what is wrong: {error}");
    assert!(conn.batch_execute("PRAGMA defer_foreign_keys = ON").is_err(), "it would have no effect");
    conn.test_transaction::<_, DieselError, _>(|conn| {
        conn.batch_execute(
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER REFERENCES posts (id))",
        )?;
        conn.batch_execute("PRAGMA defer_foreign_keys = ON")?;
        conn.batch_execute("INSERT INTO posts (id, parent) VALUES (2, 1)")?;
        conn.batch_execute("INSERT INTO posts (id, parent) VALUES (1, NULL)")
    });
}

/// Texts that look like a statement with bound values, settings of a next transaction, and methods past all statements.
#[test]
fn what_hides_in_a_lent_connection_is_found() {
    let marker = |world: &Two, alias: &str| {
        let sql = match world.engine {
            Engine::Postgres => "SELECT CAST(pg_backend_pid() AS TEXT) AS value",
            _ => "SELECT CAST(CONNECTION_ID() AS CHAR) AS value",
        };
        let mut conn = world.databases.pool(alias).unwrap().get().unwrap();
        diesel::sql_query(sql).load::<crate::connection::Row>(&mut conn).unwrap().remove(0).value
    };
    for engine in [Engine::Postgres, Engine::MariaDb] {
        let Some(world) = Two::start(engine, "max_size: 1") else { continue };
        let hidden: &[&str] = match engine {
            Engine::Postgres => {
                &["SELECT 1 -- binds: []\n; SET app.hid = '1'", "SELECT 'x -- binds: '; SET app.hid = '1'"]
            }
            _ => &[
                "SELECT 1 -- binds: []\n; SET @hid = 1",
                "SELECT 'x -- binds: '; SET @hid = 1",
                "SET TRANSACTION READ ONLY",
            ],
        };
        for sql in hidden {
            let before = marker(&world, "blog_db");
            let mut conn = world.session();
            conn.with_connection_to("blog_db", |conn| conn.batch_execute(sql)).unwrap();
            drop(conn);
            assert_ne!(marker(&world, "blog_db"), before, "{sql}");
            insert_by_hand(&mut world.databases.pool("blog_db").unwrap().get().unwrap()).unwrap();
        }
        let before = marker(&world, "blog_db");
        let mut conn = world.session();
        let by_diesel = conn.with_connection(posts::table, |conn| {
            diesel::insert_into(posts::table).values(posts::name.eq(Some("-- binds: x\n; SET"))).execute(conn)
        });
        assert_eq!(by_diesel, Ok(1));
        drop(conn);
        assert_eq!(marker(&world, "blog_db"), before, "a bound value is no statement");
    }
    if let Some(world) = Two::start(Engine::Sqlite, "max_size: 1") {
        let databases = typed::<SqliteConnection>(&world);
        diesel::insert_into(posts::table)
            .values(posts::name.eq(Some("kept")))
            .execute(&mut databases.session())
            .unwrap();
        let mut conn = databases.session();
        conn.with_connection(posts::table, |conn| {
            let empty = {
                let mut empty = SqliteConnection::establish(":memory:").unwrap();
                empty.batch_execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, name TEXT)")?;
                empty.serialize_database_to_buffer().to_vec()
            };
            conn.deserialize_readonly_database_from_buffer(&empty)
        })
        .unwrap();
        drop(conn);
        assert_eq!(posts::table.count().get_result::<i64>(&mut databases.session()), Ok(1));
    }
}

fn the_last_id_of_a_lent_connection_is_the_sessions(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let last = format!("SELECT {} AS value", world.last_id());
    let mut conn = world.session();
    run(&mut conn, "INSERT INTO posts (name) VALUES ('of another session')").unwrap();
    assert_eq!(load(&mut conn, &last), text("1"));
    drop(conn);
    let mut conn = world.session();
    run(&mut conn, "INSERT INTO users (name) VALUES ('own')").unwrap();
    // A lent INSERT that fails is none.
    conn.with_connection(posts::table, |conn| conn.batch_execute("INSERT INTO posts (id) VALUES (1)"))
        .unwrap_err();
    assert_eq!(load(&mut conn, &last), text("1"), "the user");
    // One that generates nothing leaves no id of an earlier user.
    conn.with_connection(posts::table, |conn| conn.batch_execute("INSERT INTO posts (id) VALUES (9001)"))
        .unwrap();
    let answer = diesel::sql_query(&last).load::<crate::connection::Row>(&mut conn);
    let answer = answer.map(|rows| rows[0].value.clone());
    match engine {
        Engine::Sqlite => assert_eq!(answer, Ok(Some("9001".to_owned()))),
        Engine::MariaDb => assert_eq!(answer, Ok(Some("0".to_owned()))),
        Engine::Postgres => assert!(answer.is_err(), "{answer:?}"),
    }
    // And the session's own first INSERT there takes nothing of the closure's away.
    conn.with_connection(posts::table, insert_by_hand).unwrap();
    let generated = load(&mut conn, &last).unwrap();
    run(&mut conn, "INSERT INTO posts (id) VALUES (9500)").unwrap();
    if engine != Engine::Sqlite {
        assert_eq!(load(&mut conn, &last), Ok(generated));
    }
}

#[test]
fn a_copy_as_text_is_refused() {
    let Some(world) = Two::start(Engine::Postgres, "max_size: 1") else { return };
    let mut conn = world.session();
    for sql in ["COPY posts TO STDOUT", "COPY posts FROM STDIN", "COPY (SELECT 1) TO STDOUT"] {
        assert_eq!(run(&mut conn, sql), Err(ErrorKind::CopyAsText), "{sql}");
        assert_eq!(run(&mut conn.using("blog_db").unwrap(), sql), Err(ErrorKind::CopyAsText), "{sql}");
        assert_eq!(kind(diesel::sql_query(sql).execute(&mut conn)), Some(ErrorKind::CopyAsText), "{sql}");
    }
    assert_eq!(count(&mut conn), 0, "nothing hangs");
    let to_file = "COPY (SELECT 1) TO '/tmp/of_the_server'";
    assert_eq!(run(&mut conn, to_file), Err(ErrorKind::NoDatabase));
    conn.prevent_writes(|conn| {
        assert_eq!(run(&mut conn.using("blog_db").unwrap(), to_file), Err(ErrorKind::WritesPrevented));
    });
}
