// What holds on every engine. `main.rs` includes this file once for each kind of connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Integer};
use router_core::{Alias, Hints, Model, Router, read_fn};
use router_diesel::{Databases, Error, ErrorKind, Scope};

use super::{Conn, world};
use crate::schema::{Post, User, comments, posts, products, strays, users};
use crate::world::World;

fn kind(error: &DieselError) -> Option<ErrorKind> {
    Error::from_diesel(error).map(Error::kind)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: QueryResult<T>, expected: ErrorKind) -> String {
    let error = result.expect_err("the statement should have been refused");
    assert_eq!(kind(&error), Some(expected), "{error}");
    error.to_string()
}

fn titles(world: &World<Conn>, alias: &str) -> Vec<String> {
    posts::table.select(posts::title).order(posts::id).load(&mut world.on(alias)).unwrap()
}

fn post(id: i32, title: &str) -> Post {
    Post::new(id, 1, title)
}

#[test]
fn each_statement_goes_to_the_database_of_its_tables() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();

    diesel::insert_into(users::table)
        .values((users::id.eq(1), users::name.eq("Ada")))
        .execute(&mut conn)
        .unwrap();
    diesel::insert_into(posts::table).values(&post(1, "first")).execute(&mut conn).unwrap();
    diesel::insert_into(products::table)
        .values((products::id.eq(1), products::name.eq("lamp")))
        .execute(&mut conn)
        .unwrap();

    assert_eq!(users::table.load::<User>(&mut conn).unwrap(), [User { id: 1, name: "Ada".to_owned() }]);
    assert_eq!(posts::table.load::<Post>(&mut conn).unwrap(), [post(1, "first")]);
    let names = products::table.select(products::name).load::<String>(&mut conn).unwrap();
    assert_eq!(names, ["lamp"]);

    // Past all routing, each row is where it belongs.
    assert_eq!(users::table.count().get_result::<i64>(&mut world.on("default")).unwrap(), 1);
    assert_eq!(titles(&world, "blog_db"), ["first"]);
    assert_eq!(products::table.count().get_result::<i64>(&mut world.on("shop_db")).unwrap(), 1);

    diesel::update(posts::table.find(1)).set(posts::title.eq("second")).execute(&mut conn).unwrap();
    assert_eq!(titles(&world, "blog_db"), ["second"]);
    diesel::delete(posts::table).execute(&mut conn).unwrap();
    assert!(titles(&world, "blog_db").is_empty());
}

#[test]
fn connections_are_checked_out_lazily_and_once_per_database() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    assert_eq!(conn.connected().count(), 0);
    for _ in 0..3 {
        posts::table.load::<Post>(&mut conn).unwrap();
        users::table.load::<User>(&mut conn).unwrap();
    }
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["blog_db", "default"]);
    conn.release();
    assert_eq!(conn.connected().count(), 0);
    posts::table.load::<Post>(&mut conn).unwrap();
    assert_eq!(conn.connected().count(), 1);
}

#[test]
fn a_join_over_two_databases_is_refused_and_names_both() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let joined = users::table.inner_join(posts::table.on(posts::user_id.eq(users::id)));
    let message = refused(
        joined.select((users::name, posts::title)).load::<(String, String)>(&mut conn),
        ErrorKind::CrossDatabaseQuery,
    );
    assert!(message.contains("`users` is on `default`, `posts` is on `blog_db`"), "{message}");
    assert_eq!(conn.connected().count(), 0);

    // Within one database a join is a join.
    let joined = posts::table.inner_join(comments::table);
    joined.select((posts::title, comments::body)).load::<(String, String)>(&mut conn).unwrap();
}

#[test]
fn associations_work_across_databases() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let people = [User { id: 1, name: "Ada".to_owned() }, User { id: 2, name: "Max".to_owned() }];
    for person in &people {
        diesel::insert_into(users::table).values(person).execute(&mut conn).unwrap();
    }
    for written in [Post::new(1, 1, "a"), Post::new(2, 2, "b"), Post::new(3, 1, "c")] {
        diesel::insert_into(posts::table).values(&written).execute(&mut conn).unwrap();
    }

    let people = users::table.order(users::id).load::<User>(&mut conn).unwrap();
    let theirs = Post::belonging_to(&people).order(posts::id).load::<Post>(&mut conn).unwrap();
    let grouped: Vec<Vec<String>> = theirs
        .grouped_by(&people)
        .into_iter()
        .map(|posts| posts.into_iter().map(|post| post.title).collect())
        .collect();
    assert_eq!(grouped, [vec!["a", "c"], vec!["b"]]);
}

