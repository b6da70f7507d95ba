//! Texts that nest deeply or are long: each has an answer, on a small stack, in a debug build.

use router_core::Operation;
use router_diesel::statement::{Classifier, Dialect, Reading};

/// What comes once before, what opens, what stands in the middle, what closes, what comes once behind.
type Kind = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Ways to nest, or to write a chain whose tree is as deep as the chain is long.
const KINDS: &[Kind] = &[
    // Statements in statements.
    ("", "EXPLAIN ", "SELECT 1", "", ""),
    ("", "EXPLAIN ANALYZE ", "SELECT 1", "", ""),
    ("", "EXPLAIN (ANALYZE) ", "SELECT 1", "", ""),
    ("", "EXPLAIN QUERY PLAN ", "SELECT 1", "", ""),
    ("", "EXPLAIN FORMAT = JSON ", "SELECT 1", "", ""),
    ("", "EXPLAIN DESCRIBE DESC ", "UPDATE posts SET a = 1", "", ""),
    ("", "DESCRIBE ", "posts", "", ""),
    ("", "DESC ", "posts", "", ""),
    ("", "ANALYZE ", "SELECT 1", "", ""),
    ("", "PREPARE p AS ", "SELECT 1", "", ""),
    ("", "PREPARE p FROM ", "'SELECT 1'", "", ""),
    ("", "DECLARE c CURSOR FOR ", "SELECT 1", "", ""),
    ("", "SET STATEMENT a = 1 FOR ", "SELECT 1", "", ""),
    ("", "CREATE VIEW v AS ", "SELECT 1", "", ""),
    ("", "CREATE TABLE t AS ", "SELECT 1", "", ""),
    ("", "CREATE SCHEMA s ", "CREATE TABLE t (a INT)", "", ""),
    ("", "COPY (", "SELECT 1", ") TO STDOUT", ""),
    ("", "INSERT INTO t ", "SELECT 1", "", ""),
    ("", "CALL p(", "1", ")", ""),
    ("", "SELECT 1; ", "SELECT 1", "", ""),
    ("", ";", "SELECT 1", "", ""),
    ("", "BEGIN; ", "SELECT 1", "", ""),
    ("", "BEGIN ", "SELECT 1", "; END", ""),
    ("", "BEGIN NOT ATOMIC ", "SELECT 1", "; END", ""),
    ("", "IF 1 THEN ", "SELECT 1", "; END IF", ""),
    ("", "WHILE 1 DO ", "SELECT 1", "; END WHILE", ""),
    ("", "LOOP ", "SELECT 1", "; END LOOP", ""),
    ("", "REPEAT ", "SELECT 1", "; UNTIL 1 END REPEAT", ""),
    ("", "FOR r IN (SELECT 1) DO ", "SELECT 1", "; END FOR", ""),
    ("", "CASE WHEN 1 THEN ", "SELECT 1", "; END CASE", ""),
    ("CREATE PROCEDURE p() ", "BEGIN ", "SELECT 1", "; END", ""),
    ("CREATE PROCEDURE p() BEGIN ", "IF 1 THEN ", "SELECT 1", "; END IF", "; END"),
    ("CREATE PROCEDURE p() BEGIN ", "WHILE 1 DO ", "SELECT 1", "; END WHILE", "; END"),
    ("CREATE TRIGGER t AFTER INSERT ON posts FOR EACH ROW ", "BEGIN ", "DELETE FROM a", "; END", ""),
    ("CREATE FUNCTION f() RETURNS INT ", "BEGIN ", "RETURN 1", "; END", ""),
    ("CREATE FUNCTION f() RETURNS INT RETURN ", "(", "1", ")", ""),
    // Brackets.
    ("", "(", "SELECT 1", ")", ""),
    ("SELECT ", "(", "1", ")", ""),
    ("SELECT ", "[", "1", "]", ""),
    ("SELECT ", "ARRAY[", "1", "]", ""),
    ("SELECT ", "ARRAY(SELECT ", "1", ")", ""),
    ("SELECT ", "{", "1", "}", ""),
    ("SELECT ", "{fn f(", "1", ")}", ""),
    ("SELECT ", "f(", "1", ")", ""),
    ("SELECT ", "f(1, ", "1", ", 1)", ""),
    ("SELECT ", "f(a => ", "1", ")", ""),
    ("SELECT ", "f(DISTINCT ", "1", ")", ""),
    ("SELECT ", "case(", "1", ")", ""),
    ("SELECT ", "interval(", "1", ")", ""),
    ("SELECT ", "ROW(", "1", ")", ""),
    ("SELECT ", "CAST(", "1", " AS INT)", ""),
    ("SELECT ", "EXTRACT(YEAR FROM ", "1", ")", ""),
    ("SELECT ", "TRIM(BOTH FROM ", "1", ")", ""),
    ("SELECT ", "SUBSTRING(", "1", " FROM 1 FOR 1)", ""),
    ("SELECT ", "POSITION(1 IN ", "1", ")", ""),
    ("SELECT ", "count(*) FILTER (WHERE ", "1", ")", ""),
    ("SELECT ", "count(*) OVER (ORDER BY ", "1", ")", ""),
    ("SELECT ", "GROUP_CONCAT(a ORDER BY ", "1", ")", ""),
    ("SELECT ", "1 = ANY(", "1", ")", ""),
    ("SELECT ", "1 IN (", "1", ")", ""),
    ("SELECT ", "(1, ", "1", ")", ""),
    ("SELECT ", "JSON_OBJECT('a' VALUE ", "1", ")", ""),
    ("SELECT ", "STRUCT(", "1", ")", ""),
    ("SELECT ", "MAP {'a': ", "1", "}", ""),
    // Queries in queries.
    ("SELECT ", "(SELECT ", "1", ")", ""),
    ("SELECT ", "EXISTS (SELECT ", "1", ")", ""),
    ("SELECT ", "NOT EXISTS (SELECT 1 WHERE ", "1", ")", ""),
    ("SELECT ", "1 IN (SELECT ", "1", ")", ""),
    ("SELECT ", "1 + (SELECT a FROM posts WHERE ", "1", ")", ""),
    ("SELECT * FROM ", "(SELECT * FROM ", "posts", ") a", ""),
    ("SELECT * FROM ", "LATERAL (SELECT * FROM ", "posts", ") a", ""),
    ("SELECT * FROM ", "(", "posts", ")", ""),
    ("SELECT * FROM ", "((", "posts", ") a JOIN b ON 1 = 1)", ""),
    ("SELECT * FROM ", "(a JOIN ", "posts", " ON 1 = 1)", ""),
    ("SELECT * FROM ", "f(", "1", ")", ""),
    ("SELECT * FROM ", "TABLE(", "1", ")", ""),
    ("", "WITH a AS (", "SELECT 1", ") SELECT 1", ""),
    ("", "WITH a AS (SELECT 1) ", "SELECT 1", "", ""),
    ("", "SELECT 1 UNION (", "SELECT 1", ")", ""),
    ("", "(SELECT 1) UNION ", "SELECT 1", "", ""),
    ("", "SELECT * FROM posts WHERE a IN (", "SELECT 1", ")", ""),
    ("", "INSERT INTO t (", "SELECT 1", ")", ""),
    ("DELETE FROM posts WHERE ", "a = (", "1", ")", ""),
    ("UPDATE posts SET a = ", "(SELECT ", "1", ")", ""),
    ("INSERT INTO posts VALUES (", "(", "1", ")", ")"),
    ("MERGE INTO posts USING a ON ", "(", "1 = 1", ")", " WHEN MATCHED THEN DELETE"),
    // Prefixes.
    ("SELECT ", "NOT ", "1", "", ""),
    ("SELECT ", "- ", "1", "", ""),
    ("SELECT ", "+ ", "1", "", ""),
    ("SELECT ", "~ ", "1", "", ""),
    ("SELECT ", "! ", "1", "", ""),
    ("SELECT ", "!! ", "1", "", ""),
    ("SELECT ", "@ ", "1", "", ""),
    ("SELECT ", "|/ ", "1", "", ""),
    ("SELECT ", "||/ ", "1", "", ""),
    ("SELECT ", "@-@ ", "1", "", ""),
    ("SELECT ", "?- ", "1", "", ""),
    ("SELECT ", "BINARY ", "1", "", ""),
    ("SELECT ", "PRIOR ", "1", "", ""),
    ("SELECT ", "INTERVAL ", "'1' DAY", "", ""),
    ("SELECT ", "DATE ", "'1'", "", ""),
    ("SELECT ", "EXISTS ", "(SELECT 1)", "", ""),
    ("SELECT ", "ROW ", "(1)", "", ""),
    ("SELECT ", "DISTINCT ", "1", "", ""),
    ("SELECT ", "ALL ", "1", "", ""),
    ("SELECT ", "SELECT ", "1", "", ""),
    ("SELECT ", "CASE ", "1", " WHEN 1 THEN 1 END", ""),
    ("SELECT ", "CASE WHEN ", "1", " THEN 1 END", ""),
    ("SELECT ", "CASE WHEN 1 THEN ", "1", " END", ""),
    ("SELECT ", "CASE WHEN 1 THEN 1 ELSE ", "1", " END", ""),
    ("SELECT ", "CASE ", "1", "", ""),
    ("SELECT ", "case - ", "1", "", ""),
    ("SELECT ", "x -> ", "1", "", ""),
    ("SELECT ", "_utf8 ", "'a'", "", ""),
    ("SELECT ", "N ", "'a'", "", ""),
    ("SELECT ", "interval - ", "1", "", ""),
    ("SELECT ", "current_time(", "x", "", ""),
    ("SELECT ", "IF(current_time(", "x", "", ""),
    ("SELECT ", "cast(case(", "x", "", ""),
    // Chains.
    ("SELECT ", "1 + ", "1", "", ""),
    ("SELECT ", "1 * ", "1", "", ""),
    ("SELECT ", "1 ^ ", "1", "", ""),
    ("SELECT ", "1 || ", "1", "", ""),
    ("SELECT ", "1 AND ", "1", "", ""),
    ("SELECT ", "1 OR ", "1", "", ""),
    ("SELECT ", "1 XOR ", "1", "", ""),
    ("SELECT ", "1 = ", "1", "", ""),
    ("SELECT ", "1 < ", "1", "", ""),
    ("SELECT ", "a := ", "1", "", ""),
    ("SELECT ", "1 LIKE ", "1", "", ""),
    ("SELECT ", "1 NOT LIKE ", "1", "", ""),
    ("SELECT ", "1 IS DISTINCT FROM ", "1", "", ""),
    ("SELECT ", "1 BETWEEN 1 AND ", "1", "", ""),
    ("SELECT ", "1 BETWEEN ", "1", " AND 1", ""),
    ("SELECT ", "1 OPERATOR(pg_catalog.+) ", "1", "", ""),
    ("SELECT ", "a.", "a", "", ""),
    ("SELECT ", "1, ", "1", "", ""),
    ("SELECT ", "1 AS a, ", "1", "", ""),
    ("SELECT ", "", "a", "::int", ""),
    ("SELECT ", "", "a", "[0]", ""),
    ("SELECT ", "", "a", "[1:2]", ""),
    ("SELECT ", "", "a", ".a", ""),
    ("SELECT ", "", "(a)", ".a", ""),
    ("SELECT ", "", "a", "->'a'", ""),
    ("SELECT ", "", "a", ":a", ""),
    ("SELECT ", "", "a", " IS NULL", ""),
    ("SELECT ", "", "a", " IS NOT TRUE", ""),
    ("SELECT ", "", "a", " ISNULL", ""),
    ("SELECT ", "", "a", " COLLATE c", ""),
    ("SELECT ", "", "a", " AT TIME ZONE 'x'", ""),
    ("SELECT ", "", "a", " BETWEEN 1 AND 1", ""),
    ("SELECT ", "", "a", " IN (1)", ""),
    ("SELECT ", "", "a", " LIKE 'a'", ""),
    ("SELECT ", "", "a", " MEMBER OF (1)", ""),
    ("SELECT ", "", "a", "!", ""),
    ("SELECT ", "", "a", "(1)", ""),
    ("SELECT ", "", "a", " OVER (w)", ""),
    ("SELECT ", "'a' ", "'a'", "", ""),
    ("", "SELECT 1 UNION ", "SELECT 1", "", ""),
    ("", "SELECT 1 INTERSECT ", "SELECT 1", "", ""),
    ("", "SELECT 1 EXCEPT ALL ", "SELECT 1", "", ""),
    ("", "VALUES (1) UNION ALL ", "VALUES (1)", "", ""),
    ("", "TABLE posts UNION ", "TABLE posts", "", ""),
    ("SELECT * FROM posts", "", "", ", posts", ""),
    ("SELECT * FROM posts", "", "", " JOIN posts", ""),
    ("SELECT * FROM posts", "", "", " NATURAL JOIN posts", ""),
    ("SELECT * FROM posts", "", "", " JOIN posts ON 1 = 1", ""),
    ("SELECT * FROM posts", "", " JOIN posts", " ON 1 = 1", ""),
    ("SELECT * FROM posts ", "JOIN posts ", "JOIN posts", " ON 1 = 1", ""),
    ("SELECT * FROM posts ", "LEFT JOIN posts ", "", "USING (a) ", ""),
    ("SELECT * FROM posts ", "STRAIGHT_JOIN posts ", "", "", ""),
    ("SELECT * FROM posts ", "WHERE 1 ", "", "", ""),
    ("SELECT * FROM posts ", "|> WHERE a > 1 ", "", "", ""),
    ("SELECT * FROM posts ", "ORDER BY a LIMIT 1 ", "", "", ""),
    ("SELECT * FROM posts ", "FOR UPDATE ", "", "", ""),
    ("SELECT * FROM posts ", "PIVOT (sum(a) FOR b IN ('c')) ", "", "", ""),
    ("SELECT * FROM posts ", "TABLESAMPLE BERNOULLI (1) ", "", "", ""),
    ("SELECT * FROM posts ", "USE INDEX (a) ", "", "", ""),
    ("SELECT * FROM posts GROUP BY ", "GROUPING SETS (", "a", ")", ""),
    ("SELECT * FROM posts GROUP BY ", "ROLLUP (", "a", ")", ""),
    ("SELECT * FROM posts WINDOW ", "w AS (ORDER BY a), ", "w AS (ORDER BY a)", "", ""),
    ("SELECT * FROM posts ORDER BY ", "(", "a", ")", ""),
    ("SELECT * FROM posts LIMIT ", "(", "1", ")", ""),
    ("WITH a AS (SELECT 1)", "", "", ", a AS (SELECT 1)", " SELECT 1"),
    ("INSERT INTO posts VALUES (1)", "", "", ", (1)", ""),
    ("INSERT INTO posts (a", "", "", ", a", ") VALUES (1)"),
    ("UPDATE posts SET a = 1", "", "", ", a = 1", ""),
    ("INSERT INTO posts VALUES (1) ", "ON CONFLICT DO UPDATE SET a = 1 ", "", "", ""),
    ("MERGE INTO posts USING a ON 1 = 1 ", "WHEN MATCHED THEN UPDATE SET a = 1 ", "", "", ""),
    ("TRUNCATE ", "posts, ", "posts", "", ""),
    ("LOCK TABLES ", "posts READ, ", "posts READ", "", ""),
    ("RENAME TABLE ", "a TO b, ", "a TO b", "", ""),
    ("DROP TABLE ", "posts, ", "posts", "", ""),
    ("GRANT SELECT ON posts TO ", "a, ", "a", "", ""),
    ("SET ", "a = 1, ", "a = 1", "", ""),
    ("CALL p(", "1, ", "1", "", ")"),
    // Definitions.
    ("CREATE TABLE t (a ", "ARRAY<", "INT", ">", ")"),
    ("CREATE TABLE t (a ", "STRUCT<a ", "INT", ">", ")"),
    ("CREATE TABLE t (a ", "Nullable(", "INT", ")", ")"),
    ("CREATE TABLE t (a ", "MAP(INT, ", "INT", ")", ")"),
    ("CREATE TABLE t (a ", "TABLE(a ", "INT", ")", ")"),
    ("CREATE TABLE t (a ", "SETOF ", "INT", "", ")"),
    ("CREATE TABLE t (a INT", "", "", "[]", ")"),
    ("CREATE TABLE t (a INT ", "DEFAULT (", "1", ")", ")"),
    ("CREATE TABLE t (a INT ", "NOT NULL ", "", "", ")"),
    ("CREATE TABLE t (a INT ", "REFERENCES posts ", "", "", ")"),
    ("CREATE TABLE t (a INT CHECK ", "(", "1 = 1", ")", ")"),
    ("CREATE TABLE t (a INT", "", "", ", a INT REFERENCES posts", ")"),
    ("CREATE TABLE t ", "(", "a INT", ")", ""),
    ("CREATE INDEX i ON posts ", "(", "a", ")", ""),
    ("ALTER TABLE posts ", "ADD COLUMN a INT, ", "ADD COLUMN a INT", "", ""),
    ("ALTER TABLE posts ", "RENAME TO a, ", "RENAME TO a", "", ""),
    ("SELECT CAST(1 AS ", "ARRAY<", "INT", ">", ")"),
    ("SELECT 1::INT", "", "", "[]", ""),
    // What is no statement at all.
    ("", "/* ", "SELECT 1", " */", ""),
    ("", "/*! ", "SELECT 1", " */", ""),
    ("", "/*!50000 ", "SELECT 1", "*/", ""),
    ("", "-- a\n", "SELECT 1", "", ""),
    ("", "$a$ ", "SELECT 1", "", ""),
    ("", "$$", "", "", ""),
    ("", "'", "", "", ""),
    ("", "\"", "", "", ""),
    ("", "`", "", "", ""),
    ("", "\\", "", "", ""),
    ("", ")", "", "", ""),
    ("", "(", "", "", ""),
    ("", "a ", "", "", ""),
    ("", "a.", "", "", ""),
    ("", "1 ", "", "", ""),
    ("", ", ", "", "", ""),
    ("", "* ", "", "", ""),
    ("", "END ", "", "", ""),
    ("", "SELECT ", "", "", ""),
    ("", "FROM ", "", "", ""),
    ("", "WITH ", "", "", ""),
    ("", "WITH a AS (", "", "", ""),
    ("", "CREATE ", "", "", ""),
    ("", "SELECT * FROM ", "", "", ""),
    ("", "SELECT * FROM a WHERE ", "", "", ""),
    ("SELECT ", "(", "", "", ""),
    ("SELECT ", "CASE WHEN (", "", "", ""),
    ("SELECT * FROM ", "(", "", "", ""),
    ("SELECT * FROM ", "(a JOIN ", "", "", ""),
    ("SELECT ", "1 IN (SELECT ", "", "", ""),
    ("SELECT ", "f(SELECT ", "1", ")", ""),
    ("SELECT ", "INTERVAL (", "1", ")", ""),
    ("SELECT ", "EXISTS(", "1", ")", ""),
];

