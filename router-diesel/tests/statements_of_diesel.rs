//! What Diesel really emits, rendered by its own query builders and classified.
#![cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]

use diesel::backend::Backend;
use diesel::debug_query;
use diesel::prelude::*;
use diesel::query_builder::{AsQuery, QueryFragment};
use router_core::Operation::{self, Read, Write};
use router_diesel::statement::{Classifier, Dialect, Reading};

mod schema {
    diesel::table! {
        posts (id) {
            id -> Integer,
            user_id -> Integer,
            title -> Text,
            published -> Bool,
            deleted_at -> Nullable<Integer>,
        }
    }

    diesel::table! {
        users (id) {
            id -> Integer,
            name -> Text,
        }
    }

    diesel::table! {
        blog.comments (id) {
            id -> Integer,
            post_id -> Integer,
            body -> Text,
        }
    }

    diesel::joinable!(posts -> users (user_id));
    diesel::joinable!(comments -> posts (post_id));
    diesel::allow_tables_to_appear_in_same_query!(posts, users, comments);
}

use schema::{comments, posts, users};

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = posts)]
struct NewPost<'a> {
    user_id: i32,
    title: &'a str,
}

const NEW: [NewPost<'static>; 2] =
    [NewPost { user_id: 1, title: "one" }, NewPost { user_id: 2, title: "'; DELETE FROM users; --" }];

/// Renders a query and compares what the classifier makes of it.
#[track_caller]
fn check<DB, Q>(dialect: Dialect, query: &Q, operation: Operation, tables: &[&str])
where
    DB: Backend + Default,
    DB::QueryBuilder: Default,
    Q: QueryFragment<DB>,
{
    let sql = debug_query::<DB, _>(query).to_string();
    let classifier = Classifier::new(dialect);
    let statement = classifier.classify(&sql);
    let names: Vec<_> = statement.tables().iter().map(ToString::to_string).collect();
    assert_eq!(
        (statement.operation(), names.as_slice()),
        (operation, tables.map_owned().as_slice()),
        "{sql}"
    );
    assert_ne!(statement.reading(), Reading::Unreadable, "{sql}");

    let tokens = classifier.classify_by(Reading::Tokens, &sql).expect("the tokens can be read");
    assert_eq!((tokens.operation(), tokens.tables()), (operation, statement.tables()), "{sql}");
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|&name| name.to_owned()).collect()
    }
}

