//! Follows a statement through its brackets, for tables, locks and calls.
//!
//! Each bracket is a [`Frame`] on a stack. A frame knows whether it is a query (then its FROM introduces tables; the
//! FROM of `extract(… from …)` stands in a frame that is none), whether a table's name must come next, and whether a
//! comma continues a list of tables. Common table expressions are sorted out at the end, when all of them are known.

use router_core::Operation;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::verbs::{Reader, Role};
use crate::statement::Dialect;
use crate::statement::table::fold;

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
enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum With {
    #[default]
    No,
    /// The name of a common table expression comes next.
    Name,
    /// One has ended.
    Behind,
}

/// What is open between one bracket and its partner.
#[derive(Debug, Default)]
struct Frame {
    verb: Verb,
    /// A statement may begin here.
    start: bool,
    /// A table must come next.
    expect: Option<Role>,
    /// A comma or a JOIN introduces another table.
    list: bool,
    joined: bool,
    used: bool,
    /// Where a DELETE's own FROM would stand, and how many tables came before it.
    delete: (usize, usize),
    scope: usize,
    with: With,
    /// The common table expression whose body this is: its scope, and its number there.
    cte: Option<(usize, usize)>,
    in_cte: bool,
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
        let begins = self.begins_statement(at + 1);
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
        match self.cursor.keyword(at) {
            Keyword::SELECT => {
                frame.verb = Verb::Select;
                frame.list = false;
                self.draft.found(Operation::Read, "SELECT");
            }
            Keyword::WITH => {
                let recursive = self.cursor.is(at + 1, "recursive");
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
            Keyword::JOIN | Keyword::STRAIGHT_JOIN if frame.list => {
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
            | Keyword::QUALIFY
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
                self.draft.found(Operation::Write, "asks a sequence");
            }
            _ if self.cursor.is_open(at + 1) => self.call(at),
            _ => {}
        }
        at + 1
    }

    /// INSERT, UPDATE, DELETE and their kin: what follows them up to the table.
    fn change(&mut self, frame: &mut Frame, at: usize, keyword: Keyword) -> usize {
        let (verb, why) = match keyword {
            Keyword::INSERT => (Verb::Insert, "INSERT"),
            Keyword::REPLACE => (Verb::Insert, "REPLACE"),
            Keyword::UPDATE => (Verb::Update, "UPDATE"),
            Keyword::DELETE => (Verb::Delete, "DELETE"),
            _ => (Verb::Merge, "MERGE"),
        };
        self.draft.found(Operation::Write, if frame.in_cte { "a CTE writes" } else { why });
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

    fn from(&mut self, frame: &mut Frame, at: usize) {
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
    fn using(&mut self, frame: &mut Frame) {
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

    fn select_into(&mut self, frame: &mut Frame, at: usize) -> usize {
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

    fn for_clause(&mut self, frame: &mut Frame, at: usize) -> usize {
        let cursor = self.cursor;
        if cursor.is_any(at.wrapping_sub(1), &["index", "key"]) {
            // MySQL's index hints: `USE INDEX FOR ORDER BY (…)`.
            return cursor.skip(at + 1, &["join", "order", "group", "by"]);
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
    fn table(&mut self, frame: &mut Frame, at: usize) -> Result<usize, Unplaced> {
        let cursor = self.cursor;
        match cursor.keyword(at) {
            Keyword::ONLY if self.dialect() == Dialect::Postgres => return Ok(at + 1),
            Keyword::LATERAL => return Ok(at + 1),
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

    /// The head of a common table expression: where its name stands, and where its body opens.
    fn common_table_head(&self, at: usize) -> Option<usize> {
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

    fn common_table(&mut self, outer: &Frame, at: usize) -> Result<(Frame, usize), Unplaced> {
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

    /// Whether a query or a change of rows begins here.
    fn begins_statement(&self, at: usize) -> bool {
        match self.cursor.keyword(at) {
            Keyword::SELECT | Keyword::VALUES | Keyword::TABLE => true,
            Keyword::WITH => {
                let head = at + 1 + usize::from(self.cursor.is(at + 1, "recursive"));
                self.common_table_head(head).is_some()
            }
            Keyword::INSERT | Keyword::REPLACE | Keyword::UPDATE | Keyword::DELETE | Keyword::MERGE => {
                self.is_change(at)
            }
            _ => false,
        }
    }

    /// Whether INSERT, UPDATE and the like are verbs here. PostgreSQL allows them as names of columns, MySQL has
    /// functions of these names, and an upsert has its own `DO UPDATE SET`.
    fn is_change(&self, at: usize) -> bool {
        let cursor = self.cursor;
        match cursor.keyword(at) {
            Keyword::UPDATE if cursor.is_open(at + 1) => true,
            _ => {
                cursor.part(at + 1).is_some()
                    && !cursor.is_any(at + 1, &["set", "values", "when", "default", "from"])
                    || cursor.keyword(at) == Keyword::DELETE && cursor.is(at + 1, "from")
            }
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
        depth == 1 && frame.verb == Verb::None || depth == 2 && matches!(before, Token::LParen | Token::Comma)
    }

    /// The call of a function whose name ends here.
    fn call(&mut self, at: usize) {
        let Some((name, _)) = self.cursor.part(at) else { return };
        let qualified = at >= 2 && *self.cursor.token(at - 1) == Token::Period;
        let schema = if qualified { self.cursor.part(at - 2).map(|(schema, _)| schema) } else { None };
        if let Some(effect) = self.classifier.functions.effect(schema, name) {
            self.draft.calls(name, effect);
        }
    }
}
