//! Every keyword in every place of a statement: a word that is a column's name to the server must not hide a table.

use router_core::Operation::{self, Migrate, Read, Write};
use router_diesel::statement::{Classifier, Dialect, TableName};
use sqlparser::keywords::ALL_KEYWORDS;

/// A statement in which `@` stands for the keyword: what it does, the dialects, and the tables that it names.
struct Template {
    sql: &'static str,
    operation: Operation,
    dialects: &'static [Dialect],
    tables: &'static [&'static str],
}

const ALL: &[Dialect] = &Dialect::ALL;
const PG: &[Dialect] = &[Dialect::Postgres];
const MY: &[Dialect] = &[Dialect::Mysql];
const LITE: &[Dialect] = &[Dialect::Sqlite];
const UPSERT: &[Dialect] = &[Dialect::Postgres, Dialect::Sqlite];

const POSTS: &[&str] = &["posts"];
const BOTH: &[&str] = &["posts", "tags"];

const fn template(
    operation: Operation,
    dialects: &'static [Dialect],
    sql: &'static str,
    tables: &'static [&'static str],
) -> Template {
    Template { sql, operation, dialects, tables }
}

const TEMPLATES: &[Template] = &[
    template(Read, ALL, "SELECT @ FROM posts", POSTS),
    template(Read, ALL, "SELECT id, @ FROM posts", POSTS),
    template(Read, ALL, "SELECT @, id FROM posts", POSTS),
    template(Read, ALL, "SELECT DISTINCT @ FROM posts", POSTS),
    template(Read, ALL, "SELECT p.@ FROM posts p", POSTS),
    template(Read, ALL, "SELECT posts.@, id FROM posts", POSTS),
    template(Read, ALL, "SELECT id AS @ FROM posts", POSTS),
    template(Read, ALL, "SELECT id @ FROM posts", POSTS),
    template(Read, ALL, "SELECT id AS @, id FROM posts, tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts AS @", POSTS),
    template(Read, ALL, "SELECT * FROM posts @", POSTS),
    template(Read, ALL, "SELECT * FROM posts AS @, tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts @, tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts AS @ JOIN tags ON 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts @ JOIN tags ON 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts @ LEFT JOIN tags ON 1 = 1 WHERE 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags @ ON 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags AS @ ON @.id = posts.id", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags USING (@)", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags ON posts.@ = tags.@", BOTH),
    template(Read, ALL, "SELECT @.id FROM posts AS @", POSTS),
    template(Read, ALL, "SELECT @.* FROM posts AS @, tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE @ = 1", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE id = @", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE @ IN (SELECT id FROM tags)", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE id IN (SELECT @ FROM tags)", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE @ AND EXISTS (SELECT 1 FROM tags)", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE @ IS NULL OR @ BETWEEN 1 AND 2", POSTS),
    template(Read, ALL, "SELECT * FROM posts ORDER BY @", POSTS),
    template(Read, ALL, "SELECT * FROM posts ORDER BY @ DESC LIMIT 1", POSTS),
    template(Read, ALL, "SELECT 1 FROM posts GROUP BY @ HAVING @ > 1", POSTS),
    template(Read, ALL, "SELECT count(@) FROM posts", POSTS),
    template(Read, ALL, "SELECT count(*) AS @ FROM posts", POSTS),
    template(Read, ALL, "SELECT @ + 1, 1 + @, - @ FROM posts", POSTS),
    template(Read, ALL, "SELECT 1 = @ FROM posts", POSTS),
    template(Read, ALL, "SELECT CASE WHEN @ = 1 THEN @ ELSE @ END FROM posts", POSTS),
    template(Read, ALL, "SELECT CASE @ WHEN 1 THEN 2 END FROM posts", POSTS),
    template(Read, ALL, "SELECT (@), (SELECT @ FROM tags) FROM posts", &["tags", "posts"]),
    template(Read, ALL, "SELECT (SELECT id @ FROM tags) FROM posts", &["tags", "posts"]),
    template(Read, ALL, "SELECT * FROM (SELECT @ FROM posts) AS x", POSTS),
    template(Read, ALL, "SELECT * FROM (SELECT id FROM posts) AS @, tags", BOTH),
    template(Read, ALL, "SELECT * FROM (SELECT id FROM posts) @ JOIN tags ON 1 = 1", BOTH),
    template(Read, ALL, "WITH @ AS (SELECT id FROM posts) SELECT * FROM @", POSTS),
    template(Read, ALL, "WITH c (@) AS (SELECT id FROM posts) SELECT @ FROM c, tags", BOTH),
    template(Read, ALL, "WITH a AS (SELECT 1), @ AS (SELECT id FROM posts) SELECT 1 FROM @, tags", BOTH),
    template(Read, ALL, "SELECT id FROM posts UNION SELECT @ FROM tags", BOTH),
    template(Read, ALL, "SELECT @ FROM posts UNION ALL SELECT id FROM tags ORDER BY 1", BOTH),
    template(Read, ALL, "SELECT count(*) OVER (PARTITION BY @ ORDER BY @) FROM posts", POSTS),
    template(Read, ALL, "SELECT count(*) OVER @ FROM posts WINDOW @ AS (ORDER BY id)", POSTS),
    template(Read, ALL, "SELECT CAST(@ AS char) FROM posts", POSTS),
    template(Read, ALL, "SELECT 1 FROM @, posts", &["@", "posts"]),
    template(Read, ALL, "SELECT 1 FROM posts JOIN @ ON 1 = 1", &["posts", "@"]),
    template(Read, ALL, "SELECT 1 FROM @", &["@"]),
    template(Read, ALL, "SELECT 1 FROM s.@, posts", &["s.@", "posts"]),
    template(Read, ALL, "SELECT 1 FROM @.posts, tags", &["@.posts", "tags"]),
    template(Read, ALL, "EXPLAIN SELECT @ FROM posts", POSTS),
    template(Read, PG, "SELECT extract(year FROM @) FROM posts", POSTS),
    template(Read, PG, "SELECT @ IS DISTINCT FROM id FROM posts", POSTS),
    template(Read, PG, "SELECT DISTINCT ON (@) id FROM posts", POSTS),
    template(Read, PG, "SELECT @::text FROM posts", POSTS),
    template(Read, PG, "SELECT ARRAY[@] FROM posts", POSTS),
    template(Read, PG, "SELECT * FROM posts, LATERAL (SELECT @ FROM tags) AS x", BOTH),
    template(Read, PG, "SELECT * FROM f() AS x (@ int), posts", POSTS),
    template(Read, PG, "SELECT * FROM posts AS x (@), tags", BOTH),
    template(Write, ALL, "INSERT INTO posts (@) VALUES (1)", POSTS),
    template(Write, ALL, "INSERT INTO posts (id, @) SELECT id, @ FROM tags", BOTH),
    template(Write, ALL, "INSERT INTO @ VALUES (1)", &["@"]),
    template(Write, ALL, "UPDATE posts SET @ = 1", POSTS),
    template(Write, ALL, "UPDATE posts SET id = @ WHERE @ = 1", POSTS),
    template(Write, ALL, "UPDATE posts SET id = 1, @ = (SELECT @ FROM tags)", BOTH),
    template(Write, ALL, "UPDATE @ SET id = 1", &["@"]),
    template(Write, ALL, "DELETE FROM posts WHERE @ = 1", POSTS),
    template(Write, ALL, "DELETE FROM posts WHERE id IN (SELECT @ FROM tags)", BOTH),
    template(Write, ALL, "DELETE FROM @", &["@"]),
    template(Write, UPSERT, "DELETE FROM posts RETURNING @", POSTS),
    template(
        Write,
        UPSERT,
        "INSERT INTO posts VALUES (1) ON CONFLICT (@) DO UPDATE SET @ = 1 WHERE posts.@ = 1",
        POSTS,
    ),
    template(Write, UPSERT, "INSERT INTO posts AS @ VALUES (1) ON CONFLICT DO NOTHING", POSTS),
    template(Write, UPSERT, "UPDATE posts AS @ SET id = 1 FROM tags", BOTH),
    template(Write, UPSERT, "UPDATE posts SET id = @ FROM tags WHERE @ = 1", BOTH),
    template(Write, MY, "INSERT INTO posts VALUES (1) ON DUPLICATE KEY UPDATE @ = 1", POSTS),
    template(Write, MY, "INSERT INTO posts SET @ = 1", POSTS),
    template(Write, MY, "UPDATE posts AS @, tags SET @.id = 1", BOTH),
    template(Write, MY, "REPLACE INTO posts (@) VALUES (1)", POSTS),
    template(Write, LITE, "REPLACE INTO posts (@) VALUES (1)", POSTS),
    template(Write, PG, "DELETE FROM posts AS @ USING tags WHERE 1 = 1", BOTH),
    template(Write, PG, "SELECT @ FROM posts FOR UPDATE", POSTS),
    template(Write, MY, "SELECT @ FROM posts FOR UPDATE", POSTS),
    template(
        Write,
        PG,
        "MERGE INTO posts USING tags ON posts.@ = 1 WHEN MATCHED THEN UPDATE SET @ = 1",
        BOTH,
    ),
    template(Write, PG, "WITH x AS (DELETE FROM posts RETURNING @) SELECT @ FROM x, tags", BOTH),
    template(Write, PG, "COPY posts (@) FROM STDIN", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (@ int)", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (id int, @ int REFERENCES tags (@))", BOTH),
    template(Migrate, ALL, "CREATE INDEX @ ON posts (id)", POSTS),
    template(Migrate, ALL, "CREATE INDEX i ON posts (@)", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts ADD COLUMN @ int", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts ADD COLUMN @ int REFERENCES tags (id)", BOTH),
    template(Migrate, ALL, "CREATE VIEW posts AS SELECT @ FROM tags", BOTH),
    template(Migrate, ALL, "DROP TABLE @", &["@"]),
    template(Migrate, ALL, "CREATE TABLE @ (id int)", &["@"]),
    template(Read, ALL, "SELECT id @, id FROM posts", POSTS),
    template(Read, ALL, "SELECT posts.id @ FROM posts", POSTS),
    template(Read, ALL, "SELECT count(*) @ FROM posts", POSTS),
    template(Read, ALL, "SELECT 'a' @ FROM posts", POSTS),
    template(Read, ALL, "SELECT 1 @ FROM posts", POSTS),
    template(Read, ALL, "SELECT (1) @ FROM posts", POSTS),
    template(Read, ALL, "SELECT @(id) FROM posts", POSTS),
    template(Read, ALL, "SELECT @(id), 1 FROM posts", POSTS),
    template(Read, ALL, "SELECT f(@), f(1, @), f(@, 1) FROM posts", POSTS),
    template(Read, ALL, "SELECT id, @.id FROM posts @", POSTS),
    template(Read, ALL, "SELECT p.*, @ FROM posts p", POSTS),
    template(Read, ALL, "SELECT @ || 'a' FROM posts", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE NOT @", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE id = 1 AND @ = 2", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE @ LIKE 'a'", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE id LIKE @", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE id IN (@)", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE (@)", POSTS),
    template(Read, ALL, "SELECT * FROM posts WHERE id > @ ORDER BY id", POSTS),
    template(Read, ALL, "SELECT * FROM posts ORDER BY id, @", POSTS),
    template(Read, ALL, "SELECT 1 FROM posts GROUP BY id, @", POSTS),
    template(Read, ALL, "SELECT id FROM posts LIMIT @", POSTS),
    template(Read, ALL, "SELECT id FROM posts p ORDER BY p.@ LIMIT 1", POSTS),
    template(Read, ALL, "SELECT DISTINCT id, @ FROM posts", POSTS),
    template(Read, ALL, "SELECT ALL @ FROM posts", POSTS),
    template(Read, ALL, "SELECT (SELECT 1) @ FROM posts, tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts CROSS JOIN tags AS @", BOTH),
    template(Read, ALL, "SELECT * FROM posts NATURAL JOIN tags @", BOTH),
    template(Read, ALL, "SELECT * FROM posts p, tags @ WHERE 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts p, tags @ ORDER BY 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts p, tags @ GROUP BY 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts p, tags @ LIMIT 1", BOTH),
    template(Read, ALL, "SELECT * FROM (posts @ JOIN tags ON 1 = 1)", BOTH),
    template(Read, ALL, "SELECT * FROM posts @ CROSS JOIN tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts @ NATURAL JOIN tags", BOTH),
    template(Read, ALL, "SELECT * FROM posts @ INNER JOIN tags ON 1 = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags ON @ = 1", BOTH),
    template(Read, ALL, "SELECT * FROM posts JOIN tags ON (@)", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE id = (SELECT max(@) FROM tags)", BOTH),
    template(Read, ALL, "SELECT * FROM posts WHERE EXISTS (SELECT @ FROM tags WHERE @ = 1)", BOTH),
    template(Read, ALL, "SELECT id FROM posts @ UNION SELECT id FROM tags", BOTH),
    template(Read, ALL, "SELECT id @ FROM posts UNION SELECT id FROM tags @", BOTH),
    template(Read, ALL, "SELECT id FROM posts EXCEPT SELECT id FROM tags ORDER BY @", BOTH),
    template(Read, ALL, "WITH c AS (SELECT @ FROM posts) SELECT @.id FROM c AS @, tags", BOTH),
    template(Read, ALL, "WITH c AS (SELECT id @ FROM posts) SELECT 1 FROM c @, tags", BOTH),
    template(Read, PG, "SELECT CAST(id AS @) FROM posts", POSTS),
    template(Read, PG, "SELECT id::@ FROM posts", POSTS),
    template(Read, PG, "SELECT id::@, 1 FROM posts", POSTS),
    template(Read, PG, "SELECT id COLLATE @ FROM posts", POSTS),
    template(Read, PG, "SELECT (@).id FROM posts", POSTS),
    template(Read, PG, "SELECT @[1] FROM posts", POSTS),
    template(Read, PG, "SELECT ROW(@, 1) FROM posts", POSTS),
    template(Read, PG, "SELECT id AT TIME ZONE @ FROM posts", POSTS),
    template(Read, PG, "SELECT @ '1' FROM posts", POSTS),
    template(Read, PG, "SELECT id OPERATOR(@.+) 1 FROM posts", POSTS),
    template(Read, PG, "SELECT count(*) FILTER (WHERE @ = 1) FROM posts", POSTS),
    template(Read, PG, "SELECT string_agg(id, ',' ORDER BY @) FROM posts", POSTS),
    template(Read, PG, "SELECT @ ~ 'a' FROM posts", POSTS),
    template(Read, PG, "SELECT f(@ => 1) FROM posts", POSTS),
    template(Read, PG, "SELECT id FROM posts FETCH FIRST @ ROWS ONLY", POSTS),
    template(Read, PG, "SELECT * FROM ONLY posts AS @, tags", BOTH),
    template(Read, PG, "SELECT * FROM ONLY posts @, tags", BOTH),
    template(Read, PG, "SELECT * FROM posts *, tags @", BOTH),
    template(Read, PG, "SELECT * FROM generate_series(1, 2) AS @, posts, tags", BOTH),
    template(Read, PG, "SELECT * FROM generate_series(1, 2) @, posts, tags", BOTH),
    template(Read, PG, "SELECT * FROM posts TABLESAMPLE @ (1), tags", BOTH),
    template(Read, PG, "TABLE posts UNION SELECT @ FROM tags", BOTH),
    template(Read, LITE, "SELECT * FROM posts INDEXED BY @, tags", BOTH),
    template(Read, LITE, "SELECT id IS @ FROM posts", POSTS),
    template(Read, LITE, "SELECT id FROM posts WHERE @ GLOB 'a'", POSTS),
    template(Read, LITE, "SELECT * FROM posts, json_each(@), tags", BOTH),
    template(Read, MY, "SELECT * FROM posts USE INDEX (@), tags", BOTH),
    template(Read, MY, "SELECT id DIV @ FROM posts", POSTS),
    template(Read, MY, "SELECT * FROM posts PARTITION (@), tags", BOTH),
    template(Read, MY, "SELECT STRAIGHT_JOIN @ FROM posts", POSTS),
    template(Read, MY, "SELECT SQL_NO_CACHE @ FROM posts", POSTS),
    template(Read, MY, "SELECT group_concat(@ ORDER BY @ SEPARATOR ',') FROM posts", POSTS),
    template(Read, MY, "SELECT id + INTERVAL @ DAY FROM posts", POSTS),
    template(Write, ALL, "INSERT INTO posts (id, @) VALUES (1, 2)", POSTS),
    template(Write, ALL, "INSERT INTO posts (@, id) VALUES (@, 1)", POSTS),
    template(Write, ALL, "INSERT INTO posts VALUES (@)", POSTS),
    template(Write, ALL, "UPDATE posts SET id = @, name = 1", POSTS),
    template(Write, ALL, "UPDATE posts SET id = 1 WHERE @ IS NULL", POSTS),
    template(Write, ALL, "UPDATE posts SET id = @ + 1", POSTS),
    template(Write, ALL, "DELETE FROM posts WHERE NOT @", POSTS),
    template(Write, ALL, "DELETE FROM posts WHERE posts.@ = 1", POSTS),
    template(Write, ALL, "UPDATE posts SET id = (SELECT @ FROM tags) WHERE @ = 1", BOTH),
    template(Write, ALL, "INSERT INTO posts SELECT @ FROM tags", BOTH),
    template(Write, ALL, "INSERT INTO posts SELECT id @ FROM tags", BOTH),
    template(Write, ALL, "INSERT INTO posts (@) SELECT * FROM tags AS @", BOTH),
    template(Write, ALL, "INSERT INTO posts SELECT * FROM tags @ WHERE 1 = 1", BOTH),
    template(Write, UPSERT, "INSERT INTO posts VALUES (1) RETURNING id AS @", POSTS),
    template(Write, UPSERT, "INSERT INTO posts VALUES (1) RETURNING @, id", POSTS),
    template(Write, UPSERT, "UPDATE posts SET id = 1 RETURNING @", POSTS),
    template(Write, UPSERT, "UPDATE posts SET id = 1 FROM tags AS @ WHERE 1 = 1", &["posts", "tags"]),
    template(Write, UPSERT, "UPDATE posts SET id = 1 FROM tags @ WHERE 1 = 1", &["posts", "tags"]),
    template(Write, UPSERT, "WITH c AS (SELECT @ FROM tags) UPDATE posts SET id = 1", &["posts", "tags"]),
    template(Write, UPSERT, "WITH c AS (SELECT id AS @ FROM tags) DELETE FROM posts", &["posts", "tags"]),
    template(Write, UPSERT, "WITH c AS (SELECT @ FROM tags) INSERT INTO posts SELECT 1", &["posts", "tags"]),
    template(Write, PG, "UPDATE posts @ SET id = 1", POSTS),
    template(Write, PG, "DELETE FROM posts @ WHERE 1 = 1", POSTS),
    template(Write, PG, "INSERT INTO posts VALUES (1) ON CONFLICT ON CONSTRAINT @ DO NOTHING", POSTS),
    template(Write, PG, "SELECT @ FROM posts FOR NO KEY UPDATE", POSTS),
    template(Write, PG, "SELECT id FROM posts @ FOR UPDATE", POSTS),
    template(Write, PG, "SELECT id FROM posts AS @ FOR SHARE OF @", POSTS),
    template(Write, PG, "LOCK TABLE posts IN ACCESS SHARE MODE", POSTS),
    template(Write, PG, "TRUNCATE posts", POSTS),
    template(Write, PG, "DELETE FROM posts USING tags AS @ WHERE 1 = 1", BOTH),
    template(Write, PG, "DELETE FROM posts USING tags @ WHERE 1 = 1", BOTH),
    template(Write, PG, "MERGE INTO posts AS @ USING tags ON 1 = 1 WHEN MATCHED THEN DELETE", BOTH),
    template(
        Write,
        PG,
        "MERGE INTO posts USING tags AS @ ON 1 = 1 WHEN NOT MATCHED THEN INSERT (@) VALUES (@)",
        BOTH,
    ),
    template(Write, MY, "DELETE posts FROM posts JOIN tags AS @ ON 1 = 1", BOTH),
    template(Write, MY, "UPDATE posts JOIN tags @ ON 1 = 1 SET posts.@ = 1", BOTH),
    template(Write, MY, "DELETE FROM posts USING posts JOIN tags AS @ ON 1 = 1", BOTH),
    template(Write, MY, "INSERT INTO posts SELECT @ FROM tags ON DUPLICATE KEY UPDATE @ = 1", BOTH),
    template(Migrate, ALL, "CREATE TABLE posts (id int, @ text NOT NULL)", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (id int, CONSTRAINT @ CHECK (id > 1))", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (@ int, id int)", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (id int PRIMARY KEY, @ int DEFAULT 1)", POSTS),
    template(Migrate, ALL, "CREATE UNIQUE INDEX i ON posts (id, @)", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts ADD @ int", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts DROP COLUMN @", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts RENAME COLUMN @ TO a", POSTS),
    template(Migrate, ALL, "ALTER TABLE posts RENAME COLUMN a TO @", POSTS),
    template(Migrate, ALL, "CREATE TABLE posts (id int, FOREIGN KEY (@) REFERENCES tags (@))", BOTH),
    template(
        Migrate,
        ALL,
        "CREATE TABLE posts (id int, CONSTRAINT @ FOREIGN KEY (id) REFERENCES tags (id))",
        BOTH,
    ),
    template(Migrate, ALL, "CREATE VIEW posts (@) AS SELECT id FROM tags", BOTH),
    template(Migrate, ALL, "CREATE VIEW posts AS SELECT id @ FROM tags", BOTH),
    template(Migrate, ALL, "CREATE TABLE posts AS SELECT @ FROM tags", BOTH),
    template(Migrate, PG, "ALTER TABLE posts ALTER COLUMN @ SET NOT NULL", POSTS),
    template(Migrate, PG, "COMMENT ON COLUMN posts.@ IS 'a'", POSTS),
    template(Migrate, PG, "ALTER TABLE posts ALTER @ TYPE text", POSTS),
    template(Migrate, PG, "ALTER TABLE posts ALTER COLUMN @ DROP DEFAULT", POSTS),
    template(Migrate, PG, "CREATE INDEX i ON posts USING @ (id)", POSTS),
    template(Migrate, PG, "GRANT SELECT ON posts TO a", POSTS),
    template(Migrate, PG, "GRANT SELECT (@) ON posts TO a", POSTS),
    template(Migrate, PG, "DROP TRIGGER @ ON posts", POSTS),
    template(Migrate, PG, "CREATE POLICY @ ON posts", POSTS),
    template(Migrate, MY, "ALTER TABLE posts ADD INDEX @ (id)", POSTS),
    template(Migrate, MY, "ALTER TABLE posts MODIFY @ int", POSTS),
    template(Migrate, MY, "ALTER TABLE posts CHANGE @ a int", POSTS),
    template(Migrate, MY, "ALTER TABLE posts CHANGE a @ int", POSTS),
    template(Migrate, MY, "ALTER TABLE posts ADD COLUMN a int AFTER @", POSTS),
    template(Migrate, MY, "ALTER TABLE posts DROP INDEX @", POSTS),
    template(Migrate, MY, "DROP INDEX @ ON posts", POSTS),
];

/// Words that the grammars here do not list, or list only elsewhere.
const MORE: &[&str] = &["atomic", "diagnostics", "oj", "raise", "resignal", "signal", "until", "yield"];

/// What a server reserves, so that such a statement would be refused, or means something else.
const RESERVED: &[&str] =
    &["as", "except", "from", "intersect", "into", "on", "references", "select", "table", "union", "when"];

fn is_reserved(dialect: Dialect, word: &str) -> bool {
    let here: &[&str] = match dialect {
        // `changes` is a function there, and `IS DISTINCT FROM` an operator.
        Dialect::Sqlite => &["changes", "distinct", "in", "join", "values"],
        Dialect::Postgres => &["join", "lateral", "like", "only", "using"],
        Dialect::Mysql => &["join", "like", "straight_join", "values"],
    };
    RESERVED.contains(&word) || here.contains(&word)
}

fn check_each_keyword_in_each_place(dialect: Dialect) {
    let classifier = Classifier::new(dialect);
    let mut problems = Vec::new();
    let keywords = ALL_KEYWORDS.iter().filter(|word| !word.contains('-')).chain(MORE);
    for keyword in keywords.map(|word| word.to_ascii_lowercase()).filter(|word| !is_reserved(dialect, word)) {
        for template in TEMPLATES.iter().filter(|template| template.dialects.contains(&dialect)) {
            let sql = template.sql.replace('@', &keyword);
            let statement = classifier.classify(&sql);
            let mut found: Vec<String> = statement.tables().iter().map(TableName::to_string).collect();
            let mut expected: Vec<String> =
                template.tables.iter().map(|table| table.replace('@', &keyword)).collect();
            found.sort();
            expected.sort();
            expected.dedup();
            if found != expected || statement.operation() != template.operation {
                problems.push(format!("{sql}\n    {statement:?}"));
            }
        }
    }
    assert!(problems.is_empty(), "{} problems in {dialect}:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn no_keyword_hides_a_table_in_sqlite() {
    check_each_keyword_in_each_place(Dialect::Sqlite);
}

#[test]
fn no_keyword_hides_a_table_in_postgres() {
    check_each_keyword_in_each_place(Dialect::Postgres);
}

#[test]
fn no_keyword_hides_a_table_in_mysql() {
    check_each_keyword_in_each_place(Dialect::Mysql);
}
