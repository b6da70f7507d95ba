//! Reads SQL: what a statement does, and which tables it names.
//!
//! A router needs two facts about a statement, and both must be right: its [`Operation`], because a write that
//! looks like a read ends on a replica, and its tables, because they say which app and so which database it
//! belongs to. A [`Classifier`] finds them from the text and the [`Dialect`] alone:
//!
//! ```
//! use router_core::Operation;
//! use router_diesel::statement::{Classifier, Dialect};
//!
//! let classifier = Classifier::new(Dialect::Postgres);
//! let statement = classifier.classify("SELECT id FROM posts JOIN blog.authors USING (id) FOR SHARE");
//! assert_eq!(statement.operation(), Operation::Write);
//! assert_eq!(statement.why(), "`FOR SHARE` locks rows");
//! assert_eq!(statement.tables().iter().map(ToString::to_string).collect::<Vec<_>>(), ["posts", "blog.authors"]);
//! ```
//!
//! # Two readings
//!
//! 1. `sqlparser` parses the text, and the tree is walked. Structure is understood exactly, scopes included.
//! 2. Its grammar refuses some of what Diesel emits (`FOR NO KEY UPDATE`, `ON CONFLICT (x) WHERE …`, SQLite's
//!    `x IS ?`) and much that people write by hand (`DO $$…$$`, `LOCK IN SHARE MODE`, `REFRESH MATERIALIZED
//!    VIEW`). Those are read from `sqlparser`'s *tokens*, in which literals, comments and quoted names are already
//!    told apart: the words that introduce tables are followed through parentheses and common table expressions.
//!    Never from raw text, where a string that contains SQL would pass for SQL.
//!
//! A keyword of some other database may be a column's name here, and mislead either reading. So the classifier compares
//! the tree with the tokens, and the stricter reading wins: no table and no write is lost. [`Statement::reading`] says
//! whether there was a tree. Tests compare the two, with every keyword in every place. If neither can read a statement, it
//! is a write without tables, [`Reading::Unreadable`]: a wrong guess costs more than a question.
//!
//! # What counts as what
//!
//! - **Read**: what leaves everything as it was and could run on a replica.
//! - **Migrate**: whatever changes the schema or who may use it: `CREATE`, `ALTER`, `DROP`, `RENAME`, `GRANT`,
//!   `REVOKE`, `COMMENT ON`, roles included.
//! - **Write**: everything else. That is rows; locks; upkeep that changes no schema (`VACUUM`, `ANALYZE`,
//!   `REINDEX`, `CLUSTER`, `OPTIMIZE`, `REFRESH MATERIALIZED VIEW`); what belongs to one connection and would be
//!   lost on another (`SET`, `PREPARE`, cursors, `LISTEN`); transaction control, since the
//!   connection that runs `BEGIN` must be able to run what follows. A question about earlier statements, such as
//!   `last_insert_rowid()`, is a read that only one connection can answer.
//!
//! Several statements in one text are classified as their strongest operation, with the tables of all.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use router_core::Operation;
use sqlparser::tokenizer::TokenWithSpan;

pub(crate) mod cache;
mod classify;
pub(crate) mod comments;
mod dialect;
mod draft;
pub(crate) mod effects;
mod functions;
mod nesting;
pub(crate) mod set_config;
mod settings;
mod table;
mod tokens;
pub(crate) mod variables;

pub use dialect::{Dialect, UnknownDialect};
pub use table::TableName;

use draft::Draft;
use effects::{Effects, Facts, TransactionSetting};
use functions::WriteFunctions;
use set_config::SetConfig;

/// The tokens of a text, or why it cannot be taken apart.
pub(crate) fn tokens_of(dialect: Dialect, sql: &str) -> Result<Vec<TokenWithSpan>, String> {
    tokens::tokenize(dialect, sql).map_err(|unplaced| unplaced.to_string())
}

