//! Every database of one file: its routing, its pools, and the check-outs from them.
//!
//! Sessions and migrations stand on this. Each adds its own door to [`Databases`], in its own room: `session` and
//! `session_after`, `migrator`.

mod builder;
pub(crate) mod checkout;
pub(crate) mod finder;
mod routing;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use once_cell::sync::OnceCell;
use router_core::Alias;

pub use builder::DatabasesBuilder;

use crate::config::Config;
use crate::decision::ClusterError;
use crate::decision::token::TokenKeys;
use crate::engine::RoutedConnection;
use crate::engine::position::Position;
use crate::error::Error;
use crate::topology::health::Event;
use crate::topology::pool::{Checkout, Isolation, Pool};
use crate::topology::status::ClusterStatus;
use crate::topology::{Member, Monitor, Program, Routing, Topology};

/// Every database of one configuration file, with pools that are built at first use.
///
/// To clone it is cheap and gives the same databases: make it once, at start, and hand it around.
///
/// ```no_run
/// use diesel::prelude::*;
/// use router_diesel::Databases;
///
/// diesel::table! { posts { id -> Integer, title -> Text } }
///
/// let databases = Databases::<SqliteConnection>::from_file("config/databases.yml")?;
/// let mut conn = databases.session();
/// let titles = posts::table.select(posts::title).load::<String>(&mut conn)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Databases<C: RoutedConnection> {
    inner: Arc<Inner<C>>,
    /// What this handle shows to its holder, from the first time that it is asked. Whatever the handle does goes by the
    /// topology of that moment.
    routing: OnceCell<Arc<Routing>>,
}

struct Inner<C: RoutedConnection> {
    /// What there is now. Another topology takes its place as a whole.
    topology: ArcSwap<Topology<C>>,
    monitor: OnceCell<Monitor<C>>,
    program: Program,
    token_keys: Option<TokenKeys>,
}

impl<C: RoutedConnection> Clone for Databases<C> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.inner))
    }
}

