//! Definitions: CREATE, ALTER, DROP, and the rights on what they make.

use router_core::Operation;
use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::reader::Reader;
use super::walk::Setting;
use crate::statement::Dialect;
use crate::statement::effects::Effects;
use crate::statement::table::is_postgres_temporary;

/// What can be defined, as far as the words before it do not say so.
const KINDS: &[&str] = &[
    "aggregate",
    "cast",
    "collation",
    "conversion",
    "database",
    "domain",
    "event",
    "extension",
    "function",
    "group",
    "index",
    "language",
    "operator",
    "package",
    "policy",
    "procedure",
    "publication",
    "role",
    "rule",
    "schema",
    "sequence",
    "server",
    "statistics",
    "subscription",
    "table",
    "tablespace",
    "text",
    "transform",
    "trigger",
    "type",
    "user",
    "view",
];

impl Reader<'_> {
    pub(super) fn definition(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let verb = match cursor.token(start) {
            Token::Word(word) => word.value.to_ascii_uppercase(),
            _ => String::new(),
        };
        let kind =
            (start + 1..end).take_while(|at| !cursor.is_open(*at)).find(|at| cursor.is_any(*at, KINDS));
        let why = match (verb.as_str(), kind) {
            ("CREATE" | "ALTER" | "DROP", Some(kind)) => {
                format!("{verb} {}", cursor.token(kind).to_string().to_ascii_uppercase())
            }
            _ => verb.clone(),
        };
        self.draft.found(Operation::Migrate, why);
        let temporary = self.is_temporary(start, kind, end);

        match (verb.as_str(), kind) {
            ("GRANT" | "REVOKE", _) => self.rights(start, end),
            ("COMMENT" | "SECURITY", _) => self.comment(start, end),
            ("RENAME", Some(kind)) if cursor.is(kind, "table") => self.rename(kind + 1, end),
            ("CREATE" | "ALTER" | "DROP", Some(kind)) => {
                self.object(verb == "CREATE", verb == "DROP", kind, end)?;
                // What stands in a body runs later, and elsewhere.
                self.draft.session_state = false;
                self.draft.effects = Effects::default();
                Ok(())
            }
            _ => Ok(()),
        }?;
        self.draft.session_state |= temporary;
        Ok(())
    }

    /// Whether what is defined lives as long as the connection: it is said to be temporary, or has a temporary schema.
    fn is_temporary(&self, start: usize, kind: Option<usize>, end: usize) -> bool {
        const WORDS: &[&str] = &["temp", "temporary"];
        let cursor = self.cursor;
        let said = kind.is_some_and(|kind| {
            // `CREATE SCHEMA … CREATE TEMP TABLE …`
            let behind = if cursor.is(kind, "schema") { end } else { kind };
            (start..behind).any(|at| cursor.is_any(at, WORDS) && *cursor.token(at + 1) != Token::Period)
        });
        said || (start..end).any(|at| self.names_temporary_schema(at))
    }

    /// `pg_temp.name`, `SET SCHEMA pg_temp`, `INTO pg_temp`; SQLite's `temp.name`.
    fn names_temporary_schema(&self, at: usize) -> bool {
        let cursor = self.cursor;
        let Some((name, _)) = cursor.part(at) else { return false };
        let is_schema = *cursor.token(at + 1) == Token::Period;
        match self.dialect() {
            Dialect::Sqlite => is_schema && name.eq_ignore_ascii_case("temp"),
            Dialect::Postgres => {
                is_postgres_temporary(name)
                    && (is_schema || cursor.is_any(at.wrapping_sub(1), &["exists", "into", "schema"]))
            }
            Dialect::Mysql => false,
        }
    }

    fn object(&mut self, creates: bool, drops: bool, kind: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let mut name = cursor.skip(kind + 1, &["concurrently", "if", "not", "exists"]);
        name = cursor.skip(name, &["only"]);
        let is = |expected| cursor.is(kind, expected);
        match () {
            () if is("table") || is("view") => {
                if drops {
                    return self.targets(name).map(drop);
                }
                if cursor.are(name, &["all", "in"]) {
                    return Ok(());
                }
                let next = self.target(name)?;
                if !creates {
                    self.altered(next, end)?;
                    self.renamed(name, next, end);
                }
                let setting = if creates && is("table") { Setting::Table } else { Setting::Definition };
                self.walk(next, end, setting)
            }
            () if is("index") || is("policy") => match self.find(kind, end, "on") {
                Some(on) => {
                    let next = self.target(cursor.skip_all(on + 1, &["only"]))?;
                    self.walk(next, end, Setting::Definition)
                }
                None => Ok(()),
            },
            () if is("trigger") || is("rule") => {
                // `CREATE RULE r AS ON INSERT TO name`, and else `… ON name`.
                let word = if is("rule") && creates { "to" } else { "on" };
                match self.find(kind, end, word) {
                    Some(at) => {
                        let next = self.target(at + 1)?;
                        self.body(next, end)
                    }
                    None => Ok(()),
                }
            }
            () if is("procedure") || is("function") || is("package") => self.body(kind + 1, end),
            () if is("event") && !cursor.is(kind + 1, "trigger") => self.body(kind + 1, end),
            () if is("statistics") => match self.find(kind, end, "from") {
                Some(from) => self.target(from + 1).map(drop),
                None => Ok(()),
            },
            () if is("sequence") => {
                match (kind..end).find(|at| cursor.are(*at, &["owned", "by"]) && !cursor.is(*at + 2, "none"))
                {
                    Some(owned) => self.column(owned + 2),
                    None => Ok(()),
                }
            }
            () if is("publication") || is("extension") => self.members(name, end),
            () => Ok(()),
        }
    }

    /// The tables of a publication or an extension: `FOR TABLE a, b (c) WHERE (…), TABLES IN SCHEMA s`.
    fn members(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let Some(table) = self.find(start, end, "table") else { return Ok(()) };
        let mut at = table;
        while at < end {
            at = cursor.skip_all(at, &["table"]);
            at = cursor.skip_all(at, &["only"]);
            if cursor.are(at, &["tables", "in"]) {
                at += 2;
            } else {
                self.target(at)?;
            }
            while at < end && *cursor.token(at) != Token::Comma {
                at = if cursor.is_open(at) { cursor.partner(at) + 1 } else { at + 1 };
            }
            at += 1;
        }
        Ok(())
    }

    /// The first place of a word outside of brackets.
    pub(super) fn find(&self, start: usize, end: usize, word: &str) -> Option<usize> {
        let mut at = start;
        while at < end {
            if self.cursor.is(at, word) {
                return Some(at);
            }
            at = if self.cursor.is_open(at) { self.cursor.partner(at) + 1 } else { at + 1 };
        }
        None
    }

    /// The other tables that ALTER TABLE names.
    fn altered(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        for at in start..end {
            let partition =
                cursor.is(at, "partition") && cursor.is_any(at.wrapping_sub(1), &["attach", "detach"]);
            let exchange = cursor.are(at, &["with", "table"])
                || cursor.are(at, &["convert", "table"])
                || cursor.are(at, &["to", "table"]);
            // `ADD COLUMN inherit int` names a column so.
            let inherit = cursor.is(at, "inherit")
                && (at == start || *cursor.token(at - 1) == Token::Comma || cursor.is(at - 1, "no"));
            if self.dialect() == Dialect::Postgres && (partition || inherit) {
                self.target(at + 1)?;
            } else if exchange {
                self.target(at + 2)?;
            }
        }
        Ok(())
    }

    /// The new name in `ALTER TABLE a RENAME TO b`, which has the schema of the old one. `RENAME a TO b` is of a column.
    fn renamed(&mut self, old: usize, start: usize, end: usize) {
        const PARTS: &[&str] = &["column", "constraint", "index", "key"];
        let cursor = self.cursor;
        let schema = cursor.name(old).and_then(|(table, _)| table.schema().map(str::to_owned));
        for at in start..end {
            let new = cursor.skip(at + 1, &["to", "as"]);
            let begins = at == start || *cursor.token(at - 1) == Token::Comma;
            if !begins || !cursor.is(at, "rename") || cursor.is_any(new, PARTS) {
                continue;
            }
            let Some((parts, behind)) = cursor.parts(new) else { continue };
            if !cursor.is(behind, "to") {
                let schema = schema.as_deref().filter(|_| parts.len() == 1).map(|schema| (schema, true));
                self.mention(new, schema.into_iter().chain(parts).collect::<Vec<_>>().into_iter());
            }
        }
    }

    /// A body of statements. Its language is larger than SQL; what cannot be followed is left alone, for the
    /// definition itself is understood.
    fn body(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let _ = self.walk(start, end, Setting::Routine);
        Ok(())
    }

    fn rename(&mut self, mut at: usize, end: usize) -> Result<(), Unplaced> {
        at = self.cursor.skip_all(at, &["if", "exists"]);
        loop {
            at = self.target(at)?;
            at = self.cursor.skip(at, &["wait", "nowait"]);
            if self.cursor.is(at, "to") {
                at = self.target(at + 1)?;
            }
            match (at..end).find(|at| *self.cursor.token(*at) == Token::Comma) {
                Some(comma) => at = comma + 1,
                None => return Ok(()),
            }
        }
    }

    fn rights(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let Some(on) = self.find(start, end, "on") else { return Ok(()) };
        const NO_TABLES: &[&str] =
            &["all", "foreign", "large", "parameter", "routine", "routines", "procedures", "functions"];
        let mut at = cursor.skip_all(on + 1, &["table"]);
        if !cursor.is(on + 1, "table") && (cursor.is_any(at, NO_TABLES) || cursor.is_any(at, KINDS)) {
            return Ok(());
        }
        // MySQL: `ON *.*`, `ON *`, `ON schema.*`.
        while let Some((_, next)) = cursor.parts(at) {
            if *cursor.token(next - 1) != Token::Mul {
                self.target(at)?;
            }
            if *cursor.token(next) != Token::Comma {
                break;
            }
            at = next + 1;
        }
        Ok(())
    }

    fn comment(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let Some(on) = self.find(start, end, "on") else { return Ok(()) };
        let kind = cursor.skip(on + 1, &["materialized", "foreign"]);
        if cursor.is_any(kind, &["table", "view"]) {
            self.target(kind + 1).map(drop)
        } else if cursor.is(kind, "column") {
            self.column(kind + 1)
        } else if let Some(on) = self.find(kind, end, "on") {
            // `COMMENT ON TRIGGER name ON table`, and constraints, policies and rules likewise.
            if cursor.is(on + 1, "domain") { Ok(()) } else { self.target(on + 1).map(drop) }
        } else {
            Ok(())
        }
    }

    /// The table of `table.column`.
    fn column(&mut self, at: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        match cursor.parts(at) {
            Some((parts, _)) if parts.len() > 1 => {
                self.mention(at, parts[..parts.len() - 1].iter().copied());
                Ok(())
            }
            _ => Err(Unplaced("a column's table is missing".to_owned())),
        }
    }
}