#[test]
fn a_transaction_begins_where_its_first_statement_goes_and_commits_there() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.transaction(|conn| {
        assert_eq!(conn.connected().count(), 0, "BEGIN waits for the first statement");
        diesel::insert_into(posts::table).values(&post(1, "kept")).execute(conn)?;
        assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["blog_db"]);
        assert_eq!(posts::table.load::<Post>(conn)?.len(), 1, "a transaction sees its own writes");
        QueryResult::Ok(())
    })
    .unwrap();
    assert_eq!(titles(&world, "blog_db"), ["kept"]);
}

#[test]
fn a_transaction_rolls_back_on_error() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let result = conn.transaction(|conn| {
        diesel::insert_into(posts::table).values(&post(1, "lost")).execute(conn)?;
        Err::<(), _>(DieselError::RollbackTransaction)
    });
    assert_eq!(result, Err(DieselError::RollbackTransaction));
    assert!(titles(&world, "blog_db").is_empty());
    // The session goes on, on another database too.
    assert!(users::table.load::<User>(&mut conn).unwrap().is_empty());
}

#[test]
fn a_transaction_rolls_back_on_panic() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        conn.transaction(|conn| {
            diesel::insert_into(posts::table).values(&post(1, "lost")).execute(conn)?;
            conn.transaction(|conn| {
                diesel::insert_into(posts::table).values(&post(2, "lost")).execute(conn)?;
                panic!("in the middle");
                #[expect(unreachable_code, reason = "it gives the closure its type")]
                QueryResult::Ok(())
            })
        })
    }));
    assert!(caught.is_err());
    assert!(titles(&world, "blog_db").is_empty());
    // The same session begins anew.
    conn.transaction(|conn| {
        diesel::insert_into(posts::table).values(&post(3, "after")).execute(conn)
    })
    .unwrap();
    assert_eq!(titles(&world, "blog_db"), ["after"]);
}

#[test]
fn savepoints_are_diesels() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.transaction(|conn| {
        diesel::insert_into(posts::table).values(&post(1, "outer")).execute(conn)?;
        let inner = conn.transaction(|conn| {
            diesel::insert_into(posts::table).values(&post(2, "inner")).execute(conn)?;
            Err::<(), _>(DieselError::RollbackTransaction)
        });
        assert!(inner.is_err());
        conn.transaction(|conn| diesel::insert_into(posts::table).values(&post(3, "kept")).execute(conn))
    })
    .unwrap();
    assert_eq!(titles(&world, "blog_db"), ["outer", "kept"]);

    // Two levels may be open before the first statement opens both on its database.
    conn.transaction(|conn| {
        let inner = conn.transaction(|conn| {
            diesel::delete(posts::table).execute(conn)?;
            Err::<(), _>(DieselError::RollbackTransaction)
        });
        assert!(inner.is_err());
        diesel::insert_into(posts::table).values(&post(4, "later")).execute(conn)
    })
    .unwrap();
    assert_eq!(titles(&world, "blog_db"), ["outer", "kept", "later"]);
}

#[test]
fn an_empty_transaction_reaches_no_database() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.transaction(|_| QueryResult::Ok(())).unwrap();
    let failed = conn.transaction(|_| Err::<(), _>(DieselError::RollbackTransaction));
    assert!(failed.is_err());
    assert_eq!(conn.connected().count(), 0);
}

