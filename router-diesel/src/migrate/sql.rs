//! A file of SQL, taken apart into statements with their lines.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use router_core::Operation;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::statement::comments::meanings;
use crate::statement::{Classifier, Dialect, Reading, TableName, TransactionControl, tokens_of};

/// The statements of a file.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) statements: Vec<Piece>,
    /// Why the text could not be taken apart, so that nothing is known of it.
    pub(crate) unreadable: Option<String>,
}

/// One statement of a file.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Where in the file's text it stands.
    pub(crate) range: Range<usize>,
    pub(crate) creates: Vec<TableName>,
    pub(crate) drops: Vec<TableName>,
    /// Every table that it names, with the line of the name.
    pub(crate) mentions: Vec<Mention>,
    /// Whether it begins or ends a transaction.
    pub(crate) controls_transaction: bool,
    /// Whether it may drop tables without naming them.
    pub(crate) drops_unnamed: bool,
    /// Why it cannot be read, so that nobody knows its tables.
    pub(crate) unreadable: Option<String>,
}

/// A table that a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) table: TableName,
    pub(crate) line: u64,
    pub(crate) part: Part,
    /// The table whose constraint it is, where that is what names it.
    pub(crate) from: Option<TableName>,
}

/// What a statement does with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Creates it.
    Created,
    /// Refers to it by a constraint.
    Referenced,
    /// Changes its definition, or that of something on it.
    Altered,
    /// Reads or writes its rows.
    Used,
}

impl Script {
    /// Takes a text apart.
    pub(crate) fn read(classifier: &Classifier, text: &str) -> Self {
        let dialect = classifier.dialect();
        let (meaning, _) = meanings(dialect, text);
        let tokens = match tokens_of(dialect, &meaning.text) {
            Ok(tokens) => tokens,
            Err(reason) => {
                let unreadable = (!text.trim().is_empty()).then_some(reason);
                return Self { statements: Vec::new(), unreadable };
            }
        };
        let mut places = Places::new(&meaning.text);
        let tokens: Vec<_> =
            tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
        let mut comments = meaning.run.iter().peekable();
        let mut statements = Vec::new();
        let mut start = 0;
        while start < tokens.len() {
            let end = end_of_statement(&tokens, start);
            if end > start {
                let words = Words { dialect, tokens: &tokens[start..end] };
                let mut range =
                    places.offset(tokens[start].span.start)..places.offset(tokens[end - 1].span.end);
                // A statement that stands in a comment which servers run goes with its marks.
                while let Some((opens, closes)) = comments.next_if(|(opens, _)| *opens < range.end) {
                    if *closes > range.start {
                        range = range.start.min(*opens)..range.end.max(*closes);
                    }
                }
                let sql = text.get(range.clone()).unwrap_or_default();
                statements.push(words.piece(classifier, sql, range));
            }
            start = end + 1;
        }
        Self { statements, unreadable: None }
    }

    /// Whether a failure of it surely changed nothing, also where nothing can be rolled back.
    ///
    /// One statement is done or not, except for two kinds. A failed `CREATE INDEX CONCURRENTLY` leaves an invalid index,
    /// and of several tables some engines drop those before the one that is not there.
    pub(crate) fn fails_as_a_whole(&self, text: &str) -> bool {
        let in_parts = |piece: &Piece| {
            let sql = text.get(piece.range.clone()).unwrap_or(text);
            piece.drops.len() > 1 || piece.drops_unnamed || sql.to_ascii_uppercase().contains("CONCURRENTLY")
        };
        self.unreadable.is_none() && self.statements.len() <= 1 && !self.statements.iter().any(in_parts)
    }

    /// Whether there is nothing to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.unreadable.is_none() && self.statements.is_empty()
    }
}

/// Where the statement that begins here ends: at a semicolon outside of a routine's body.
fn end_of_statement(tokens: &[TokenWithSpan], start: usize) -> usize {
    const KINDS: [&str; 5] = ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"];
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| is_word(&token.token, word));
    let routine = (is(start, "CREATE") || is(start, "ALTER"))
        && (start + 1..start + 12)
            .take_while(|at| !["TABLE", "VIEW", "INDEX"].iter().any(|word| is(*at, word)))
            .any(|at| KINDS.iter().any(|word| is(at, word)))
        || is(start, "BEGIN") && is(start + 1, "NOT") && is(start + 2, "ATOMIC");
    let mut blocks = 0_usize;
    let mut at = start;
    while at < tokens.len() {
        if tokens[at].token == Token::SemiColon && blocks == 0 {
            return at;
        }
        if routine && (is(at, "BEGIN") || is(at, "CASE")) {
            blocks += 1;
        } else if routine
            && is(at, "END")
            && !["IF", "LOOP", "WHILE", "REPEAT"].iter().any(|word| is(at + 1, word))
        {
            blocks = blocks.saturating_sub(1);
            at += usize::from(is(at + 1, "CASE"));
        }
        at += 1;
    }
    tokens.len()
}

fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

/// The tokens of one statement.
struct Words<'t> {
    dialect: Dialect,
    tokens: &'t [TokenWithSpan],
}

impl Words<'_> {
    fn piece(&self, classifier: &Classifier, sql: &str, range: Range<usize>) -> Piece {
        let statement = classifier.classify(sql);
        let line = self.tokens.first().map_or(1, |token| token.span.start.line);
        let mut piece = Piece {
            line,
            range,
            creates: Vec::new(),
            drops: Vec::new(),
            mentions: Vec::new(),
            controls_transaction: statement.transaction_controls().iter().any(|control| {
                matches!(
                    control,
                    TransactionControl::Begin
                        | TransactionControl::Commit
                        | TransactionControl::Rollback
                        | TransactionControl::TwoPhase
                )
            }),
            drops_unnamed: false,
            unreadable: (statement.reading() == Reading::Unreadable).then(|| statement.why().to_owned()),
        };
        let defines = statement.operation() == Operation::Migrate;
        if self.is(0, "CREATE") {
            self.create(&mut piece);
        } else if self.is(0, "DROP") {
            self.drop(&mut piece);
        } else if self.is(0, "ALTER") && self.is(1, "TABLE") {
            self.alter(&mut piece);
        } else if self.is(0, "RENAME") && self.is(1, "TABLE") {
            self.rename(&mut piece);
        }
        if defines && (self.is(0, "CREATE") || self.is(0, "ALTER")) {
            self.references(&mut piece);
        }
        self.used(&mut piece, statement.tables(), if defines { Part::Altered } else { Part::Used });
        piece
    }

    /// Adds the tables that are not mentioned yet, each with the line where its name stands first.
    fn used(&self, piece: &mut Piece, tables: &[TableName], part: Part) {
        let mentioned: HashSet<_> = piece.mentions.iter().map(|mention| mention.table.clone()).collect();
        let mut lines = HashMap::new();
        for token in self.tokens {
            if let Token::Word(word) = &token.token {
                lines.entry(word.value.to_ascii_lowercase()).or_insert(token.span.start.line);
            }
        }
        for table in tables.iter().filter(|table| !mentioned.contains(*table)) {
            let line = lines.get(&table.name().to_ascii_lowercase()).copied().unwrap_or_else(|| self.line(0));
            piece.mentions.push(Mention { table: table.clone(), line, part, from: None });
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| is_word(&token.token, word))
    }

    fn skip(&self, mut at: usize, words: &[&str]) -> usize {
        while words.iter().any(|word| self.is(at, word)) {
            at += 1;
        }
        at
    }

    /// A table's name, and the place behind it.
    fn name(&self, mut at: usize) -> Option<(TableName, usize)> {
        let mut parts = Vec::new();
        loop {
            let part = match &self.tokens.get(at)?.token {
                Token::Word(word) if word.quote_style.is_none() && self.dialect.folds_names() => {
                    word.value.to_ascii_lowercase()
                }
                Token::Word(word) => word.value.clone(),
                Token::SingleQuotedString(name) if self.dialect.quotes_names_as_strings() => name.clone(),
                Token::DoubleQuotedString(name) => name.clone(),
                _ => return None,
            };
            parts.push(part);
            at += 1;
            if self.tokens.get(at).is_some_and(|token| token.token == Token::Period) {
                at += 1;
            } else {
                break;
            }
        }
        let name = parts.pop()?;
        let table = match parts.pop() {
            Some(schema) => TableName::qualified(schema, name),
            None => TableName::new(name),
        };
        Some((table.in_dialect(self.dialect), at))
    }

    fn create(&self, piece: &mut Piece) {
        const BEFORE: [&str; 7] = ["OR", "REPLACE", "GLOBAL", "LOCAL", "UNLOGGED", "VIRTUAL", "FOREIGN"];
        let at = self.skip(1, &BEFORE);
        // A temporary table is gone with its connection, and no app's.
        if !self.is(at, "TABLE") {
            return;
        }
        let at = self.skip(at + 1, &["IF", "NOT", "EXISTS"]);
        if let Some((table, _)) = self.name(at) {
            let line = self.line(at);
            piece.mentions.push(Mention { table: table.clone(), line, part: Part::Created, from: None });
            piece.creates.push(table);
        }
    }

    fn drop(&self, piece: &mut Piece) {
        if self.is(1, "SCHEMA") || self.is(1, "DATABASE") || self.is(1, "OWNED") {
            piece.drops_unnamed = true;
        }
        if !self.is(1, "TABLE") {
            return;
        }
        let mut at = self.skip(2, &["IF", "EXISTS"]);
        while let Some((table, next)) = self.name(at) {
            piece.drops.push(table);
            if self.tokens.get(next).is_none_or(|token| token.token != Token::Comma) {
                break;
            }
            at = next + 1;
        }
    }

    fn alter(&self, piece: &mut Piece) {
        let at = self.skip(2, &["IF", "EXISTS", "ONLY"]);
        let Some((table, mut at)) = self.name(at) else { return };
        while at < self.tokens.len() {
            if self.is(at, "RENAME") {
                let next = self.skip(at + 1, &["TO", "AS"]);
                let renames_part =
                    ["COLUMN", "CONSTRAINT", "INDEX", "KEY"].iter().any(|word| self.is(next, word));
                // `RENAME a TO b` renames a column.
                if !renames_part
                    && let Some((new, behind)) = self.name(next)
                    && !self.is(behind, "TO")
                {
                    let new = match (new.schema(), table.schema()) {
                        (None, Some(schema)) => TableName::qualified(schema, new.name()),
                        _ => new,
                    };
                    piece.drops.push(table);
                    piece.creates.push(new);
                    return;
                }
            }
            if self.is(at, "SET") && self.is(at + 1, "SCHEMA") {
                piece.drops.push(table);
                return;
            }
            at += 1;
        }
    }

    fn rename(&self, piece: &mut Piece) {
        let mut at = self.skip(2, &["IF", "EXISTS"]);
        while let Some((old, next)) = self.name(at) {
            let Some((new, next)) = self.name(self.skip(next, &["TO"])) else { return };
            piece.drops.push(old);
            piece.creates.push(new);
            at = next + 1;
        }
    }

    /// The table that a statement creates or changes.
    fn subject(&self) -> Option<TableName> {
        const BEFORE: [&str; 11] = [
            "OR",
            "REPLACE",
            "GLOBAL",
            "LOCAL",
            "UNLOGGED",
            "VIRTUAL",
            "FOREIGN",
            "TEMP",
            "TEMPORARY",
            "ONLINE",
            "IGNORE",
        ];
        let at = self.skip(1, &BEFORE);
        let name = self.is(at, "TABLE").then(|| self.skip(at + 1, &["IF", "NOT", "EXISTS", "ONLY"]))?;
        self.name(name).map(|(table, _)| table)
    }

    fn references(&self, piece: &mut Piece) {
        let subject = self.subject();
        for at in 1..self.tokens.len() {
            if self.is(at, "REFERENCES")
                && let Some((table, _)) = self.name(at + 1)
                && !piece.creates.contains(&table)
            {
                let (line, from) = (self.line(at + 1), subject.clone());
                piece.mentions.push(Mention { table, line, part: Part::Referenced, from });
            }
        }
    }

    fn line(&self, at: usize) -> u64 {
        self.tokens.get(at).map_or(1, |token| token.span.start.line)
    }
}

