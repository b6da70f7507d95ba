//! What statements are: a table of them, what Diesel really emits, and hostile texts.

use proptest::prelude::*;
use proptest::sample::Index;
use router_core::Operation;
use router_diesel::statement::{Classifier, Dialect, Reading, Statement, TableName, TransactionControl};

const TABLE: &str = include_str!("statements.txt");

/// One row of the table.
struct Row {
    line: usize,
    dialects: Vec<Dialect>,
    operation: Operation,
    tables: Vec<String>,
    reading: Option<Reading>,
    session: bool,
    controls: Vec<TransactionControl>,
    sql: String,
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in TABLE.lines().enumerate() {
        if line.starts_with("#") {
            continue;
        }
        match head(number + 1, line) {
            Some(row) => rows.push(row),
            None => {
                if let Some(row) = rows.last_mut() {
                    row.sql.push_str(line);
                    row.sql.push('\n');
                }
            }
        }
    }
    for row in &mut rows {
        row.sql.truncate(row.sql.trim_end().len());
    }
    rows
}

/// `-- DIALECTS OPERATION [TABLES] …`, or a line of SQL.
fn head(line: usize, text: &str) -> Option<Row> {
    let (before, rest) = text.strip_prefix("-- ")?.split_once(" [")?;
    let (tables, behind) = rest.rsplit_once(']')?;
    let (dialects, operation) = before.split_once(' ')?;
    let operation = operation.parse().ok()?;
    let dialects = match dialects {
        "all" => Dialect::ALL.to_vec(),
        names => names.split('+').map(|name| name.parse().expect("a dialect")).collect(),
    };
    let tables = tables.split(", ").filter(|table| !table.is_empty()).map(str::to_owned).collect();
    let mut row = Row {
        line,
        dialects,
        operation,
        tables,
        reading: None,
        session: false,
        controls: Vec::new(),
        sql: String::new(),
    };
    let mut words = behind.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "by" => row.reading = Some(reading(words.next().expect("a reading"))),
            "session" => row.session = true,
            "begin" => row.controls.push(TransactionControl::Begin),
            "commit" => row.controls.push(TransactionControl::Commit),
            "rollback" => row.controls.push(TransactionControl::Rollback),
            "savepoint" => row.controls.push(TransactionControl::Savepoint),
            "rollback-to" => row.controls.push(TransactionControl::RollbackTo),
            "release" => row.controls.push(TransactionControl::Release),
            "two-phase" => row.controls.push(TransactionControl::TwoPhase),
            other => panic!("line {line}: `{other}` means nothing"),
        }
    }
    Some(row)
}

fn reading(name: &str) -> Reading {
    [Reading::Parsed, Reading::Tokens, Reading::Unreadable]
        .into_iter()
        .find(|reading| reading.as_str() == name)
        .unwrap_or_else(|| panic!("`{name}` is no reading"))
}

fn classifier(dialect: Dialect) -> Classifier {
    Classifier::new(dialect).with_write_functions(["touch_everything", "audit.audit_in_schema"])
}

fn names(statement: &Statement) -> Vec<String> {
    statement.tables().iter().map(TableName::to_string).collect()
}

/// Fails once, with everything that is wrong.
fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_statement_is_what_the_table_says() {
    let mut problems = Vec::new();
    for row in rows() {
        for &dialect in &row.dialects {
            let statement = classifier(dialect).classify(&row.sql);
            let found = (statement.operation(), names(&statement), statement.sets_session_state());
            let reading = row.reading.unwrap_or(match statement.reading() {
                Reading::Unreadable => Reading::Parsed,
                reading => reading,
            });
            if found != (row.operation, row.tables.clone(), row.session)
                || statement.reading() != reading
                || statement.transaction_controls() != row.controls
                || statement.transaction_control() != row.controls.first().copied()
                || statement.why().is_empty()
            {
                problems.push(format!("line {} in {dialect}: {}\n    {statement:?}", row.line, row.sql));
            }
        }
    }
    report(&problems);
}

#[test]
fn the_two_readings_agree_wherever_both_can_read() {
    let mut problems = Vec::new();
    let mut compared = 0;
    for row in rows() {
        for &dialect in &row.dialects {
            let classifier = classifier(dialect);
            let parsed = classifier.classify_by(Reading::Parsed, &row.sql);
            let tokens = classifier.classify_by(Reading::Tokens, &row.sql);
            let (Some(parsed), Some(tokens)) = (parsed, tokens) else { continue };
            compared += 1;
            if parsed.operation() != tokens.operation()
                || parsed.tables() != tokens.tables()
                || parsed.sets_session_state() != tokens.sets_session_state()
                || parsed.transaction_controls() != tokens.transaction_controls()
            {
                problems.push(format!(
                    "line {} in {dialect}: {}\n    {parsed:?}\n    {tokens:?}",
                    row.line, row.sql
                ));
            }
        }
    }
    report(&problems);
    assert!(compared > 390, "only {compared} statements were read alike");
}