impl<C: RoutedConnection> fmt::Debug for Databases<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases")
            .field("aliases", &self.aliases().collect::<Vec<_>>())
            .field("statements", self.topology().statements())
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Databases<C> {
    fn of(inner: Arc<Inner<C>>) -> Self {
        Self { inner, routing: OnceCell::new() }
    }

    /// Reads and checks a file, and routes by its rules. No connection is opened.
    ///
    /// # Errors
    /// Every problem of the file at once, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(Config::from_file(path)?).build()
    }

    /// Starts from a checked configuration, to add routers or the settings of tests.
    pub fn builder(config: Config) -> DatabasesBuilder<C> {
        DatabasesBuilder::new(config)
    }

    /// How a primary and its replicas stand, and how often reads fell back. Nothing is asked: it is what is known
    /// since [`watch_clusters`](Self::watch_clusters) or the first read.
    ///
    /// # Errors
    /// No database has that name, or it has no replica.
    pub fn cluster(&self, primary: impl AsRef<str>) -> Result<ClusterStatus, Error> {
        let topology = self.topology();
        let member = Self::member(&topology, primary.as_ref())?;
        Ok(topology.cluster(member.cluster).status())
    }

    /// Takes a node of a cluster out of use: reads that it served go to another, at their next statement outside of
    /// a transaction. Writes go to a primary all the same.
    ///
    /// # Errors
    /// No database has that name, or it is in no cluster.
    pub fn drain(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        self.tell(alias.as_ref(), Event::Drain)
    }

    /// Gives a node back that was drained.
    ///
    /// # Errors
    /// No database has that name, or it is in no cluster.
    pub fn undrain(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        self.tell(alias.as_ref(), Event::Undrain)
    }

    fn tell(&self, alias: &str, event: Event<Position>) -> Result<(), Error> {
        let topology = self.topology();
        let Member { cluster, node } = Self::member(&topology, alias)?;
        topology.cluster(cluster).tell(node, event);
        Ok(())
    }

    /// The place of a database in its cluster.
    fn member(topology: &Topology<C>, alias: &str) -> Result<Member, Error> {
        let database = topology.routing().find(alias)?;
        let no_cluster = || ClusterError::NoCluster { alias: Alias::new(alias) }.into();
        topology.member(database).ok_or_else(no_cluster)
    }

    /// The pool of one database, configured from the file: `diesel::r2d2::Pool` itself.
    ///
    /// Its `get` waits as r2d2 has it: a whole `connection_timeout` for a server that is down.
    /// [`connection`](Self::connection) fails at once there, and names the database.
    ///
    /// # Errors
    /// No database has that name, or the connections have no support for its engine.
    pub fn pool(&self, alias: impl AsRef<str>) -> Result<Pool<C>, Error> {
        let topology = self.topology();
        let database = topology.routing().find(alias.as_ref())?;
        Ok(topology.node(database).pool()?.0.clone())
    }

    /// The rules and routers, to ask without a query: as they were when this handle was first asked for them.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        self.routing.get_or_init(|| Arc::clone(self.inner.topology.load().routing()))
    }

    /// The checked configuration, as it was when this handle was first asked for it.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.routing().config()
    }

    /// The names of all databases, in file order, as they were when this handle was first asked for them.
    pub fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.config().databases.iter().map(|database| &database.alias)
    }

    /// Opens a connection to one database, or takes a free one, and asks the server whether it works.
    ///
    /// # Errors
    /// No database has that name, or it cannot be reached.
    pub fn ping(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        let mut conn: Checkout<C> = self.connection(alias)?;
        Ok(diesel::r2d2::R2D2Connection::ping(&mut *conn)?)
    }

    /// What there is now.
    pub(crate) fn topology(&self) -> Arc<Topology<C>> {
        self.inner.topology.load_full()
    }

    /// Whether a topology is what there is now.
    #[inline]
    pub(crate) fn is_newest(&self, topology: &Arc<Topology<C>>) -> bool {
        Arc::ptr_eq(&self.inner.topology.load(), topology)
    }

    /// How deep in transactions a connection is when it is checked out.
    pub(crate) fn base_depth(&self) -> u32 {
        match self.inner.program.isolation {
            Isolation::None => 0,
            Isolation::TestTransaction => 1,
        }
    }

    /// What signs tokens.
    pub(crate) fn token_keys(&self) -> Option<&TokenKeys> {
        self.inner.token_keys.as_ref()
    }

    /// Starts to look after the nodes of all clusters, on a thread of its own, if nobody does yet.
    ///
    /// The first read from a cluster does that too. To do it at the start has the replicas known by then, which those
    /// with a `max_lag` need before they serve.
    ///
    /// Drop the last of the databases before the process ends: that waits for the questions under way, each for no
    /// longer than its `timeout`. OpenSSL may crash a process that ends while it connects.
    pub fn watch_clusters(&self) {
        let topology = self.topology();
        if !topology.clusters().is_empty() {
            let monitor = self.inner.monitor.get_or_init(|| Monitor::start(topology.clusters()));
            if !self.is_newest(&topology) {
                monitor.watch(self.topology().clusters());
            }
        }
    }

    /// Puts another file in the place of this one. What is the same in both stays as it is: pools, and what is known of
    /// nodes and clusters. A session that holds nothing takes it up with its next statement.
    ///
    /// Nothing but a test does this yet.
    #[cfg(test)]
    pub(crate) fn replace(&self, config: Config) -> Result<(), Error> {
        let hooks = self.topology().routing().config().hooks.clone();
        let routing = Routing::new(config.with_hooks(hooks))?;
        let next = Topology::new(routing, &self.inner.program, Some(&self.topology()));
        self.inner.topology.store(Arc::new(next));
        if let Some(monitor) = self.inner.monitor.get() {
            monitor.watch(self.topology().clusters());
        }
        Ok(())
    }
}
