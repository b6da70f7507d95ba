//! What a statement has to do with the connection on which it runs, beyond its tables.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::set_config::{self, Resolved, SetConfig};
use super::variables::Variables;
use super::{Dialect, TableName};
use crate::engine::Engine;

/// What a statement asks of its connection, and what other statements may ask after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// What it asks about earlier statements on its connection.
    pub(crate) asks: Facts,
    /// What later statements may ask about this one.
    pub(crate) makes: Facts,
    /// The variables of the user's own that it uses, if any: MySQL's `@name`.
    pub(crate) variables: Option<Box<Variables>>,
    /// The functions that it calls and that the engine does not have built in, each once.
    pub(crate) functions: Vec<TableName>,
    /// The databases that it names without a table of theirs, as `SHOW TABLES FROM name` does.
    pub(crate) databases: Vec<TableName>,
    /// Whether it is a setting for the transaction around it, and nothing else.
    pub(crate) setting: Option<TransactionSetting>,
    /// The calls of `set_config` that it consists of, where the values that are bound decide whether it is such a setting.
    pub(crate) set_config: Option<Arc<[SetConfig]>>,
    /// Whether it chooses another database on its connection, as MySQL's `USE` does.
    pub(crate) switches_database: bool,
    /// Whether it begins to copy data over its connection, as `COPY … FROM STDIN` does.
    pub(crate) copies: bool,
}

impl Effects {
    /// Adds those of a part of the statement.
    pub(super) fn absorb(&mut self, other: Self) {
        self.asks = self.asks.with(other.asks);
        self.makes = self.makes.with(other.makes);
        self.switches_database |= other.switches_database;
        self.copies |= other.copies;
        self.use_variables(other.variables.as_deref());
        self.databases.extend(other.databases);
        for function in other.functions {
            self.calls(function);
        }
    }

    /// Takes over what the same text means in another dialect. A function that one of the engines has built in is none of
    /// somebody's own.
    pub(super) fn strengthen(&mut self, other: &Self) {
        self.asks = self.asks.with(other.asks);
        self.makes = self.makes.with(other.makes);
        self.switches_database |= other.switches_database;
        self.copies |= other.copies;
        self.use_variables(other.variables.as_deref());
        self.databases.extend(other.databases.iter().cloned());
        let others: FxHashSet<_> = other.functions.iter().collect();
        self.functions.retain(|function| others.contains(function));
    }

    /// Takes over what another reading of the same text asks.
    pub(super) fn also_asks(&mut self, other: &Self) {
        self.asks = self.asks.with(other.asks);
        self.use_variables(other.variables.as_deref());
    }

    fn use_variables(&mut self, other: Option<&Variables>) {
        if let Some(other) = other {
            self.variables.get_or_insert_default().absorb(other);
        }
    }

    /// Records a function that is not built in.
    pub(super) fn calls(&mut self, function: TableName) {
        self.functions.push(function);
    }

    /// Leaves each function once.
    pub(super) fn finish(mut self) -> Self {
        let mut seen = FxHashSet::default();
        self.functions.retain(|function| seen.insert(function.clone()));
        self
    }
}

/// Facts about earlier statements that one connection alone can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Facts(u8);

impl Facts {
    pub(crate) const NONE: Self = Self(0);
    /// What the last INSERT generated: `last_insert_id()`, `last_insert_rowid()`, `lastval()`, `currval()`.
    pub(crate) const INSERTED: Self = Self(1);
    /// What the last change of rows came to: `changes()`, `total_changes()`.
    pub(crate) const CHANGED: Self = Self(2);
    /// What the last query found: `FOUND_ROWS()`.
    pub(crate) const FOUND: Self = Self(4);
    /// How the last statement ended: `ROW_COUNT()`, `SHOW WARNINGS`, `@@warning_count`.
    pub(crate) const ENDED: Self = Self(8);
    /// The values of variables, `@x`: [`Effects::variables`] has their names.
    pub(crate) const VARIABLES: Self = Self(16);

    /// Those that the next statement on the connection replaces, whatever it is.
    pub(crate) const OF_THE_LAST: Self = Self::FOUND.with(Self::ENDED);

    /// Each fact alone that is the same whatever the statement. Of variables each has its own, by its name.
    pub(crate) const EACH: [Self; 4] = [Self::INSERTED, Self::CHANGED, Self::FOUND, Self::ENDED];

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A setting that holds until the transaction around it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransactionSetting {
    /// When it must be sent.
    pub(crate) when: When,
    /// Whether it may allow writes where they are refused.
    pub(crate) lifts_guard: bool,
    /// Whether it says how the transaction is, and nothing else: it must come before the transaction's first query.
    pub(crate) shapes: bool,
    /// Whether it answers with a row, as a SELECT does.
    pub(crate) returns_row: bool,
}

/// Where a setting stands relative to the BEGIN of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// The tokens of a text without blanks and comments.
pub(super) fn words(tokens: &[TokenWithSpan]) -> Vec<&Token> {
    let tokens = tokens.iter().map(|token| &token.token);
    tokens.filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF)).collect()
}

pub(super) fn is(token: Option<&&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(Word { value, quote_style: None, .. })) if value.eq_ignore_ascii_case(word))
}