#[test]
fn a_second_database_inside_a_transaction_is_refused_and_both_stay_as_they_were() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.transaction(|conn| {
        diesel::insert_into(posts::table).values(&post(1, "kept")).execute(conn)?;
        let insert = diesel::insert_into(products::table).values((products::id.eq(1), products::name.eq("x")));
        let message = refused(insert.execute(conn), ErrorKind::CrossDatabaseTransaction);
        assert!(message.contains("`blog_db`") && message.contains("`products` would go to `shop_db`"), "{message}");
        refused(users::table.load::<User>(conn), ErrorKind::CrossDatabaseTransaction);
        let elsewhere = posts::table.load::<Post>(&mut conn.using("shop_db").unwrap());
        refused(elsewhere, ErrorKind::CrossDatabaseTransaction);
        // The transaction is none the worse for it.
        diesel::insert_into(posts::table).values(&post(2, "kept too")).execute(conn)
    })
    .unwrap();
    assert_eq!(titles(&world, "blog_db"), ["kept", "kept too"]);
    assert_eq!(products::table.count().get_result::<i64>(&mut world.on("shop_db")).unwrap(), 0);
}

#[test]
fn using_overrules_the_routers_and_ends_with_what_it_returned() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    diesel::insert_into(posts::table)
        .values(&post(1, "archived"))
        .execute(&mut conn.using("archive").unwrap())
        .unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["archive"]);
    // `archive` is `blog_db`'s database under a second name.
    assert_eq!(titles(&world, "blog_db"), ["archived"]);

    posts::table.load::<Post>(&mut conn).unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["archive", "blog_db"]);

    let mut archive = conn.using("archive").unwrap();
    archive
        .transaction(|conn| diesel::insert_into(posts::table).values(&post(2, "two")).execute(conn))
        .unwrap();
    drop(archive);
    assert_eq!(titles(&world, "blog_db"), ["archived", "two"]);

    let error = conn.using("archiv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownDatabase);
    assert!(error.to_string().contains("did you mean `archive`?"), "{error}");
}

#[test]
fn operations_hold_whatever_way_a_statement_comes() {
    #[derive(Debug)]
    struct EverythingToReports;
    impl Router for EverythingToReports {
        fn db_for_write(&self, _: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
            Some(Alias::new("reports"))
        }
    }

    let Some(world) = world("") else { return };
    world.execute("blog_db", &diesel::insert_into(posts::table).values(post(1, "there")));
    let expected = ErrorKind::OperationNotAllowed;

    let mut conn = world.databases.session();
    assert_eq!(posts::table.load::<Post>(&mut conn.using("reports").unwrap()).unwrap().len(), 1);
    let message = refused(diesel::delete(posts::table).execute(&mut conn.using("reports").unwrap()), expected);
    assert!(message.contains("`reports` does not allow write (databases.yml:10:"), "{message}");
    let raw = diesel::sql_query("DELETE FROM posts").execute(&mut conn.using("reports").unwrap());
    refused(raw, expected);
    refused(conn.using("reports").unwrap().batch_execute("SELECT 1; DELETE FROM posts"), expected);
    refused(conn.using("reports").unwrap().batch_execute("CREATE TABLE t (id INTEGER)"), expected);

    let routed = world.rebuilt(|builder| builder.router(EverythingToReports));
    refused(diesel::delete(posts::table).execute(&mut routed.session()), expected);
    assert_eq!(routed.write(posts::table).unwrap_err().kind(), expected);
    assert_eq!(titles(&world, "blog_db"), ["there"]);
}

#[test]
fn scopes_nest_and_are_restored_on_return_error_and_panic() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let delete = |conn: &mut router_diesel::Session<Conn>| diesel::delete(posts::table).execute(conn);

    conn.scoped(Scope::reading(), |conn| {
        posts::table.load::<Post>(conn).unwrap();
        let message = refused(delete(conn), ErrorKind::WritesPrevented);
        assert!(message.contains("on `posts`"), "{message}");
        conn.scoped(Scope::writing(), delete).unwrap();
        refused(delete(conn), ErrorKind::WritesPrevented);
    });
    delete(&mut conn).unwrap();

    let error: QueryResult<()> = conn.scoped(Scope::reading(), |_| Err(DieselError::NotFound));
    assert!(error.is_err());
    delete(&mut conn).unwrap();

    let caught = catch_unwind(AssertUnwindSafe(|| conn.prevent_writes(|_| panic!("in the scope"))));
    assert!(caught.is_err());
    delete(&mut conn).unwrap();

    conn.prevent_writes(|conn| {
        refused(delete(conn), ErrorKind::WritesPrevented);
        refused(conn.batch_execute("DELETE FROM posts"), ErrorKind::WritesPrevented);
        let select = diesel::sql_query("SELECT 1; DELETE FROM posts").execute(conn);
        refused(select, ErrorKind::WritesPrevented);
    });
}

