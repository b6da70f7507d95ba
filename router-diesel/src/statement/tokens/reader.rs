//! One statement being read: what was found, and which names could be tables.

use sqlparser::tokenizer::Token;

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
        if let Some((inner, runs)) = self.explain(start, end)? {
            let mut explained = Self::new(self.classifier, self.cursor);
            if !explained.described(inner, end)? {
                explained.statement(inner, end)?;
            }
            return Ok(explained.finish().explained(runs));
        }
        self.statement(start, end)?;
        Ok(self.finish())
    }

    /// Decides which names are tables, now that all common table expressions are known.
    fn finish(mut self) -> Draft {
        let mut mentions = std::mem::take(&mut self.tables);
        mentions.sort_by_key(|mention| mention.at);
        for mention in mentions {
            if mention.role == Role::Target || !self.is_common_table(&mention) {
                self.draft.table(mention.table);
            }
        }
        self.draft
    }

    fn is_common_table(&self, mention: &Mention) -> bool {
        let mut number = mention.scope;
        while number > 0 {
            let scope = &self.scopes[number];
            if scope.tables.iter().any(|(name, end)| {
                (scope.recursive || *end < mention.at) && mention.table.is_cte(self.dialect(), name)
            }) {
                return true;
            }
            number = scope.outer;
        }
        false
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