/// What the tree can tell, the tokens must be able to tell: else the second reading would be a patchwork.
#[test]
fn the_tokens_tell_whatever_the_tree_tells() {
    let mut problems = Vec::new();
    for row in rows() {
        for &dialect in &row.dialects {
            let classifier = classifier(dialect);
            if classifier.classify_by(Reading::Parsed, &row.sql).is_some()
                && classifier.classify_by(Reading::Tokens, &row.sql).is_none()
            {
                problems.push(format!("line {} in {dialect}: {}", row.line, row.sql));
            }
        }
    }
    report(&problems);
}

#[test]
fn the_table_covers_the_dialects() {
    let rows = rows();
    assert!(rows.len() >= 180, "{} statements", rows.len());
    for dialect in Dialect::ALL {
        let count = rows.iter().filter(|row| row.dialects.contains(&dialect)).count();
        assert!(count >= 100, "{count} statements in {dialect}");
    }
}

#[test]
fn deep_nesting_is_answered() {
    const DEPTH: usize = 10_000;
    for dialect in Dialect::ALL {
        let classifier = classifier(dialect);
        let nested = |open: &str, core: &str, close: &str| {
            classifier.classify(&format!("{}{core}{}", open.repeat(DEPTH), close.repeat(DEPTH)))
        };
        assert_eq!(nested("SELECT (", "1", ")").operation(), Operation::Read);
        assert_eq!(names(&nested("(", "SELECT 1 FROM t", ")")), ["t"]);
        assert_eq!(names(&nested("SELECT * FROM (", "SELECT 1 FROM t", ") x")), ["t"]);
        assert_eq!(nested("SELECT f(", "nextval(1)", ")").reading(), Reading::Tokens);
        assert_eq!(
            names(&classifier.classify(&format!(
                "SELECT * FROM {}t{}",
                "(".repeat(DEPTH),
                ")".repeat(DEPTH)
            ))),
            ["t"]
        );
        assert_eq!(nested("(", "1", "").reading(), Reading::Unreadable);
        let chain =
            |link: &str| classifier.classify(&format!("SELECT 1 FROM t WHERE a {}", link.repeat(50_000)));
        for link in ["+ 1", "AND a ", "OR NOT a ", "|| 'x' ", "= - - 1 "] {
            assert_eq!(names(&chain(link)), ["t"], "{link}");
        }
        let unions = format!("SELECT 1 FROM t {}", "UNION SELECT 2 FROM u ".repeat(DEPTH));
        assert_eq!(names(&classifier.classify(&unions)), ["t", "u"]);
        let ctes = ["WITH x AS (", "SELECT 1 FROM t", ") SELECT 2 FROM x "];
        assert_eq!(names(&nested(ctes[0], ctes[1], ctes[2])), ["t"]);
    }
}

/// A chain of operators makes a tree as deep as it is long, which must also be walked and dropped.
#[test]
fn the_longest_chain_that_is_parsed_fits_the_stack() {
    for link in ["+1", " OR a", "||'x'", "=a", "::text", " IS NULL"] {
        let parsed = |count: usize| {
            let sql = format!("SELECT 1 FROM t WHERE a{}", link.repeat(count));
            let statement = classifier(Dialect::Postgres).classify(&sql);
            assert_eq!(names(&statement), ["t"], "{link}");
            statement.reading() == Reading::Parsed
        };
        assert!(parsed(900), "{link}");
        for count in (1_000..4_200).step_by(100) {
            parsed(count);
        }
    }
}

#[test]
fn long_texts_are_answered() {
    let long = "FROM users; ".repeat(100_000);
    for dialect in Dialect::ALL {
        let classifier = classifier(dialect);
        let literal = classifier.classify(&format!("SELECT '{long}' FROM posts -- {long}"));
        assert_eq!(names(&literal), ["posts"]);
        let values = format!("INSERT INTO posts VALUES (1, 'a'){}", ", (2, 'b')".repeat(50_000));
        assert_eq!(names(&classifier.classify(&values)), ["posts"]);
        let tables = format!("SELECT * FROM t0{}", (1..2_000).map(|n| format!(", t{n}")).collect::<String>());
        assert_eq!(classifier.classify(&tables).tables().len(), 2_000);
    }
}