#[test]
fn a_read_session_reads() {
    let Some(world) = world("") else { return };
    for (id, title) in [(1, "a"), (2, "b")] {
        world.execute("blog_db", &diesel::insert_into(posts::table).values(post(id, title)));
    }
    let mut conn = world.databases.session();
    let mut read = conn.read();
    let all: Vec<Post> = read.load(posts::table).unwrap();
    assert_eq!(all.len(), 2);
    let selected = posts::table.select(Post::as_select()).filter(posts::id.eq(2)).first(&mut read).unwrap();
    assert_eq!(selected.title, "b");
    let boxed = posts::table.select(posts::title).into_boxed().filter(posts::id.gt(0));
    assert_eq!(boxed.load::<String>(&mut read).unwrap().len(), 2);
    assert_eq!(read.get_result::<_, i64>(posts::table.count()).unwrap(), 2);
    assert_eq!(read.get_optional::<_, Post>(posts::table.filter(posts::id.eq(9))).unwrap(), None);
    let archived: Vec<Post> = read.using("archive").unwrap().load(posts::table).unwrap();
    assert_eq!(archived.len(), 2);
    drop(read);
    diesel::delete(posts::table).execute(&mut conn).unwrap();
}

#[test]
fn a_read_only_transaction_is_one_snapshot_and_ends() {
    let Some(world) = world("") else { return };
    world.execute("blog_db", &diesel::insert_into(posts::table).values(post(1, "a")));
    let mut conn = world.databases.session();
    let (before, after) = conn
        .read_only_transaction(|read| {
            let before: i64 = read.get_result(posts::table.count())?;
            world.execute("archive", &diesel::insert_into(posts::table).values(post(before as i32 + 1, "b")));
            QueryResult::Ok((before, read.get_result::<_, i64>(posts::table.count())?))
        })
        .unwrap();
    assert_eq!((before, after), (1, 1));
    assert_eq!(posts::table.count().get_result::<i64>(&mut conn).unwrap(), 2);
    diesel::insert_into(posts::table).values(&post(3, "c")).execute(&mut conn).unwrap();
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[test]
fn raw_sql_and_boxed_queries_are_routed_by_their_text() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    diesel::sql_query("INSERT INTO posts (id, user_id, title) VALUES (1, 1, 'FROM users')")
        .execute(&mut conn)
        .unwrap();
    conn.batch_execute("INSERT INTO products (id, name) VALUES (1, 'lamp'); DELETE FROM products").unwrap();
    let count = diesel::sql_query("SELECT COUNT(*) AS n FROM posts").get_result::<Count>(&mut conn).unwrap();
    assert_eq!(count.n, 1);

    for id in 0..3 {
        let mut boxed = posts::table.select(posts::title).into_boxed();
        if id > 0 {
            boxed = boxed.filter(posts::id.eq(id));
        }
        assert_eq!(boxed.load::<String>(&mut conn).unwrap().len(), usize::from(id < 2));
    }
    let connected: Vec<_> = conn.connected().map(Alias::as_str).collect();
    assert_eq!(connected, ["blog_db", "shop_db"]);
    refused(
        diesel::sql_query("SELECT 1 FROM posts, products").execute(&mut conn),
        ErrorKind::CrossDatabaseQuery,
    );
}

#[test]
fn save_changes_writes_and_reads_back() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    diesel::insert_into(posts::table).values(&post(1, "draft")).execute(&mut conn).unwrap();
    let saved: Post = post(1, "final").save_changes(&mut conn).unwrap();
    assert_eq!(saved.title, "final");
    assert_eq!(titles(&world, "blog_db"), ["final"]);
    let elsewhere = post(1, "again").save_changes::<Post>(&mut conn.using("archive").unwrap()).unwrap();
    assert_eq!(elsewhere.title, "again");
}

