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
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::topology::balance::Balance;
use crate::topology::pool::Isolation;
use crate::topology::{Policies, Program, Routing, Topology};

/// Adds routers, or what tests need, to the databases of a configuration.
#[must_use = "nothing is built before `build`"]
pub struct DatabasesBuilder<C> {
    config: Config,
    routers: RouterChain,
    isolation: Isolation,
    only: Option<Vec<String>>,
    policies: Policies,
    token_keys: Option<TokenKeys>,
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

    /// Builds the databases. No connection is opened.
    ///
    /// # Errors
    /// A name given to [`only`](Self::only) is no database's, or the rules contradict each other.
    pub fn build(self) -> Result<Databases<C>, Error> {
        let routing = Routing::with_routers(self.config, self.routers)?;
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