/// What a text of SQL does to a database, and to which tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    operation: Operation,
    why: Cow<'static, str>,
    tables: Vec<TableName>,
    reading: Reading,
    controls: Vec<TransactionControl>,
    session_state: bool,
    effects: Effects,
}

impl Statement {
    /// What it does: the strongest operation of all its parts.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why it is that operation, as a short phrase: ``calls `nextval` ``, `a CTE writes`, `INSERT`.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The tables and views that it names, in order of first appearance, each once.
    #[must_use]
    pub fn tables(&self) -> &[TableName] {
        &self.tables
    }

    /// How it was understood.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// How it controls a transaction, if it does: the first such part of several.
    ///
    /// `BEGIN` in a batch must not pass unseen: a session that counts transaction depth asks this first.
    #[must_use]
    pub fn transaction_control(&self) -> Option<TransactionControl> {
        self.controls.first().copied()
    }

    /// Every part that controls a transaction, in order. A batch may begin and commit its own.
    #[must_use]
    pub fn transaction_controls(&self) -> &[TransactionControl] {
        &self.controls
    }

    /// Whether it leaves something behind on its connection: a setting, a temporary table, a prepared statement,
    /// a cursor, a lock that outlives the transaction.
    ///
    /// A pooled connection carries such state to its next user.
    #[must_use]
    pub fn sets_session_state(&self) -> bool {
        self.session_state
    }

    /// What it asks of its connection, and what other statements may ask after it.
    pub(crate) fn effects(&self) -> &Effects {
        &self.effects
    }

    /// Whether it leaves something behind on its connection, or is not understood, so that nobody can tell.
    pub(crate) fn may_leave_state(&self) -> bool {
        self.session_state || self.reading == Reading::Unreadable
    }

    /// Whether it may run a second time, as the first time had no effect: a read that was understood as a whole, which
    /// calls no function that nobody knows and asks nothing of its connection.
    pub(crate) fn may_run_again(&self) -> bool {
        self.reading == Reading::Parsed
            && !self.acts()
            && self.controls.is_empty()
            && self.effects.asks.is_empty()
            && self.effects.setting.is_none()
    }

    /// Whether it asks about earlier statements, and about nothing else that the session could bear on.
    pub(crate) fn only_asks(&self) -> bool {
        self.tables.is_empty() && !self.acts()
    }

    /// Whether it has an effect, or may have one that nobody can see in it.
    pub(crate) fn acts(&self) -> bool {
        self.operation != Operation::Read || self.session_state || !self.effects.functions.is_empty()
    }

    /// Whether it would begin a transaction and leave it open, or end one that it did not begin.
    pub(crate) fn moves_transaction(&self, open: bool) -> bool {
        use TransactionControl::{Begin, Commit, Release, Rollback, RollbackTo, Savepoint};
        let mut begun = false;
        for control in &self.controls {
            match control {
                Begin if !open && !begun => begun = true,
                Commit | Rollback if begun => begun = false,
                Savepoint | RollbackTo | Release if open || begun => {}
                _ => return true,
            }
        }
        begun
    }

    /// Takes over the stronger operation of the same text in another dialect.
    pub(crate) fn strengthen(&mut self, other: &Self) {
        self.effects.strengthen(&other.effects);
        self.take_stronger(other);
    }

    fn take_stronger(&mut self, other: &Self) {
        self.session_state |= other.session_state;
        if other.operation > self.operation {
            self.operation = other.operation;
            self.why = other.why.clone();
        }
    }

    /// What holds for a text that servers understand differently: all tables and functions, and the stronger operation.
    /// What only some servers could read is a write.
    fn stricter(mut self, other: Self) -> Self {
        if self.reading == Reading::Unreadable || other.reading == Reading::Unreadable {
            let (mut known, lost) =
                if self.reading == Reading::Unreadable { (other, self) } else { (self, other) };
            known.take_stronger(&lost);
            known.effects.absorb(lost.effects);
            return known;
        }
        self.take_stronger(&other);
        self.effects.absorb(other.effects);
        self.effects = self.effects.finish();
        self.controls =
            if other.controls.len() > self.controls.len() { other.controls } else { self.controls };
        for table in other.tables {
            if !self.tables.contains(&table) {
                self.tables.push(table);
            }
        }
        self
    }

