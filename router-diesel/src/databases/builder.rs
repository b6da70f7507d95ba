//! From a configuration to its databases.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arc_swap::ArcSwap;
use once_cell::sync::OnceCell;
use router_core::{Alias, Router, RouterChain, RouterName};

use super::{Databases, Inner};
use crate::config::Config;
use crate::decision::ClusterError;
use crate::decision::token::TokenKeys;
use crate::engine::{Credentials, Hooks, RoutedConnection};
use crate::error::Error;
use crate::topology::balance::Balance;
use crate::topology::pool::Isolation;
use crate::topology::{Policies, Program, Routing, Topology};

/// Adds to the databases of a configuration what a file cannot say: routers, hooks and credentials, policies, the keys of
/// tokens, and what tests need.
#[must_use = "nothing is built before `build`"]
pub struct DatabasesBuilder<C> {
    config: Config,
    routers: RouterChain,
    isolation: Isolation,
    only: Option<Vec<String>>,
    policies: Policies,
    token_keys: Option<TokenKeys>,
    hooks: Hooks,
    connection: PhantomData<fn() -> C>,
}

impl<C> fmt::Debug for DatabasesBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabasesBuilder").field("routers", &self.routers).finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> DatabasesBuilder<C> {
    pub(super) fn new(config: Config) -> Self {
        Self {
            routers: RouterChain::new(config.default.clone()),
            hooks: config.hooks.clone(),
            config,
            isolation: Isolation::None,
            only: None,
            policies: Policies::default(),
            token_keys: None,
            connection: PhantomData,
        }
    }

    /// Adds a router of your own. Routers are asked in the order in which they were added, and the rules of
    /// the file after all of them.
    pub fn router(mut self, router: impl Router + 'static) -> Self {
        self.routers = self.routers.with(router);
        self
    }

    /// Adds a router under a name for explanations and errors to use; by default that is its type's name.
    pub fn named_router(mut self, name: impl Into<RouterName>, router: impl Router + 'static) -> Self {
        self.routers = self.routers.with_named(name, router);
        self
    }

    /// Puts a whole chain in place of the routers added so far; the rules of the file still come last.
    pub fn routers(mut self, routers: RouterChain) -> Self {
        self.routers = routers;
        self
    }

    /// For tests: gives every database one connection, in a transaction that is never committed.
    ///
    /// All sessions of these databases see what the others wrote, and nothing is left when they are dropped.
    pub fn test_transactions(mut self) -> Self {
        self.isolation = Isolation::TestTransaction;
        self
    }

    /// For tests: a statement for any other database fails and names it.
    pub fn only<I>(mut self, aliases: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.only = Some(aliases.into_iter().map(Into::into).collect());
        self
    }

    /// Has reads choose among the replicas of a primary by a policy of your own, instead of the file's `policy`.
    ///
    /// # Errors
    /// [`build`](Self::build) says so if no database has that name, or it has no replica.
    pub fn balance(mut self, primary: impl Into<Alias>, policy: impl Balance + 'static) -> Self {
        self.policies.insert(primary.into(), Arc::new(policy));
        self
    }

    /// Signs the tokens of sessions, and takes only those that were signed: for tokens that pass through the hands
    /// of users.
    pub fn token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }

    /// Runs a function on each new connection, before anybody else uses it: to add SQL functions or collations, or to
    /// set what belongs to the connection.
    ///
    /// It runs once for each connection of sessions, pools, check-outs, migrations and tasks, after the router's own
    /// settings. The router's own questions, such as the health checks of clusters, have connections without it. Several
    /// functions run in the order in which they were added. What they set is no state of a session, so the connection
    /// goes back to its pool with it.
    ///
    /// ```
    /// use diesel::prelude::*;
    /// use router_diesel::{Databases, config::Config};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let config = Config::from_yaml("databases: { default: { url: 'sqlite://:memory:' } }")?;
    /// let databases = Databases::<SqliteConnection>::builder(config)
    ///     .on_connect(|_, conn: &mut SqliteConnection| {
    ///         conn.register_collation("ANY_CASE", |a, b| a.to_lowercase().cmp(&b.to_lowercase()))
    ///     })
    ///     .build()?;
    /// let mut conn = databases.connection("default")?;
    /// let is_one = diesel::dsl::sql::<diesel::sql_types::Bool>("'É' = 'é' COLLATE ANY_CASE");
    /// assert!(diesel::select(is_one).get_result::<bool>(&mut *conn)?);
    /// # Ok(()) }
    /// ```
    ///
    /// The function runs on a thread of its own. If it fails, panics, leaves one of Diesel's transactions open or takes
    /// longer than `pool.connection_timeout`, the connection is closed, and the error is of the kind
    /// [`Setup`](crate::ErrorKind::Setup). Nobody looks for a `BEGIN` that it sends as text.
    #[track_caller]
    pub fn on_connect<F, E>(mut self, hook: F) -> Self
    where
        F: Fn(&Alias, &mut C) -> Result<(), E> + Send + Sync + 'static,
        E: fmt::Display,
    {
        self.hooks = self.hooks.on_connect(hook);
        self
    }

    /// Asks a function for the password of each new connection, such as a token that holds for a few minutes.
    ///
    /// The function gets the alias and returns [`Credentials`](crate::backend::Credentials), or `None` where the file's
    /// own hold. Its answer goes before the user and password of the URL, and before `password_file`. It is asked for
    /// each connection, those of health checks and of client programs too. SQLite has no passwords, so it is not asked
    /// there. Connections that are open live on with the password that they were opened with.
    ///
    /// ```
    /// use router_diesel::backend::Credentials;
    /// # use diesel::SqliteConnection;
    /// use router_diesel::{Databases, config::Config};
    ///
    /// # fn token_for(_: &str) -> Result<String, std::io::Error> { Ok("token".into()) }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let config = Config::from_yaml("databases: { default: { url: 'sqlite://:memory:' } }")?;
    /// # let builder = Databases::<SqliteConnection>::builder(config);
    /// let databases = builder
    ///     .credentials(|alias| token_for(alias.as_str()).map(Credentials::password))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// The function runs on a thread of its own. If it fails, panics or takes longer than `pool.connection_timeout`,
    /// nothing is opened, and the error is of the kind [`Setup`](crate::ErrorKind::Setup).
    #[track_caller]
    pub fn credentials<F, T, E>(mut self, ask: F) -> Self
    where
        F: Fn(&Alias) -> Result<T, E> + Send + Sync + 'static,
        T: Into<Option<Credentials>>,
        E: fmt::Display,
    {
        self.hooks = self.hooks.credentials(ask);
        self
    }

    /// Builds the databases. No connection is opened.
    ///
    /// # Errors
    /// A name given to [`only`](Self::only) is no database's, or the rules contradict each other.
    pub fn build(self) -> Result<Databases<C>, Error> {
        let routing = Routing::with_routers(self.config.with_hooks(self.hooks), self.routers)?;
        for alias in self.only.iter().flatten() {
            routing.find(alias)?;
        }
        for primary in self.policies.keys() {
            routing.find(primary.as_str())?;
            if routing.config().replicas_of(primary.as_str()).next().is_none() {
                return Err(ClusterError::NoCluster { alias: primary.clone() }.into());
            }
        }
        let program = Program { isolation: self.isolation, policies: self.policies, only: self.only };
        let topology = Topology::new(routing, &program, None);
        Ok(Databases::of(Arc::new(Inner {
            topology: ArcSwap::from_pointee(topology),
            monitor: OnceCell::new(),
            program,
            token_keys: self.token_keys,
        })))
    }
}
