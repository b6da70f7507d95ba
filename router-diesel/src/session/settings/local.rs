//! Settings that end with their transaction: they wait with its BEGIN.

use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::query_builder::QueryFragment;
use router_core::Operation;

use super::admit;
use crate::decision::{RouteError, SettingError};
use crate::engine::RoutedConnection;
use crate::engine::transaction::Access;
use crate::error::Error;
use crate::session::Session;
use crate::statement::effects::{TransactionSetting, When, by_set_config};
use crate::statement::{set_config, transaction_setting};
use crate::topology::pool::NodeConnection;
use crate::topology::{DatabaseId, Prepared, Topology};

/// A setting of the open transaction, or of the one that waits for its first statement.
#[derive(Debug)]
pub(in crate::session) struct Waiting {
    what: What,
    setting: TransactionSetting,
    /// How deep the transaction was that it was made in. A rollback to less takes it back.
    level: u32,
}

/// What is set.
#[derive(Debug)]
enum What {
    Statement(String),
    Named { name: String, value: String },
}

/// A setting of the transaction that bound values make one.
pub(in crate::session) struct BoundSetting {
    pub(in crate::session) setting: TransactionSetting,
    /// The statement with the values in its text.
    pub(in crate::session) sql: String,
    /// What the statement is, whatever its values.
    pub(in crate::session) prepared: Arc<Prepared>,
}

/// As which such a setting is read.
const LOCAL_SETTING: &str = "SELECT set_config('a', '', true)";

/// How a level of a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum End {
    Commit,
    RollBack,
}

