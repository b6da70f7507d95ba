//! What a statement asks of its connection and leaves on it, on the three engines.

use std::sync::Barrier;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, Error, ErrorKind};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

use crate::world::Engine;

pub(crate) type Session = router_diesel::Session<AnyConnection>;

/// `default` has users and `blog_db` has posts, each with ids of its own.
pub(crate) struct Two {
    pub(crate) databases: Databases<AnyConnection>,
    pub(crate) yaml: String,
    pub(crate) engine: Engine,
    _sqlite: Sqlite,
    _databases: [TestDatabase; 2],
}

impl Two {
    pub(crate) fn start(engine: Engine, pool: &str) -> Option<Self> {
        let sqlite = require(Sqlite::start())?;
        let database = |name| {
            Some(match engine {
                Engine::Sqlite => sqlite.database(name),
                Engine::Postgres => require(Postgres::shared())?.database(name),
                Engine::MariaDb => require(MariaDb::shared())?.database(name),
            })
        };
        let both = [database("main")?.unwrap(), database("blog")?.unwrap()];
        let yaml = format!(
            "unrouted: error
state_functions: [remember]
apps:
  users: {{ tables: [users], functions: [user_total] }}
  blog: {{ tables: [posts], functions: ['post_*'] }}
databases:
  default: {{ url: '{}', apps: [users], pool: {{ {pool} }} }}
  blog_db: {{ url: '{}', apps: [blog], pool: {{ {pool} }} }}
",
            both[0].url(),
            both[1].url()
        );
        let config = Config::loader().yaml(&yaml, "databases.yml").load().unwrap();
        let databases = Databases::builder(config).build().unwrap();
        let this = Self { databases, yaml, engine, _sqlite: sqlite, _databases: both };
        for (alias, table) in [("default", "users"), ("blog_db", "posts")] {
            if engine == Engine::Sqlite {
                this.on(alias, "PRAGMA journal_mode = WAL");
            }
            let id = match engine {
                Engine::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
                Engine::Postgres => "SERIAL PRIMARY KEY",
                Engine::MariaDb => "INTEGER AUTO_INCREMENT PRIMARY KEY",
            };
            this.on(alias, &format!("CREATE TABLE {table} (id {id}, name VARCHAR(20))"));
        }
        Some(this)
    }

    /// Past all routing.
    pub(crate) fn on(&self, alias: &str, sql: &str) {
        self.databases.pool(alias).unwrap().get().unwrap().batch_execute(sql).unwrap();
    }

    /// A new session of the same file with other settings of the pools.
    pub(crate) fn session(&self) -> Session {
        self.databases.session()
    }

    /// How the engine asks for the last id.
    pub(crate) fn last_id(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "CAST(last_insert_rowid() AS TEXT)",
            Engine::Postgres => "CAST(lastval() AS TEXT)",
            Engine::MariaDb => "CAST(last_insert_id() AS CHAR)",
        }
    }
}

#[derive(QueryableByName)]
pub(crate) struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) value: Option<String>,
}

pub(crate) fn ask(conn: &mut Session, what: &str) -> Result<Option<String>, ErrorKind> {
    load(conn, &format!("SELECT {what} AS value"))
}

pub(crate) fn load(conn: &mut Session, what: &str) -> Result<Option<String>, ErrorKind> {
    match diesel::sql_query(what).load::<Row>(conn) {
        Ok(mut rows) => Ok(rows.pop().and_then(|row| row.value)),
        Err(error) => Err(Error::from_diesel(&error).unwrap_or_else(|| panic!("{what}: {error}")).kind()),
    }
}

pub(crate) fn text(value: &str) -> Result<Option<String>, ErrorKind> {
    Ok(Some(value.to_owned()))
}

pub(crate) fn run(conn: &mut Session, sql: &str) -> Result<(), ErrorKind> {
    conn.batch_execute(sql)
        .map_err(|error| Error::from_diesel(&error).unwrap_or_else(|| panic!("{sql}: {error}")).kind())
}

pub(crate) fn insert(conn: &mut Session, table: &str) {
    run(conn, &format!("INSERT INTO {table} (name) VALUES ('new')")).unwrap();
}

/// The kind of the router's own error.
pub(crate) fn kind<T>(result: QueryResult<T>) -> Option<ErrorKind> {
    result.err().and_then(|error| Error::from_diesel(&error).map(Error::kind))
}

macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(crate::world::Engine::Sqlite); })+
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(crate::world::Engine::Postgres); })+
        }
        mod mariadb {
            $(#[test] fn $test() { super::$test(crate::world::Engine::MariaDb); })+
        }
    };
}
pub(crate) use on_each_engine;