fn text((before, open, core, close, behind): Kind, depth: usize) -> String {
    format!("{before}{}{core}{}{behind}", open.repeat(depth), close.repeat(depth))
}

/// Runs on a thread with a small stack, as a service's threads have.
fn on_a_stack_of(kibibytes: usize, run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(kibibytes * 1024)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("an answer");
}

#[test]
fn however_deep_a_text_is_it_has_an_answer() {
    for depth in [1, 3, 10, 60, 400, 1_500] {
        on_a_stack_of(256, move || {
            for (kind, dialect) in KINDS.iter().flat_map(|kind| Dialect::ALL.map(|dialect| (*kind, dialect)))
            {
                let statement = Classifier::new(dialect).classify(&text(kind, depth));
                assert!(!statement.why().is_empty(), "{kind:?} in {dialect}");
            }
        });
    }
}

/// What aborted a service: 960 bytes on an ordinary thread.
#[test]
fn a_hundred_explains_have_an_answer() {
    for (kibibytes, count) in [(2_048, 28), (2_048, 119), (512, 119), (128, 10_000)] {
        on_a_stack_of(kibibytes, move || {
            for dialect in Dialect::ALL {
                let statement = Classifier::new(dialect).classify(&("EXPLAIN ".repeat(count) + "SELECT 1"));
                assert_eq!(statement.operation(), Operation::Write);
            }
        });
    }
}