#[test]
fn a_table_of_no_app_goes_to_the_default_database_or_is_an_error() {
    let Some(world) = world("") else { return };
    diesel::insert_into(strays::table)
        .values(strays::id.eq(1))
        .execute(&mut world.databases.session())
        .unwrap();
    assert_eq!(strays::table.count().get_result::<i64>(&mut world.on("default")).unwrap(), 1);

    let mut world = world;
    world.yaml.insert_str(0, "unrouted: error\n");
    let mut conn = world.rebuilt(|builder| builder).session();
    let message = refused(strays::table.select(strays::id).load::<i32>(&mut conn), ErrorKind::Unrouted);
    assert!(message.contains("`strays`") && message.contains("`using`"), "{message}");
    strays::table.select(strays::id).load::<i32>(&mut conn.using("default").unwrap()).unwrap();
}

#[test]
fn an_alias_that_no_file_names_is_an_error_that_names_its_router() {
    let Some(world) = world("") else { return };
    let lost = world.rebuilt(|builder| {
        builder.named_router("misspelt", read_fn(|model: &Model<'_>, _: &Hints<'_>| {
            (model.app == "blog").then(|| Alias::new("blog_bd"))
        }))
    });
    let message = refused(posts::table.load::<Post>(&mut lost.session()), ErrorKind::UnknownDatabase);
    assert!(message.contains("`blog_bd`") && message.contains("misspelt"), "{message}");
    assert!(message.contains("did you mean `blog_db`?"), "{message}");
    // Others do not suffer.
    users::table.load::<User>(&mut lost.session()).unwrap();
}

#[test]
fn a_custom_router_is_asked_before_the_rules() {
    let Some(world) = world("") else { return };
    world.execute("blog_db", &diesel::insert_into(posts::table).values(post(1, "a")));
    let routed = world.rebuilt(|builder| {
        builder.named_router("posts to the archive", read_fn(|model: &Model<'_>, _: &Hints<'_>| {
            (model.table == Some("posts")).then(|| Alias::new("archive"))
        }))
    });
    let mut conn = routed.session();
    posts::table.load::<Post>(&mut conn).unwrap();
    comments::table.select(comments::id).load::<i32>(&mut conn).unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["archive", "blog_db"]);

    // Inside a transaction a read goes where the app is written to.
    conn.transaction(|conn| {
        posts::table.load::<Post>(conn)?;
        diesel::insert_into(posts::table).values(&post(2, "b")).execute(conn)
    })
    .unwrap();
    // And a writing scope reads from there too.
    conn.release();
    conn.scoped(Scope::writing(), |conn| posts::table.load::<Post>(conn)).unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["blog_db"]);
}

#[test]
fn the_other_two_levels_of_adoption() {
    let Some(world) = world("") else { return };
    let mut pooled = world.databases.pool("blog_db").unwrap().get().unwrap();
    diesel::insert_into(posts::table).values(&post(1, "by hand")).execute(&mut pooled).unwrap();
    // A function that wants the plain connection takes it as it is.
    fn count(conn: &mut Conn) -> i64 {
        posts::table.count().get_result(conn).unwrap()
    }
    assert_eq!(count(&mut pooled), 1);
    pooled
        .transaction(|conn| diesel::insert_into(posts::table).values(&post(2, "in one")).execute(conn))
        .unwrap();
    drop(pooled);

    let mut read = world.databases.read(posts::table).unwrap();
    assert_eq!(read.alias(), &Alias::new("blog_db"));
    assert_eq!(posts::table.load::<Post>(&mut read).unwrap().len(), 2);
    let write = world.databases.write(products::table.filter(products::id.eq(1))).unwrap();
    assert_eq!(write.alias(), &Alias::new("shop_db"));
    assert_eq!(world.databases.pool("nowhere").unwrap_err().kind(), ErrorKind::UnknownDatabase);
}

#[test]
fn every_database_can_be_in_one_rolled_back_test_transaction() {
    let Some(world) = world("") else { return };
    let isolated = world.rebuilt(|builder| builder.test_transactions());
    {
        let mut conn = isolated.session();
        diesel::insert_into(users::table)
            .values(User { id: 1, name: "Ada".to_owned() })
            .execute(&mut conn)
            .unwrap();
        conn.transaction(|conn| diesel::insert_into(posts::table).values(&post(1, "t")).execute(conn)).unwrap();
        let undone = conn.transaction(|conn| {
            diesel::delete(posts::table).execute(conn)?;
            Err::<(), _>(DieselError::RollbackTransaction)
        });
        assert!(undone.is_err());
    }
    // Another session of the same databases sees it, the world does not.
    assert_eq!(posts::table.load::<Post>(&mut isolated.session()).unwrap().len(), 1);
    drop(isolated);
    assert!(titles(&world, "blog_db").is_empty());
    assert_eq!(users::table.count().get_result::<i64>(&mut world.on("default")).unwrap(), 0);
}