pub(super) fn is_any(token: Option<&&Token>, words: &[&str]) -> bool {
    words.iter().any(|word| is(token, word))
}

/// What a text is as settings of a transaction, if it is nothing else.
pub(super) fn transaction_setting(dialect: Dialect, tokens: &[TokenWithSpan]) -> Option<TransactionSetting> {
    let tokens = words(tokens);
    let mut all: Option<TransactionSetting> = None;
    for statement in tokens.split(|token| **token == Token::SemiColon).filter(|part| !part.is_empty()) {
        let one = match dialect {
            Dialect::Postgres => of_postgres(statement),
            Dialect::Mysql => of_mysql(statement),
            Dialect::Sqlite => of_sqlite(statement),
        }?;
        all = Some(match all {
            Some(known) => TransactionSetting {
                lifts_guard: known.lifts_guard || one.lifts_guard,
                shapes: known.shapes && one.shapes,
                returns_row: one.returns_row,
                ..one
            },
            None => one,
        });
    }
    all
}

const AFTER: TransactionSetting =
    TransactionSetting { when: When::After, lifts_guard: false, shapes: false, returns_row: false };

/// `SET LOCAL`, `SET TRANSACTION`, `SET CONSTRAINTS`, `SELECT set_config(…, true)`.
fn of_postgres(statement: &[&Token]) -> Option<TransactionSetting> {
    let second = statement.get(1);
    if is(statement.first(), "select") {
        return of_set_config(statement);
    }
    if !is(statement.first(), "set") {
        return None;
    }
    if is(second, "constraints") {
        return Some(AFTER);
    }
    if is(second, "transaction") {
        let lifts_guard = allows_writes(&statement[2..]);
        return Some(TransactionSetting { lifts_guard, shapes: true, ..AFTER });
    }
    if !is(second, "local") {
        return None;
    }
    let name = name_of(statement.get(2))?;
    let lifts_guard = match name.as_str() {
        "transaction" => allows_writes(&statement[3..]),
        "session" => true,
        _ => lifts_guard(&name, statement.get(4).copied()),
    };
    Some(TransactionSetting {
        lifts_guard,
        shapes: Engine::Postgres.spec().shapes_transaction(&name),
        ..AFTER
    })
}

/// Calls of `set_config` with literals alone, each for the transaction.
fn of_set_config(statement: &[&Token]) -> Option<TransactionSetting> {
    let calls = set_config::read(statement).filter(|calls| !set_config::have_binds(calls))?;
    set_config::resolve(&calls, &[]).map(|resolved| by_set_config(&resolved))
}

/// What calls of `set_config` are as a setting of their transaction.
pub(crate) fn by_set_config(resolved: &[Resolved]) -> TransactionSetting {
    let lifts_guard = resolved.iter().any(Resolved::lifts_guard);
    TransactionSetting { lifts_guard, returns_row: true, ..AFTER }
}

/// The calls of `set_config` that a text consists of, if some of their arguments are bound.
pub(super) fn with_binds(dialect: Dialect, tokens: &[TokenWithSpan]) -> Option<Arc<[SetConfig]>> {
    if dialect != Dialect::Postgres {
        return None;
    }
    set_config::read(&words(tokens)).filter(|calls| set_config::have_binds(calls)).map(Arc::from)
}

/// The name of a setting, in lower case.
fn name_of(token: Option<&&Token>) -> Option<String> {
    match token? {
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        _ => None,
    }
}

/// Whether a setting may give back the right to write, or that of another user.
pub(super) fn lifts_guard(name: &str, value: Option<&Token>) -> bool {
    let is_on = |value: Option<&Token>| match value {
        Some(Token::Word(word)) => matches!(word.value.to_ascii_lowercase().as_str(), "on" | "true" | "yes"),
        Some(Token::SingleQuotedString(word)) => {
            matches!(word.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1")
        }
        Some(Token::Number(number, _)) => number == "1",
        _ => false,
    };
    match name {
        "role" | "session_authorization" => true,
        "transaction_read_only" | "default_transaction_read_only" => !is_on(value),
        _ => false,
    }
}

/// Whether `READ WRITE` stands among the modes of a transaction.
fn allows_writes(modes: &[&Token]) -> bool {
    modes.windows(2).any(|pair| is(pair.first(), "read") && is(pair.get(1), "write"))
}

/// `SET TRANSACTION …`, which MySQL takes before BEGIN alone.
fn of_mysql(statement: &[&Token]) -> Option<TransactionSetting> {
    (is(statement.first(), "set") && is(statement.get(1), "transaction")).then(|| TransactionSetting {
        when: When::Before,
        lifts_guard: allows_writes(&statement[2..]),
        shapes: true,
        returns_row: false,
    })
}

/// `PRAGMA defer_foreign_keys = …`, which ends with the transaction.
fn of_sqlite(statement: &[&Token]) -> Option<TransactionSetting> {
    let name = match statement.get(2) {
        Some(Token::Period) => 3,
        _ => 1,
    };
    let sets = statement.len() > name + 1;
    (is(statement.first(), "pragma") && is(statement.get(name), "defer_foreign_keys") && sets)
        .then_some(AFTER)
}