on_each_engine!(
    the_last_id_is_that_of_the_sessions_last_insert,
    a_question_names_the_table_it_belongs_to_or_fails,
    two_sessions_never_see_each_others_ids,
    nobody_finds_what_a_session_left,
    an_effect_without_a_table_goes_nowhere_in_silence,
    a_function_of_an_app_goes_to_its_database,
    state_that_is_lost_is_missed,
    a_setting_is_asked_where_it_was_made,
);

fn the_last_id_is_that_of_the_sessions_last_insert(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let last = world.last_id();
    let mut conn = world.session();
    for _ in 0..7 {
        insert(&mut conn, "users");
    }
    for _ in 0..3 {
        insert(&mut conn, "posts");
    }
    assert_eq!(ask(&mut conn, last), text("3"));
    assert_eq!(ask(&mut conn, "1 + 1 AS other, 'x'"), text("x"));
    insert(&mut conn, "users");
    assert_eq!(ask(&mut conn, last), text("8"));
    // A read elsewhere changes nothing.
    run(&mut conn, "SELECT id FROM posts").unwrap();
    assert_eq!(ask(&mut conn, last), text("8"));
    conn.prevent_writes(|conn| assert_eq!(ask(conn, last), text("8")));

    assert_eq!(ask(&mut world.session(), last), Err(ErrorKind::NoAnswer));
    conn.release();
    assert_eq!(ask(&mut conn, last), Err(ErrorKind::NoAnswer));
    insert(&mut conn, "posts");
    assert_eq!(ask(&mut conn.using("blog_db").unwrap(), last), text("4"));
    assert_eq!(ask(&mut conn.using("default").unwrap(), last), Err(ErrorKind::NoAnswer));
}

fn a_question_names_the_table_it_belongs_to_or_fails(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let id = match engine {
        Engine::Sqlite => "last_insert_rowid()",
        Engine::Postgres => "lastval()",
        Engine::MariaDb => "last_insert_id()",
    };
    let mut conn = world.session();
    insert(&mut conn, "users");
    insert(&mut conn, "posts");
    run(&mut conn, &format!("UPDATE posts SET name = 'mine' WHERE id = {id}")).unwrap();
    assert_eq!(load(&mut conn, &format!("SELECT name AS value FROM posts WHERE id = {id}")), text("mine"));
    let error = run(&mut conn, &format!("UPDATE users SET name = 'not mine' WHERE id = {id}"));
    assert_eq!(error, Err(ErrorKind::NoAnswer));

    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        insert(conn, "users");
        run(conn, &format!("UPDATE users SET name = 'mine' WHERE id = {id}")).unwrap();
        Ok(())
    })
    .unwrap();
    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        run(conn, "UPDATE posts SET name = 'open' WHERE id = 0").unwrap();
        let error = run(conn, &format!("UPDATE posts SET name = 'not mine' WHERE id = {id}"));
        assert_eq!(error, Err(ErrorKind::NoAnswer), "the last insert was one of users");
        Ok(())
    })
    .unwrap();
}

fn two_sessions_never_see_each_others_ids(engine: Engine) {
    // On the servers 10,000 times between the two: as often each is a minute of the same.
    let times = if engine == Engine::Sqlite { 10_000 } else { 5_000 };
    let Some(world) = Two::start(engine, "max_size: 1, connection_timeout: 60s") else { return };
    let last = world.last_id();
    if engine == Engine::Sqlite {
        // What is tested is not the disk.
        world.on("default", "PRAGMA synchronous = OFF");
        world.on("blog_db", "PRAGMA synchronous = OFF");
    }
    let start = Barrier::new(2);
    let answers = std::thread::scope(|scope| {
        let work = |order: [&'static str; 2]| {
            let mut conn = world.session();
            start.wait();
            let mut answered = 0;
            for round in 0..times {
                let table = order[round % 2];
                let name = format!("{}-{round}", order[0]);
                run(&mut conn, &format!("INSERT INTO {table} (name) VALUES ('{name}')")).unwrap();
                match ask(&mut conn, last) {
                    Ok(id) => {
                        let sql = format!("SELECT name AS value FROM {table} WHERE id = {}", id.unwrap());
                        assert_eq!(load(&mut conn, &sql), text(&name));
                        answered += 1;
                    }
                    Err(kind) => assert_eq!(kind, ErrorKind::NoAnswer),
                }
            }
            answered
        };
        let one = scope.spawn(move || work(["users", "posts"]));
        let other = scope.spawn(move || work(["posts", "users"]));
        one.join().unwrap() + other.join().unwrap()
    });
    assert!(answers > 0, "no question was answered");
}