#[test]
fn a_sessions_own_test_transaction_spans_databases() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    conn.test_transaction(|conn| {
        diesel::insert_into(users::table).values(User { id: 1, name: "Ada".to_owned() }).execute(conn)?;
        diesel::insert_into(posts::table).values(&post(1, "t")).execute(conn)?;
        assert_eq!(posts::table.load::<Post>(conn)?.len(), 1);
        QueryResult::Ok(())
    });
    assert!(titles(&world, "blog_db").is_empty());
    assert!(users::table.load::<User>(&mut conn).unwrap().is_empty());

    conn.begin_test_transaction().unwrap();
    diesel::insert_into(posts::table).values(&post(1, "t")).execute(&mut conn).unwrap();
    drop(conn);
    assert!(titles(&world, "blog_db").is_empty());
}

#[test]
fn a_test_can_say_which_databases_may_be_touched() {
    let Some(world) = world("") else { return };
    let only_blog = world.rebuilt(|builder| builder.only(["blog_db"]));
    let mut conn = only_blog.session();
    posts::table.load::<Post>(&mut conn).unwrap();
    let message = refused(users::table.load::<User>(&mut conn), ErrorKind::DatabaseNotExpected);
    assert!(message.contains("`default`") && message.contains("`blog_db`"), "{message}");

    let mut conn = world.databases.session();
    conn.allow_only(["default", "shop_db"]).unwrap();
    users::table.load::<User>(&mut conn).unwrap();
    refused(posts::table.load::<Post>(&mut conn), ErrorKind::DatabaseNotExpected);
    assert_eq!(conn.allow_only(["nowhere"]).unwrap_err().kind(), ErrorKind::UnknownDatabase);
}

#[test]
fn a_database_that_cannot_be_reached_fails_fast_and_delays_nobody_else() {
    let port = router_tests::free_port().unwrap();
    let (scheme, path) = match <Conn as router_diesel::RoutedConnection>::renders_for().to_string().as_str() {
        "postgres" => ("postgres", format!("user:hush-hush@127.0.0.1:{port}/nothing")),
        "mysql" => ("mysql", format!("user:hush-hush@127.0.0.1:{port}/nothing")),
        _ => ("sqlite", "/nowhere/at/all.sqlite3".to_owned()),
    };
    // Long, so that one who waits for it is told from a machine that is busy.
    let dead = format!("  dead: {{ url: '{scheme}://{path}', pool: {{ connection_timeout: 60s }} }}\n");
    let Some(world) = world(&dead) else { return };
    let mut conn = world.databases.session();
    posts::table.load::<Post>(&mut conn).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let message = refused(posts::table.load::<Post>(&mut conn.using("dead").unwrap()), ErrorKind::Unreachable);
        assert!(message.contains("`dead`"), "{message}");
        assert!(!message.contains("hush-hush"), "{message}");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    posts::table.load::<Post>(&mut conn).unwrap();
}

#[test]
fn an_exhausted_pool_says_so() {
    let Some(world) = world("  narrow: { url: 'BLOG', pool: { max_size: 1, connection_timeout: 100ms } }\n") else {
        return;
    };
    // To connect may itself take longer than the pool waits, and goes on.
    let pool = world.databases.pool("narrow").unwrap();
    let start = Instant::now();
    let first = loop {
        match pool.get() {
            Ok(first) => break first,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
        }
    };
    let mut conn = world.databases.session();
    let message = refused(
        diesel::sql_query("SELECT 1").execute(&mut conn.using("narrow").unwrap()),
        ErrorKind::Exhausted,
    );
    assert!(message.contains("`narrow`") && message.contains("max_size"), "{message}");
    drop(first);
    diesel::sql_query("SELECT 1").execute(&mut conn.using("narrow").unwrap()).unwrap();
}

