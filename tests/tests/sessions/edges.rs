// Transactions at their edges, on every engine. `main.rs` includes this file once for each kind of connection.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use router_diesel::{Databases, Error, ErrorKind, Scope, Session, SessionTransactionManager};

use super::{Conn, world};
use crate::schema::{Post, posts, users};
use crate::world::World;

fn insert(conn: &mut Session<Conn>, id: i32) -> QueryResult<usize> {
    diesel::insert_into(posts::table).values(&Post::new(id, 1, "t")).execute(conn)
}

fn ids(world: &World<Conn>) -> Vec<i32> {
    posts::table.select(posts::id).order(posts::id).load(&mut world.on("blog_db")).unwrap()
}

fn kind<T>(result: &QueryResult<T>) -> Option<ErrorKind> {
    result.as_ref().err().and_then(Error::from_diesel).map(Error::kind)
}

#[test]
fn a_panic_in_a_transaction_that_reads_leaves_the_session_as_it_was() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        conn.read_only_transaction(|_| -> QueryResult<()> { panic!("before any statement") })
    }));
    assert!(caught.is_err());
    insert(&mut conn, 1).unwrap();
    drop(conn);
    assert_eq!(ids(&world), [1]);
}

#[test]
fn a_caught_panic_of_an_inner_transaction_keeps_the_outer_one() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let result = conn.transaction(|conn| {
        insert(conn, 1)?;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            conn.read_only_transaction(|read| -> QueryResult<()> {
                let _: Vec<Post> = read.load(posts::table)?;
                panic!("inside")
            })
        }));
        assert!(caught.is_err());
        insert(conn, 2)?;
        Err::<(), _>(DieselError::RollbackTransaction)
    });
    assert_eq!(result, Err(DieselError::RollbackTransaction));
    assert!(ids(&world).is_empty());
}

#[test]
fn a_transaction_may_begin_with_one_that_reads_and_then_write() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.transaction(|conn| {
        let count: i64 = conn.read_only_transaction(|read| read.get_result(posts::table.count()))?;
        insert(conn, i32::try_from(count).unwrap() + 1)
    })
    .unwrap();
    assert_eq!(ids(&world), [1]);
}

#[test]
fn save_changes_lifts_no_refusal() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    insert(&mut conn, 1).unwrap();
    let save = |conn: &mut Session<Conn>| Post::new(1, 1, "changed").save_changes::<Post>(conn);
    for scope in [Scope::reading(), Scope::default().preventing_writes()] {
        let saved = conn.scoped(scope, save);
        assert_eq!(kind(&saved), Some(ErrorKind::WritesPrevented));
    }
}

#[test]
fn test_transactions_nest_in_those_of_the_databases() {
    let Some(world) = world("") else { return };
    let isolated = world.rebuilt(|builder| builder.test_transactions());
    let mut conn = isolated.session();
    conn.begin_test_transaction().unwrap();
    insert(&mut conn, 1).unwrap();
    drop(conn);
    // What the session did is gone, and the databases are isolated still.
    let mut conn = isolated.session();
    assert_eq!(posts::table.count().get_result::<i64>(&mut conn).unwrap(), 0);
    insert(&mut conn, 2).unwrap();
    drop((conn, isolated));
    assert!(ids(&world).is_empty());
}

#[test]
fn a_session_that_is_dropped_in_a_transaction_rolls_back_in_tests_too() {
    let Some(world) = world("") else { return };
    let drops = |databases: &Databases<Conn>| {
        let mut conn = databases.session();
        SessionTransactionManager::begin_transaction(&mut conn).unwrap();
        insert(&mut conn, 1).unwrap();
        drop(conn);
        assert_eq!(posts::table.count().get_result::<i64>(&mut databases.session()).unwrap(), 0);
    };
    drops(&world.databases);
    drops(&world.rebuilt(|builder| builder.test_transactions()));
}

#[test]
fn a_transaction_left_open_in_a_test_transaction_ends_with_it() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.test_transaction(|conn| {
        SessionTransactionManager::begin_transaction(conn)?;
        insert(conn, 1)
    });
    let committed = SessionTransactionManager::commit_transaction(&mut conn);
    assert!(matches!(committed, Err(DieselError::NotInTransaction)), "{committed:?}");
    insert(&mut conn, 2).unwrap();
    drop(conn);
    assert_eq!(ids(&world), [2]);
}

#[test]
fn text_neither_leaves_a_transaction_open_nor_ends_one() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let begun = conn.batch_execute("BEGIN; INSERT INTO posts (id, user_id, title) VALUES (1, 1, 't')");
    assert_eq!(kind(&begun), Some(ErrorKind::TransactionControl));
    conn.batch_execute("BEGIN; INSERT INTO posts (id, user_id, title) VALUES (2, 1, 't'); COMMIT").unwrap();
    let result = conn.transaction(|conn| {
        insert(conn, 3)?;
        assert_eq!(kind(&conn.batch_execute("COMMIT")), Some(ErrorKind::TransactionControl));
        Err::<(), _>(DieselError::RollbackTransaction)
    });
    assert_eq!(result, Err(DieselError::RollbackTransaction));
    assert_eq!(ids(&world), [2]);
}

#[test]
fn a_transaction_by_hand_is_met_by_no_other_session() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.using("blog_db").unwrap().batch_execute("BEGIN").unwrap();
    insert(&mut conn, 1).unwrap();
    drop(conn);
    // The connection was closed, and what was open on it rolled back.
    let mut other = world.databases.session();
    other.transaction(|conn| insert(conn, 2)).unwrap();
    drop(other);
    assert_eq!(ids(&world), [2]);
}

#[test]
fn release_in_a_transaction_keeps_its_connection() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    users::table.select(users::id).load::<i32>(&mut conn).unwrap();
    conn.transaction(|conn| {
        insert(conn, 1)?;
        conn.release();
        assert_eq!(conn.connected().count(), 1);
        insert(conn, 2)
    })
    .unwrap();
    assert_eq!(ids(&world), [1, 2]);
}
