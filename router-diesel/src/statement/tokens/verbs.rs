//! What a statement does, by the words that it begins with.

use router_core::Operation;
use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::reader::Reader;
use super::walk::Setting;
use crate::statement::effects::Facts;
use crate::statement::{Dialect, TransactionControl};

impl Reader<'_> {
    fn writes(&mut self, why: &'static str) {
        self.draft.found(Operation::Write, why);
    }

    pub(super) fn statement(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
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
            // What a procedure or a block leaves behind, nobody can see.
            "CALL" => self.routine(next, end, "CALL"),
            "DO" if self.dialect() != Dialect::Mysql => self.routine(next, end, "DO"),
            "DO" => self.expressions(next, end, "DO"),
            "EXECUTE" => self.routine(next, end, "EXECUTE"),
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
            "USE" => {
                self.draft.effects.switches_database = true;
                self.state_only("USE")
            }
            "ATTACH" => self.state_only("ATTACH"),
            "DETACH" => self.state_only("DETACH"),
            "PREPARE" => self.prepare(next, end),
            "DEALLOCATE" => self.state_only("DEALLOCATE"),
            "DECLARE" => self.declare(next, end),
            "FETCH" => self.state_only("FETCH"),
            "MOVE" => self.state_only("MOVE"),
            "CLOSE" => self.state_only("CLOSE"),
            "GET" if (next..next + 2).any(|at| self.cursor.is(at, "diagnostics")) => {
                self.state_only("GET DIAGNOSTICS")
            }
            "SIGNAL" | "RESIGNAL" if self.dialect() == Dialect::Mysql => {
                self.writes("SIGNAL");
                self.walk(next, end, Setting::Expressions)
            }
            _ if self.cursor.is_block(start) => self.block(start, end),
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "XA" => {
                self.transaction(start, end)
            }
            "ANALYZE" | "ANALYSE" | "VACUUM" | "REINDEX" | "CLUSTER" | "OPTIMIZE" | "REPAIR" | "CHECK"
            | "REFRESH" | "CHECKPOINT" | "CACHE" => self.upkeep(start, end),
            "BACKUP" => self.state_only("BACKUP"),
            "FLUSH" if (next..end).any(|at| self.cursor.is_any(at, &["export", "lock"])) => {
                self.state_only("FLUSH that locks")
            }
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

    fn routine(&mut self, at: usize, end: usize, why: &'static str) -> Result<(), Unplaced> {
        self.draft.state(why);
        self.draft.makes(Facts::INSERTED.with(Facts::CHANGED));
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
            () if cursor.is(next, "from") => {
                self.writes("COPY FROM");
                self.draft.makes(Facts::INSERTED);
                self.draft.effects.copies |= cursor.is(next + 1, "stdin");
            }
            () if cursor.are(next, &["to", "program"]) => self.writes("COPY TO PROGRAM"),
            () if cursor.are(next, &["to", "stdout"]) => {
                self.draft.found(Operation::Read, "COPY TO");
                self.draft.effects.copies = true;
            }
            () if cursor.is(next, "to") => self.writes("COPY TO writes a file of the server"),
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
        self.draft.makes(Facts::INSERTED.with(Facts::CHANGED));
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
        let is_postgres = self.dialect() == Dialect::Postgres;
        if self.cursor.is(start, "transaction")
            || is_postgres && self.cursor.is_any(start, &["local", "constraints"])
        {
            self.writes("a setting of the transaction");
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

    /// MariaDB's block of statements outside of a routine. What cannot be followed in it is not left alone, for it runs now.
    fn block(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        const OPENERS: &[&str] = &["atomic", "begin", "do", "else", "loop", "repeat", "then"];
        let cursor = self.cursor;
        self.writes("a block of statements");
        for at in start + 1..end {
            let begins = *cursor.token(at - 1) == Token::SemiColon || cursor.is_any(at - 1, OPENERS);
            match () {
                () if !begins => {}
                () if cursor.are(at, &["start", "transaction"]) => {
                    self.draft.control(TransactionControl::Begin)
                }
                () if cursor.is(at, "commit") => self.draft.control(TransactionControl::Commit),
                () if cursor.are(at, &["rollback", "to"]) => {
                    self.draft.control(TransactionControl::RollbackTo)
                }
                () if cursor.is(at, "rollback") => self.draft.control(TransactionControl::Rollback),
                () if cursor.is(at, "savepoint") => self.draft.control(TransactionControl::Savepoint),
                () if cursor.is_any(at, &["set", "prepare", "use", "lock", "get"])
                    || cursor.are(at, &["create", "temporary"]) =>
                {
                    self.draft.session_state = true;
                }
                () if cursor
                    .is_any(at, &["truncate", "drop", "alter", "create", "rename", "call", "load"]) =>
                {
                    return Err(Unplaced("a block of statements with definitions or calls".to_owned()));
                }
                () => {}
            }
        }
        self.walk(start, end, Setting::Routine)
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