    /// Takes over what the same text asks in another dialect.
    pub(crate) fn also_asks(&mut self, other: &Self) {
        self.effects.also_asks(&other.effects);
    }

    /// Takes over that the same text leaves something behind in another dialect.
    pub(crate) fn also_leaves_state(&mut self) {
        self.session_state = true;
    }

    fn new(draft: Draft, reading: Reading) -> Self {
        let (finding, tables, controls, session_state, effects) = draft.finish();
        let (operation, why) = finding.unwrap_or((Operation::Read, Cow::Borrowed("nothing to run")));
        let session_state =
            session_state || operation != Operation::Read && tables.iter().any(TableName::is_of_connection);
        Self { operation, why, tables, reading, controls, session_state, effects }
    }

    /// A statement that is a setting of the transaction around it. It writes nothing, unless it may allow writes again.
    fn setting(setting: TransactionSetting) -> Self {
        let operation = if setting.lifts_guard { Operation::Write } else { Operation::Read };
        Self {
            operation,
            why: Cow::Borrowed("a setting of the transaction"),
            tables: Vec::new(),
            reading: Reading::Tokens,
            controls: Vec::new(),
            session_state: false,
            effects: Effects { setting: Some(setting), ..Effects::default() },
        }
    }

    /// Adds what the words of the statement tell, however it was read.
    fn with_words(mut self, words: Effects) -> Self {
        if words.makes.has(Facts::VARIABLES) {
            self.session_state = true;
        }
        self.effects.absorb(words);
        self
    }

    /// The calls of `set_config` that it consists of, where some of their arguments are bound.
    pub(crate) fn set_config(&self) -> Option<&Arc<[SetConfig]>> {
        self.effects.set_config.as_ref()
    }

    /// Adds the calls that set something or other, by the values that are bound.
    pub(crate) fn with_set_config(mut self, calls: Option<Arc<[SetConfig]>>) -> Self {
        self.effects.set_config = calls;
        self
    }

    fn unreadable(reason: &dyn fmt::Display) -> Self {
        Self {
            operation: Operation::Write,
            why: Cow::Owned(format!("cannot be read: {reason}")),
            tables: Vec::new(),
            reading: Reading::Unreadable,
            controls: Vec::new(),
            session_state: false,
            effects: Effects::default(),
        }
    }
}

/// What a text is to an engine of a dialect, if it is a setting of a transaction and nothing else.
pub(crate) fn transaction_setting(dialect: Dialect, sql: &str) -> Option<TransactionSetting> {
    effects::transaction_setting(dialect, &tokens::tokenize(dialect, sql).ok()?)
}

/// How a statement was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// From the tree that `sqlparser` made of it, which its tokens do not contradict.
    Parsed,
    /// From its tokens, because the grammar of `sqlparser` refuses it or takes it for something else.
    Tokens,
    /// Not at all. It counts as a write, and its tables are unknown.
    Unreadable,
}

impl Reading {
    /// The reading's name: `parsed`, `tokens` or `unreadable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Tokens => "tokens",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A statement that begins, ends or divides a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionControl {
    /// `BEGIN`, `START TRANSACTION`, `XA START`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `SAVEPOINT name`.
    Savepoint,
    /// `ROLLBACK TO SAVEPOINT name`.
    RollbackTo,
    /// `RELEASE SAVEPOINT name`.
    Release,
    /// `PREPARE TRANSACTION`, `COMMIT PREPARED`, `XA PREPARE` and the other steps of a two-phase commit.
    TwoPhase,
}

/// Reads statements of one dialect.
///
/// It is cheap to build and holds no cache: what is worth remembering, the caller remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    dialect: Dialect,
    functions: WriteFunctions,
}