/// Queries that every backend renders, each in its own way.
macro_rules! common {
    ($check:ident) => {
        $check(&posts::table.as_query(), Read, &["posts"]);
        $check(&posts::table.find(1), Read, &["posts"]);
        $check(&posts::table.count(), Read, &["posts"]);
        $check(
            &posts::table
                .filter(posts::title.like("%FOR UPDATE%"))
                .order(posts::id.desc())
                .limit(3)
                .offset(6),
            Read,
            &["posts"],
        );
        $check(
            &posts::table.inner_join(users::table).select((posts::title, users::name)),
            Read,
            &["posts", "users"],
        );
        $check(
            &posts::table.left_join(users::table).left_join(comments::table).select(posts::id),
            Read,
            &["posts", "users", "blog.comments"],
        );
        $check(
            &posts::table.filter(diesel::dsl::exists(users::table.filter(users::id.eq(posts::user_id)))),
            Read,
            &["posts", "users"],
        );
        $check(
            &posts::table.filter(posts::user_id.eq_any(users::table.select(users::id))),
            Read,
            &["posts", "users"],
        );
        $check(&diesel::select(diesel::dsl::exists(posts::table.find(1))), Read, &["posts"]);
        $check(&diesel::select(1.into_sql::<diesel::sql_types::Integer>()), Read, &[]);
        $check(
            &posts::table.select(posts::id).union(users::table.select(users::id)),
            Read,
            &["posts", "users"],
        );
        $check(
            &posts::table
                .select(posts::id)
                .union_all(users::table.select(users::id).filter(users::name.eq("x"))),
            Read,
            &["posts", "users"],
        );
        let (one, other) = diesel::alias!(users as one, users as other);
        $check(
            &one.inner_join(other.on(one.field(users::id).eq(other.field(users::id))))
                .select(one.field(users::id)),
            Read,
            &["users"],
        );
        $check(
            &posts::table
                .group_by(posts::user_id)
                .select((posts::user_id, diesel::dsl::count_star()))
                .having(diesel::dsl::count_star().gt(2)),
            Read,
            &["posts"],
        );
        let mut boxed = posts::table.into_boxed();
        for id in 0..300 {
            boxed = boxed.filter(posts::id.ne(id));
        }
        $check(&boxed, Read, &["posts"]);
        let mut boxed = posts::table.into_boxed();
        for id in 0..300 {
            boxed = boxed.or_filter(posts::id.eq(id).and(posts::title.ne("x")));
        }
        $check(&boxed, Read, &["posts"]);
        $check(&posts::table.filter(posts::id.eq_any((0..3_000).collect::<Vec<_>>())), Read, &["posts"]);
        $check(
            &posts::table
                .select(diesel::dsl::count(posts::id).partition_by(posts::user_id).window_order(posts::id)),
            Read,
            &["posts"],
        );
        $check(&diesel::insert_into(posts::table).values(&NEW[0]), Write, &["posts"]);
        $check(&diesel::insert_into(posts::table).default_values(), Write, &["posts"]);
        $check(
            &diesel::insert_into(users::table)
                .values(posts::table.select((posts::id, posts::title)))
                .into_columns((users::id, users::name)),
            Write,
            &["users", "posts"],
        );
        $check(&diesel::update(posts::table.find(1)).set(posts::title.eq("x")), Write, &["posts"]);
        $check(&diesel::update(posts::table).set(&NEW[0]), Write, &["posts"]);
        $check(
            &diesel::delete(posts::table.filter(posts::user_id.eq_any(users::table.select(users::id)))),
            Write,
            &["posts", "users"],
        );
        $check(&diesel::sql_query("SELECT 1 FROM posts; DELETE FROM users"), Write, &["posts", "users"]);
    };
}

#[cfg(feature = "sqlite")]
#[test]
fn statements_for_sqlite() {
    use diesel::sqlite::Sqlite;

    fn check_sqlite<Q: QueryFragment<Sqlite>>(query: &Q, operation: Operation, tables: &[&str]) {
        check::<Sqlite, Q>(Dialect::Sqlite, query, operation, tables);
    }
    common!(check_sqlite);

    check_sqlite(&posts::table.filter(posts::deleted_at.is(None::<i32>)), Read, &["posts"]);
    check_sqlite(&posts::table.filter(posts::deleted_at.is_not(Some(1))), Read, &["posts"]);
    check_sqlite(&diesel::insert_or_ignore_into(posts::table).values(&NEW[0]), Write, &["posts"]);
    check_sqlite(&diesel::replace_into(posts::table).values(&NEW[0]), Write, &["posts"]);
    check_sqlite(
        &diesel::insert_into(posts::table)
            .values(&NEW[0])
            .on_conflict(posts::title)
            .do_update()
            .set(posts::user_id.eq(diesel::upsert::excluded(posts::user_id))),
        Write,
        &["posts"],
    );
}

