//! What a statement does, by the words that it begins with.

use router_core::Operation;
use sqlparser::tokenizer::Token;

use super::walk::Setting;
use super::{Cursor, Unplaced};
use crate::statement::draft::Draft;
use crate::statement::{Classifier, Dialect, TableName, TransactionControl};

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
    table: TableName,
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

    fn writes(&mut self, why: &'static str) {
        self.draft.found(Operation::Write, why);
    }

    /// Where the explained statement begins and whether it is run, if this is an EXPLAIN of any spelling.
    fn explain(&self, start: usize, end: usize) -> Result<Option<(usize, bool)>, Unplaced> {
        let cursor = self.cursor;
        let mut at = start + 1;
        // MariaDB's `ANALYZE SELECT …`; `ANALYZE name` is upkeep.
        let mut runs = cursor.is(start, "analyze");
        if runs {
            let behind = if cursor.is(at, "format") { at + 3 } else { at };
            let verbs = ["select", "insert", "update", "delete", "replace", "with", "values", "table"];
            let is_query =
                cursor.is_any(behind, &verbs) || cursor.is_open(behind) && cursor.is(behind + 1, "select");
            return Ok((is_query && self.dialect() == Dialect::Mysql && !cursor.is(at, "table"))
                .then_some((behind, true)));
        }
        if !cursor.is_any(start, &["explain", "describe", "desc"]) {
            return Ok(None);
        }
        if cursor.is_open(at)
            && self.dialect() == Dialect::Postgres
            && !cursor.is_any(at + 1, &["select", "with"])
        {
            let close = cursor.partner(at);
            runs = self.options_run(at + 1, close);
            at = close + 1;
        } else {
            at = cursor.skip_all(at, &["query", "plan"]);
            loop {
                if cursor.is_any(at, &["analyze", "analyse"]) {
                    runs = true;
                    at += 1;
                } else if cursor.is_any(at, &["verbose", "extended", "partitions"]) && at + 1 < end {
                    at += 1;
                } else if cursor.is(at, "format") && *cursor.token(at + 1) == Token::Eq {
                    at += 3;
                } else if cursor.is(at, "into")
                    || cursor.is_any(at + 1, &["schema", "database"]) && cursor.is(at, "for")
                {
                    at += if cursor.is(at, "into") { 2 } else { 3 };
                } else {
                    break;
                }
            }
        }
        if at >= end || cursor.is_any(at, &["explain", "describe", "desc"]) {
            return Err(Unplaced("nothing is explained".to_owned()));
        }
        Ok(Some((at, runs)))
    }

    /// Whether `EXPLAIN (…)` runs the statement. A value that is not plainly "no" is a yes.
    fn options_run(&self, start: usize, close: usize) -> bool {
        (start..close).any(|at| {
            self.cursor.is_any(at, &["analyze", "analyse"])
                && matches!(self.cursor.token(at - 1), Token::LParen | Token::Comma)
                && match self.cursor.token(at + 1) {
                    Token::Number(number, _) => number != "0",
                    Token::SingleQuotedString(word) => {
                        !["false", "off", "0"].iter().any(|no| word.eq_ignore_ascii_case(no))
                    }
                    _ => !self.cursor.is_any(at + 1, &["false", "off"]),
                }
        })
    }

    /// MySQL's `DESCRIBE name` and `EXPLAIN FOR CONNECTION n`.
    fn described(&mut self, at: usize, end: usize) -> Result<bool, Unplaced> {
        if self.dialect() != Dialect::Mysql {
            return Ok(false);
        }
        if self.cursor.are(at, &["for", "connection"]) {
            return Ok(true);
        }
        let Some((_, next)) = self.cursor.name(at) else { return Ok(false) };
        // A name, and at most a column's name or pattern.
        let is_table = next >= end || next + 1 == end && !self.cursor.is_open(next);
        let is_verb = ["select", "table", "values", "call", "do"];
        if is_table && !self.cursor.is_any(at, &is_verb) {
            self.target(at)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn statement(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        if self.cursor.is_open(start) {
            return self.query(start, end);
        }
        let Token::Word(first) = self.cursor.token(start) else {
            return Err(Unplaced("it does not begin with a word".to_owned()));
        };
        if first.quote_style.is_some() {
            return Err(Unplaced("it begins with a quoted name".to_owned()));
        }
        let next = start + 1;
        match first.value.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" | "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "MERGE" => {
                self.query(start, end)
            }
            "SHOW" => self.show(next, end),
            "HELP" => self.nothing_but(Operation::Read, "HELP"),
            "CHECKSUM" => {
                self.draft.found(Operation::Read, "CHECKSUM TABLE");
                self.targets(self.cursor.skip(next, &["table", "tables"])).map(drop)
            }
            "PRAGMA" => self.pragma(next, end),
            "COPY" => self.copy(next, end),
            "LOAD" => self.load(next, end),
            "TRUNCATE" => {
                self.writes("TRUNCATE");
                self.targets(self.cursor.skip_all(next, &["table"])).map(drop)
            }
            "CALL" => self.expressions(next, end, "CALL"),
            "DO" => self.expressions(next, end, "DO"),
            "EXECUTE" => self.expressions(next, end, "EXECUTE"),
            "HANDLER" => {
                self.draft.state("HANDLER");
                self.target(next).map(drop)
            }
            "LOCK" => self.lock(next, end),
            "UNLOCK" => self.state_only("UNLOCK"),
            "NOTIFY" => self.nothing_but(Operation::Write, "NOTIFY"),
            "LISTEN" => self.state_only("LISTEN"),
            "UNLISTEN" => self.state_only("UNLISTEN"),
            "SET" => self.set(next, end),
            "RESET" => self.state_only("RESET"),
            "DISCARD" => self.state_only("DISCARD"),
            "USE" => self.state_only("USE"),
            "ATTACH" => self.state_only("ATTACH"),
            "DETACH" => self.state_only("DETACH"),
            "PREPARE" => self.prepare(next, end),
            "DEALLOCATE" => self.state_only("DEALLOCATE"),
            "DECLARE" => self.declare(next, end),
            "FETCH" => self.state_only("FETCH"),
            "MOVE" => self.state_only("MOVE"),
            "CLOSE" => self.state_only("CLOSE"),
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "XA" => {
                self.transaction(start, end)
            }
            "ANALYZE" | "ANALYSE" | "VACUUM" | "REINDEX" | "CLUSTER" | "OPTIMIZE" | "REPAIR" | "CHECK"
            | "REFRESH" | "CHECKPOINT" | "CACHE" => self.upkeep(start, end),
            "FLUSH" | "KILL" | "PURGE" | "CHANGE" | "STOP" | "BINLOG" | "SHUTDOWN" | "RESTART" | "CLONE" => {
                self.nothing_but(Operation::Write, "administers the server")
            }
            "CREATE" | "ALTER" | "DROP" | "RENAME" | "GRANT" | "REVOKE" | "COMMENT" | "SECURITY"
            | "REASSIGN" | "IMPORT" | "INSTALL" | "UNINSTALL" => self.definition(start, end),
            other => Err(Unplaced(format!("`{other}` begins no known statement"))),
        }
    }

    fn query(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        self.walk(start, end, Setting::Query)?;
        match self.draft.finding {
            Some(_) => Ok(()),
            None => Err(Unplaced("it holds no query".to_owned())),
        }
    }

    fn expressions(&mut self, at: usize, end: usize, why: &'static str) -> Result<(), Unplaced> {
        self.writes(why);
        self.walk(at, end, Setting::Expressions)
    }

    fn nothing_but(&mut self, operation: Operation, why: &'static str) -> Result<(), Unplaced> {
        self.draft.found(operation, why);
        Ok(())
    }

    fn state_only(&mut self, why: &'static str) -> Result<(), Unplaced> {
        self.draft.state(why);
        Ok(())
    }

    fn show(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        self.draft.found(Operation::Read, "SHOW");
        let cursor = self.cursor;
        let at = cursor.skip(start, &["full", "extended"]);
        if cursor.is(at, "create") && cursor.is_any(at + 1, &["table", "view"]) {
            self.target(at + 2)?;
        } else if cursor.is_any(at, &["columns", "fields", "index", "indexes", "keys"])
            && cursor.is_any(at + 1, &["from", "in"])
            && at + 2 < end
        {
            let next = self.target(at + 2)?;
            // `SHOW COLUMNS FROM name FROM schema`
            if cursor.is_any(next, &["from", "in"]) {
                let schema = cursor.part(next + 1).map(|(schema, _)| schema);
                if let (Some(schema), Some(mention)) = (schema, self.tables.last_mut()) {
                    mention.table = TableName::qualified(schema, mention.table.name());
                }
            }
        }
        Ok(())
    }

    fn pragma(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        /// What stands in brackets behind these asks; behind all others it sets.
        const ASK: &[&str] = &[
            "foreign_key_check",
            "foreign_key_list",
            "index_info",
            "index_list",
            "index_xinfo",
            "integrity_check",
            "quick_check",
            "table_info",
            "table_list",
            "table_xinfo",
        ];
        const OF_TABLES: &[&str] = &[
            "foreign_key_check",
            "foreign_key_list",
            "index_list",
            "integrity_check",
            "quick_check",
            "table_info",
            "table_xinfo",
        ];
        const ACT: &[&str] = &["incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"];

        let cursor = self.cursor;
        let (parts, next) =
            cursor.parts(start).ok_or_else(|| Unplaced("a pragma's name is missing".to_owned()))?;
        let (name, _) = parts[parts.len() - 1];
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        let asks = is(ASK) && (cursor.is_open(next) || *cursor.token(next) == Token::Eq);
        if is(ACT) {
            self.writes("PRAGMA that acts");
        } else if next >= end || asks {
            self.draft.found(Operation::Read, "PRAGMA");
        } else {
            self.draft.state("PRAGMA that sets");
        }
        if asks && is(OF_TABLES) && cursor.part(next + 1).is_some() {
            self.target(next + 1)?;
        }
        Ok(())
    }

    fn copy(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let next = if cursor.is_open(start) {
            let close = cursor.partner(start);
            self.query(start + 1, close)?;
            close + 1
        } else {
            let next = self.target(start)?;
            if cursor.is_open(next) { cursor.partner(next) + 1 } else { next }
        };
        match () {
            () if cursor.is(next, "from") => self.writes("COPY FROM"),
            () if cursor.are(next, &["to", "program"]) => self.writes("COPY TO PROGRAM"),
            () if cursor.is(next, "to") => self.draft.found(Operation::Read, "COPY TO"),
            () => return Err(Unplaced("COPY has no direction".to_owned())),
        }
        // `COPY … FROM … WHERE condition`
        self.walk(next + 1, end, Setting::Expressions)
    }

    fn load(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        if self.dialect() != Dialect::Mysql {
            return self.state_only("LOAD");
        }
        self.writes("LOAD DATA");
        let into = (start..end).find(|at| self.cursor.are(*at, &["into", "table"]));
        let into = into.ok_or_else(|| Unplaced("LOAD has no table".to_owned()))?;
        let next = self.target(into + 2)?;
        self.walk(next, end, Setting::Expressions)
    }

    fn lock(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        self.writes("LOCK TABLE");
        if self.dialect() != Dialect::Mysql {
            return self.targets(cursor.skip_all(start, &["table"])).map(drop);
        }
        self.draft.session_state = true;
        if cursor.are(start, &["instance"]) {
            return Ok(());
        }
        // Each with an alias and a mode: `posts AS p READ LOCAL, tags WRITE`.
        let mut at = cursor.skip(start, &["table", "tables"]);
        loop {
            at = self.target(at)?;
            match (at..end).find(|at| *cursor.token(*at) == Token::Comma) {
                Some(comma) => at = comma + 1,
                None => return Ok(()),
            }
        }
    }

    fn set(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        if self.cursor.is(start, "transaction") {
            self.writes("SET TRANSACTION");
            return Ok(());
        }
        self.draft.state("SET");
        self.walk(start, end, Setting::Expressions)
    }

    fn prepare(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        if self.cursor.is(start, "transaction") {
            self.draft.control(TransactionControl::TwoPhase);
            return Ok(());
        }
        self.draft.state("PREPARE");
        let head = if self.cursor.is_open(start + 1) { self.cursor.partner(start + 1) } else { start };
        if self.cursor.is(head + 1, "as") { self.query(head + 2, end) } else { Ok(()) }
    }

    fn declare(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        self.draft.state("DECLARE");
        let query = (start..end).find(|at| self.cursor.is(*at, "for"));
        let query = query.ok_or_else(|| Unplaced("DECLARE has no query".to_owned()))?;
        self.query(query + 1, end)
    }

    fn transaction(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        const MODES: &[&str] = &[
            "work",
            "transaction",
            "tran",
            "isolation",
            "level",
            "read",
            "only",
            "write",
            "committed",
            "uncommitted",
            "repeatable",
            "serializable",
            "not",
            "deferrable",
            "deferred",
            "immediate",
            "exclusive",
            "concurrent",
            "with",
            "consistent",
            "snapshot",
            "and",
            "no",
            "chain",
            "release",
        ];
        let cursor = self.cursor;
        let is_bare =
            |from: usize| (from..end).all(|at| *cursor.token(at) == Token::Comma || cursor.is_any(at, MODES));
        let next = cursor.skip(start + 1, &["work", "transaction", "tran"]);
        let control = match () {
            () if cursor.is(start, "xa") => match () {
                () if cursor.is_any(start + 1, &["start", "begin"]) => TransactionControl::Begin,
                () if cursor.is(start + 1, "rollback") => TransactionControl::Rollback,
                () if cursor.is(start + 1, "commit") => TransactionControl::Commit,
                () => TransactionControl::TwoPhase,
            },
            () if cursor.is_any(start, &["commit", "rollback"]) && cursor.is(next, "prepared") => {
                TransactionControl::TwoPhase
            }
            () if cursor.is(start, "start") && !cursor.is(start + 1, "transaction") => {
                return self.nothing_but(Operation::Write, "administers the server");
            }
            () if cursor.is(start, "rollback") && cursor.is(next, "to") => TransactionControl::RollbackTo,
            () if cursor.is(start, "savepoint") => TransactionControl::Savepoint,
            () if cursor.is(start, "release") => TransactionControl::Release,
            () if !is_bare(next) => return Err(Unplaced("a block of statements".to_owned())),
            () if cursor.is_any(start, &["begin", "start"]) => TransactionControl::Begin,
            () if cursor.is_any(start, &["commit", "end"]) => TransactionControl::Commit,
            () => TransactionControl::Rollback,
        };
        self.draft.control(control);
        Ok(())
    }

    /// What keeps a database in shape and changes neither rows nor schema, or only rows that derive from others.
    fn upkeep(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let why = match () {
            () if cursor.is(start, "refresh") => "REFRESH MATERIALIZED VIEW",
            () if cursor.is(start, "reindex") => "REINDEX",
            () if cursor.is(start, "vacuum") => "VACUUM",
            () if cursor.is_any(start, &["analyze", "analyse"]) => "ANALYZE",
            () if cursor.is(start, "cluster") => "CLUSTER",
            () => "upkeep of tables",
        };
        self.writes(why);
        let mut at = start + 1;
        if cursor.is_open(at) {
            at = cursor.partner(at) + 1;
        }
        at = cursor.skip(
            at,
            &["full", "freeze", "verbose", "analyze", "no_write_to_binlog", "local", "materialized"],
        );
        at = cursor.skip(at, &["view", "concurrently"]);
        if cursor.is(start, "reindex") && cursor.is_any(at, &["index", "schema", "database", "system"]) {
            return Ok(());
        }
        // SQLite: `VACUUM schema INTO 'file'`.
        if self.dialect() == Dialect::Sqlite && cursor.is(start, "vacuum") {
            return Ok(());
        }
        at = cursor.skip(at, &["table", "tables", "index", "into"]);
        at = cursor.skip(at, &["concurrently"]);
        if at < end && cursor.part(at).is_some() { self.targets(at).map(drop) } else { Ok(()) }
    }
}
