//! Follows a statement through its brackets, for tables, locks and calls.
//!
//! Each bracket is a [`Frame`] on a stack. A frame knows whether it is a query (then its FROM introduces tables; the
//! FROM of `extract(… from …)` stands in a frame that is none), whether a table's name must come next, and whether a
//! comma continues a list of tables. Common table expressions are sorted out at the end, when all of them are known.

use router_core::Operation;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::reader::{Reader, Role};
use crate::statement::Dialect;
use crate::statement::effects::Facts;
use crate::statement::functions::Called;

/// What the words around a query introduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// The statement is a query, or a change of rows.
    Query,
    /// Expressions, in which queries may stand.
    Expressions,
    /// The definition of something.
    Definition,
    /// The definition of a table.
    Table,
    /// The definition of something with a body of statements.
    Routine,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum With {
    #[default]
    No,
    /// The name of a common table expression comes next.
    Name,
    /// One has ended.
    Behind,
}

/// What is open between one bracket and its partner.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) verb: Verb,
    /// A statement may begin here.
    pub(super) start: bool,
    /// A table must come next.
    pub(super) expect: Option<Role>,
    /// A comma or a JOIN introduces another table.
    pub(super) list: bool,
    pub(super) joined: bool,
    pub(super) used: bool,
    /// Where a DELETE's own FROM would stand, and how many tables came before it.
    pub(super) delete: (usize, usize),
    pub(super) scope: usize,
    pub(super) with: With,
    /// The common table expression whose body this is: its scope, and its number there.
    pub(super) cte: Option<(usize, usize)>,
    pub(super) in_cte: bool,
}