#[test]
fn names_fold_as_the_server_folds_them() {
    let classify = |dialect, sql| classifier(dialect).classify(sql).tables().to_vec();
    assert_eq!(
        classify(Dialect::Postgres, "SELECT * FROM Blog.Posts"),
        [TableName::qualified("blog", "posts")]
    );
    assert_eq!(
        classify(Dialect::Postgres, "SELECT * FROM posts, POSTS, \"posts\""),
        [TableName::new("posts")]
    );
    assert_eq!(classify(Dialect::Mysql, "SELECT * FROM Posts"), [TableName::new("Posts")]);
    let [table] = classify(Dialect::Sqlite, "SELECT * FROM a.b.c").try_into().expect("one table");
    assert_eq!((table.schema(), table.name()), (Some("b"), "c"));
}

#[test]
fn reasons_say_what_decides() {
    let why = |sql: &str| classifier(Dialect::Postgres).classify(sql).why().to_owned();
    assert_eq!(why("SELECT 1"), "SELECT");
    assert_eq!(why("SELECT 1 FOR NO KEY UPDATE"), "`FOR NO KEY UPDATE` locks rows");
    assert_eq!(why("SELECT NextVal('x')"), "calls `nextval`");
    assert_eq!(why("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x"), "a CTE writes");
    assert_eq!(why("EXPLAIN ANALYZE DELETE FROM t"), "`EXPLAIN ANALYZE` runs it: DELETE");
    assert_eq!(why("INSERT INTO t VALUES (1)"), "INSERT");
    assert_eq!(why("CREATE TABLE t (a int)"), "CREATE TABLE");
    assert_eq!(why("BEGIN"), "controls a transaction");
    assert_eq!(why(""), "nothing to run");
    assert_eq!(why("HELLO"), "cannot be read: `HELLO` begins no known statement");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_has_an_answer(sql in any::<String>(), words in words()) {
        for dialect in Dialect::ALL {
            let _ = classifier(dialect).classify(&sql);
            let statement = classifier(dialect).classify(&words);
            if statement.reading() == Reading::Unreadable {
                prop_assert_eq!(statement.operation(), Operation::Write);
                prop_assert!(statement.tables().is_empty());
            }
        }
    }

    #[test]
    fn any_mutation_has_an_answer(
        row in any::<Index>(),
        edits in proptest::collection::vec((any::<Index>(), 0..4_usize, any::<Index>(), any::<char>()), 1..6),
    ) {
        let rows = rows();
        let row = row.get(&rows);
        let mut text: Vec<char> = row.sql.chars().collect();
        for (at, kind, piece, character) in edits {
            let at = at.index(text.len() + 1);
            match kind {
                0 => text.insert(at, character),
                1 => text.truncate(at),
                2 => { if at < text.len() { text.remove(at); } }
                _ => { text.splice(at..at, format!(" {} ", piece.get(PIECES)).chars()); }
            }
        }
        let sql: String = text.into_iter().collect();
        for dialect in Dialect::ALL {
            let _ = classifier(dialect).classify(&sql);
        }
    }

    /// A prefix of comments and blanks changes nothing, nor does another case of the keywords' letters.
    #[test]
    fn comments_and_blanks_change_nothing(row in any::<Index>(), blanks in "[ \t\n]{0,4}(/\\*[a-z ]{0,9}\\*/[ \n]{0,2}){0,3}") {
        let rows = rows();
        let row = row.get(&rows);
        for &dialect in &row.dialects {
            let plain = classifier(dialect).classify(&row.sql);
            let padded = classifier(dialect).classify(&format!("{blanks}{}\n{blanks}", row.sql));
            prop_assert_eq!(plain, padded);
        }
    }
}

/// A query that was made up, with the tables that it must be found to name.
#[derive(Debug, Clone, Default)]
struct MadeUp {
    sql: String,
    tables: Vec<String>,
}

impl MadeUp {
    fn join(template: &str, parts: &[Self]) -> Self {
        let mut made_up = Self::default();
        let mut parts = parts.iter();
        for (number, text) in template.split('@').enumerate() {
            if number > 0 {
                let part = parts.next().expect("a part for every place");
                made_up.sql.push_str(&part.sql);
                made_up.tables.extend(part.tables.iter().cloned());
            }
            made_up.sql.push_str(text);
        }
        made_up
    }
}

/// What may stand after FROM.
const SOURCES: &[&str] = &[
    "@",
    "@ AS a",
    "@, @ b",
    "@ a JOIN @ b ON a.x = b.x",
    "@ LEFT JOIN @ USING (x), @",
    "(@ CROSS JOIN @)",
    "json_each('FROM x') j, @",
];

