//! Scopes that name a database or tell the routers something.

use diesel::connection::LoadConnection;
use diesel::prelude::*;
use router_core::{Alias, AppLabel, Hints, Model, Operation, Router, RouterChain};
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, Error, ErrorKind, RouteError, Scope};

use crate::connection::{Session, Two, insert, kind, on_each_engine, posts, users};
use crate::world::Engine;

on_each_engine!(a_scope_names_a_database, a_hint_reaches_the_routers, a_missing_hint_is_an_error);

/// A function as services have them.
fn count_posts(conn: &mut Session) -> QueryResult<i64> {
    posts::table.count().get_result(conn)
}

fn a_scope_names_a_database(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    world.on("default", "CREATE TABLE posts (id INTEGER, name VARCHAR(20))");
    let mut conn = world.session();
    insert(&mut conn, "posts");
    assert_eq!(count_posts(&mut conn), Ok(1));
    assert_eq!(conn.scoped(Scope::using("default"), count_posts), Ok(0));
    // The same through `using`, where the type must be said.
    assert_eq!(count_posts(&mut conn.using("default").unwrap()), Ok(0));
    let nested = conn.scoped(Scope::using("default"), |conn| {
        let inner = conn.scoped(Scope::reading().and_using("blog_db"), count_posts)?;
        conn.transaction(|conn| Ok::<_, diesel::result::Error>((inner, count_posts(conn)?)))
    });
    assert_eq!(nested, Ok((1, 0)));
    assert_eq!(count_posts(&mut conn), Ok(1), "the scope is over");

    let refused = conn.scoped(Scope::using("defualt"), |conn| {
        assert_eq!(
            kind(conn.with_connection(posts::table, |_| QueryResult::Ok(()))),
            Some(ErrorKind::UnknownDatabase)
        );
        let inner = conn.scoped(Scope::using("default"), count_posts);
        assert_eq!(inner, Ok(0), "a scope inside may name another");
        count_posts(conn)
    });
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("`default`"), "{error}");
    assert_eq!(kind::<()>(Err(error)), Some(ErrorKind::UnknownDatabase));
    assert_eq!(count_posts(&mut conn), Ok(1));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        conn.scoped(Scope::using("default"), |_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(count_posts(&mut conn), Ok(1), "after a panic too");
}

struct Region(&'static str);
struct Unrelated;

/// Sends posts to the database of the region.
#[derive(Debug)]
struct ByRegion;

impl Router for ByRegion {
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        self.db_for_write(model, hints)
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        (model.table == Some("posts")).then(|| hints.get::<Region>().map(|region| Alias::new(region.0)))?
    }
}

fn a_hint_reaches_the_routers(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    world.on("default", "CREATE TABLE posts (id INTEGER, name VARCHAR(20))");
    insert(&mut world.session(), "posts");
    let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config).router(ByRegion).build().unwrap();
    let mut conn = databases.session().with_hint(Region("default")).with_hint(Unrelated);
    assert_eq!(count_posts(&mut conn), Ok(0));
    let inner = conn.scoped(Scope::hint(Region("blog_db")).preventing_writes(), |conn| {
        let outer_of_inner = conn.scoped(Scope::hint(Region("default")), count_posts);
        (outer_of_inner, count_posts(conn))
    });
    assert_eq!(inner, (Ok(0), Ok(1)));
    assert_eq!(count_posts(&mut conn), Ok(0));
    let explained = conn.explain(&posts::table.count()).unwrap();
    assert_eq!(explained.alias().map(Alias::as_str), Ok("default"));
    // A hint of another type is as good as none.
    let mut conn = databases.session().with_hint(Unrelated);
    assert_eq!(count_posts(&mut conn), Ok(1));
    let wrong = databases.session().with_hint(Region("nowhere"));
    assert_eq!(kind(count_posts(&mut { wrong })), Some(ErrorKind::UnknownDatabase));
    assert!(!format!("{:?} {:?}", conn, Scope::hint(Region("secret"))).contains("secret"));
}

/// As [`ByRegion`], and says what it needs.
#[derive(Debug)]
struct NeedsRegion;

impl Router for NeedsRegion {
    fn db_for_read(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        ByRegion.db_for_read(model, hints)
    }