/// Finds places in a text, each behind the one before, so that a text on one long line is gone through once.
struct Places<'t> {
    text: &'t str,
    offset: usize,
    location: Location,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, offset: 0, location: Location::new(1, 1) }
    }

    /// The place in the text of a line and a column, both from 1; columns count characters.
    fn offset(&mut self, location: Location) -> usize {
        for character in self.text[self.offset..].chars() {
            if self.location >= location {
                break;
            }
            self.offset += character.len_utf8();
            if character == '\n' {
                self.location = Location::new(self.location.line + 1, 1);
            } else {
                self.location.column += 1;
            }
        }
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, text: &str) -> Script {
        Script::read(&Classifier::new(dialect), text)
    }

    fn names(tables: &[TableName]) -> String {
        tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_as_data() {
        for (dialect, text, pieces) in [
            (Dialect::Sqlite, "", &[][..]),
            (Dialect::Sqlite, "-- nothing; here\n/* ; */;", &[]),
            (Dialect::Sqlite, "\nSELECT 1;\n\nSELECT ';é' ;\n", &[(2, "SELECT 1"), (4, "SELECT ';é'")]),
            (
                Dialect::Postgres,
                "DO $$ BEGIN x; END $$; SELECT 2",
                &[(1, "DO $$ BEGIN x; END $$"), (1, "SELECT 2")],
            ),
            (
                Dialect::Sqlite,
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET x = CASE WHEN 1 THEN 2 END; END;\nSELECT 3;",
                &[
                    (
                        1,
                        "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET x = CASE WHEN 1 THEN 2 END; END",
                    ),
                    (2, "SELECT 3"),
                ],
            ),
        ] {
            let script = read(dialect, text);
            let found: Vec<_> =
                script.statements.iter().map(|piece| (piece.line, &text[piece.range.clone()])).collect();
            assert_eq!(found, pieces, "{text}");
        }
    }

    #[test]
    fn tables_as_data() {
        for (sql, creates, drops) in [
            ("CREATE TABLE IF NOT EXISTS posts (id INT)", "posts", ""),
            ("CREATE UNLOGGED TABLE Blog.Posts (id INT)", "blog.posts", ""),
            ("CREATE TEMPORARY TABLE t (id INT)", "", ""),
            ("CREATE INDEX posts_id ON posts (id)", "", ""),
            ("DROP TABLE IF EXISTS a, b CASCADE", "", "a b"),
            ("ALTER TABLE a RENAME TO b", "b", "a"),
            ("ALTER TABLE s.a RENAME TO b", "s.b", "s.a"),
            ("ALTER TABLE a RENAME COLUMN x TO y", "", ""),
            ("ALTER TABLE a RENAME x TO y", "", ""),
            ("ALTER TABLE a ADD COLUMN x INT", "", ""),
        ] {
            let script = read(Dialect::Postgres, sql);
            let piece = &script.statements[0];
            assert_eq!((names(&piece.creates), names(&piece.drops)), (creates.into(), drops.into()), "{sql}");
        }
    }

    #[test]
    fn mentions_have_their_line_and_part() {
        let text = "CREATE TABLE posts (\n  id INT,\n  user_id INT REFERENCES users (id)\n);\n\nUPDATE\n  users SET x = 1;";
        let script = read(Dialect::Postgres, text);
        let mentions: Vec<_> = script
            .statements
            .iter()
            .flat_map(|piece| &piece.mentions)
            .map(|mention| (mention.table.to_string(), mention.line, mention.part))
            .collect();
        assert_eq!(
            mentions,
            [
                ("posts".to_owned(), 1, Part::Created),
                ("users".to_owned(), 3, Part::Referenced),
                ("users".to_owned(), 7, Part::Used),
            ]
        );
    }

    /// Were each place looked for from the beginning of its line, this would take minutes.
    #[test]
    fn a_long_line_falls_into_its_statements() {
        const MANY: usize = 50_000;
        let text: String = (0..MANY).map(|number| format!("INSERT INTO t{number} VALUES ('é');")).collect();
        let script = read(Dialect::Postgres, &text);
        assert_eq!(script.statements.len(), MANY);
        let last = script.statements.last().unwrap();
        assert_eq!(&text[last.range.clone()], format!("INSERT INTO t{} VALUES ('é')", MANY - 1));
        let list: Vec<_> = (0..MANY).map(|number| format!("t{number}")).collect();
        let script = read(Dialect::Postgres, &format!("DROP TABLE {}", list.join(", ")));
        assert_eq!(script.statements[0].drops.len(), MANY);
        assert_eq!(script.statements[0].mentions.len(), MANY);
    }

    #[test]
    fn a_deep_file_falls_into_its_statements() {
        const DEEP: usize = 10_000;
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(|| {
                for (open, core, close) in [
                    ("EXPLAIN ", "SELECT 1", ""),
                    ("SELECT (", "1", ")"),
                    ("IF 1 THEN ", "SELECT 1", " END IF"),
                    ("CREATE TABLE t AS (SELECT ", "1", ")"),
                    ("/* ", "", "*/ "),
                ] {
                    for dialect in Dialect::ALL {
                        let text = format!("{}{core}{}; SELECT 2", open.repeat(DEEP), close.repeat(DEEP));
                        let script = read(dialect, &text);
                        assert!(
                            script.unreadable.is_some() || !script.statements.is_empty(),
                            "{open} in {dialect}"
                        );
                    }
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn what_stands_in_a_comment_that_runs_goes_with_its_marks() {
        let text = "/*!40101 SET NAMES utf8 */;\nCREATE TABLE t (id INT) /*!50100 COMMENT 'a' */;\nBEGIN NOT ATOMIC DELETE FROM t; END; SELECT 1";
        let script = read(Dialect::Mysql, text);
        let found: Vec<_> =
            script.statements.iter().map(|piece| (piece.line, &text[piece.range.clone()])).collect();
        assert_eq!(
            found,
            [
                (1, "/*!40101 SET NAMES utf8 */"),
                (2, "CREATE TABLE t (id INT) /*!50100 COMMENT 'a' */"),
                (3, "BEGIN NOT ATOMIC DELETE FROM t; END"),
                (3, "SELECT 1"),
            ]
        );
    }
}