/// What a statement may leave on its connection, and how to see it there.
fn leftovers(engine: Engine) -> Vec<(&'static str, &'static str)> {
    match engine {
        Engine::Sqlite => vec![
            ("PRAGMA foreign_keys = OFF", "CAST(foreign_keys AS TEXT) AS value FROM pragma_foreign_keys -- "),
            (
                "PRAGMA recursive_triggers = ON",
                "CAST(recursive_triggers AS TEXT) AS value FROM pragma_recursive_triggers -- ",
            ),
            ("ATTACH ':memory:' AS extra", "CAST(COUNT(*) AS TEXT) AS value FROM pragma_database_list -- "),
            (
                "CREATE TEMP TABLE mine (id INTEGER)",
                "CAST(COUNT(*) AS TEXT) AS value FROM temp.sqlite_master -- ",
            ),
            (
                "CREATE TABLE temp.mine (id INTEGER)",
                "CAST(COUNT(*) AS TEXT) AS value FROM temp.sqlite_master -- ",
            ),
            (
                "EXPLAIN PRAGMA recursive_triggers = 1",
                "CAST(recursive_triggers AS TEXT) AS value FROM pragma_recursive_triggers -- ",
            ),
            (
                "EXPLAIN QUERY PLAN PRAGMA recursive_triggers = 1",
                "CAST(recursive_triggers AS TEXT) AS value FROM pragma_recursive_triggers -- ",
            ),
            (
                "CREATE VIEW temp.mine AS SELECT 1",
                "CAST(COUNT(*) AS TEXT) AS value FROM temp.sqlite_master -- ",
            ),
            (
                "CREATE TEMP VIEW mine AS SELECT 1",
                "CAST(COUNT(*) AS TEXT) AS value FROM temp.sqlite_master -- ",
            ),
        ],
        Engine::Postgres => vec![
            ("SET search_path = pg_catalog", "current_setting('search_path')"),
            ("SET SESSION statement_timeout = 12345", "current_setting('statement_timeout')"),
            ("SET TIME ZONE 'Asia/Tokyo'", "current_setting('TimeZone')"),
            ("SET ROLE pg_monitor", "CAST(current_user AS TEXT)"),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                "current_setting('default_transaction_read_only')",
            ),
            ("SET default_transaction_read_only = on", "current_setting('default_transaction_read_only')"),
            ("SET app.tenant = '7'", "COALESCE(current_setting('app.tenant', true), '')"),
            (
                "SELECT set_config('app.tenant', '7', false)",
                "COALESCE(current_setting('app.tenant', true), '')",
            ),
            (
                "SELECT pg_catalog.set_config('app.tenant', '7', false)",
                "COALESCE(current_setting('app.tenant', true), '')",
            ),
            (
                "DO $$ BEGIN PERFORM set_config('app.tenant', '7', false); END $$",
                "COALESCE(current_setting('app.tenant', true), '')",
            ),
            (
                "CREATE TEMP TABLE mine (id INTEGER)",
                "CAST(COUNT(*) AS TEXT) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "CREATE TABLE pg_temp.mine (id INTEGER)",
                "CAST(COUNT(*) AS TEXT) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "SELECT 1 AS id INTO TEMP mine",
                "CAST(COUNT(*) AS TEXT) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "SELECT 1 AS id INTO pg_temp.mine",
                "CAST(COUNT(*) AS TEXT) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "CREATE SEQUENCE pg_temp.mine",
                "CAST(COUNT(*) AS TEXT) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CAST(COUNT(*) AS TEXT) FROM pg_proc WHERE proname = 'mine' AND pronamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "CREATE DOMAIN pg_temp.mine AS int",
                "CAST(COUNT(*) AS TEXT) FROM pg_type WHERE typname = 'mine' AND typnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "CREATE COLLATION pg_temp.mine FROM \"C\"",
                "CAST(COUNT(*) AS TEXT) FROM pg_collation WHERE collname = 'mine' AND collnamespace = pg_my_temp_schema() AND ''",
            ),
            (
                "EXPLAIN (ANALYZE) SELECT set_config('application_name', 'mine', false)",
                "current_setting('application_name')",
            ),
            (
                "WITH one AS (SELECT set_config('application_name', 'mine', false)) SELECT * FROM one",
                "current_setting('application_name')",
            ),
            (
                "UPDATE pg_settings SET setting = 'mine' WHERE name = 'application_name'",
                "current_setting('application_name')",
            ),
            (
                "UPDATE pg_catalog.pg_settings SET setting = 'mine' WHERE name = 'application_name'",
                "current_setting('application_name')",
            ),
            ("LISTEN orders", "CAST(COUNT(*) AS TEXT) FROM pg_listening_channels() AS channel WHERE ''"),
            (
                "SELECT pg_advisory_lock(42)",
                "CAST(COUNT(*) AS TEXT) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND ''",
            ),
            (
                "SELECT pg_try_advisory_lock_shared(42)",
                "CAST(COUNT(*) AS TEXT) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND ''",
            ),
            (
                "PREPARE mine AS SELECT 1",
                "CAST(COUNT(*) AS TEXT) FROM pg_prepared_statements WHERE name = 'mine' AND ''",
            ),
            (
                "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
                "CAST(COUNT(*) AS TEXT) FROM pg_cursors WHERE name = 'mine' AND ''",
            ),
        ],
        Engine::MariaDb => vec![
            ("SET time_zone = '+09:00'", "@@session.time_zone"),
            ("SET SESSION sql_mode = 'ANSI'", "@@session.sql_mode"),
            ("SET LOCAL max_statement_time = 12", "CAST(@@session.max_statement_time AS CHAR)"),
            ("SET @@session.foreign_key_checks = 0", "CAST(@@session.foreign_key_checks AS CHAR)"),
            ("SET NAMES latin1", "@@session.character_set_client"),
            ("SET SESSION TRANSACTION READ ONLY", "CAST(@@session.tx_read_only AS CHAR)"),
            ("SET @mine = 7", "CAST(@mine AS CHAR)"),
            ("SELECT 7 INTO @mine", "CAST(@mine AS CHAR)"),
            ("SELECT 7 INTO @'mine'", "CAST(@mine AS CHAR)"),
            ("SELECT @`mine` := 7", "CAST(@mine AS CHAR)"),
            ("ANALYZE FORMAT=JSON SELECT @mine := 7", "CAST(@mine AS CHAR)"),
            ("BEGIN NOT ATOMIC SET @mine = 7; END", "CAST(@mine AS CHAR)"),
            ("EXECUTE IMMEDIATE 'SET @mine = 7'", "CAST(@mine AS CHAR)"),
            (
                "ANALYZE SELECT GET_LOCK('mine', 0)",
                "CAST(COALESCE(IS_USED_LOCK('mine') = CONNECTION_ID(), 0) AS CHAR)",
            ),
            ("GET DIAGNOSTICS @mine = NUMBER", "CAST(@mine AS CHAR)"),
            ("/*!50000 SET @mine = 7 */", "CAST(@mine AS CHAR)"),
            (
                "SELECT GET_LOCK('mine', 0)",
                "CAST(COALESCE(IS_USED_LOCK('mine') = CONNECTION_ID(), 0) AS CHAR)",
            ),
        ],
    }
}