/// Queries around queries. Each `@` is one.
const AROUND: &[&str] = &[
    "SELECT (@), 'FROM x' FROM t",
    "SELECT * FROM (@) AS s, (@) AS u",
    "SELECT * FROM t WHERE EXISTS (@) AND x IN (@)",
    "SELECT x FROM t JOIN (@) j ON j.x = (@)",
    "SELECT CASE WHEN x = (@) THEN coalesce((@), 1) ELSE trim((@)) END FROM t ORDER BY (@)",
    "WITH c AS (@) SELECT * FROM c",
    "WITH c AS (@), d AS (@) SELECT * FROM d, c WHERE x = (@)",
    "SELECT x FROM t GROUP BY x HAVING count(*) > (@) -- FROM x\n",
    "SELECT /* FROM ( */ x FROM t WHERE (((x))) < (@)",
];

fn query() -> impl Strategy<Value = MadeUp> {
    let table = prop_oneof![
        proptest::sample::select(vec!["posts", "users", "tags", "blog.posts"]).prop_map(|name| (name, name)),
        Just(("\u{1}order\u{1}", "order")),
        Just(("\u{1}from\u{1}.\u{1}select\u{1}", "from.select")),
    ]
    .prop_map(|(sql, name)| MadeUp { sql: sql.to_owned(), tables: vec![name.to_owned()] });
    let source = (proptest::sample::select(SOURCES), proptest::collection::vec(table, 3));
    let leaf = source.prop_map(|(source, tables)| MadeUp::join(&format!("SELECT x FROM {source}"), &tables));
    leaf.prop_recursive(4, 24, 4, |inner| {
        (proptest::sample::select(AROUND), proptest::collection::vec(inner, 4)).prop_map(
            |(around, queries)| {
                let mut made_up = MadeUp::join(around, &queries);
                if around.contains(" t ") || around.ends_with(" t") {
                    made_up.tables.push("t".to_owned());
                }
                made_up
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Both readings find exactly the tables of queries that were made up, and a change around one is a write.
    #[test]
    fn made_up_queries_are_understood(query in query()) {
        let mut tables = query.tables;
        tables.sort();
        tables.dedup();
        for (dialect, quote) in [(Dialect::Sqlite, "`"), (Dialect::Postgres, "\""), (Dialect::Mysql, "`")] {
            let sql = query.sql.replace('\u{1}', quote);
            let changes = [
                (Operation::Read, sql.clone()),
                (Operation::Read, format!("EXPLAIN {sql}")),
                (Operation::Write, format!("INSERT INTO t {sql}")),
                (Operation::Write, format!("UPDATE t SET x = ({sql})")),
                (Operation::Write, format!("DELETE FROM t WHERE x IN ({sql})")),
                (Operation::Migrate, format!("CREATE TABLE t AS {sql}")),
            ];
            for (operation, sql) in changes {
                let mut expected = tables.clone();
                if operation != Operation::Read && !expected.contains(&"t".to_owned()) {
                    expected.push("t".to_owned());
                    expected.sort();
                }
                for reading in [Reading::Parsed, Reading::Tokens] {
                    let statement = classifier(dialect).classify_by(reading, &sql);
                    let found = statement.map(|statement| {
                        let mut names = names(&statement);
                        names.sort();
                        (statement.operation(), names)
                    });
                    prop_assert_eq!(found, Some((operation, expected.clone())), "{} in {}: {}", reading, dialect, sql);
                }
            }
        }
    }
}

/// Pieces of statements, from which texts are made that look like SQL.
const PIECES: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "INSERT INTO",
    "UPDATE",
    "DELETE",
    "WITH",
    "RECURSIVE",
    "AS",
    "(",
    ")",
    ",",
    ";",
    "t",
    "a.b",
    "\"q\"",
    "`b`",
    "'x'",
    "$1",
    "?",
    "JOIN",
    "ON",
    "USING",
    "SET",
    "VALUES",
    "UNION",
    "TABLE",
    "CREATE",
    "REFERENCES",
    "FOR UPDATE",
    "EXPLAIN",
    "ANALYZE",
    "BEGIN",
    "END",
    "CASE",
    "TRIGGER",
    "FUNCTION",
    "[",
    "]",
    ".",
    "*",
    "=",
    ":=",
    "/*",
    "*/",
    "--",
    "$$",
    "INTO",
    "LIKE",
    "COPY",
    "PRAGMA",
    "GRANT",
    "COMMENT",
    "SHOW",
    "LOCK",
    "DROP",
    "ALTER",
    "{",
    "}",
    "NOT",
    "IS",
    "DISTINCT",
    "MERGE",
    "LATERAL",
    "ONLY",
    "VACUUM",
    "REINDEX",
    "TRUNCATE",
    "INDEX",
    "VIEW",
    "RULE",
    "COLUMN",
    "OWNED BY",
    "SEQUENCE",
    "DESCRIBE",
    "DECLARE",
    "PREPARE",
    "LOAD DATA",
];

fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.join(" "))
}
