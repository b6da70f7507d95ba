//! What a migration writes that is no part of a schema: rows, grants, and whatever else a dump of a schema lacks.
//!
//! The words of each statement decide. A migration that only changes or deletes rows leaves none behind on a new database,
//! so it counts for nothing here.

use std::fmt;

use diesel::backend::Backend;
use router_core::Operation;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::MigrationId;
use super::migration::AppMigration;
use super::selection::{self, Found, Narrowing};
use super::sql::Script;
use crate::config::{Config, Engine};
use crate::engine::Product;
use crate::statement::{Classifier, Dialect, TableName};

/// Something that a migration writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Rows of a table.
    Rows(TableName),
    /// Who may do what.
    Grants,
    /// Something that no dump holds, or of which nobody knows what it is.
    Other(&'static str),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(table) => write!(f, "rows of `{table}`"),
            Self::Grants => f.write_str("grants"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// What the migrations write that are in folders.
pub(crate) struct Contents<DB: Backend> {
    found: Found<DB>,
}

impl<DB: Backend> Contents<DB> {
    /// Reads the folders of all apps.
    pub(crate) fn read(config: &Config) -> Self {
        let found = selection::find(config, &[], &Narrowing::default());
        // Without a source, there is none of an unknown app.
        Self { found: found.unwrap_or_else(|_| Found::nothing()) }
    }

    /// What a migration writes on a server of a product, in the order of its statements. `None` where it has no text.
    pub(crate) fn of(&self, id: &MigrationId, product: Product) -> Option<Vec<Content>> {
        let migration = self.found.apps.get(&id.app)?.iter().find(|it| it.id.version == id.version)?;
        content(migration, product)
    }

    /// What the statements of a text write.
    pub(crate) fn of_text(engine: Engine, text: &str) -> Vec<Content> {
        let script = Script::read(&Classifier::new(Dialect::from(engine)), text);
        of_script(engine, text, &script)
    }
}

fn content<DB: Backend>(migration: &AppMigration<DB>, product: Product) -> Option<Vec<Content>> {
    let engine = product.engine();
    let file = migration.up(product)?;
    Some(of_script(engine, &file.text_for(engine), file.script(engine)))
}

fn of_script(engine: Engine, text: &str, script: &Script) -> Vec<Content> {
    if script.unreadable.is_some() {
        return vec![Content::Other("what could not be read")];
    }
    let classifier = Classifier::new(Dialect::from(engine));
    let mut all: Vec<Content> = Vec::new();
    for piece in &script.statements {
        let found = text.get(piece.range.clone()).and_then(|sql| of_statement(&classifier, sql));
        all.extend(found.filter(|content| !all.contains(content)));
    }
    all
}

/// What one statement writes.
fn of_statement(classifier: &Classifier, sql: &str) -> Option<Content> {
    let Some(words) = Words::read(classifier.dialect(), sql) else {
        return Some(Content::Other("what could not be read"));
    };
    let rows = |table: Option<TableName>| {
        Some(table.map_or(Content::Other("rows of a table that could not be read"), Content::Rows))
    };
    match words.word(0)? {
        "INSERT" | "REPLACE" | "MERGE" | "LOAD" => rows(words.table_after("INTO").or_else(|| words.table(1))),
        "WITH" if words.has("INSERT") || words.has("MERGE") => rows(words.table_after("INTO")),
        "COPY" if words.has("FROM") && !words.has("TO") => rows(words.table(1)),
        "CREATE" | "ALTER" => words.definition(),
        "SELECT" | "WITH" | "VALUES" => match words.table_after("INTO") {
            Some(table) => Some(Content::Rows(table)),
            None if words.has("SET_CONFIG") => None,
            None => {
                let writes = classifier.classify(sql).operation() == Operation::Write;
                writes.then_some(Content::Other("what a function does"))
            }
        },
        "CALL" => Some(Content::Other("what a procedure does")),
        // Most blocks make a type unless it is there.
        "DO" | "BEGIN" | "EXECUTE" => {
            let text = sql.to_ascii_uppercase();
            let may_write = ["INSERT", "COPY", "MERGE", "EXECUTE", "PERFORM", "GRANT", "CALL"];
            may_write.iter().any(|word| text.contains(word)).then_some(Content::Other("what a block does"))
        }
        "GRANT" | "REVOKE" => Some(Content::Grants),
        _ => None,
    }
}

/// A word of a statement, or a sign, and how many parentheses are open around it.
struct Word {
    /// In capital letters, and nothing for a name in quotes.
    text: String,
    /// The name that it may be, without its quotes. A sign is none.
    name: Option<String>,
    depth: usize,
}

/// The words of one statement.
struct Words {
    words: Vec<Word>,
}

impl Words {
    fn read(dialect: Dialect, sql: &str) -> Option<Self> {
        let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize().ok()?;
        let mut depth = 0_usize;
        let mut words = Vec::new();
        for token in tokens {
            match token {
                Token::Whitespace(_) => {}
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(word) => {
                    let text = match word.quote_style {
                        Some(_) => String::new(),
                        None => word.value.to_ascii_uppercase(),
                    };
                    let is_quoted = word.quote_style.is_some();
                    let name = if is_quoted { word.value } else { word.value.to_lowercase() };
                    words.push(Word { text, name: Some(name), depth });
                }
                other => words.push(Word { text: other.to_string(), name: None, depth }),
            }
        }
        Some(Self { words })
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.words.get(at).map(|word| word.text.as_str())
    }

    fn is(&self, at: usize, expected: &str) -> bool {
        self.word(at) == Some(expected)
    }

    fn has(&self, expected: &str) -> bool {
        self.words.iter().any(|word| word.text == expected)
    }

    /// The table that is named here.
    fn table(&self, at: usize) -> Option<TableName> {
        let name = |at: usize| self.words.get(at)?.name.clone();
        let first = name(at)?;
        if !self.is(at + 1, ".") {
            return Some(TableName::new(first));
        }
        let second = name(at + 2)?;
        Some(TableName::qualified(first, second))
    }

    /// The table whose name follows the first word of that kind outside of parentheses.
    fn table_after(&self, word: &str) -> Option<TableName> {
        let at = self.words.iter().position(|it| it.text == word && it.depth == 0)?;
        let is_passed =
            |at: &usize| ["TABLE", "TEMP", "TEMPORARY", "UNLOGGED", "ONLY"].iter().any(|it| self.is(*at, it));
        let at = (at + 1..self.words.len()).find(|at| !is_passed(at))?;
        self.table(at)
    }

    /// What a statement writes that makes or changes something.
    fn definition(&self) -> Option<Content> {
        let is_any = |at: usize, words: &[&str]| words.iter().any(|word| self.is(at, word));
        if is_any(1, &["TEMP", "TEMPORARY"]) || is_any(2, &["TEMP", "TEMPORARY"]) {
            return None;
        }
        if self.is(1, "DEFAULT") && self.is(2, "PRIVILEGES") {
            return Some(Content::Grants);
        }
        if self.is(1, "USER") && self.is(2, "MAPPING") {
            return Some(Content::Other("a user mapping"));
        }
        if is_any(1, &["ROLE", "USER", "GROUP"]) {
            return Some(Content::Other("roles"));
        }
        if self.is(1, "SUBSCRIPTION") {
            return Some(Content::Other("a subscription"));
        }
        if self.is(0, "ALTER") {
            let is_setting = self.is(1, "DATABASE") && (self.has("SET") || self.has("RESET"));
            return is_setting.then_some(Content::Other("settings of the database"));
        }
        let table = (1..5).find(|at| self.is(*at, "TABLE"))?;
        let name = (table + 1..self.words.len()).find(|at| !is_any(*at, &["IF", "NOT", "EXISTS"]))?;
        // `CREATE TABLE … AS SELECT`; some dialects need no AS.
        let outside = || (name..self.words.len()).filter(|at| self.words[*at].depth == 0);
        let is_query = outside().any(|at| self.is(at, "SELECT")) || outside().any(|at| self.is(at, "AS"));
        let is_empty =
            outside().any(|at| self.is(at, "WITH") && self.is(at + 1, "NO") && self.is(at + 2, "DATA"));
        if is_query && !is_empty { self.table(name).map(Content::Rows) } else { None }
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    fn told(engine: Engine, text: &str) -> String {
        let found = Contents::<diesel::sqlite::Sqlite>::of_text(engine, text);
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn contents_as_data() {
        for (sql, expected) in [
            ("CREATE TABLE tags (id INT, n INT DEFAULT 1)", ""),
            ("INSERT INTO tags VALUES (1)", "rows of `tags`"),
            ("INSERT INTO blog.tags SELECT 1; INSERT INTO blog.tags VALUES (2)", "rows of `blog.tags`"),
            ("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)", "rows of `a`, rows of `b`"),
            ("WITH x AS (SELECT 1) INSERT INTO tags SELECT * FROM x", "rows of `tags`"),
            ("CREATE TABLE copy AS SELECT * FROM tags", "rows of `copy`"),
            ("CREATE TABLE IF NOT EXISTS copy AS (SELECT 1)", "rows of `copy`"),
            ("CREATE TEMPORARY TABLE copy AS SELECT * FROM tags", ""),
            ("UPDATE tags SET n = 1; DELETE FROM tags", ""),
            ("ALTER TABLE tags ADD COLUMN x INT; CREATE INDEX i ON tags (x); DROP TABLE a", ""),
            ("CREATE VIEW v AS SELECT 1", ""),
            ("CREATE TRIGGER t AFTER INSERT ON tags BEGIN INSERT INTO b VALUES (1); END", ""),
        ] {
            for &engine in Engine::ALL {
                assert_eq!(told(engine, sql), expected, "{engine}: {sql}");
            }
        }
        for (engine, sql, expected) in [
            (Engine::Postgres, "INSERT INTO \"Tags\" VALUES (1)", "rows of `Tags`"),
            (Engine::Postgres, "COPY tags (id) FROM '/x'", "rows of `tags`"),
            (Engine::Postgres, "COPY tags TO '/x'", ""),
            (Engine::Postgres, "SELECT * INTO copy FROM tags", "rows of `copy`"),
            (Engine::Postgres, "CREATE TABLE copy AS SELECT 1 WITH NO DATA", ""),
            (Engine::Postgres, "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED)", ""),
            (Engine::Postgres, "CREATE TABLE t PARTITION OF p FOR VALUES IN (1)", ""),
            (Engine::Postgres, "SELECT pg_catalog.set_config('search_path', '', false)", ""),
            (Engine::Postgres, "SELECT setval('s', 7)", "what a function does"),
            (Engine::Postgres, "DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); END $$", ""),
            (Engine::Postgres, "DO $$ BEGIN INSERT INTO tags VALUES (1); END $$", "what a block does"),
            (Engine::Postgres, "GRANT SELECT ON tags TO reader", "grants"),
            (Engine::Postgres, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader", "grants"),
            (Engine::Postgres, "CREATE ROLE reader", "roles"),
            (Engine::Postgres, "ALTER DATABASE blog SET search_path = a", "settings of the database"),
            (
                Engine::Postgres,
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ INSERT INTO t VALUES (1) $$",
                "",
            ),
            (Engine::Mysql, "INSERT tags VALUES (1)", "rows of `tags`"),
            (Engine::Mysql, "REPLACE INTO `tags` VALUES (1)", "rows of `tags`"),
            (Engine::Mysql, "CREATE TABLE copy SELECT * FROM tags", "rows of `copy`"),
            (Engine::Mysql, "CALL fill()", "what a procedure does"),
            (Engine::Mysql, "GRANT SELECT ON tags TO reader", "grants"),
            (Engine::Mysql, "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO INSERT INTO t VALUES (1)", ""),
            (Engine::Sqlite, "INSERT OR REPLACE INTO [tags] VALUES (1)", "rows of `tags`"),
            (Engine::Sqlite, "REPLACE INTO tags VALUES (1)", "rows of `tags`"),
        ] {
            assert_eq!(told(engine, sql), expected, "{engine}: {sql}");
        }
    }
}