/// With pools of one, the next session has the connection of the last one, or a new one.
fn nobody_finds_what_a_session_left(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 1") else { return };
    for alias in ["default", "blog_db"] {
        for (leave, see) in leftovers(engine) {
            // Past all classification, as the next user of the pool would see it.
            let seen = || {
                let mut conn = world.databases.pool(alias).unwrap().get().unwrap();
                let see = see.replace("WHERE ''", "WHERE ''=''").replace("AND ''", "AND ''=''");
                let see = match see.strip_suffix(" -- ") {
                    Some(whole) => format!("SELECT {whole}"),
                    None if see.contains(" FROM ") => {
                        format!("SELECT {}", see.replacen(" FROM ", " AS value FROM ", 1))
                    }
                    None => format!("SELECT {see} AS value"),
                };
                let rows = diesel::sql_query(see)
                    .load::<Row>(&mut conn)
                    .unwrap_or_else(|error| panic!("{leave}: {error}"));
                rows.into_iter().next().and_then(|row| row.value).unwrap_or_default()
            };
            let before = seen();
            let mut conn = world.session();
            // For what asks about an earlier statement.
            run(&mut conn.using(alias).unwrap(), "SELECT 1").unwrap();
            run(&mut conn.using(alias).unwrap(), leave).unwrap();
            drop(conn);
            assert_eq!(seen(), before, "`{leave}` on `{alias}`");
        }
        // A session that left nothing keeps its connection.
        let serial = || {
            let mut conn = world.session();
            let id = match engine {
                Engine::Sqlite => return String::new(),
                Engine::Postgres => "CAST(pg_backend_pid() AS TEXT)",
                Engine::MariaDb => "CAST(CONNECTION_ID() AS CHAR)",
            };
            ask(&mut conn.using(alias).unwrap(), id).unwrap().unwrap()
        };
        let first = serial();
        insert(&mut world.session(), if alias == "default" { "users" } else { "posts" });
        assert_eq!(serial(), first);
    }
}