#[test]
fn the_deepest_texts_have_an_answer() {
    const DEEPEST: usize = 100_000;
    let kinds: [Kind; 8] = [
        ("", "EXPLAIN ", "SELECT 1", "", ""),
        ("SELECT ", "(", "1", ")", " FROM posts"),
        ("SELECT * FROM ", "(SELECT * FROM ", "posts", ") a", ""),
        ("SELECT ", "CASE WHEN ", "1", " THEN 1 END", " FROM posts"),
        ("", "IF 1 THEN ", "SELECT 1", "; END IF", ""),
        ("SELECT ", "NOT ", "1", "", " FROM posts"),
        ("SELECT a", "", "", "::int", " FROM posts"),
        ("SELECT 1 FROM posts", "", "", " UNION SELECT 1 FROM posts", ""),
    ];
    on_a_stack_of(128, move || {
        for (number, kind) in kinds.into_iter().enumerate() {
            let dialect = Dialect::ALL[number % 3];
            let statement = Classifier::new(dialect).classify(&text(kind, DEEPEST));
            let names: Vec<_> = statement.tables().iter().map(ToString::to_string).collect();
            let expected: &[&str] = if statement.reading() == Reading::Unreadable { &[] } else { &["posts"] };
            assert_eq!(names, expected, "{kind:?}");
        }
    });
}

