//! Statements that name no table, in a file of several databases: which go to the default one, and which are refused.

use router_diesel::Routing;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;

fn routing(scheme: &str) -> Routing {
    let url = |name: &str| match scheme {
        "sqlite" => format!("sqlite://db/{name}.sqlite3"),
        _ => format!("{scheme}://u@h/{name}"),
    };
    let yaml = format!(
        "unrouted: error
apps: {{ users: {{ tables: [users], functions: ['user_*'] }}, blog: {{ tables: [posts], functions: [blog.total] }} }}
databases:
  default: {{ url: '{}', apps: [users] }}
  blog_db: {{ url: '{}', apps: [blog] }}
",
        url("main"),
        url("blog")
    );
    Routing::new(Config::from_yaml(&yaml).unwrap()).unwrap()
}

/// Each statement with where it goes, or the code of why it is refused.
fn check(dialect: Dialect, expected: &str, statements: &[&str]) {
    let routing = routing(dialect.as_str());
    let mut wrong = Vec::new();
    for sql in statements {
        let explanation = routing.explain_sql(sql, dialect);
        let found = match explanation.alias() {
            Ok(alias) => alias.to_string(),
            Err(error) => error.code().to_owned(),
        };
        if found != expected {
            wrong.push(format!("{sql}: {found}, not {expected} ({})", explanation.reason()));
        }
    }
    assert!(wrong.is_empty(), "{dialect}:\n{}", wrong.join("\n"));
}

