//! One server: its settings, its connections, and what is known of it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use once_cell::sync::OnceCell;
use router_core::Alias;

use super::balance::Candidate;
use super::lock;
use super::pool::{self, Checkout, Isolation, Manager, Patience, Pool, PoolError, Vitals};
use crate::config::{Database, PoolSettings};
use crate::engine::position::Position;
use crate::engine::{Access, Opener, RoutedConnection};

/// One server, whatever topologies it is part of. Its pool is built at first use.
pub(crate) struct Node<C: RoutedConnection> {
    settings: NodeSettings,
    pool: OnceCell<(Pool<C>, Manager<C>)>,
    vitals: Arc<Vitals>,
    replayed: Mutex<Option<Replayed>>,
}

/// What a node's connections depend on. A node with the same settings is the same node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeSettings {
    pub(crate) alias: Alias,
    pub(crate) opener: Opener,
    pub(crate) pool: PoolSettings,
    pub(crate) access: Access,
    pub(crate) isolation: Isolation,
    /// Its share of reads under the policy `weighted`.
    pub(crate) weight: u32,
}

/// How far a node was when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) position: Position,
    /// When it was asked, before it answered.
    pub(crate) asked: Instant,
}

impl NodeSettings {
    pub(crate) fn new(database: &Database, isolation: Isolation) -> Self {
        Self {
            alias: database.alias.clone(),
            opener: database.opener(),
            pool: database.pool.clone(),
            access: database.access(),
            isolation,
            weight: database.weight,
        }
    }
}

impl<C: RoutedConnection> Node<C> {
    pub(crate) fn new(settings: NodeSettings) -> Self {
        Self { settings, pool: OnceCell::new(), vitals: Arc::default(), replayed: Mutex::new(None) }
    }

    pub(crate) fn alias(&self) -> &Alias {
        &self.settings.alias
    }

    pub(crate) fn settings(&self) -> &NodeSettings {
        &self.settings
    }

    pub(crate) fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// The node as a policy sees it.
    pub(crate) fn candidate(&self) -> Candidate {
        let Self { settings, vitals, .. } = self;
        Candidate::new(settings.alias.clone(), settings.weight).counted_by(Arc::clone(vitals.in_use()))
    }

    /// The node's pool, which this builds at first use.
    ///
    /// # Errors
    /// The connections have no support for the node's engine.
    pub(crate) fn pool(&self) -> Result<&(Pool<C>, Manager<C>), PoolError> {
        self.pool.get_or_try_init(|| pool::build(&self.settings, Arc::clone(&self.vitals)))
    }

    /// Checks out a connection.
    ///
    /// # Errors
    /// What [`pool::check_out`] says.
    pub(crate) fn check_out(&self, patience: Patience) -> Result<Checkout<C>, PoolError> {
        let (pool, manager) = self.pool()?;
        pool::check_out(pool, manager, patience)
    }

    /// How far the node was when it was last asked, whenever that was.
    pub(crate) fn replayed(&self) -> Option<Replayed> {
        lock(&self.replayed).clone()
    }

    /// Takes in how far the node is; nothing where it does not say. The answer to the later question counts, so that what
    /// is known of one server only ever goes forward.
    pub(crate) fn note_replayed(&self, asked: Instant, position: Option<Position>) {
        let mut known = lock(&self.replayed);
        if known.as_ref().is_none_or(|known| known.asked <= asked) {
            *known = position.map(|position| Replayed { position, asked });
        }
    }

    /// Forgets all that was learnt through the connections that are open now, and has those closed.
    pub(crate) fn start_over(&self) {
        self.vitals.expire_connections();
        *lock(&self.replayed) = None;
    }
}

impl<C: RoutedConnection> fmt::Debug for Node<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("settings", &self.settings)
            .field("has_pool", &self.pool.get().is_some())
            .field("replayed", &self.replayed())
            .finish_non_exhaustive()
    }
}