#[test]
fn a_transaction_by_hand_needs_a_named_database() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    refused(conn.batch_execute("BEGIN"), ErrorKind::TransactionControl);
    refused(diesel::sql_query("ROLLBACK").execute(&mut conn), ErrorKind::TransactionControl);
    let mut blog = conn.using("blog_db").unwrap();
    blog.batch_execute("BEGIN").unwrap();
    blog.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn a_statement_that_cannot_be_read_needs_a_named_database() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let message = refused(conn.batch_execute("FROBNICATE 'unclosed"), ErrorKind::Unreadable);
    assert!(message.contains("`using`"), "{message}");
    // By name it reaches the server, whose error it then is.
    let error = conn.using("blog_db").unwrap().batch_execute("FROBNICATE 'unclosed").unwrap_err();
    assert!(matches!(error, DieselError::DatabaseError(..)), "{error}");
}

#[test]
fn a_statement_without_tables_goes_to_the_default_database_or_the_open_transaction() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let one = diesel::select(1.into_sql::<Integer>());
    assert_eq!(one.get_result::<i32>(&mut conn).unwrap(), 1);
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["default"]);
    conn.release();
    conn.transaction(|conn| {
        posts::table.load::<Post>(conn)?;
        diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn)
    })
    .unwrap();
    assert_eq!(conn.connected().map(Alias::as_str).collect::<Vec<_>>(), ["blog_db"]);
}

#[test]
fn one_instrumentation_hears_every_database() {
    let Some(world) = world("") else { return };
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut conn = world.databases.session();
    let sink = heard.clone();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            sink.lock().unwrap().push(query.to_string());
        }
    });
    posts::table.select(posts::id).load::<i32>(&mut conn).unwrap();
    users::table.select(users::id).load::<i32>(&mut conn).unwrap();
    drop(conn);
    let queries = heard.lock().unwrap().len();
    assert_eq!(queries, 2);
    // A later session on the same pooled connections is not heard.
    posts::table.select(posts::id).load::<i32>(&mut world.databases.session()).unwrap();
    assert_eq!(heard.lock().unwrap().len(), queries);
}

#[test]
fn a_decision_can_be_explained() {
    let Some(world) = world("") else { return };
    let conn = world.databases.session();
    let explanation = conn.explain(&posts::table.filter(posts::id.eq(1))).unwrap();
    assert_eq!(explanation.alias().unwrap(), &Alias::new("blog_db"));
    assert!(explanation.reason().contains("`blog_db` claims `blog` for read"), "{}", explanation.reason());
    assert_eq!(explanation.tables()[0].table, "posts");

    let joined = users::table.inner_join(posts::table.on(posts::user_id.eq(users::id))).select(users::name);
    let explanation = world.databases.explain(&joined).unwrap();
    assert_eq!(explanation.alias().unwrap_err().code(), "CrossDatabaseQuery");
}

#[test]
fn values_are_bound_as_ever() {
    let Some(world) = world("") else { return };
    let mut conn = world.databases.session();
    let title = "'; DROP TABLE posts; --";
    diesel::insert_into(posts::table).values(&post(1, title)).execute(&mut conn).unwrap();
    let found = posts::table.filter(posts::title.eq(title)).select(posts::id).first::<i32>(&mut conn).unwrap();
    assert_eq!(found, 1);
    let raw = diesel::sql_query("SELECT COUNT(*) AS n FROM posts WHERE title <> 'users'");
    assert_eq!(raw.get_result::<Count>(&mut conn).unwrap().n, 1);
}

#[test]
fn sixteen_threads_share_the_databases() {
    let Some(world) = world("") else { return };
    let databases: &Databases<Conn> = &world.databases;
    std::thread::scope(|scope| {
        for thread in 0..16 {
            scope.spawn(move || {
                let mut conn = databases.session();
                for round in 0..5 {
                    let id = thread * 100 + round;
                    diesel::insert_into(posts::table).values(&post(id, "t")).execute(&mut conn).unwrap();
                    posts::table.find(id).first::<Post>(&mut conn).unwrap();
                }
            });
        }
    });
    assert_eq!(posts::table.count().get_result::<i64>(&mut world.on("blog_db")).unwrap(), 80);
}