#[test]
fn what_has_no_effect_goes_to_the_default_database() {
    check(
        Dialect::Postgres,
        "default",
        &[
            "SELECT 1",
            "SELECT $1::int + 1",
            "SELECT pg_typeof(1), gen_random_uuid(), random(), pg_sleep(0)",
            "SELECT jsonb_build_object('a', 1), jsonb_set('{}', '{a}', '1'), '{}'::jsonb -> 'a'",
            "SELECT array_agg(x), string_agg(x::text, ',') FROM unnest(ARRAY[1]) AS x",
            "SELECT to_tsvector('x') @@ to_tsquery('x')",
            "SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT 2), 1 IN (1, 2), 1 = ANY (ARRAY[1])",
            "SELECT current_setting('a.b', true), pg_backend_pid(), current_database(), inet_server_port()",
            "SELECT 'pg_class'::regclass::text, CAST('1' AS numeric(4, 1)), varchar(10) 'x', int4(1), text(1)",
            "SELECT make_interval(days := 2), make_date(2024, 1, 1), interval '1 day', age(now())",
            "SELECT to_char(now(), 'YYYY'), date_trunc('day', now()), now() AT TIME ZONE 'UTC', extract(epoch FROM now())",
            "SELECT substring('abc' FROM 2), position('a' IN 'abc'), overlay('abc' PLACING 'x' FROM 1), trim(LEADING 'a' FROM 'aab')",
            "SELECT CASE WHEN true THEN 1 END, coalesce(NULL, 1), nullif(1, 1), greatest(1, 2), least(1, 2)",
            "SELECT ROW(1, 2) = ROW(1, 2), (ARRAY[1, 2])[1], ARRAY(SELECT 1)",
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x), min(x) FILTER (WHERE x > 1) FROM (VALUES (1.0)) AS t (x)",
            "SELECT row_number() OVER (), lag(x) OVER (ORDER BY x) FROM generate_series(1, 2) AS g (x)",
            "SELECT t.* FROM json_to_recordset('[]') AS t (a int, b text)",
            "SELECT pg_size_pretty(1::bigint), count(*) FROM pg_catalog.pg_class",
            "SELECT pg_catalog.lower('X')",
            "WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
            "SHOW ALL",
            "SHOW search_path",
            "VALUES (1), (2)",
            "EXPLAIN SELECT 1",
            "EXPLAIN SELECT order_total(1)",
            "SELECT user_total(1)",
            "CALL user_refresh(1)",
            "SELECT \"lower\"('X'), count (*), left('a', 1), row(1, 2), grouping(x) FROM (VALUES (1)) AS v (x) GROUP BY ROLLUP (x)",
            "SELECT xmlelement(name a, 'x'), xmlforest('a' AS b), xmlparse(CONTENT '<a/>'), normalize('a', NFC)",
            "SELECT timestamp(3) '2020-01-01', '1 day'::interval day to second(3), 1::bit(3), '{}'::varchar(3)[]",
            "SELECT x FROM (VALUES (1)) AS v (x) GROUP BY GROUPING SETS ((x), ())",
            "SELECT sum(1) FILTER (WHERE true) OVER (w) FROM (VALUES (1)) v(x) WINDOW w AS (PARTITION BY x)",
            "SELECT count(*) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING EXCLUDE TIES), x LIKE ('a') FROM (VALUES ('a')) v(x)",
            "SELECT 1 WHERE 'a' NOT LIKE ('b') AND 1 BETWEEN (0) AND (2) AND NOT (false) ORDER BY (1) LIMIT (1) OFFSET (0)",
            "SELECT collation for ('a'), 'a' SIMILAR TO ('a'), (SELECT 1) IN (1), 1 = ALL (ARRAY[1])",
        ],
    );
    check(
        Dialect::Mysql,
        "default",
        &[
            "SELECT 1 FROM DUAL",
            "SELECT JSON_EXTRACT('{}', '$.a'), JSON_OBJECT('a', 1), JSON_ARRAYAGG(1)",
            "SELECT DATE_ADD(NOW(), INTERVAL 1 DAY), TIMESTAMPDIFF(DAY, NOW(), NOW()), UTC_TIMESTAMP(), CURRENT_TIMESTAMP(6)",
            "SELECT GROUP_CONCAT(1 SEPARATOR ','), CONVERT('a' USING utf8mb4), CONVERT(1, CHAR(2)), CAST('1' AS SIGNED)",
            "SELECT CHAR(65), UUID(), IFNULL(1, 2), IF(1, 2, 3), FIELD('a', 'b'), NULLIF(1, 1), COALESCE(1), ISNULL(1)",
            "SELECT ST_AsText(POINT(1, 2)), ROW_NUMBER() OVER ()",
            "SELECT LEFT('a', 1), RIGHT('a', 1), REPEAT('a', 2), REPLACE('a', 'b', 'c'), INSERT('abc', 1, 1, 'x'), MID('a', 1)",
            "SELECT SUBSTRING('a' FROM 1), TRIM(BOTH ' ' FROM ' x '), EXTRACT(YEAR FROM NOW()), YEAR(NOW()), DATE(NOW())",
            "SELECT DATABASE(), USER(), CURRENT_USER(), VERSION(), CONNECTION_ID(), SLEEP(0), RAND()",
            "SELECT @@sql_mode, @@global.max_connections",
            "SHOW VARIABLES LIKE 'x'",
            "SHOW STATUS",
            "SHOW DATABASES",
            "SHOW PROCESSLIST",
            "EXPLAIN SELECT 1",
            "SELECT user_total(1)",
            "SELECT @@`version`, @@session.`sql_mode`",
            "SELECT SYSDATE(), GET_FORMAT(DATE, 'USA'), CONVERT('1', DECIMAL(4, 1)), CAST('1' AS NCHAR(2))",
            "SELECT COLUMN_JSON(COLUMN_CREATE('a', 1)), COLUMN_GET(COLUMN_ADD('', 'a', 1), 'a' AS INT), COLUMN_LIST('')",
            "SELECT ST_Distance_Sphere(POINT(1, 1), POINT(2, 2)), MBRContains(POINT(1, 1), POINT(1, 1)), ST_GeomFromGeoJSON('{}')",
            "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$', b VARCHAR(10) PATH '$')) AS t",
            "SELECT INTERVAL(23, 1, 15), 5 DIV (2), 5 MOD (2), 1 XOR (0), 'a' RLIKE ('a'), BINARY ('a')",
            "SELECT /*!50000 1 */, /*!80000 UPPER('a'), */ 1",
            "SHOW TABLES FROM mysql",
            "SHOW TABLES FROM main",
            "SHOW TABLE STATUS IN `main` LIKE 'x'",
            "SHOW CREATE DATABASE main",
            "SHOW TABLES",
        ],
    );
    check(
        Dialect::Mysql,
        "blog_db",
        &[
            "SHOW TABLES FROM blog",
            "SHOW FULL TABLES IN `blog` LIKE 'p%'",
            "SHOW OPEN TABLES FROM blog",
            "SHOW TABLE STATUS FROM blog",
            "SHOW TRIGGERS FROM blog",
            "SHOW EVENTS IN blog",
            "SHOW COLUMNS FROM other FROM blog",
            "SHOW FULL FIELDS IN other IN blog",
            "SHOW INDEX FROM other FROM blog",
            "SHOW CREATE DATABASE IF NOT EXISTS blog",
            "SHOW CREATE PROCEDURE blog.p",
            "SHOW CREATE TABLE blog.other",
            "DESCRIBE blog.other",
        ],
    );
    check(
        Dialect::Mysql,
        "Unrouted",
        &["SHOW TABLES FROM elsewhere", "SHOW COLUMNS FROM other FROM elsewhere"],
    );
    check(
        Dialect::Sqlite,
        "default",
        &[
            "SELECT * FROM pragma_database_list",
            "SELECT * FROM pragma_database_list(), pragma_foreign_keys",
            "SELECT * FROM pragma_function_list() AS f",
            "SELECT glob('a', 'a'), like('a', 'a'), 'a' GLOB ('a'), 'a' NOT LIKE ('b'), \"abs\"(1), [abs](1)",
            "SELECT CAST('1' AS DECIMAL(4, 1)), 1 IS (1), 1 ORDER BY (1) LIMIT (1) OFFSET (0)",
            "SELECT 1",
            "SELECT json('{}'), json_extract('{}', '$.a'), '{}' -> 'a', json_group_array(1)",
            "SELECT strftime('%s', 'now'), julianday('now'), unixepoch(), date('now'), datetime('now', '+1 day')",
            "SELECT printf('%d', 1), format('%d', 1), iif(1, 2, 3), typeof(1), CAST(1 AS TEXT), max(1, 2), x'00', quote(1)",
            "SELECT * FROM pragma_table_info('users')",
            "SELECT * FROM json_each('[1]')",
            "SELECT group_concat('a'), total(1), random(), count(*) FROM sqlite_master",
            "PRAGMA table_list",
            "PRAGMA foreign_keys",
            "PRAGMA user_version",
            "EXPLAIN QUERY PLAN SELECT 1",
            "SELECT user_total(1)",
        ],
    );
}