fn an_effect_without_a_table_goes_nowhere_in_silence(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let refused: &[&str] = match engine {
        Engine::Sqlite => &[
            "PRAGMA foreign_keys = ON",
            "VACUUM",
            "ATTACH ':memory:' AS extra",
            "SELECT order_total(1)",
            "SELECT refresh()",
            "SELECT \"archive\"(1)",
            "EXPLAIN PRAGMA recursive_triggers = 1",
        ],
        Engine::Postgres => &[
            "LISTEN orders",
            "NOTIFY orders",
            "SELECT pg_notify('orders', '')",
            "SET app.tenant = '7'",
            "RESET ALL",
            "SELECT set_config('app.tenant', '7', false)",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_advisory_xact_lock(1)",
            "DO $$ BEGIN END $$",
            "CALL refresh()",
            "SELECT order_total(1)",
            "SELECT shop.order_total(1)",
            "SELECT archive(1)",
            "SELECT \"archive\"(1)",
            "SELECT notify('x')",
            "SELECT * FROM refresh()",
            "SELECT nextval('tickets')",
            "CREATE SCHEMA extra",
            "CHECKPOINT",
        ],
        Engine::MariaDb => &[
            "SET time_zone = '+09:00'",
            "SET @mine = 1",
            "DO SLEEP(0)",
            "CALL refresh()",
            "SELECT GET_LOCK('mine', 0)",
            "SELECT order_total(1)",
            "SELECT archive(1)",
            "SELECT `archive`(1)",
            "SELECT `count`(1)",
            "SELECT st_charge(1)",
            "SELECT /*! order_total(1) */",
            "SELECT 1 /*!80000 , order_total(1) */",
            "SELECT 1 /*M! , order_total(1) */",
            "FLUSH STATUS",
        ],
    };
    for sql in refused {
        assert_eq!(run(&mut world.session(), sql), Err(ErrorKind::NoDatabase), "{sql}");
    }
    if engine == Engine::MariaDb {
        assert_eq!(run(&mut world.session(), "USE mysql"), Err(ErrorKind::SwitchesDatabase));
    }
    let harmless: &[&str] = match engine {
        Engine::Sqlite => {
            &["SELECT 1", "SELECT sqlite_version()", "SELECT upper('x'), abs(-1)", "PRAGMA user_version"]
        }
        Engine::Postgres => &[
            "SELECT 1",
            "SELECT now(), version()",
            "SHOW search_path",
            "VALUES (1)",
            "SELECT coalesce(NULL, upper('x')), count(*), extract(year FROM now())",
            "SELECT CAST('1' AS numeric(4, 1)), trim(BOTH FROM ' x '), row(1, 2), ARRAY[1]",
            "SELECT * FROM generate_series(1, 3)",
            "SELECT current_user, current_date",
        ],
        Engine::MariaDb => &[
            "SELECT 1",
            "SELECT NOW(), VERSION()",
            "SHOW TABLES",
            "SELECT IF(1, CONCAT('a', 'b'), 'c')",
            "SELECT @@version",
            "SELECT @@`version`",
            "SELECT 1 FROM DUAL",
            "SELECT TIMESTAMPDIFF(SECOND, NOW(), NOW()), GET_FORMAT(DATE, 'USA'), SYSDATE()",
            "SELECT COLUMN_JSON(COLUMN_CREATE('a', 1)), ST_AsText(ST_GeomFromText('POINT(1 1)'))",
            "DESCRIBE information_schema.tables",
        ],
    };
    for sql in harmless {
        assert_eq!(run(&mut world.session(), sql), Ok(()), "{sql}");
    }
    // In an open transaction, and by hand, it is plain where it goes.
    let sql = refused[0];
    run(&mut world.session().using("blog_db").unwrap(), sql).unwrap();
    if engine != Engine::Sqlite {
        let mut conn = world.session();
        conn.transaction::<_, diesel::result::Error, _>(|conn| {
            assert_eq!(run(conn, sql), Err(ErrorKind::NoDatabase), "no database is open yet");
            insert(conn, "posts");
            run(conn, sql).unwrap();
            Ok(())
        })
        .unwrap();
    }
    // With one database there is no doubt.
    let one = world.yaml.split("  blog_db").next().unwrap().to_owned();
    let config = Config::loader().yaml(one, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config).build().unwrap();
    run(&mut databases.session(), sql).unwrap();
}

fn a_function_of_an_app_goes_to_its_database(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let routed = |sql: &str| {
        let conn = world.session();
        let explanation = conn.explain(&diesel::sql_query(sql)).unwrap();
        explanation.alias().map(ToString::to_string).map_err(|_| explanation.reason().to_owned())
    };
    assert_eq!(routed("SELECT user_total(1)"), Ok("default".to_owned()));
    assert_eq!(routed("SELECT POST_total(1)"), Ok("blog_db".to_owned()));
    assert_eq!(routed("SELECT post_total(id) FROM posts"), Ok("blog_db".to_owned()));
    assert!(routed("SELECT user_total(id) FROM posts").unwrap_err().contains("`user_total`"));
    assert!(routed("SELECT other_total(1)").unwrap_err().contains("`other_total`"));
    if engine != Engine::Sqlite {
        assert_eq!(routed("CALL post_refresh(1)"), Ok("blog_db".to_owned()));
    }
}

