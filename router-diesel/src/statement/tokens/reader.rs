//! One statement being read: what was found, and which names could be tables.

use std::collections::HashMap;

use sqlparser::tokenizer::Token;

use super::walk::Setting;
use super::{Cursor, Unplaced};
use crate::statement::draft::Draft;
use crate::statement::{Classifier, Dialect, TableName};

/// Reads one statement.
pub(super) struct Reader<'c> {
    pub(super) classifier: &'c Classifier,
    pub(super) cursor: &'c Cursor<'c>,
    pub(super) draft: Draft,
    pub(super) tables: Vec<Mention>,
    pub(super) scopes: Vec<Scope>,
}

/// How a table is mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Rows come from it, so that it may be a common table expression.
    Source,
    /// It is written to or defined.
    Target,
}

/// A table's name, where it stands and what could hide it.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) table: TableName,
    role: Role,
    scope: usize,
    at: usize,
}

/// The common table expressions of one WITH, each with the place of its end.
#[derive(Debug)]
pub(super) struct Scope {
    outer: usize,
    /// They see each other, and not only those that ended before.
    recursive: bool,
    pub(super) tables: Vec<(Box<str>, usize)>,
}

/// The common table expressions in sight, each with the places behind which it is one.
#[derive(Debug, Default)]
struct InSight {
    /// For each name, from the outermost scope to the innermost, the earliest place so far.
    ends: HashMap<Box<str>, Vec<usize>>,
    /// How many scopes were entered.
    entered: usize,
}

impl InSight {
    fn enter(&mut self, name: Box<str>, end: usize) {
        let ends = self.ends.entry(name).or_default();
        let earliest = ends.last().map_or(end, |outer| end.min(*outer));
        ends.push(earliest);
    }

    fn leave(&mut self, name: &str) {
        if let Some(ends) = self.ends.get_mut(name) {
            ends.pop();
        }
    }

    fn ends_before(&self, name: &str, at: usize) -> bool {
        self.ends.get(name).and_then(|ends| ends.last()).is_some_and(|end| *end < at)
    }
}

impl<'c> Reader<'c> {
    pub(super) fn new(classifier: &'c Classifier, cursor: &'c Cursor<'c>) -> Self {
        let outermost = Scope { outer: 0, recursive: false, tables: Vec::new() };
        Self { classifier, cursor, draft: Draft::default(), tables: Vec::new(), scopes: vec![outermost] }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.cursor.dialect()
    }

    /// Reads the statement from `start` to `end`.
    pub(super) fn read(mut self, start: usize, end: usize) -> Result<Draft, Unplaced> {
        let start = self.settings_of_one_statement(start, end)?;
        if let Some((inner, runs)) = self.explain(start, end)? {
            // A prepared statement is known to one connection.
            let runs = runs || self.cursor.is(inner, "execute");
            if !self.described(inner, end)? {
                self.statement(inner, end)?;
            }
            let dialect = self.dialect();
            return Ok(self.finish().explained(dialect, runs));
        }
        self.statement(start, end)?;
        Ok(self.finish())
    }

    /// Where the statement behind MariaDB's `SET STATEMENT name = value, … FOR` begins, else here. The settings hold
    /// for that statement alone.
    fn settings_of_one_statement(&mut self, start: usize, end: usize) -> Result<usize, Unplaced> {
        let mut at = start;
        while self.dialect() == Dialect::Mysql && self.cursor.are(at, &["set", "statement"]) {
            let values = at + 2;
            let Some(word) = self.find(values, end, "for") else { return Ok(at) };
            self.walk(values, word, Setting::Expressions)?;
            at = word + 1;
        }
        Ok(at)
    }

    /// Decides which names are tables, now that all common table expressions are known.
    fn finish(mut self) -> Draft {
        let mut mentions = std::mem::take(&mut self.tables);
        self.drop_common_tables(&mut mentions);
        mentions.sort_by_key(|mention| mention.at);
        for mention in mentions {
            self.draft.table(mention.table);
        }
        self.draft
    }

    /// Takes out the names that are common table expressions in sight.
    ///
    /// Scopes are numbered as they begin in the text, so an outer one has the lower number. They are gone through once,
    /// with what is in sight at each, for a text may hold thousands of both.
    fn drop_common_tables(&self, mentions: &mut Vec<Mention>) {
        let mut in_sight = InSight::default();
        let mut open: Vec<usize> = Vec::new();
        mentions.sort_by_key(|mention| mention.scope);
        mentions.retain(|mention| {
            for number in in_sight.entered..=mention.scope {
                self.enter(number, &mut open, &mut in_sight);
            }
            mention.role == Role::Target
                || mention.table.schema().is_some()
                || !in_sight.ends_before(&self.key(mention.table.name()), mention.at)
        });
    }

    fn enter(&self, number: usize, open: &mut Vec<usize>, in_sight: &mut InSight) {
        let scope = &self.scopes[number];
        while let Some(last) = open.last().copied().filter(|last| number == 0 || *last != scope.outer) {
            for (name, _) in &self.scopes[last].tables {
                in_sight.leave(&self.key(name));
            }
            open.pop();
        }
        for (name, end) in &scope.tables {
            in_sight.enter(self.key(name), if scope.recursive { 0 } else { *end });
        }
        open.push(number);
        in_sight.entered = number + 1;
    }

    /// A name as it is compared with the names of common table expressions.
    fn key(&self, name: &str) -> Box<str> {
        match self.dialect() {
            Dialect::Postgres => name.into(),
            Dialect::Sqlite | Dialect::Mysql => name.to_ascii_lowercase().into(),
        }
    }

    pub(super) fn new_scope(&mut self, outer: usize, recursive: bool) -> usize {
        // SQLite's common table expressions see each other with and without RECURSIVE.
        let recursive = recursive || self.dialect() == Dialect::Sqlite;
        self.scopes.push(Scope { outer, recursive, tables: Vec::new() });
        self.scopes.len() - 1
    }

    /// Notes the table whose name stands here, and says what is behind it.
    pub(super) fn refer(&mut self, at: usize, scope: usize, role: Role) -> Result<usize, Unplaced> {
        let (table, next) =
            self.cursor.name(at).ok_or_else(|| Unplaced("a table's name is missing".to_owned()))?;
        self.tables.push(Mention { table, role, scope, at });
        Ok(next)
    }

    /// Notes a table that is written to or defined, from the parts of its name.
    pub(super) fn mention<'p>(&mut self, at: usize, parts: impl DoubleEndedIterator<Item = (&'p str, bool)>) {
        if let Some(table) = TableName::from_parts(self.dialect(), parts) {
            self.tables.push(Mention { table, role: Role::Target, scope: 0, at });
        }
    }

    pub(super) fn target(&mut self, at: usize) -> Result<usize, Unplaced> {
        self.refer(at, 0, Role::Target)
    }

    /// A list of tables, as after TRUNCATE. Says what is behind it.
    pub(super) fn targets(&mut self, mut at: usize) -> Result<usize, Unplaced> {
        loop {
            at = self.cursor.skip_all(at, &["only"]);
            let inner = at + usize::from(self.cursor.is_open(at));
            let mut next = self.target(inner)? + (inner - at);
            next += usize::from(*self.cursor.token(next) == Token::Mul);
            // SQLite and MySQL name columns behind the table, VACUUM and ANALYZE of PostgreSQL do too.
            if self.cursor.is_open(next) {
                next = self.cursor.partner(next) + 1;
            }
            if *self.cursor.token(next) != Token::Comma {
                return Ok(next);
            }
            at = next + 1;
        }
    }
}