#[test]
fn a_function_of_an_app_goes_where_the_app_is() {
    for dialect in Dialect::ALL {
        check(
            dialect,
            "blog_db",
            &[
                "SELECT blog.total(1)",
                "SELECT blog.TOTAL(1) + 1 AS n",
                "SELECT id, blog.total(id) FROM posts",
            ],
        );
        check(
            dialect,
            "CrossDatabaseQuery",
            &["SELECT blog.total(id) FROM users", "SELECT blog.total(user_total(1))"],
        );
    }
}

#[test]
fn what_may_have_an_effect_is_refused() {
    check(
        Dialect::Postgres,
        "CopyAsText",
        &["COPY (SELECT 1) TO STDOUT (FORMAT csv)", "COPY (SELECT order_total(1)) TO STDOUT"],
    );
    check(
        Dialect::Postgres,
        "NoDatabase",
        &[
            "LISTEN orders",
            "UNLISTEN *",
            "NOTIFY orders, 'x'",
            "SELECT pg_notify('orders', 'x')",
            "SET app.tenant = '7'",
            "SET SESSION app.tenant TO '7'",
            "SET ROLE x",
            "SET SESSION AUTHORIZATION x",
            "SET TIME ZONE 'UTC'",
            "SET NAMES 'utf8'",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "RESET app.tenant",
            "RESET ALL",
            "DISCARD ALL",
            "SELECT set_config('a.b', 'c', false)",
            "SELECT set_config('a.b', 'c', $1)",
            "SELECT set_config($1, $2, true)",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_advisory_unlock(1)",
            "SELECT pg_try_advisory_xact_lock(1)",
            "SELECT nextval('s')",
            "SELECT setval('s', 1)",
            "SELECT lo_create(0)",
            "SELECT dblink('a', 'b')",
            "SELECT pg_terminate_backend(1)",
            "SELECT pg_reload_conf()",
            "SELECT txid_current()",
            "SELECT query_to_xml('DELETE FROM users', true, true, '')",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "DEALLOCATE ALL",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "FETCH c",
            "CLOSE c",
            "DO $$ BEGIN END $$",
            "CALL refresh()",
            "SELECT order_total(1)",
            "SELECT refresh()",
            "SELECT * FROM refresh()",
            "SELECT archive(1), audit(1)",
            "SELECT \"archive\"(1)",
            "SELECT \"coalesce\"(1, 2)",
            "SELECT \"Lower\"('x')",
            "SELECT merge('x')",
            "SELECT 1 WHERE NOT ilike('a', 'b')",
            "SELECT count(*) OVER (ORDER BY 1 ROWS UNBOUNDED PRECEDING EXCLUDE TIES), over(1), filter(1), by(1), lock(1)",
            "SELECT lo_get(1)",
            "SELECT \"order_total\"(1)",
            "SELECT shop.order_total(1)",
            "SELECT * FROM order_totals(1)",
            "SELECT * FROM order_totals(1) AS t",
            "SELECT 1 WHERE order_total(1) > 0",
            "SELECT (order_total(1)).id",
            "VALUES (order_total(1))",
            "WITH x AS (SELECT order_total(1)) SELECT * FROM x",
            "SELECT CASE WHEN true THEN order_total(1) END",
            "SELECT ARRAY(SELECT order_total(1))",
            "SELECT count(order_total(1)) OVER ()",
            "EXPLAIN ANALYZE SELECT order_total(1)",
            "EXPLAIN (ANALYZE) SELECT order_total(1)",
            "SELECT 1; SELECT order_total(1)",
            "CREATE EXTENSION x",
            "CREATE SCHEMA x",
            "CREATE ROLE x",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "VACUUM",
            "ANALYZE",
            "CHECKPOINT",
            "LOAD 'x'",
            "ALTER SYSTEM SET x = 1",
            "GRANT a TO b",
        ],
    );
    check(
        Dialect::Mysql,
        "NoDatabase",
        &[
            "SET @x = 1",
            "SET NAMES utf8mb4",
            "SET CHARACTER SET utf8",
            "SET GLOBAL max_connections = 1",
            "SET SESSION sql_mode = ''",
            "SET time_zone = '+00:00'",
            "SET ROLE x",
            "SET PASSWORD = 'x'",
            "SET SESSION TRANSACTION READ ONLY",
            "DO RELEASE_LOCK('x')",
            "DO SLEEP(0)",
            "SELECT GET_LOCK('x', 0)",
            "SELECT IS_FREE_LOCK('x')",
            "SELECT 1 INTO @x",
            "SELECT @x := 1",
            "SELECT NEXTVAL(s)",
            "SELECT LAST_INSERT_ID(5)",
            "SELECT order_total(1)",
            "SELECT refresh()",
            "SELECT archive(1)",
            "SELECT `archive`(1)",
            "SELECT `count`(1)",
            "SELECT st_charge(1)",
            "SELECT mbrcharge(1)",
            "SELECT /*! order_total(1) */",
            "SELECT /*!50000 order_total(1), */ 1",
            "SELECT 1 /*!80000 , order_total(1) */",
            "SELECT /*M! order_total(1), */ 1",
            "/*!80000 SELECT order_total(1) */",
            "SELECT shop.order_total(1)",
            "CALL refresh()",
            "PREPARE s FROM 'SELECT 1'",
            "EXECUTE s",
            "EXECUTE IMMEDIATE 'SELECT 1'",
            "DEALLOCATE PREPARE s",
            "UNLOCK TABLES",
            "FLUSH PRIVILEGES",
            "KILL 1",
            "CREATE DATABASE x",
        ],
    );
    check(Dialect::Mysql, "SwitchesDatabase", &["USE blog", "use `blog`"]);
    check(
        Dialect::Sqlite,
        "NoDatabase",
        &[
            "ATTACH 'x' AS y",
            "DETACH y",
            "PRAGMA journal_mode = WAL",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA foreign_keys(1)",
            "PRAGMA main.synchronous = OFF",
            "PRAGMA wal_checkpoint",
            "PRAGMA optimize",
            "VACUUM",
            "VACUUM INTO 'x'",
            "ANALYZE",
            "REINDEX",
            "SELECT load_extension('x')",
            "SELECT order_total(1)",
            "SELECT refresh()",
            "SELECT left(1), [order_total](1)",
            "SELECT \"in\"(1)",
            "SELECT 1 IS ?, offset(1)",
            "SELECT * FROM pragma_optimize()",
            "SELECT writefile('x', 'y')",
        ],
    );
}

