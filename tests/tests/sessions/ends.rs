//! What a session does when a transaction or a test transaction ends, and what it reports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use diesel::connection::{InstrumentationEvent, TransactionManager as _};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use router_core::Alias;
use router_diesel::{Error, ErrorKind, SessionTransactionManager};

use crate::connection::{Session, Two, insert, on_each_engine, posts, run, users};
use crate::world::Engine;

on_each_engine!(
    after_commit_runs_after_the_outermost_commit,
    test_transactions_nest_as_diesels_do,
    the_end_of_a_test_gives_back_nothing_that_it_left,
    events_name_the_database_and_refusals_are_reported,
);

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, text: &str) -> impl FnOnce() + Send + 'static {
    let (log, text) = (Arc::clone(log), text.to_owned());
    move || log.lock().unwrap().push(text)
}

fn said(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn rolled_back<T>() -> Result<T, DieselError> {
    Err(DieselError::RollbackTransaction)
}

fn add(conn: &mut Session, table: &str) -> QueryResult<()> {
    insert(conn, table);
    Ok(())
}

fn later(conn: &mut Session, log: &Log, text: &str) -> QueryResult<()> {
    conn.after_commit(say(log, text));
    Ok(())
}

fn count(conn: &mut Session) -> i64 {
    posts::table.count().get_result(conn).unwrap()
}

fn after_commit_runs_after_the_outermost_commit(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let log = Log::default();
    let mut conn = world.session();
    conn.after_commit(say(&log, "at once"));
    assert_eq!(said(&log), ["at once"]);
    conn.transaction::<_, DieselError, _>(|conn| {
        insert(conn, "posts");
        conn.after_commit(say(&log, "outer"));
        conn.transaction::<(), DieselError, _>(|conn| {
            insert(conn, "posts");
            conn.after_commit(say(&log, "rolled back"));
            conn.transaction::<_, DieselError, _>(|conn| later(conn, &log, "inner of it"))?;
            rolled_back()
        })
        .unwrap_err();
        conn.transaction::<_, DieselError, _>(|conn| later(conn, &log, "inner"))?;
        assert!(said(&log).is_empty(), "nothing is committed yet");
        Ok(())
    })
    .unwrap();
    assert_eq!(said(&log), ["outer", "inner"]);
    conn.transaction::<(), DieselError, _>(|conn| {
        insert(conn, "posts");
        conn.after_commit(say(&log, "never"));
        rolled_back()
    })
    .unwrap_err();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        conn.transaction::<(), DieselError, _>(|conn| {
            conn.after_commit(say(&log, "never"));
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    let mut dropped = world.session();
    SessionTransactionManager::begin_transaction(&mut dropped).unwrap();
    insert(&mut dropped, "users");
    dropped.after_commit(say(&log, "never"));
    drop(dropped);
    assert!(said(&log).is_empty());

    // One that panics keeps no other from running, and the transaction is committed.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        conn.transaction::<_, DieselError, _>(|conn| {
            insert(conn, "posts");
            conn.after_commit(|| panic!("on purpose"));
            conn.after_commit(say(&log, "after it"));
            Ok(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(said(&log), ["after it"]);
    assert_eq!(count(&mut conn), 2);

    // In a test transaction nothing is committed, unless a test asks.
    let log_in = Arc::clone(&log);
    conn.test_transaction::<_, DieselError, _>(|conn| {
        conn.after_commit(say(&log_in, "outside"));
        conn.transaction::<_, DieselError, _>(|conn| {
            insert(conn, "posts");
            conn.after_commit(say(&log_in, "inside"));
            assert_eq!(conn.run_after_commit(), 1, "what waits for an open transaction goes on waiting");
            Ok(())
        })?;
        assert_eq!(said(&log_in), ["outside"]);
        assert_eq!(conn.run_after_commit(), 1);
        assert_eq!(said(&log_in), ["inside"]);
        conn.after_commit(say(&log_in, "never"));
        Ok(())
    });
    conn.transaction::<_, DieselError, _>(|conn| add(conn, "posts")).unwrap();
    assert!(said(&log).is_empty());
}

fn depth(conn: &mut Session) -> Option<u32> {
    let status = SessionTransactionManager::transaction_manager_status_mut(conn);
    status.transaction_depth().unwrap().map(std::num::NonZeroU32::get)
}

fn test_transactions_nest_as_diesels_do(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    assert_eq!(depth(&mut conn), None);
    conn.test_transaction::<_, DieselError, _>(|conn| {
        assert_eq!(depth(conn), Some(1));
        insert(conn, "posts");
        insert(conn, "users");
        conn.test_transaction::<_, DieselError, _>(|conn| {
            assert_eq!(depth(conn), Some(2));
            insert(conn, "posts");
            assert_eq!(count(conn), 2);
            Ok(())
        });
        assert_eq!(count(conn), 1);
        conn.transaction::<_, DieselError, _>(|conn| {
            assert_eq!(depth(conn), Some(2));
            conn.test_transaction::<_, DieselError, _>(|conn| add(conn, "posts"));
            assert_eq!(count(conn), 1);
            Ok(())
        })
    });
    assert_eq!((depth(&mut conn), count(&mut conn)), (None, 0));
    conn.transaction::<_, DieselError, _>(|conn| {
        insert(conn, "posts");
        conn.test_transaction::<_, DieselError, _>(|conn| add(conn, "posts"));
        assert_eq!(count(conn), 1);
        Ok(())
    })
    .unwrap();
    for nested in [false, true] {
        let failed = catch_unwind(AssertUnwindSafe(|| {
            let fails = |conn: &mut Session| -> QueryResult<()> {
                insert(conn, "posts");
                Err(DieselError::NotFound)
            };
            match nested {
                false => conn.test_transaction(fails),
                true => conn
                    .transaction::<_, DieselError, _>(|conn| {
                        conn.test_transaction(fails);
                        Ok(())
                    })
                    .unwrap(),
            }
        }));
        let panic = failed.unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("Transaction did not succeed"), "{text}");
        assert_eq!(count(&mut conn), 1);
    }
    conn.begin_test_transaction().unwrap();
    assert_eq!(depth(&mut conn), Some(1));
    assert!(SessionTransactionManager::rollback_transaction(&mut conn).is_err(), "it ends with the session");
    insert(&mut conn, "posts");
    drop(conn);
    assert_eq!(count(&mut world.session()), 1);
}

fn the_end_of_a_test_gives_back_nothing_that_it_left(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    conn.test_transaction::<_, DieselError, _>(|conn| {
        let mut there = conn.using("blog_db").unwrap();
        run(&mut there, "CREATE TEMPORARY TABLE left_over (id INTEGER)").unwrap();
        run(&mut there, "INSERT INTO left_over (id) VALUES (1)").unwrap();
        Ok(())
    });
    let mut pooled = world.databases.pool("blog_db").unwrap().get().unwrap();
    assert!(diesel::sql_query("SELECT id FROM left_over").execute(&mut pooled).is_err());
}

fn events_name_the_database_and_refusals_are_reported(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let log = Log::default();
    let mut conn = world.session();
    let listen = |log: &Log| {
        let log = Arc::clone(log);
        move |alias: Option<&Alias>, event: InstrumentationEvent<'_>| {
            let alias = alias.map_or("-", Alias::as_str);
            let line = match event {
                InstrumentationEvent::StartQuery { query, .. } => format!("{alias} starts {query}"),
                InstrumentationEvent::FinishQuery { error: Some(error), .. } => {
                    let kind = Error::from_diesel(error).map(Error::kind);
                    format!("{alias} fails {kind:?}")
                }
                InstrumentationEvent::FinishQuery { .. } => format!("{alias} ends"),
                _ => return,
            };
            log.lock().unwrap().push(line);
        }
    };
    conn.set_routed_instrumentation(listen(&log));
    let join = "SELECT users.id FROM users, posts";
    run(&mut conn, "SELECT id FROM users").unwrap();
    run(&mut conn, "SELECT id FROM posts").unwrap();
    assert_eq!(run(&mut conn, join), Err(ErrorKind::CrossDatabaseQuery));
    assert_eq!(
        said(&log),
        [
            "default starts SELECT id FROM users",
            "default ends",
            "blog_db starts SELECT id FROM posts",
            "blog_db ends",
            &format!("- starts {join}"),
            "- fails Some(CrossDatabaseQuery)",
        ]
    );
    let refused = |conn: &mut Session, ways: &mut dyn FnMut(&mut Session)| {
        ways(conn);
        let said = said(&log);
        assert!(
            said.len() == 2 && said[0].starts_with("- starts ") && said[1].starts_with("- fails Some("),
            "{said:?}"
        );
    };
    refused(&mut conn, &mut |conn| assert!(diesel::sql_query(join).execute(conn).is_err()));
    refused(&mut conn, &mut |conn| {
        let query =
            users::table.select(users::id).filter(diesel::dsl::exists(posts::table.select(posts::id)));
        assert!(query.load::<i32>(conn).is_err());
    });
    refused(&mut conn, &mut |conn| {
        let delete = diesel::delete(posts::table);
        conn.prevent_writes(|conn| assert!(delete.execute(conn).is_err()));
    });
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    run(&mut conn, join).unwrap_err();
    assert!(said(&log).is_empty(), "it reports elsewhere now");
}

diesel::allow_tables_to_appear_in_same_query!(users, posts);