    fn db_for_write(&self, model: &Model<'_>, hints: &Hints<'_>) -> Option<Alias> {
        ByRegion.db_for_write(model, hints)
    }

    fn missing_hint(&self, _: Operation, model: &Model<'_>, hints: &Hints<'_>) -> Option<&'static str> {
        (model.table == Some("posts") && hints.get::<Region>().is_none()).then_some("region")
    }
}

/// The rules know where posts are, and are not asked.
fn a_missing_hint_is_an_error(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    insert(&mut world.session(), "posts");
    let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
    let nested = RouterChain::default().with_named("regions", NeedsRegion);
    let databases =
        Databases::<AnyConnection>::builder(config).named_router("nested", nested).build().unwrap();
    let missing = |result: QueryResult<i64>| {
        let error = result.unwrap_err();
        let error = Error::from_diesel(&error).unwrap();
        assert_eq!(error.kind(), ErrorKind::MissingHint, "{error}");
        error.as_route().cloned().unwrap()
    };
    let expected = RouteError::MissingHint {
        router: "regions".into(),
        hint: "region",
        table: Some("posts".to_owned()),
        app: Some(AppLabel::new("blog")),
    };
    let mut conn = databases.session();
    assert_eq!(missing(count_posts(&mut conn)), expected);
    assert_eq!(expected.code(), "MissingHint");
    assert_eq!(
        expected.to_string(),
        "router `regions` needs the hint `region` to say where `posts` of app `blog` is; give it with \
         `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with `using`"
    );
    // Hints of a wrong type are as good as none, a reference to the right one too.
    assert_eq!(missing(conn.scoped(Scope::hint(Unrelated).and_hint("blog_db"), count_posts)), expected);
    assert_eq!(missing(conn.scoped(Scope::hint(Box::new(Region("blog_db"))), count_posts)), expected);
    // So is each way to send a statement: a write, a transaction, a check-out by hand.
    assert_eq!(missing(diesel::delete(posts::table).execute(&mut conn).map(|_| 0)), expected);
    assert_eq!(missing(conn.transaction(count_posts)), expected);
    assert_eq!(missing(conn.with_connection(posts::table, |_| Ok(0))), expected);
    assert_eq!(databases.read(posts::table).map(drop).unwrap_err().as_route(), Some(&expected));
    assert_eq!(databases.write(posts::table).map(drop).unwrap_err().as_route(), Some(&expected));
    let explained = conn.explain(&posts::table.count()).unwrap();
    assert_eq!(explained.alias(), Err(&expected));
    assert!(explained.to_string().contains("nested: needs `region`"), "{explained}");
    // With it, or by hand, all is well, and other tables never needed it.
    assert_eq!(conn.scoped(Scope::hint(Region("blog_db")), count_posts), Ok(1));
    assert_eq!(count_posts(&mut conn.using("blog_db").unwrap()), Ok(1));
    assert_eq!(users::table.count().get_result(&mut conn), Ok(0_i64));
    assert_eq!(count_posts(&mut databases.session().with_hint(Region("blog_db"))), Ok(1));
    // A transaction outlives the scope that gave the hint, and the next statement needs one again.
    let afterwards = conn.transaction(|conn| {
        assert_eq!(conn.scoped(Scope::hint(Region("blog_db")), count_posts), Ok(1));
        count_posts(conn)
    });
    assert_eq!(missing(afterwards), expected);
}

/// What getting-started shows first: a bound that a session, `using` and a plain connection meet.
#[test]
fn one_bound_takes_sessions_and_plain_connections() {
    fn count(conn: &mut impl LoadConnection<Backend = diesel::sqlite::Sqlite>) -> QueryResult<i64> {
        users::table.count().get_result(conn)
    }
    let Some(world) = Two::start(Engine::Sqlite, "") else { return };
    let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
    let mut conn = databases.session();
    assert_eq!(count(&mut conn), Ok(0));
    assert_eq!(count(&mut conn.using("default").unwrap()), Ok(0));
    assert_eq!(conn.with_connection(users::table, count), Ok(0));
    assert_eq!(count(&mut databases.read(users::table).unwrap()), Ok(0));
}
