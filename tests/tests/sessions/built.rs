//! Transactions of which a program says how they begin.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use router_diesel::{Error, ErrorKind, Scope};

use crate::connection::{Session, Two, kind, load, on_each_engine, posts, text, users};
use crate::world::Engine;

on_each_engine!(
    a_transaction_with_options_follows_the_route,
    a_transaction_that_reads_only_refuses_writes,
    options_that_no_engine_takes_are_errors,
    in_a_test_transaction_it_is_a_savepoint,
);

fn insert(conn: &mut Session) -> QueryResult<usize> {
    diesel::insert_into(posts::table).values(posts::name.eq(Some("new"))).execute(conn)
}

fn count(conn: &mut Session) -> QueryResult<i64> {
    posts::table.count().get_result(conn)
}

/// The isolation level and the access of the open transaction.
fn level(conn: &mut Session, engine: Engine) -> Option<String> {
    let sql = match engine {
        Engine::Sqlite => return None,
        Engine::Postgres => {
            "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only') AS value \
             FROM posts"
        }
        // The server's own table of transactions has those that have done something.
        Engine::MariaDb => {
            "SELECT CONCAT(LOWER(trx_isolation_level), ' ', IF(trx_is_read_only, 'on', 'off')) AS value \
             FROM information_schema.innodb_trx, posts WHERE trx_mysql_thread_id = CONNECTION_ID()"
        }
    };
    load(conn, sql).unwrap()
}

/// Waits until the server says so of the open transaction: MariaDB's table of transactions is a moment late, and later if it is asked often.
fn is_at(conn: &mut Session, engine: Engine, expected: &str) -> QueryResult<()> {
    count(conn)?;
    let start = Instant::now();
    loop {
        let found = level(conn, engine).unwrap_or_default();
        if found == expected {
            return Ok(());
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it is {found}, not {expected}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

fn a_transaction_with_options_follows_the_route(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    insert(&mut world.session()).unwrap();
    let mut conn = world.session();
    if engine != Engine::Sqlite {
        conn.build_transaction().serializable().run(|conn| is_at(conn, engine, "serializable off")).unwrap();
        let repeatable = conn.build_transaction().repeatable_read().read_only();
        repeatable.run(|conn| is_at(conn, engine, "repeatable read on")).unwrap();
        let committed = conn.build_transaction().read_committed().read_write();
        committed.run(|conn| is_at(conn, engine, "read committed off")).unwrap();
        // What was said holds for that transaction alone.
        let default = if engine == Engine::Postgres { "read committed off" } else { "repeatable read off" };
        conn.transaction(|conn| is_at(conn, engine, default)).unwrap();
    }
    if engine == Engine::Postgres {
        let deferrable = conn.build_transaction().serializable().read_only().deferrable().run(|conn| {
            count(conn)?;
            Ok::<_, DieselError>(
                load(conn, "SELECT current_setting('transaction_deferrable') AS value").unwrap(),
            )
        });
        assert_eq!(deferrable, Ok(Some("on".to_owned())));
    }

    // It is one of the session in every other way: lazy, nested, rolled back with its error, and of one database.
    conn.release();
    conn.build_transaction()
        .run(|conn| {
            assert!(conn.connected().next().is_none(), "nothing was begun");
            Ok::<_, DieselError>(())
        })
        .unwrap();
    let rolled_back = conn.build_transaction().run(|conn| {
        insert(conn)?;
        conn.transaction(insert)?;
        assert_eq!(
            kind(users::table.count().get_result::<i64>(conn)),
            Some(ErrorKind::CrossDatabaseTransaction)
        );
        let nested = conn.build_transaction().run(count);
        assert_eq!(nested, Err(DieselError::AlreadyInTransaction));
        Err::<(), _>(DieselError::RollbackTransaction)
    });
    assert_eq!(rolled_back, Err(DieselError::RollbackTransaction));
    assert_eq!(count(&mut conn), Ok(1));
    conn.build_transaction().run(insert).unwrap();
    assert_eq!(count(&mut conn), Ok(2));
}

fn a_transaction_that_reads_only_refuses_writes(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    let refused = conn.build_transaction().read_only().run(|conn| {
        assert_eq!(count(conn)?, 0);
        conn.scoped(Scope::writing(), |conn| {
            // A scope may allow it, but the transaction does not.
            assert_eq!(kind(insert(conn)), Some(ErrorKind::WritesPrevented));
            assert_eq!(
                kind(conn.with_connection(posts::table, |_| QueryResult::Ok(()))),
                Some(ErrorKind::WritesPrevented)
            );
        });
        Ok::<_, DieselError>(())
    });
    assert_eq!(refused, Ok(()));
    let refused = conn.build_transaction().read_only().run(insert);
    assert_eq!(kind(refused), Some(ErrorKind::WritesPrevented));
    insert(&mut conn).expect("what was said ended with the transaction");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        conn.build_transaction().read_only().run::<(), DieselError>(|_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    insert(&mut conn).expect("a panic ends it too");

    conn.scoped(Scope::reading(), |conn| {
        if engine != Engine::Sqlite {
            let lifted = conn.build_transaction().read_write().run(count);
            assert_eq!(kind(lifted), Some(ErrorKind::WritesPrevented));
        }
        assert!(conn.build_transaction().run(count).is_ok());
    });
}

fn options_that_no_engine_takes_are_errors(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let mut conn = world.session();
    let mut ran = false;
    let mut attempt = |builder: router_diesel::TransactionBuilder<'_, _>| {
        let outcome = builder.run(|_| {
            ran = true;
            Ok::<_, DieselError>(())
        });
        outcome.map_err(|error| Error::from_diesel(&error).map(ToString::to_string).unwrap())
    };
    let refused = match engine {
        Engine::Sqlite => attempt(conn.build_transaction().serializable()),
        _ => attempt(conn.build_transaction().immediate()),
    };
    assert!(refused.unwrap_err().contains("leave this option out"));
    let refused = match engine {
        Engine::Postgres => attempt(conn.build_transaction().exclusive()),
        _ => attempt(conn.build_transaction().deferrable()),
    };
    assert!(refused.unwrap_err().contains("leave this option out"));
    assert!(!ran);
}

fn in_a_test_transaction_it_is_a_savepoint(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    let mut conn = world.session();
    conn.test_transaction::<_, DieselError, _>(|conn| {
        match engine {
            Engine::Sqlite => conn.immediate_transaction(insert)?,
            _ => conn.build_transaction().serializable().run(insert)?,
        };
        assert_eq!(count(conn)?, 1);
        Ok(())
    });
    assert_eq!(count(&mut conn), Ok(0));
}

#[test]
fn sqlite_takes_its_lock_at_the_first_statement() {
    let Some(world) = Two::start(Engine::Sqlite, "max_size: 2, connection_timeout: 100ms") else { return };
    let (mut one, mut other) = (world.session(), world.session());
    one.immediate_transaction(|one| {
        count(one)?;
        assert_eq!(count(&mut other), Ok(0), "others may read");
        assert!(insert(&mut other).is_err(), "and not write");
        insert(one)
    })
    .unwrap();
    one.exclusive_transaction(|one| {
        count(one)?;
        assert!(insert(&mut other).is_err());
        insert(one)
    })
    .unwrap();
    assert_eq!(count(&mut other), Ok(2));
    assert_eq!(load(&mut other, "SELECT 'x' AS value FROM posts LIMIT 1"), text("x"));
    other.batch_execute("SELECT id FROM posts").unwrap();
}