impl Classifier {
    /// A classifier that knows the dialect's own functions with effects, such as `nextval` and `GET_LOCK`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, functions: WriteFunctions::new(dialect) }
    }

    /// Adds functions of your own whose call is a write.
    ///
    /// Case does not matter. A name without a schema means that function in every schema; one with a schema also
    /// means a call that names none, because the search path may lead there.
    ///
    /// ```
    /// use router_core::Operation;
    /// use router_diesel::statement::{Classifier, Dialect};
    ///
    /// let classifier = Classifier::new(Dialect::Postgres).with_write_functions(["audit.record"]);
    /// assert_eq!(classifier.classify("SELECT record('login')").operation(), Operation::Write);
    /// assert_eq!(classifier.classify("SELECT music.record('login')").operation(), Operation::Read);
    /// ```
    #[must_use]
    pub fn with_write_functions<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for name in names {
            self.functions.add(name.as_ref());
        }
        self
    }

    /// Adds functions of your own whose call leaves something on its connection, such as a setting or a lock.
    #[must_use]
    pub fn with_state_functions<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for name in names {
            self.functions.add_of_state(name.as_ref());
        }
        self
    }

    /// Adds functions of your own that have no effect, so that a statement which calls one may run a second time.
    #[must_use]
    pub fn with_read_functions<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for name in names {
            self.functions.add_of_reading(name.as_ref());
        }
        self
    }

    /// The dialect that it reads.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reads a text of SQL, by its tree where the grammar allows and by its tokens.
    ///
    /// Any text has an answer: what cannot be read is a write without tables. Where the two readings differ, the
    /// stricter holds: all tables that either found, and the stronger operation.
    #[must_use]
    pub fn classify(&self, sql: &str) -> Statement {
        let (first, second) = comments::meanings(self.dialect, sql);
        let statement = self.classify_meaning(&first.text);
        match second {
            Some(second) => statement.stricter(self.classify_meaning(&second.text)),
            None => statement,
        }
    }

    /// Reads a text as one server runs it.
    fn classify_meaning(&self, sql: &str) -> Statement {
        let tokens = match tokens::tokenize(self.dialect, sql) {
            Ok(tokens) => tokens,
            Err(unplaced) => return Statement::unreadable(&unplaced),
        };
        if let Some(setting) = effects::transaction_setting(self.dialect, &tokens) {
            return Statement::setting(setting);
        }
        let words = variables::of_words(self.dialect, &tokens);
        let set_config = effects::with_binds(self.dialect, &tokens);
        let (parsed, tokens) = classify::read(self, tokens);
        match (parsed, tokens::read(self, &tokens)) {
            (Some(parsed), Ok(other)) if parsed.says_what(&other) => Statement::new(parsed, Reading::Parsed),
            (Some(parsed), Ok(other)) => Statement::new(other.stricter(parsed), Reading::Tokens),
            (Some(parsed), Err(_)) => Statement::new(parsed, Reading::Parsed),
            (None, Ok(draft)) => Statement::new(draft, Reading::Tokens),
            (None, Err(unplaced)) => return Statement::unreadable(&unplaced),
        }
        .with_words(words)
        .with_set_config(set_config)
    }

    /// Reads a text of SQL in one given way, or not at all.
    ///
    /// [`classify`](Self::classify) chooses by itself; this is for holding the two readings against each other. A tree
    /// that the tokens contradict is no reading.
    #[must_use]
    pub fn classify_by(&self, reading: Reading, sql: &str) -> Option<Statement> {
        let tokens = tokens::tokenize(self.dialect, sql).ok()?;
        let (parsed, tokens) = match reading {
            Reading::Parsed => classify::read(self, tokens),
            Reading::Tokens => (None, tokens),
            Reading::Unreadable => return None,
        };
        let by_tokens = tokens::read(self, &tokens);
        let draft = match reading {
            Reading::Parsed => {
                parsed.filter(|parsed| by_tokens.is_ok_and(|other| parsed.says_what(&other)))?
            }
            _ => by_tokens.ok()?,
        };
        Some(Statement::new(draft, reading))
    }
}