impl Reader<'_> {
    /// Reads from `start` to `end`, both at the same depth.
    pub(super) fn walk(&mut self, start: usize, end: usize, setting: Setting) -> Result<(), Unplaced> {
        let outermost = Frame { start: setting == Setting::Query, ..Frame::default() };
        let mut frames = vec![outermost];
        let mut at = start;
        while at < end {
            at = self.step(&mut frames, at, setting)?;
        }
        match frames.as_slice() {
            [Frame { expect: None, with: With::No, .. }] => Ok(()),
            _ => Err(Unplaced("it ends too early".to_owned())),
        }
    }

    /// Reads at one place and says where to go on.
    fn step(&mut self, frames: &mut Vec<Frame>, at: usize, setting: Setting) -> Result<usize, Unplaced> {
        let depth = frames.len();
        let Some(frame) = frames.last_mut() else { return Err(Unplaced("brackets do not match".to_owned())) };
        match frame.with {
            With::Name => {
                let (inner, next) = self.common_table(frame, at)?;
                frames.push(inner);
                return Ok(next);
            }
            With::Behind => {
                if *self.cursor.token(at) == Token::Comma && self.common_table_head(at + 1).is_some() {
                    frame.with = With::Name;
                    return Ok(at + 1);
                }
                if !self.begins_statement(at) && *self.cursor.token(at) != Token::LParen {
                    // SEARCH and CYCLE clauses.
                    return Ok(at + 1);
                }
                frame.with = With::No;
                frame.start = true;
            }
            With::No => {}
        }
        match self.cursor.token(at) {
            Token::LParen | Token::LBracket => {
                let inner = self.open(frame, at);
                frames.push(inner);
            }
            Token::RParen | Token::RBracket => self.close(frames, at)?,
            Token::Word(_) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)
                if frame.expect.is_some() =>
            {
                return self.table(frame, at);
            }
            // The ODBC way to write an outer join: `{ OJ a LEFT OUTER JOIN b … }`.
            Token::LBrace if frame.expect.is_some() && self.cursor.is(at + 1, "oj") => return Ok(at + 2),
            _ if frame.expect.is_some() => return Err(Unplaced("a table's name is missing".to_owned())),
            Token::Word(_) => return Ok(self.word(frame, at, setting, depth)),
            Token::Comma => {
                frame.start = false;
                frame.expect = frame.list.then_some(Role::Source);
            }
            Token::SemiColon => {
                *frame = Frame { start: true, ..Frame::default() };
            }
            Token::Assignment if self.dialect() == Dialect::Mysql => {
                frame.start = false;
                self.draft.state("`:=` sets a variable");
            }
            _ => frame.start = false,
        }
        Ok(at + 1)
    }

    fn open(&self, outer: &mut Frame, at: usize) -> Frame {
        let expected = outer.expect.take();
        // MySQL changes no rows within brackets.
        let changes = self.dialect() == Dialect::Mysql
            && matches!(
                self.cursor.keyword(at + 1),
                Keyword::INSERT | Keyword::REPLACE | Keyword::UPDATE | Keyword::DELETE
            );
        let begins = self.begins_statement(at + 1) && !changes;
        let is_list = expected.is_some() && !begins;
        let start = begins || outer.start && self.cursor.is_open(at + 1);
        outer.start = false;
        Frame {
            start,
            expect: is_list.then_some(Role::Source),
            list: is_list,
            scope: outer.scope,
            in_cte: outer.in_cte,
            ..Frame::default()
        }
    }

    fn close(&mut self, frames: &mut Vec<Frame>, at: usize) -> Result<(), Unplaced> {
        let inner = frames.pop();
        let (Some(inner), Some(outer)) = (inner, frames.last_mut()) else {
            return Err(Unplaced("brackets do not match".to_owned()));
        };
        if inner.expect.is_some() || inner.with != With::No {
            return Err(Unplaced("a table's name is missing".to_owned()));
        }
        if let Some((scope, number)) = inner.cte {
            self.scopes[scope].tables[number].1 = at;
            outer.with = With::Behind;
        }
        Ok(())
    }

    /// A word where no table's name must stand.
    fn word(&mut self, frame: &mut Frame, at: usize, setting: Setting, depth: usize) -> usize {
        let start = std::mem::take(&mut frame.start) || self.begins_within(at, setting);
        let defines = matches!(setting, Setting::Definition | Setting::Table | Setting::Routine);
        if self.cursor.is_open(at + 1) && !self.cursor.is_syntax(at, frame.list) {
            self.call(at);
        }
        match self.cursor.keyword(at) {
            // What follows names something, whatever word it is.
            Keyword::AS
                if matches!(setting, Setting::Query | Setting::Expressions)
                    && self.cursor.part(at + 1).is_some()
                    && !self.begins_statement(at + 1) =>
            {
                return at + 2;
            }
            Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::WINDOW
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::RETURNING
            | Keyword::VALUES
            | Keyword::FOR
            | Keyword::JOIN
                if frame.list
                    && self.is_alias(at)
                    && !self.cursor.is_any(at.wrapping_sub(1), &["index", "key"]) => {}
            Keyword::SELECT => {
                frame.verb = Verb::Select;
                frame.list = false;
                self.draft.found(Operation::Read, "SELECT");
                self.draft.makes(Facts::FOUND);
            }
            Keyword::WITH => {
                let recursive = self.is_recursive(at + 1);
                let head = at + 1 + usize::from(recursive);
                if self.common_table_head(head).is_some() {
                    frame.scope = self.new_scope(frame.scope, recursive);
                    frame.with = With::Name;
                    return head;
                }
            }
            keyword @ (Keyword::INSERT
            | Keyword::REPLACE
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE)
                if start && self.is_change(at) =>
            {
                return self.change(frame, at, keyword);
            }
            Keyword::TABLE if start || frame.verb == Verb::Insert => {
                frame.verb = Verb::Select;
                frame.list = false;
                frame.expect = Some(Role::Source);
                self.draft.found(Operation::Read, "TABLE");
            }
            Keyword::VALUES => {
                frame.list = false;
                if start {
                    self.draft.found(Operation::Read, "VALUES");
                }
            }
            Keyword::FROM => self.from(frame, at),
            Keyword::JOIN | Keyword::STRAIGHT_JOIN
                if frame.list
                    && (self.dialect() == Dialect::Mysql || self.cursor.keyword(at) == Keyword::JOIN) =>
            {
                frame.expect = Some(Role::Source);
                frame.joined = true;
            }
            Keyword::USING => self.using(frame),
            Keyword::INTO if frame.verb == Verb::Select => return self.select_into(frame, at),
            Keyword::FOR => return self.for_clause(frame, at),
            Keyword::LOCK if self.cursor.are(at, &["lock", "in", "share", "mode"]) => {
                frame.list = false;
                self.draft.found(Operation::Write, "`LOCK IN SHARE MODE` locks rows");
            }
            Keyword::ON if self.cursor.is_any(at + 1, &["conflict", "duplicate"]) => frame.list = false,
            // MySQL's MERGE tables: `UNION = (a, b)`.
            Keyword::UNION
                if setting == Setting::Table
                    && *self.cursor.token(at + 1) == Token::Eq
                    && self.cursor.is_open(at + 2) =>
            {
                frame.expect = Some(Role::Target);
                return at + 2;
            }
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => {
                frame.list = false;
                frame.start = true;
                return self.cursor.skip(at + 1, &["all", "distinct"]);
            }
            Keyword::SET if matches!(frame.verb, Verb::Update | Verb::Insert | Verb::Merge) => {
                frame.list = false
            }
            Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::WINDOW
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::RETURNING
            | Keyword::WHEN => frame.list = false,
            // SQLite's `x IN name` asks the table of that name.
            Keyword::IN if self.dialect() == Dialect::Sqlite && self.cursor.part(at + 1).is_some() => {
                frame.expect = Some(Role::Source);
            }
            Keyword::REFERENCES if defines => frame.expect = Some(Role::Target),
            Keyword::LIKE if setting == Setting::Table && self.is_like_clause(frame, at, depth) => {
                frame.expect = Some(Role::Target);
            }
            Keyword::PARTITION if setting == Setting::Table && self.cursor.is(at + 1, "of") => {
                frame.expect = Some(Role::Target);
                return at + 2;
            }
            Keyword::INHERITS if setting == Setting::Table && self.cursor.is_open(at + 1) => {
                frame.expect = Some(Role::Target);
            }
            _ if self.cursor.is_any(at, &["next", "previous"])
                && self.cursor.are(at + 1, &["value", "for"]) =>
            {
                if self.cursor.is(at, "previous") {
                    self.draft.asks(Facts::INSERTED);
                } else {
                    self.draft.found(Operation::Write, "asks a sequence");
                    self.draft.makes(Facts::INSERTED);
                }
            }
            _ => {}
        }
        at + 1
    }

    /// Whether a query or a change of rows begins here.
    pub(super) fn begins_statement(&self, at: usize) -> bool {
        match self.cursor.keyword(at) {
            Keyword::SELECT | Keyword::VALUES | Keyword::TABLE => true,
            Keyword::WITH => {
                let head = at + 1 + usize::from(self.is_recursive(at + 1));
                self.common_table_head(head).is_some()
            }
            Keyword::INSERT | Keyword::REPLACE | Keyword::UPDATE | Keyword::DELETE | Keyword::MERGE => {
                self.is_change(at)
            }
            _ => false,
        }
    }

    /// Whether INSERT, UPDATE and the like are verbs here. PostgreSQL and SQLite allow them as names of columns, MySQL
    /// has functions of these names, and an upsert has its own `DO UPDATE SET`.
    fn is_change(&self, at: usize) -> bool {
        /// Between UPDATE and SET: a name of three parts, an alias, a hint on indexes.
        const FAR: usize = 16;
        let cursor = self.cursor;
        let into = |at| cursor.is(if cursor.is(at, "or") { at + 2 } else { at }, "into");
        match (self.dialect(), cursor.keyword(at)) {
            (_, Keyword::UPDATE) if cursor.is_open(at + 1) => true,
            (Dialect::Mysql, Keyword::MERGE) | (Dialect::Postgres, Keyword::REPLACE) => false,
            (Dialect::Mysql, _) => {
                cursor.part(at + 1).is_some()
                    && !cursor.is_any(at + 1, &["set", "values", "when", "default", "from"])
                    || cursor.keyword(at) == Keyword::DELETE && cursor.is(at + 1, "from")
            }
            (_, Keyword::DELETE) => cursor.is(at + 1, "from"),
            (_, Keyword::UPDATE) => {
                cursor.part(at + 1).is_some()
                    && !cursor.is(at + 1, "set")
                    && (at + 2..at + FAR)
                        .take_while(|at| {
                            !matches!(cursor.token(*at), Token::Comma | Token::SemiColon | Token::EOF)
                        })
                        .any(|at| cursor.is(at, "set"))
            }
            _ => into(at + 1),
        }
    }

    /// Whether a statement may begin here because of the word before: `AS` in a definition, `BEGIN` in a body.
    fn begins_within(&self, at: usize, setting: Setting) -> bool {
        let cursor = self.cursor;
        let before = at.wrapping_sub(1);
        match setting {
            Setting::Query | Setting::Expressions => false,
            Setting::Definition | Setting::Table => cursor.is(before, "as"),
            Setting::Routine => {
                const OPENERS: &[&str] = &[
                    "as", "atomic", "begin", "do", "instead", "also", "else", "loop", "repeat", "row", "then",
                ];
                cursor.is_any(before, OPENERS) || *cursor.token(before) == Token::RParen
            }
        }
    }

    /// `CREATE TABLE a LIKE b` and `CREATE TABLE a (LIKE b)`, but not `CHECK (a LIKE 'b')`.
    fn is_like_clause(&self, frame: &Frame, at: usize, depth: usize) -> bool {
        let before = self.cursor.token(at.wrapping_sub(1));
        if self.dialect() == Dialect::Sqlite {
            return false;
        }
        depth == 1 && frame.verb == Verb::None || depth == 2 && matches!(before, Token::LParen | Token::Comma)
    }

    /// The call of a function whose name ends here.
    pub(super) fn call(&mut self, at: usize) {
        let Some((name, is_quoted)) = self.cursor.part(at) else { return };
        let qualified = at >= 2 && *self.cursor.token(at - 1) == Token::Period;
        let schema = if qualified { self.cursor.part(at - 2).map(|(schema, _)| schema) } else { None };
        let is_bare = *self.cursor.token(at + 2) == Token::RParen;
        let called = Called { schema, name, is_quoted, is_bare };
        self.draft.calls(called, self.classifier.functions.call(called));
    }
}
