//! Settings that a session makes on each of its connections, and takes back when it gives one back.

use super::admit;
use super::local::End;
use crate::decision::SettingError;
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::session::Session;
use crate::topology::pool::Checkout;

/// What a session sets on each of its connections.
#[derive(Debug, Default)]
pub(in crate::session) struct Carried {
    values: Vec<(String, String)>,
    /// Which settings these are: another number for each change.
    generation: u64,
}

impl Carried {
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What a session has set on one connection.
#[derive(Debug, Default)]
pub(in crate::session) struct Applied {
    /// The generation of the settings that hold there; 0 where that is not known.
    generation: u64,
    /// Whether they were made in the open transaction, so that they end with it at the latest.
    in_transaction: bool,
    /// What each was before.
    earlier: Vec<(String, Option<String>)>,
}

impl Applied {
    /// Has the settings made again before the next statement.
    pub(in crate::session) fn forget(&mut self) {
        self.generation = 0;
    }

    fn remember(&mut self, settings: &[(&str, &str)], earlier: Vec<Option<String>>) {
        for ((name, _), earlier) in settings.iter().zip(earlier) {
            if self.earlier.iter().all(|(known, _)| known != name) {
                self.earlier.push(((*name).to_owned(), earlier));
            }
        }
    }

    /// Sets back what was before. A connection where that fails is closed.
    pub(in crate::session) fn restore<C: RoutedConnection>(&self, checkout: &mut Checkout<C>) {
        if self.earlier.is_empty() || checkout.is_lost() {
            return;
        }
        let settings: Vec<_> =
            self.earlier.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let spec = checkout.engine().spec();
        if checkout.watch(|conn| spec.restore(conn, &settings)).is_err() {
            checkout.retire();
        }
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Makes a setting on every connection of this session, replicas too, from its next statement on.
    ///
    /// Use it for policies of row-level security that read `current_setting('app.tenant')`, for `statement_timeout`,
    /// `timezone` and the like.
    ///
    /// The session makes it before its first statement on each connection, and restores the earlier value when it gives
    /// the connection back. Each of the two costs one round trip. This call itself sends nothing. If a server refuses the
    /// setting, the statement does not run, and the router closes the connection. Behind a pooler, the session also refuses
    /// each statement outside of a transaction. These errors are of the kind [`Setting`](crate::ErrorKind::Setting).
    ///
    /// On MySQL and MariaDB `@name` is a variable of your own, and any other name is a system variable of the session.
    /// SQLite has no settings: if the file also has other engines, each statement for a SQLite database fails after this.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { orders { id -> Integer } }
    /// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut conn = databases.session();
    /// conn.set("app.tenant", "7")?;
    /// let theirs = orders::table.count().get_result::<i64>(&mut conn)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// - The name is not a valid name of a setting, or the value has a NUL in it.
    /// - The setting needs [`set_unchecked`](Self::set_unchecked).
    /// - The setting decides whether the connection may write.
    /// - No engine of the file has settings. SQLite has none.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<(), Error> {
        let risk = self.judge_setting(name.as_ref(), value.as_ref())?;
        admit(risk, name.as_ref())?;
        self.refuse_for_transactions(name.as_ref())?;
        self.carry(name.as_ref(), value.as_ref());
        Ok(())
    }

    /// As [`set`](Self::set), for a setting that changes what names mean or whose rights count: `search_path`, `role`,
    /// `session_authorization`, `row_security`, `sql_mode`, `autocommit`.
    ///
    /// # Errors
    /// As [`set`](Self::set), without the second case.
    pub fn set_unchecked(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<(), Error> {
        self.judge_setting(name.as_ref(), value.as_ref())?;
        self.refuse_for_transactions(name.as_ref())?;
        self.carry(name.as_ref(), value.as_ref());
        Ok(())
    }

    /// What shapes one transaction is no setting of a connection.
    fn refuse_for_transactions(&self, name: &str) -> Result<(), SettingError> {
        match self.shapes_transaction(name) {
            true => Err(SettingError::OfTransactions { name: name.to_owned() }),
            false => Ok(()),
        }
    }

    fn carry(&mut self, name: &str, value: &str) {
        match name.strip_prefix('@') {
            Some(variable) => self.marks.carries_variable(variable),
            None => self.marks.carries_variable(&format!("@@{name}")),
        }
        let carried = self.settings.get_or_insert_default();
        carried.generation += 1;
        match carried.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => carried.values.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Makes the settings on a held connection, unless they are made.
    ///
    /// In an open transaction they are made for that transaction alone, where the engine can do so, and for the session
    /// after it. What a setting was before is seen only outside: inside, the transaction's own value hides it.
    pub(in crate::session) fn apply_settings(&mut self, position: usize) -> Result<(), Error> {
        let Some(carried) = &self.settings else { return Ok(()) };
        let begins = self.is_transaction_pending();
        let base = self.databases.base_depth();
        let is_open = self.open.is_some_and(|open| open.node == self.held[position].database);
        let held = &mut self.held[position];
        if held.applied.generation == carried.generation {
            return Ok(());
        }
        let declared = self.topology.routing().declared(held.database);
        let engine = declared.url.engine();
        let spec = engine.spec();
        if !spec.has_settings() {
            return Err(SettingError::Unsupported { engine }.into());
        }
        self.marks.overwritten(held.database);
        let settings: Vec<_> = carried.values().collect();
        let local: Option<Vec<_>> = settings.iter().map(|(name, value)| spec.local(name, value)).collect();
        let is_pooled = declared.is_behind_pooler();
        let in_transaction = held.checkout.depth() > 0;
        let applied = match local {
            // They are sent with BEGIN.
            _ if is_pooled && begins => return Ok(()),
            Some(local) if in_transaction && (is_pooled || base == 0) => {
                held.checkout.watch(|conn| conn.run(&local.join("; "))).map(|()| Vec::new())
            }
            _ if is_pooled => {
                let alias = declared.alias.clone();
                return Err(SettingError::BehindPooler { alias }.into());
            }
            _ => held.checkout.watch(|conn| spec.apply(conn, &settings)),
        };
        match applied {
            Ok(earlier) => {
                held.applied.remember(&settings, earlier);
                held.applied.generation = carried.generation;
                held.applied.in_transaction = in_transaction;
                Ok(())
            }
            Err(cause) => {
                let names: Vec<_> = settings.iter().map(|(name, _)| format!("`{name}`")).collect();
                let (alias, what) = (declared.alias.clone(), names.join(", "));
                let is_lost = held.checkout.is_lost();
                held.checkout.discard();
                if !is_open {
                    self.lose(position);
                }
                match is_lost {
                    true => Err(cause.into()),
                    false => Err(SettingError::NotApplied { alias, what, cause: cause.to_string() }.into()),
                }
            }
        }
    }

    /// Takes in that a level of the transaction has ended: what was set in it is undone, or may be.
    pub(super) fn settle_carried(&mut self, end: End, depth: u32) {
        // What a transaction sets for itself lives on in the test transaction around it.
        let is_test = self.is_in_test_transaction();
        for held in &mut self.held {
            if held.applied.in_transaction && (end == End::RollBack || depth == 0) {
                held.applied.forget();
            }
            if depth == 0 {
                let declared = self.topology.routing().declared(held.database);
                if is_test || declared.is_behind_pooler() {
                    held.applied.forget();
                }
                held.applied.in_transaction = false;
            }
        }
    }
}