fn state_that_is_lost_is_missed(engine: Engine) {
    let Some(world) = Two::start(engine, "max_size: 2") else { return };
    let (leave, kill) = match engine {
        Engine::Sqlite => return,
        Engine::Postgres => ("SET app.tenant = '7'", "SELECT pg_terminate_backend(pg_backend_pid())"),
        Engine::MariaDb => ("SET @mine = 7", "KILL CONNECTION_ID()"),
    };
    let mut conn = world.session();
    run(&mut conn.using("blog_db").unwrap(), leave).unwrap();
    let died = conn.using("blog_db").unwrap().batch_execute(kill);
    assert!(died.is_err(), "the connection is gone");
    assert_eq!(run(&mut conn, "SELECT id FROM posts"), Err(ErrorKind::StateLost));
    assert_eq!(run(&mut conn, "SELECT id FROM users"), Ok(()), "nothing was left there");
    assert_eq!(run(&mut conn, "INSERT INTO posts (name) VALUES ('x')"), Err(ErrorKind::StateLost));
    conn.release();
    assert_eq!(run(&mut conn, "SELECT id FROM posts"), Ok(()));
}

fn a_setting_is_asked_where_it_was_made(engine: Engine) {
    let Some(world) = Two::start(engine, "") else { return };
    let (set, other, asks): (_, _, &[&str]) = match engine {
        Engine::Sqlite => ("PRAGMA cache_size = 77", "PRAGMA cache_size = 78", &["PRAGMA cache_size"]),
        Engine::Postgres => (
            "SET app.tenant = '77'",
            "SET app.tenant = '78'",
            &["SELECT current_setting('app.tenant') AS value", "SHOW app.tenant"],
        ),
        Engine::MariaDb => (
            "SET SESSION wait_timeout = 77",
            "SET @@wait_timeout = 78",
            &[
                "SELECT CAST(@@wait_timeout AS CHAR) AS value",
                "SELECT CAST(@@session.`wait_timeout` AS CHAR) AS value",
            ],
        ),
    };
    let mut conn = world.session();
    run(&mut conn.using("blog_db").unwrap(), set).unwrap();
    run(&mut conn, "SELECT id FROM users").unwrap();
    let routed = |conn: &Session, sql: &str| {
        let explanation = conn.explain(&diesel::sql_query(sql)).unwrap();
        explanation.alias().map(ToString::to_string).map_err(|_| explanation.reason().to_owned())
    };
    for sql in asks {
        assert_eq!(routed(&conn, sql), Ok("blog_db".to_owned()), "{sql}");
        if sql.ends_with("value") {
            assert_eq!(load(&mut conn, sql), text("77"), "{sql}");
        }
    }
    if engine == Engine::Postgres {
        let with_table = "SELECT id FROM users WHERE name = current_setting('app.tenant', true)";
        assert_eq!(run(&mut conn, with_table), Err(ErrorKind::NoAnswer));
        assert_eq!(run(&mut conn, &with_table.replace("users", "posts")), Ok(()));
    }
    // The last one counts, and with its connection it is gone.
    run(&mut conn.using("default").unwrap(), other).unwrap();
    assert_eq!(routed(&conn, asks[0]), Ok("default".to_owned()));
    conn.release();
    assert_eq!(routed(&conn, asks[0]), Ok("default".to_owned()));
    // What the session carries is everywhere.
    if engine == Engine::Postgres {
        let mut conn = world.session();
        conn.set("app.tenant", "79").unwrap();
        assert_eq!(load(&mut conn.using("blog_db").unwrap(), asks[0]), text("79"));
        assert_eq!(load(&mut conn, asks[0]), text("79"));
    }
}