#[test]
fn a_question_without_a_session_has_no_answer() {
    check(
        Dialect::Postgres,
        "NoAnswer",
        &["SELECT lastval()", "SELECT currval('s')", "SELECT currval('s') + 1 AS n"],
    );
    check(
        Dialect::Mysql,
        "NoAnswer",
        &[
            "SELECT LAST_INSERT_ID()",
            "SELECT @@identity",
            "SELECT @@last_insert_id",
            "SELECT @@session.identity",
            "SELECT @@LOCAL.warning_count",
            "SELECT ROW_COUNT()",
            "SELECT FOUND_ROWS()",
            "SELECT LASTVAL(s)",
            "SELECT PREVIOUS VALUE FOR s",
            "SHOW WARNINGS",
            "SHOW WARNINGS LIMIT 1",
            "SHOW ERRORS",
            "SHOW COUNT(*) WARNINGS",
            "WITH x AS (SELECT LAST_INSERT_ID() AS id) SELECT id FROM x",
            "SELECT id FROM users WHERE id = LAST_INSERT_ID()",
            "INSERT INTO posts (user_id) VALUES (LAST_INSERT_ID())",
            "UPDATE posts SET user_id = LAST_INSERT_ID()",
        ],
    );
    check(
        Dialect::Sqlite,
        "NoAnswer",
        &[
            "SELECT last_insert_rowid()",
            "SELECT changes()",
            "SELECT total_changes()",
            "DELETE FROM posts WHERE id = last_insert_rowid()",
        ],
    );
}

#[test]
fn a_setting_of_a_transaction_has_no_effect_outside_of_one() {
    check(
        Dialect::Postgres,
        "BelongsToTransaction",
        &[
            "SET LOCAL app.tenant = '7'",
            "set local statement_timeout to 1000;",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET CONSTRAINTS ALL DEFERRED",
            "SELECT set_config('app.tenant', '7', true)",
            "SELECT set_config('app.tenant', '7', true) AS x, pg_catalog.set_config('a.b', 'c', 't')",
        ],
    );
    check(Dialect::Mysql, "BelongsToTransaction", &["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"]);
    check(
        Dialect::Sqlite,
        "BelongsToTransaction",
        &["PRAGMA defer_foreign_keys = ON", "PRAGMA main.defer_foreign_keys(1)"],
    );
}