/// Were each name compared with all others, this would take minutes.
#[test]
fn many_distinct_tables_are_all_found() {
    const MANY: usize = 50_000;
    let list = |before: &str, each: &dyn Fn(usize) -> String, between: &str, behind: &str| {
        format!("{before}{}{behind}", (0..MANY).map(each).collect::<Vec<_>>().join(between))
    };
    let texts = [
        list("SELECT * FROM ", &|n| format!("t{n}"), ", ", ""),
        list("SELECT * FROM a JOIN ", &|n| format!("t{n} ON true"), " JOIN ", ""),
        list("", &|n| format!("SELECT 1 FROM t{n}"), " UNION ALL ", ""),
        list("INSERT INTO a VALUES ", &|n| format!("((SELECT 1 FROM t{n}))"), ", ", ""),
        list("WITH ", &|n| format!("c{n} AS (SELECT 1 FROM t{n})"), ", ", " SELECT 1 FROM a"),
        list("WITH ", &|n| format!("c{n} AS (SELECT 1 FROM t{n})"), ", ", " SELECT 1 FROM a, c7, c49999"),
        list("", &|n| format!("WITH c AS (SELECT 1 FROM t{n}) SELECT 1 FROM c"), "; ", ""),
        list(
            "",
            &|n| format!("WITH c{n} AS (SELECT 1 FROM t{n}) SELECT (("),
            "",
            &("1".to_owned() + &"))".repeat(MANY)),
        ),
        list("", &|n| format!("DELETE FROM t{n}"), "; ", ""),
        list("DROP TABLE ", &|n| format!("t{n}"), ", ", ""),
    ];
    for (number, sql) in texts.iter().enumerate() {
        let dialect = Dialect::ALL[number % 3];
        let statement = Classifier::new(dialect).classify(sql);
        let others = statement.tables().iter().filter(|table| table.name() != "a").count();
        assert_eq!(others, MANY, "{dialect}: {}", &sql[..60]);
    }
}