#[test]
fn mariadb_answers_how_the_last_statement_ended() {
    let Some(world) = Two::start(Engine::MariaDb, "") else { return };
    let mut conn = world.session();
    insert(&mut conn, "users");
    let three = diesel::sql_query("INSERT INTO posts (name) VALUES ('a'), ('b'), ('c')");
    assert_eq!(three.execute(&mut conn), Ok(3));
    assert_eq!(ask(&mut conn, "CAST(ROW_COUNT() AS CHAR)"), text("3"));
    assert_eq!(ask(&mut conn, "CAST(@@identity AS CHAR)"), text("1"));
    assert_eq!(ask(&mut conn, "CAST(@@session.last_insert_id AS CHAR)"), text("1"));
    run(&mut conn, "SELECT SQL_CALC_FOUND_ROWS id FROM posts LIMIT 1").unwrap();
    assert_eq!(ask(&mut conn, "CAST(FOUND_ROWS() AS CHAR)"), text("3"));
    run(&mut conn, "DROP TABLE IF EXISTS posts_of_old").unwrap_err();
    run(&mut conn.using("blog_db").unwrap(), "DROP TABLE IF EXISTS posts_of_old").unwrap();
    assert_eq!(ask(&mut conn, "CAST(@@warning_count AS CHAR)"), text("1"));
    assert_eq!(run(&mut conn, "SHOW WARNINGS"), Ok(()));
    for sql in ["SHOW WARNINGS", "SHOW COUNT(*) ERRORS", "SELECT @@error_count", "SELECT FOUND_ROWS()"] {
        assert_eq!(run(&mut world.session(), sql), Err(ErrorKind::NoAnswer), "{sql}");
    }

    run(&mut conn.using("blog_db").unwrap(), "SET @x = 5").unwrap();
    run(&mut conn, "SELECT id FROM users").unwrap();
    assert_eq!(ask(&mut conn, "CAST(@x AS CHAR)"), text("5"));
    assert_eq!(run(&mut conn, "UPDATE users SET name = @x"), Err(ErrorKind::NoAnswer));
    run(&mut conn, "UPDATE posts SET name = @x").unwrap();
    assert_eq!(ask(&mut world.session(), "CAST(@x AS CHAR)"), Ok(None));
}

#[test]
fn mariadb_answers_each_variable_where_it_was_set() {
    let Some(world) = Two::start(Engine::MariaDb, "") else { return };
    world.on("blog_db", "CREATE PROCEDURE post_count (OUT n INTEGER) SET n = 3");
    let mut conn = world.session();
    run(&mut conn.using("blog_db").unwrap(), "SET @x = 5").unwrap();
    run(&mut conn.using("default").unwrap(), "SELECT 6 INTO @`y`").unwrap();
    run(&mut conn, "CALL post_count(@n)").unwrap();
    for (name, value) in [("@x", "5"), ("@`X`", "5"), ("@'x'", "5"), ("@y", "6"), ("@n", "3")] {
        assert_eq!(ask(&mut conn, &format!("CAST({name} AS CHAR)")), text(value), "{name}");
    }
    assert_eq!(ask(&mut conn, "CONCAT(@x, @n)"), text("53"));
    assert_eq!(ask(&mut conn, "CONCAT(@x, @y)"), Err(ErrorKind::NoAnswer));
    assert_eq!(run(&mut conn, "UPDATE users SET name = @n"), Err(ErrorKind::NoAnswer));
    run(&mut conn, "UPDATE users SET name = @y").unwrap();
    conn.release();
    assert_eq!(ask(&mut conn, "CAST(@x AS CHAR)"), Err(ErrorKind::NoAnswer));
}

#[test]
fn mariadb_has_a_variable_of_the_session_on_each_connection() {
    let Some(world) = Two::start(Engine::MariaDb, "") else { return };
    for table in ["users", "posts"] {
        insert(&mut world.session(), table);
    }
    let mut conn = world.session();
    conn.set("@tenant", "7").unwrap();
    assert_eq!(ask(&mut conn, "CAST(@tenant AS CHAR)"), text("7"));
    run(&mut conn.using("blog_db").unwrap(), "SET @x = 5").unwrap();
    for table in ["users", "posts"] {
        let asked = format!("SELECT CAST(@Tenant AS CHAR) AS value FROM {table}");
        assert_eq!(load(&mut conn, &asked), text("7"), "{table}");
    }
    assert_eq!(ask(&mut conn, "CAST(@tenant AS CHAR)"), text("7"));
    assert_eq!(ask(&mut conn, "CONCAT(@tenant, @x)"), text("75"));
}

/// `AnyConnection` over databases of one engine reads that engine's dialect, whichever features are on.
#[test]
fn mariadb_is_read_in_its_own_dialect() {
    let Some(world) = Two::start(Engine::MariaDb, "max_size: 1") else { return };
    let mut conn = world.session();
    insert(&mut conn, "posts");
    assert_eq!(ask(&mut conn, "CAST(@@`identity` AS CHAR)"), text("1"));
    assert_eq!(ask(&mut conn, "CAST(@@session.`identity` AS CHAR)"), text("1"));
    assert_eq!(load(&mut conn, "SELECT name AS value FROM posts LOCK IN SHARE MODE"), text("new"));
    run(&mut conn.using("blog_db").unwrap(), "LOCK TABLES posts READ").unwrap();
    drop(conn);
    world.on("blog_db", "INSERT INTO posts (name) VALUES ('next')");
}

