//! What routing adds to a repeated statement, counted by the allocator: nothing to one with a static query id,
//! and a copy of its text to one whose text Diesel writes anew each time.

#![allow(missing_docs, reason = "Diesel's macro writes public items")]

use allocation_counter::{AllocationInfo, measure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use router_core::{Alias, Hints, Model, hint_fn, read_fn};
use router_diesel::config::Config;
use router_diesel::{Databases, Scope};
use router_tests::require;
use router_tests::sqlite::Sqlite;

diesel::table! {
    posts { id -> Integer, title -> Text }
}
diesel::table! {
    comments { id -> Integer, post_id -> Integer }
}
diesel::allow_tables_to_appear_in_same_query!(posts, comments);

/// Allocations of the second run; the first one prepares what is kept.
fn repeated(mut run: impl FnMut()) -> u64 {
    run();
    run();
    let AllocationInfo { count_total, .. } = measure(run);
    count_total
}

macro_rules! statements {
    ($conn:expr) => {
        // `match` keeps what the expression borrows alive, and evaluates it once.
        match $conn {
            conn => [
                ("point read", repeated(|| _ = posts::table.find(1).first::<(i32, String)>(conn).unwrap())),
                (
                    "join",
                    repeated(|| {
                        let joined =
                            posts::table.inner_join(comments::table.on(comments::post_id.eq(posts::id)));
                        joined.select(comments::id).load::<i32>(conn).unwrap();
                    }),
                ),
                (
                    "update",
                    repeated(|| {
                        diesel::update(posts::table.find(1)).set(posts::title.eq("b")).execute(conn).unwrap();
                    }),
                ),
                (
                    "insert and delete",
                    repeated(|| {
                        let row = (comments::id.eq(9), comments::post_id.eq(1));
                        diesel::insert_into(comments::table).values(row).execute(conn).unwrap();
                        diesel::delete(comments::table.find(9)).execute(conn).unwrap();
                    }),
                ),
            ],
        }
    };
}

fn builder(url: &str) -> router_diesel::DatabasesBuilder<SqliteConnection> {
    let yaml = format!(
        "apps: {{ blog: {{ tables: [posts, comments] }} }}
databases: {{ default: {{ url: '{url}' }}, blog_db: {{ url: '{url}', apps: [blog] }} }}"
    );
    Databases::builder(Config::loader().yaml(yaml, "databases.yml").load().unwrap())
}

#[test]
fn routing_allocates_nothing_for_a_repeated_statement() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("blog").unwrap();
    let rules = builder(database.url()).build().unwrap();
    let routers = builder(database.url())
        .router(read_fn(|model: &Model<'_>, _: &Hints<'_>| {
            (model.app == "shop").then(|| Alias::new("default"))
        }))
        .build()
        .unwrap();
    let needs_a_hint = builder(database.url())
        .router(hint_fn(|_, model: &Model<'_>, _: &Hints<'_>| (model.app == "shop").then_some("tenant")))
        .build()
        .unwrap();
    let mut plain = SqliteConnection::establish(database.url().trim_start_matches("sqlite://")).unwrap();
    plain
        .batch_execute(
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
             CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL);
             INSERT INTO posts VALUES (1, 'a'); INSERT INTO comments VALUES (1, 1)",
        )
        .unwrap();

    let mut expected = statements!(&mut plain);
    assert!(expected.iter().all(|(_, count)| *count > 0), "the allocator counts: {expected:?}");
    // Diesel writes the text of an update each time it runs. Routing writes it first, and Diesel then copies it:
    // that copy is the one allocation more.
    assert_eq!(expected[2].0, "update");
    expected[2].1 += 1;
    assert_eq!(statements!(&mut rules.session()), expected, "by rules alone");
    assert_eq!(statements!(&mut routers.session()), expected, "with a router that is asked each time");
    assert_eq!(statements!(&mut needs_a_hint.session()), expected, "with a router that may need a hint");
    assert_eq!(statements!(&mut rules.session().using("blog_db").unwrap()), expected, "by hand");
    rules.session().scoped(Scope::writing(), |conn| assert_eq!(statements!(conn), expected, "in a scope"));
    let in_transaction = rules.session().transaction(|conn| QueryResult::Ok(statements!(conn))).unwrap();
    assert_eq!(in_transaction, expected, "in a transaction");
}

#[test]
fn a_session_that_left_nothing_gives_its_connection_back_as_a_pool_does() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("blog").unwrap();
    let databases = builder(database.url()).build().unwrap();
    databases
        .session()
        .batch_execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
        .unwrap();
    let count =
        |conn: &mut router_diesel::Session<SqliteConnection>| posts::table.count().get_result::<i64>(conn);
    for _ in 0..2 {
        let plain = databases.pool("blog_db").unwrap().get().unwrap();
        let pools = measure(|| drop(plain)).count_total;
        let mut conn = databases.session();
        count(&mut conn).unwrap();
        assert_eq!(measure(|| drop(conn)).count_total, pools);
    }
}