impl<C: RoutedConnection> Session<C> {
    /// Makes a setting that holds until the transaction ends, as `SET LOCAL` and `set_config(…, true)` do on PostgreSQL.
    ///
    /// A rollback to before this call takes it back.
    ///
    /// If the transaction has no statement yet, the session sends the setting with BEGIN, to the database that the first
    /// statement chooses. It is no write, so it works in [`read_only_transaction`](Self::read_only_transaction) and on a
    /// replica too.
    ///
    /// # Errors
    /// - No transaction is open.
    /// - The name is not a valid name of a setting, or the value has a NUL in it.
    /// - The setting needs [`set_local_unchecked`](Self::set_local_unchecked).
    /// - The setting decides whether the connection may write.
    /// - The engine has no such settings. MySQL, MariaDB and SQLite have none.
    /// - The server refuses the setting. If it waits for BEGIN, the first statement returns that error.
    pub fn set_local(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<(), Error> {
        let risk = self.judge_setting(name.as_ref(), value.as_ref())?;
        admit(risk, name.as_ref())?;
        self.set_local_judged(name.as_ref(), value.as_ref())
    }

    /// As [`set_local`](Self::set_local), for a setting that changes what names mean or whose rights count:
    /// `search_path`, `role`, `session_authorization`, `row_security`.
    ///
    /// # Errors
    /// As [`set_local`](Self::set_local), without the third case.
    pub fn set_local_unchecked(
        &mut self,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<(), Error> {
        self.judge_setting(name.as_ref(), value.as_ref())?;
        self.set_local_judged(name.as_ref(), value.as_ref())
    }

    fn set_local_judged(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if self.depth() == 0 {
            return Err(SettingError::OutsideTransaction.into());
        }
        if let Some(engine) = self.engines_without_local(name, value) {
            return Err(SettingError::Unsupported { engine }.into());
        }
        let what = What::Named { name: name.to_owned(), value: value.to_owned() };
        let setting = TransactionSetting {
            when: When::After,
            lifts_guard: false,
            shapes: self.shapes_transaction(name),
            returns_row: false,
        };
        let waiting = Waiting { what, setting, level: self.depth() };
        if let Some(open) = self.open {
            let conn = self.node(open.node)?;
            let mut now = WaitingFor::default();
            now.add(&waiting, conn.engine())?;
            return now.send(When::After, waiting.level, conn);
        }
        self.waiting.push(waiting);
        Ok(())
    }

    pub(super) fn shapes_transaction(&self, name: &str) -> bool {
        self.topology.routing().engines().iter().any(|engine| engine.spec().shapes_transaction(name))
    }

    /// The engine of the open transaction, or of all databases, where it has no such settings.
    fn engines_without_local(&self, name: &str, value: &str) -> Option<crate::engine::Engine> {
        let routing = self.topology.routing();
        let engines = match self.open {
            Some(open) => vec![routing.declared(open.node).url.engine()],
            None => routing.engines(),
        };
        let is_able = |engine: &crate::engine::Engine| engine.spec().local(name, value).is_some();
        if engines.iter().any(is_able) { None } else { engines.first().copied() }
    }

    /// Has a statement that makes such a setting wait, and says whether it does: in an open transaction it runs.
    pub(in crate::session) fn defer(
        &mut self,
        setting: TransactionSetting,
        sql: &str,
    ) -> Result<bool, Error> {
        self.admit_setting(setting)?;
        if self.open.is_some() || self.depth() == 0 {
            return Ok(false);
        }
        let level = self.depth();
        self.waiting.push(Waiting { what: What::Statement(sql.to_owned()), setting, level });
        Ok(true)
    }

    /// What a query of `set_config` comes to by the values that are bound in it, if they make it a setting of the
    /// transaction.
    pub(in crate::session) fn by_bound_values<T>(
        topology: &Topology<C>,
        prepared: &Prepared,
        source: &T,
    ) -> Option<BoundSetting>
    where
        T: QueryFragment<C::Backend>,
    {
        let calls = prepared.statement.effects().set_config.as_deref()?;
        let resolved = set_config::resolve(calls, &C::binds(source)?)?;
        Some(BoundSetting {
            setting: by_set_config(&resolved),
            sql: set_config::written(&resolved),
            prepared: topology.prepare_text(LOCAL_SETTING),
        })
    }

    /// Whether a statement that makes such a setting and whose row is wanted can run now.
    pub(in crate::session) fn admit_loaded(&mut self, setting: TransactionSetting) -> Result<(), Error> {
        self.admit_setting(setting)?;
        if self.open.is_some() || self.depth() == 0 {
            Ok(())
        } else {
            Err(SettingError::NeedsSetLocal.into())
        }
    }

    /// Whether such a setting may be made here and now. Where no other transaction is open, a test transaction has it.
    fn admit_setting(&self, setting: TransactionSetting) -> Result<(), Error> {
        if self.depth() == 0 && !self.is_in_test_transaction() {
            return Err(RouteError::BelongsToTransaction { is_pending: false }.into());
        }
        if !setting.lifts_guard {
            return Ok(());
        }
        if self.state.prevent_writes || self.read_only {
            return Err(lifts_guard());
        }
        match self.open {
            Some(open) => Ok(self.topology.routing().permit(open.node, Operation::Write)?),
            None => Ok(()),
        }
    }

    /// Whether the transaction may begin on a node with the settings that wait for it.
    pub(in crate::session) fn admit_waiting(
        &self,
        database: DatabaseId,
        node: DatabaseId,
    ) -> Result<(), Error> {
        let lifts_guard_itself = self.begins.access == Some(Access::ReadWrite);
        if lifts_guard_itself || self.waiting.iter().any(|waiting| waiting.setting.lifts_guard) {
            if self.read_only {
                return Err(lifts_guard());
            }
            self.topology.routing().permit(database, Operation::Write)?;
            self.topology.routing().permit(node, Operation::Write)?;
        }
        Ok(())
    }

    /// What waits for the transaction, in the words of a node's engine.
    ///
    /// Where it begins as a savepoint in a test transaction, that one is what it is.
    pub(in crate::session) fn waiting_on(
        &self,
        node: DatabaseId,
        is_savepoint: bool,
    ) -> Result<WaitingFor, Error> {
        let mut all = WaitingFor::default();
        let declared = self.topology.routing().declared(node);
        let engine = declared.url.engine();
        if let Some(carried) = self.settings.as_ref().filter(|_| declared.is_behind_pooler()) {
            for (name, value) in carried.values() {
                all.add_named(name, value, 1, engine)?;
            }
        }
        // Those that say how the transaction is come before its first query, and a setting by name is sent as one. All
        // others keep their order.
        for shapes in [true, false].into_iter().skip(usize::from(is_savepoint)) {
            for waiting in self.waiting.iter().filter(|waiting| waiting.setting.shapes == shapes) {
                all.add(waiting, engine)?;
            }
        }
        Ok(all)
    }

    /// Takes in that a level of the transaction has ended: a rollback takes its settings back, a commit hands them to the
    /// level around it.
    pub(in crate::session) fn settle_settings(&mut self, end: End) {
        let depth = self.depth();
        match end {
            End::RollBack => self.waiting.retain(|waiting| waiting.level <= depth),
            End::Commit => {
                self.waiting.iter_mut().for_each(|waiting| waiting.level = waiting.level.min(depth))
            }
        }
        if depth == 0 {
            self.waiting.clear();
        }
        if self.settings.is_some() {
            self.settle_carried(end, depth);
        }
    }
}

fn lifts_guard() -> Error {
    let what = "this setting may allow them again".to_owned();
    RouteError::WritesPrevented { what, tables: Vec::new() }.into()
}

/// The settings that a transaction begins with on one node.
#[derive(Debug, Default)]
pub(in crate::session) struct WaitingFor(Vec<(When, u32, String)>);

impl WaitingFor {
    fn add(&mut self, waiting: &Waiting, engine: crate::engine::Engine) -> Result<(), Error> {
        match &waiting.what {
            What::Statement(sql) => {
                let setting =
                    transaction_setting(engine.into(), sql).ok_or(SettingError::Unsupported { engine })?;
                self.0.push((setting.when, waiting.level, sql.clone()));
            }
            What::Named { name, value } => self.add_named(name, value, waiting.level, engine)?,
        }
        Ok(())
    }

    fn add_named(
        &mut self,
        name: &str,
        value: &str,
        level: u32,
        engine: crate::engine::Engine,
    ) -> Result<(), Error> {
        let sql = engine.spec().local(name, value).ok_or(SettingError::Unsupported { engine })?;
        self.0.push((When::After, level, sql));
        Ok(())
    }

    /// Whether one of them is sent then.
    pub(in crate::session) fn any(&self, when: When) -> bool {
        self.0.iter().any(|(its_when, ..)| *its_when == when)
    }

    /// Sends those of one level.
    pub(in crate::session) fn send<C: RoutedConnection>(
        &self,
        when: When,
        level: u32,
        conn: &mut NodeConnection<C>,
    ) -> Result<(), Error> {
        let of_level =
            |(its_when, its_level, _): &&(When, u32, String)| *its_when == when && *its_level == level;
        for (_, _, sql) in self.0.iter().filter(of_level) {
            if let Err(cause) = conn.batch_execute(sql) {
                if conn.is_lost() {
                    return Err(cause.into());
                }
                let alias = conn.alias().clone();
                let error = SettingError::NotApplied { alias, what: named(sql), cause: cause.to_string() };
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// A statement's beginning, without its value.
fn named(sql: &str) -> String {
    let head = sql.split(['=', ',']).next().unwrap_or(sql).trim();
    format!("`{head}…`")
}