#[test]
fn sqlite_counts_the_changes_of_the_last_statement() {
    let Some(world) = Two::start(Engine::Sqlite, "") else { return };
    let mut conn = world.session();
    run(&mut conn, "INSERT INTO posts (name) VALUES ('a'), ('b'), ('c')").unwrap();
    insert(&mut conn, "users");
    assert_eq!(ask(&mut conn, "CAST(changes() AS TEXT)"), text("1"));
    run(&mut conn, "UPDATE posts SET name = 'd'").unwrap();
    assert_eq!(ask(&mut conn, "CAST(changes() AS TEXT)"), text("3"));
    assert_eq!(ask(&mut conn, "CAST(last_insert_rowid() AS TEXT)"), text("1"), "the last insert was a user");
}

diesel::define_sql_function! {
    fn last_insert_rowid() -> diesel::sql_types::BigInt;
}
diesel::define_sql_function! {
    fn last_insert_id() -> diesel::sql_types::Unsigned<diesel::sql_types::BigInt>;
}
diesel::table! {
    users { id -> Integer, name -> Nullable<Text> }
}
diesel::table! {
    posts { id -> Integer, name -> Nullable<Text> }
}

/// The same in Diesel's own words, on the connections of one engine.
#[test]
fn diesels_own_queries_ask_the_right_connection() {
    let new = Some("new");
    if let Some(world) = Two::start(Engine::Sqlite, "") {
        let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
        let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();
        let mut conn = databases.session();
        diesel::insert_into(users::table).values(users::name.eq(new)).execute(&mut conn).unwrap();
        for _ in 0..3 {
            diesel::insert_into(posts::table).values(posts::name.eq(new)).execute(&mut conn).unwrap();
        }
        assert_eq!(diesel::select(last_insert_rowid()).get_result::<i64>(&mut conn), Ok(3));
        let returned = diesel::insert_into(users::table).values(users::name.eq(new)).returning(users::id);
        assert_eq!(returned.get_result::<i32>(&mut conn), Ok(2));
        assert_eq!(diesel::select(last_insert_rowid()).get_result::<i64>(&mut conn), Ok(2));
        assert!(diesel::select(last_insert_rowid()).get_result::<i64>(&mut databases.session()).is_err());
    }
    if let Some(world) = Two::start(Engine::MariaDb, "") {
        let config = Config::loader().yaml(&world.yaml, "databases.yml").load().unwrap();
        let databases = Databases::<MysqlConnection>::builder(config).build().unwrap();
        let mut conn = databases.session();
        diesel::insert_into(users::table).values(users::name.eq(new)).execute(&mut conn).unwrap();
        for _ in 0..3 {
            diesel::insert_into(posts::table).values(posts::name.eq(new)).execute(&mut conn).unwrap();
        }
        assert_eq!(diesel::select(last_insert_id()).get_result::<u64>(&mut conn), Ok(3));
        let changed = diesel::update(posts::table).set(posts::name.eq(Some("last"))).into_boxed();
        let changed = changed.filter(diesel::dsl::sql::<diesel::sql_types::Bool>("id = last_insert_id()"));
        assert_eq!(changed.execute(&mut conn), Ok(1));
        assert!(diesel::select(last_insert_id()).get_result::<u64>(&mut databases.session()).is_err());
    }
}

#[test]
fn sqlite_defers_foreign_keys_in_the_transaction_that_asks_for_it() {
    let Some(world) = Two::start(Engine::Sqlite, "max_size: 1") else { return };
    world.on("blog_db", "PRAGMA foreign_keys = ON");
    world.on("blog_db", "DROP TABLE posts");
    world.on("blog_db", "CREATE TABLE posts (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES posts (id))");
    let mut conn = world.session();
    let child_first = |conn: &mut Session| {
        conn.batch_execute("INSERT INTO posts (id, parent) VALUES (2, 1)")?;
        conn.batch_execute("INSERT INTO posts (id, parent) VALUES (1, NULL)")
    };
    assert!(conn.transaction(child_first).is_err(), "the keys are checked at once");
    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        conn.transaction::<(), diesel::result::Error, _>(|conn| {
            conn.batch_execute("PRAGMA defer_foreign_keys = OFF")?;
            Err(diesel::result::Error::RollbackTransaction)
        })
        .unwrap_err();
        conn.batch_execute("PRAGMA defer_foreign_keys = ON")?;
        child_first(conn)
    })
    .unwrap();
    assert!(
        conn.transaction(|conn| conn.batch_execute("INSERT INTO posts (id, parent) VALUES (3, 9)")).is_err()
    );
}
