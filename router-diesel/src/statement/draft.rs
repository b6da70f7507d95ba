//! What a reading has found so far.

use std::borrow::Cow;
use std::collections::HashSet;

use router_core::Operation;

use super::effects::{Effects, Facts};
use super::functions::{Call, Called, Effect};
use super::{Dialect, TableName, TransactionControl};

/// A statement in the making. Both readings fill one.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) finding: Option<(Operation, Cow<'static, str>)>,
    tables: Vec<TableName>,
    /// The same once more, as soon as they are many: a text may name tens of thousands.
    many: HashSet<TableName>,
    pub(super) controls: Vec<TransactionControl>,
    pub(super) session_state: bool,
    pub(super) effects: Effects,
}

impl Draft {
    /// Records an operation. The strongest stays, and of equals the first, with its reason.
    pub(super) fn found(&mut self, operation: Operation, why: impl Into<Cow<'static, str>>) {
        if self.finding.as_ref().is_none_or(|(known, _)| operation > *known) {
            self.finding = Some((operation, why.into()));
        }
    }

    /// Records a transaction's control, which belongs on the connection that can write.
    pub(super) fn control(&mut self, control: TransactionControl) {
        self.controls.push(control);
        self.found(Operation::Write, "controls a transaction");
    }

    /// Records what stays behind on the connection, and so must go where the session's writes go.
    pub(super) fn state(&mut self, why: impl Into<Cow<'static, str>>) {
        self.session_state = true;
        self.found(Operation::Write, why);
    }

    /// Records the call of a function.
    pub(super) fn calls(&mut self, called: Called<'_>, call: Call) {
        let Called { schema, name, .. } = called;
        match call {
            Call::Harmless => {}
            Call::Unknown => self.effects.calls(match schema {
                Some(schema) => TableName::qualified(schema, name),
                None => TableName::new(name),
            }),
            Call::Effect(Effect::Asks(facts)) => self.asks(facts),
            Call::Effect(effect) => {
                if let Effect::Makes(facts) = effect {
                    self.effects.makes = self.effects.makes.with(facts);
                }
                self.session_state |= effect == Effect::Session;
                self.found(Operation::Write, format!("calls `{}`", name.to_ascii_lowercase()));
            }
        }
    }

    /// Records that the statement asks about earlier ones on its connection.
    pub(super) fn asks(&mut self, facts: Facts) {
        self.effects.asks = self.effects.asks.with(facts);
        self.found(Operation::Read, "asks about its connection");
    }

    /// Records that statements after this one may ask about it.
    pub(super) fn makes(&mut self, facts: Facts) {
        self.effects.makes = self.effects.makes.with(facts);
    }

    /// Records a table once.
    pub(super) fn table(&mut self, table: TableName) {
        /// Up to here, looking at each is faster than a table of hashes.
        const FEW: usize = 16;
        if self.tables.len() < FEW {
            if !self.tables.contains(&table) {
                self.tables.push(table);
            }
            return;
        }
        if self.many.is_empty() {
            self.many.extend(self.tables.iter().cloned());
        }
        if self.many.insert(table.clone()) {
            self.tables.push(table);
        }
    }

    /// The finished parts: the operation with its reason, the tables, the controls, and what stays behind.
    #[expect(clippy::type_complexity, reason = "taken apart at once, in one place")]
    pub(super) fn finish(
        self,
    ) -> (Option<(Operation, Cow<'static, str>)>, Vec<TableName>, Vec<TransactionControl>, bool, Effects)
    {
        (self.finding, self.tables, self.controls, self.session_state, self.effects.finish())
    }

    /// What an EXPLAIN of this comes to: a read, unless the statement is run, or MySQL would explain a write. A
    /// read-only connection refuses that as it refuses the write itself.
    pub(super) fn explained(self, dialect: Dialect, runs: bool) -> Self {
        // SQLite runs some PRAGMAs as it prepares them.
        let runs = runs || dialect == Dialect::Sqlite && self.session_state;
        let finding = match self.finding {
            Some((operation, why)) if runs && operation > Operation::Read => {
                (operation, Cow::Owned(format!("`EXPLAIN ANALYZE` runs it: {why}")))
            }
            Some((operation, why)) if dialect == Dialect::Mysql && operation > Operation::Read => (
                Operation::Write,
                Cow::Owned(format!("`EXPLAIN` of a write needs a connection that can write: {why}")),
            ),
            _ => (Operation::Read, Cow::Borrowed("EXPLAIN")),
        };
        let session_state = runs && self.session_state;
        let effects = if runs { self.effects } else { Effects::default() };
        Self { finding: Some(finding), controls: Vec::new(), session_state, effects, ..self }
    }

    /// Whether another reading of the same text says the same.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        let operation =
            |draft: &Self| draft.finding.as_ref().map_or(Operation::Read, |(operation, _)| *operation);
        operation(self) == operation(other)
            && self.session_state == other.session_state
            && self.controls == other.controls
            && self.tables == other.tables
    }

    /// Takes the stricter of two readings of one text, wherever they differ: no table and no write is lost.
    pub(super) fn stricter(mut self, other: Self) -> Self {
        if let Some((operation, why)) = other.finding {
            self.found(operation, why);
        }
        if other.controls.len() > self.controls.len() {
            self.controls = other.controls;
        }
        self.session_state |= other.session_state;
        self.effects.absorb(other.effects);
        for table in other.tables {
            self.table(table);
        }
        self
    }

    /// Adds what an inner statement found, as a part of this one.
    pub(super) fn absorb(&mut self, inner: Self) {
        if let Some((operation, why)) = inner.finding {
            self.found(operation, why);
        }
        self.controls.extend(inner.controls);
        self.session_state |= inner.session_state;
        self.effects.absorb(inner.effects);
        for table in inner.tables {
            self.table(table);
        }
    }
}