#[cfg(feature = "postgres")]
#[test]
fn statements_for_postgres() {
    use diesel::dsl::{self, OnlyDsl as _, TablesampleDsl as _};
    use diesel::pg::Pg;
    use diesel::upsert::{excluded, on_constraint};

    #[diesel::declare_sql_function]
    extern "SQL" {
        fn nextval(sequence: diesel::sql_types::Text) -> diesel::sql_types::BigInt;
    }

    fn check_postgres<Q: QueryFragment<Pg>>(query: &Q, operation: Operation, tables: &[&str]) {
        check::<Pg, Q>(Dialect::Postgres, query, operation, tables);
    }
    common!(check_postgres);

    check_postgres(&posts::table.for_update(), Write, &["posts"]);
    check_postgres(&posts::table.for_update().skip_locked(), Write, &["posts"]);
    check_postgres(&posts::table.for_no_key_update(), Write, &["posts"]);
    check_postgres(&posts::table.for_no_key_update().no_wait(), Write, &["posts"]);
    check_postgres(&posts::table.for_share(), Write, &["posts"]);
    check_postgres(&posts::table.for_key_share().skip_locked(), Write, &["posts"]);
    check_postgres(&posts::table.only().select(posts::id), Read, &["posts"]);
    check_postgres(&posts::table.tablesample_bernoulli(10).select(posts::id), Read, &["posts"]);
    check_postgres(
        &posts::table.distinct_on(posts::user_id).order(posts::user_id).filter(posts::title.ilike("x")),
        Read,
        &["posts"],
    );
    check_postgres(&posts::table.filter(posts::deleted_at.is_distinct_from(Some(1))), Read, &["posts"]);
    check_postgres(&posts::table.filter(posts::deleted_at.is_not_distinct_from(Some(1))), Read, &["posts"]);
    check_postgres(
        &posts::table.select(
            dsl::count(posts::id).partition_by(posts::user_id).window_order(posts::id).frame_by(
                dsl::frame::Rows
                    .frame_start_with_exclusion(dsl::frame::UnboundedPreceding, dsl::frame::ExcludeTies),
            ),
        ),
        Read,
        &["posts"],
    );
    check_postgres(&diesel::select(nextval("posts_id_seq")), Write, &[]);
    check_postgres(&posts::table.filter(posts::id.eq_any(vec![1, 2])).select(posts::id), Read, &["posts"]);
    check_postgres(
        &diesel::insert_into(posts::table).values(&NEW[..]).returning((posts::id, posts::title)),
        Write,
        &["posts"],
    );
    check_postgres(
        &diesel::insert_into(posts::table).values(&NEW[..]).on_conflict_do_nothing(),
        Write,
        &["posts"],
    );
    check_postgres(
        &diesel::insert_into(posts::table)
            .values(&NEW[..])
            .on_conflict(posts::title)
            .filter_target(posts::published.eq(true))
            .do_update()
            .set((posts::user_id.eq(excluded(posts::user_id)), posts::published.eq(false))),
        Write,
        &["posts"],
    );
    check_postgres(
        &diesel::insert_into(posts::table)
            .values(&NEW[0])
            .on_conflict(on_constraint("posts_title"))
            .do_update()
            .set(&NEW[0]),
        Write,
        &["posts"],
    );
    check_postgres(&diesel::delete(posts::table).returning(posts::id), Write, &["posts"]);
}

#[cfg(feature = "mysql")]
#[test]
fn statements_for_mysql() {
    use diesel::mysql::Mysql;

    fn check_mysql<Q: QueryFragment<Mysql>>(query: &Q, operation: Operation, tables: &[&str]) {
        check::<Mysql, Q>(Dialect::Mysql, query, operation, tables);
    }
    common!(check_mysql);

    check_mysql(&posts::table.for_update(), Write, &["posts"]);
    check_mysql(&posts::table.for_update().skip_locked(), Write, &["posts"]);
    check_mysql(&posts::table.for_share().no_wait(), Write, &["posts"]);
    check_mysql(&diesel::insert_into(posts::table).values(&NEW[..]), Write, &["posts"]);
    check_mysql(&diesel::insert_or_ignore_into(posts::table).values(&NEW[..]), Write, &["posts"]);
    check_mysql(&diesel::replace_into(posts::table).values(&NEW[..]), Write, &["posts"]);
    check_mysql(
        &diesel::insert_into(posts::table)
            .values(&NEW[..])
            .on_conflict(diesel::dsl::DuplicatedKeys)
            .do_update()
            .set(posts::title.eq("x")),
        Write,
        &["posts"],
    );
    check_mysql(&diesel::update(posts::table.find(1)).set(posts::title.eq("x")), Write, &["posts"]);
}
