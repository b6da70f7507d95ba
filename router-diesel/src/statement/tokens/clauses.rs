//! The clauses that introduce tables, and what they leave open.

use router_core::Operation;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::reader::{Reader, Role};
use super::walk::{Frame, Verb};
use crate::statement::Dialect;
use crate::statement::effects::Facts;
use crate::statement::table::fold;

impl Reader<'_> {
    /// INSERT, UPDATE, DELETE and their kin: what follows them up to the table.
    pub(super) fn change(&mut self, frame: &mut Frame, at: usize, keyword: Keyword) -> usize {
        let (verb, why) = match keyword {
            Keyword::INSERT => (Verb::Insert, "INSERT"),
            Keyword::REPLACE => (Verb::Insert, "REPLACE"),
            Keyword::UPDATE => (Verb::Update, "UPDATE"),
            Keyword::DELETE => (Verb::Delete, "DELETE"),
            _ => (Verb::Merge, "MERGE"),
        };
        self.draft.found(Operation::Write, if frame.in_cte { "a CTE writes" } else { why });
        let inserted = if verb == Verb::Insert { Facts::INSERTED } else { Facts::NONE };
        self.draft.makes(Facts::CHANGED.with(inserted));
        frame.verb = verb;
        // SQLite's `INSERT OR REPLACE`, MySQL's LOW_PRIORITY and the like.
        let mut next = if self.cursor.is(at + 1, "or") { at + 3 } else { at + 1 };
        next = self
            .cursor
            .skip(next, &["low_priority", "high_priority", "delayed", "quick", "ignore"])
            .max(next);
        if matches!(verb, Verb::Insert | Verb::Merge) {
            next = self.cursor.skip_all(next, &["into"]);
        }
        match verb {
            Verb::Delete => frame.delete = (next, self.tables.len()),
            Verb::Update => {
                frame.list = true;
                // MySQL updates joins, where a common table expression may stand.
                let role = if self.dialect() == Dialect::Mysql { Role::Source } else { Role::Target };
                frame.expect = Some(role);
            }
            _ => frame.expect = Some(Role::Target),
        }
        next
    }

    pub(super) fn from(&mut self, frame: &mut Frame, at: usize) {
        let cursor = self.cursor;
        let before = at.wrapping_sub(1);
        let is_distinct_from =
            cursor.is(before, "distinct") && cursor.is_any(before.wrapping_sub(1), &["is", "not"]);
        let is_nth_value_from = cursor.is_any(at + 1, &["first", "last"])
            && cursor.is_any(at + 2, &["over", "respect", "ignore"]);
        if is_distinct_from || is_nth_value_from {
            return;
        }
        frame.expect = match frame.verb {
            Verb::Delete if frame.delete.0 == at => Some(Role::Target),
            Verb::Select | Verb::Update | Verb::Delete => Some(Role::Source),
            Verb::None | Verb::Insert | Verb::Merge => return,
        };
        frame.list = true;
    }

    /// USING introduces tables in DELETE and MERGE, once and before any JOIN. Elsewhere it names columns.
    pub(super) fn using(&mut self, frame: &mut Frame) {
        if frame.used || frame.joined || !matches!(frame.verb, Verb::Delete | Verb::Merge) {
            return;
        }
        if frame.verb == Verb::Delete && self.dialect() == Dialect::Mysql {
            // What stood before are names or aliases of what follows.
            self.tables.truncate(frame.delete.1);
        }
        frame.used = true;
        frame.list = true;
        frame.expect = Some(Role::Source);
    }

    pub(super) fn select_into(&mut self, frame: &mut Frame, at: usize) -> usize {
        frame.list = false;
        self.draft.found(Operation::Write, "SELECT INTO");
        if self.dialect() == Dialect::Mysql {
            self.draft.session_state |= !self.cursor.is_any(at + 1, &["outfile", "dumpfile"]);
            return at + 1;
        }
        self.draft.session_state |= self.cursor.is_any(at + 1, &["temp", "temporary"]);
        frame.expect = Some(Role::Target);
        self.cursor.skip(at + 1, &["temp", "temporary", "unlogged", "table"])
    }

    pub(super) fn for_clause(&mut self, frame: &mut Frame, at: usize) -> usize {
        let cursor = self.cursor;
        if cursor.is_any(at.wrapping_sub(1), &["index", "key"]) {
            // MySQL's index hints: `USE INDEX FOR ORDER BY (…)`.
            return cursor.skip(at + 1, &["join", "order", "group", "by"]);
        }
        // `FOR PORTION OF period FROM … TO …`
        if cursor.are(at + 1, &["portion", "of"]) && cursor.is(at + 4, "from") {
            return at + 5;
        }
        const LOCKS: [(&[&str], &str); 4] = [
            (&["update"], "`FOR UPDATE` locks rows"),
            (&["share"], "`FOR SHARE` locks rows"),
            (&["no", "key", "update"], "`FOR NO KEY UPDATE` locks rows"),
            (&["key", "share"], "`FOR KEY SHARE` locks rows"),
        ];
        if let Some((_, why)) = LOCKS.iter().find(|(words, _)| cursor.are(at + 1, words)) {
            self.draft.found(Operation::Write, *why);
        }
        frame.list &= cursor.is(at + 1, "system_time");
        at + 1
    }

    /// A name where a table must come.
    pub(super) fn table(&mut self, frame: &mut Frame, at: usize) -> Result<usize, Unplaced> {
        let cursor = self.cursor;
        match cursor.keyword(at) {
            Keyword::ONLY if self.dialect() == Dialect::Postgres => return Ok(at + 1),
            // Only PostgreSQL reserves the word.
            Keyword::LATERAL
                if self.dialect() == Dialect::Postgres
                    || cursor.is_open(at + 1) && self.begins_statement(at + 2) =>
            {
                return Ok(at + 1);
            }
            Keyword::TABLE if cursor.is_open(at + 1) => return Ok(at + 1),
            Keyword::ROWS if cursor.is(at + 1, "from") && cursor.is_open(at + 2) => return Ok(at + 2),
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::SET
            | Keyword::ON
            | Keyword::JOIN
            | Keyword::USING
            | Keyword::INTO
            | Keyword::AS
            | Keyword::ORDER
            | Keyword::GROUP
            | Keyword::UNION
                if *cursor.token(at + 1) != Token::Period =>
            {
                return Err(Unplaced("a table's name is missing".to_owned()));
            }
            _ => {}
        }
        let role = frame.expect.take().unwrap_or(Role::Source);
        let (parts, next) =
            cursor.parts(at).ok_or_else(|| Unplaced("a table's name is missing".to_owned()))?;
        if role == Role::Source && cursor.is_open(next) {
            self.call(next - 1);
            return Ok(next);
        }
        let is_dual = self.dialect() == Dialect::Mysql
            && matches!(parts.as_slice(), [(name, false)] if name.eq_ignore_ascii_case("dual"));
        if !is_dual {
            self.refer(at, frame.scope, role)?;
        }
        match cursor.token(next) {
            Token::Word(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::LParen
            | Token::RParen
            | Token::RBrace
            | Token::Comma
            | Token::SemiColon
            | Token::EOF => Ok(next),
            // PostgreSQL's `name *` asks for the children too.
            Token::Mul => Ok(next + 1),
            other => Err(Unplaced(format!("`{other}` follows a table's name"))),
        }
    }

    /// Whether this word is no clause but the alias of the table before it: SQLite and others allow most words there,
    /// and a list goes on behind it.
    pub(super) fn is_alias(&self, at: usize) -> bool {
        const BEHIND: &[&str] = &[
            "cross",
            "full",
            "group",
            "having",
            "inner",
            "join",
            "left",
            "limit",
            "natural",
            "on",
            "order",
            "outer",
            "right",
            "set",
            "straight_join",
            "using",
            "where",
        ];
        let cursor = self.cursor;
        let follows_table = match cursor.token(at.wrapping_sub(1)) {
            Token::RParen => true,
            Token::Word(word) => word.quote_style.is_some() || !cursor.is_any(at - 1, BEHIND),
            _ => false,
        };
        follows_table
            && match cursor.token(at + 1) {
                Token::Comma | Token::RParen | Token::SemiColon | Token::EOF => true,
                _ => cursor.is_any(at + 1, BEHIND),
            }
    }

    /// Whether RECURSIVE stands here as a word of WITH. PostgreSQL does not reserve it as a name.
    pub(super) fn is_recursive(&self, at: usize) -> bool {
        let cursor = self.cursor;
        cursor.is(at, "recursive") && cursor.part(at + 1).is_some() && !cursor.is(at + 1, "as")
    }

    /// The head of a common table expression: where its name stands, and where its body opens.
    pub(super) fn common_table_head(&self, at: usize) -> Option<usize> {
        let cursor = self.cursor;
        cursor.part(at)?;
        let mut next = at + 1;
        if cursor.is_open(next) {
            next = cursor.partner(next) + 1;
        }
        if !cursor.is(next, "as") {
            return None;
        }
        next = cursor.skip(next + 1, &["not", "materialized"]);
        cursor.is_open(next).then_some(next)
    }

    pub(super) fn common_table(&mut self, outer: &Frame, at: usize) -> Result<(Frame, usize), Unplaced> {
        let body = self.common_table_head(at);
        let (Some(body), Some((name, quoted))) = (body, self.cursor.part(at)) else {
            return Err(Unplaced("a common table expression is missing".to_owned()));
        };
        let name = fold(self.dialect(), name, quoted);
        let tables = &mut self.scopes[outer.scope].tables;
        tables.push((name, usize::MAX));
        let cte = Some((outer.scope, tables.len() - 1));
        Ok((Frame { start: true, scope: outer.scope, cte, in_cte: true, ..Frame::default() }, body + 1))
    }
}
