//! SHOW: of which table, and of which database.

use router_core::Operation;

use super::Unplaced;
use super::reader::Reader;
use crate::statement::{Dialect, TableName};

impl Reader<'_> {
    pub(super) fn show(&mut self, start: usize, end: usize) -> Result<(), Unplaced> {
        self.draft.found(Operation::Read, "SHOW");
        let cursor = self.cursor;
        let at = cursor.skip(start, &["full", "extended", "open"]);
        if cursor.is(at, "create") && cursor.is_any(at + 1, &["table", "view", "sequence"]) {
            self.target(cursor.skip(at + 2, &["if", "not", "exists"]))?;
        } else if cursor.is_any(at, &["columns", "fields", "index", "indexes", "keys"])
            && cursor.is_any(at + 1, &["from", "in"])
            && at + 2 < end
        {
            self.show_of_table(at + 2)?;
        } else if self.dialect() == Dialect::Mysql {
            self.show_of_database(at);
        }
        Ok(())
    }

    /// `SHOW COLUMNS FROM name`, `SHOW INDEX FROM name FROM database`.
    fn show_of_table(&mut self, at: usize) -> Result<(), Unplaced> {
        let cursor = self.cursor;
        let dialect = self.dialect();
        let next = self.target(at)?;
        if cursor.is_any(next, &["from", "in"]) {
            let database = cursor.part(next + 1).map(|(database, _)| database);
            if let (Some(database), Some(mention)) = (database, self.tables.last_mut()) {
                mention.table = TableName::qualified(database, mention.table.name()).in_dialect(dialect);
            }
        }
        Ok(())
    }

    /// MySQL's `SHOW TABLES FROM database`, `SHOW CREATE DATABASE name`, `SHOW CREATE PROCEDURE database.name`.
    fn show_of_database(&mut self, at: usize) {
        const ROUTINES: &[&str] = &["event", "function", "package", "procedure", "trigger"];
        let cursor = self.cursor;
        let name = match () {
            () if cursor.is_any(at, &["tables", "triggers", "events"]) => self.behind_from(at + 1),
            () if cursor.are(at, &["table", "status"]) => self.behind_from(at + 2),
            () if cursor.is(at, "create") && cursor.is_any(at + 1, &["database", "schema"]) => {
                cursor.part(cursor.skip(at + 2, &["if", "not", "exists"]))
            }
            () if cursor.is_any(at, &["create", "function", "procedure"]) => {
                let kind = if cursor.is(at, "create") { at + 1 } else { at };
                let name = cursor.is_any(kind, ROUTINES).then(|| cursor.skip(kind + 1, &["body", "code"]));
                name.and_then(|name| cursor.parts(name)).and_then(|(parts, _)| match parts.as_slice() {
                    [database, _] => Some(*database),
                    _ => None,
                })
            }
            () => None,
        };
        if let Some((database, _)) = name {
            self.draft.effects.databases.push(TableName::all_of(database).in_dialect(self.dialect()));
        }
    }

    fn behind_from(&self, at: usize) -> Option<(&str, bool)> {
        if self.cursor.is_any(at, &["from", "in"]) { self.cursor.part(at + 1) } else { None }
    }
}
