//! What there is: the databases of one file, the servers behind them, and which of those form a cluster.
//!
//! A [`Topology`] never changes. Another one takes its place as a whole, and shares with it every node and cluster that
//! is the same in both.
//!
//! - `ids`: numbers with a type each, for databases, clusters and nodes.
//! - `routing`: the rules and routers of one file; `prepared` has what it learns of a statement.
//! - `node`: one server with its settings, its `pool` and what is known of it.
//! - `cluster`: a primary and its replicas, with what all sessions know of them. `balance` says which of several
//!   replicas is next, and `health` which of them may serve at all: a state machine that reads no clock and opens no
//!   connection. `monitor` is the thread that probes the nodes and feeds it.
//! - `view`: who may serve at one moment, as sessions see it; `status`, as operators do.

pub(crate) mod balance;
pub(crate) mod cluster;
pub(crate) mod health;
pub(crate) mod ids;
mod monitor;
pub(crate) mod node;
pub(crate) mod pool;
mod prepared;
pub(crate) mod routing;
pub(crate) mod status;
mod view;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};
use rustc_hash::FxHashMap;

pub(crate) use cluster::{Cluster, Policies};
pub(crate) use health::Standing;
pub(crate) use ids::{ClusterId, DatabaseId, NodeId, PRIMARY};
pub(crate) use monitor::Monitor;
use node::NodeSettings;
pub(crate) use node::{Node, Replayed};
use pool::Isolation;
pub(crate) use prepared::{Prepared, PreparedModel, Readings, Statements};
pub(crate) use routing::Routing;
pub(crate) use status::Fallback;
pub(crate) use view::View;

use crate::config::Config;
use crate::engine::{Engine, RoutedConnection};
use crate::statement::Dialect;

/// All that one file declares, and what is learnt of it.
pub(crate) struct Topology<C: RoutedConnection> {
    routing: Arc<Routing>,
    statements: Statements,
    nodes: Vec<Arc<Node<C>>>,
    clusters: Vec<Arc<Cluster<C>>>,
    /// The databases of each cluster's nodes.
    databases: Vec<Vec<DatabaseId>>,
    members: Vec<Option<Member>>,
    /// The only databases that may be touched.
    only: Option<Vec<DatabaseId>>,
}

/// What a program adds to a file, and every topology made of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    pub(crate) isolation: Isolation,
    /// The policies that it brought.
    pub(crate) policies: Policies,
    /// The names of the only databases that may be touched.
    pub(crate) only: Option<Vec<String>>,
}

/// A database's place in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
}

impl<C: RoutedConnection> Topology<C> {
    /// Makes the topology of a file. It shares with an `earlier` one what is the same in both.
    pub(crate) fn new(routing: Routing, program: &Program, earlier: Option<&Self>) -> Self {
        let config = routing.config();
        let nodes: Vec<_> = config
            .databases
            .iter()
            .map(|database| {
                let settings = NodeSettings::new(database, program.isolation);
                let known = earlier.and_then(|earlier| earlier.node_with(&settings));
                known.unwrap_or_else(|| Arc::new(Node::new(settings)))
            })
            .collect();
        let mut members = vec![None; nodes.len()];
        let mut clusters = Vec::new();
        let mut databases = Vec::new();
        for group in groups(config) {
            let id = ClusterId::new(clusters.len());
            for (index, database) in group.iter().enumerate() {
                members[database.index()] = Some(Member { cluster: id, node: NodeId::new(index) });
            }
            let of_group = group.iter().map(|database| Arc::clone(&nodes[database.index()])).collect();
            let cluster = Cluster::new(config, &group, of_group, &program.policies);
            let known = earlier.and_then(|earlier| earlier.cluster_like(&cluster));
            clusters.push(known.unwrap_or_else(|| Arc::new(cluster)));
            databases.push(group);
        }
        let statements = Statements::new(readings::<C>(&routing, earlier));
        let only = program.only.as_ref();
        let only = only.map(|only| only.iter().filter_map(|alias| routing.id(alias)).collect());
        Self { routing: Arc::new(routing), statements, nodes, clusters, databases, members, only }
    }

    fn node_with(&self, settings: &NodeSettings) -> Option<Arc<Node<C>>> {
        let id = self.routing.id(settings.alias.as_str())?;
        Some(&self.nodes[id.index()]).filter(|node| node.settings() == settings).cloned()
    }

    fn cluster_like(&self, other: &Cluster<C>) -> Option<Arc<Cluster<C>>> {
        self.clusters.iter().find(|cluster| cluster.is_as(other)).cloned()
    }

    pub(crate) fn routing(&self) -> &Arc<Routing> {
        &self.routing
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// What is known of a query.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    #[inline]
    pub(crate) fn prepare<T>(&self, query: &T) -> QueryResult<Arc<Prepared>>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.statements.of_query::<C, T>(&self.routing, query)
    }

    /// The engine in whose dialect queries are written before it is known where they go.
    pub(crate) fn renders_for(&self) -> Engine {
        self.statements.readings().renders_for
    }

    /// What is known of a text.
    pub(crate) fn prepare_text(&self, sql: &str) -> Arc<Prepared> {
        self.statements.of_text(&self.routing, sql)
    }

    /// The only databases that may be touched.
    pub(crate) fn only(&self) -> Option<&[DatabaseId]> {
        self.only.as_deref()
    }

    #[inline]
    pub(crate) fn node(&self, database: DatabaseId) -> &Arc<Node<C>> {
        &self.nodes[database.index()]
    }

    #[inline]
    pub(crate) fn member(&self, database: DatabaseId) -> Option<Member> {
        self.members[database.index()]
    }

    pub(crate) fn cluster(&self, cluster: ClusterId) -> &Arc<Cluster<C>> {
        &self.clusters[cluster.index()]
    }

    pub(crate) fn clusters(&self) -> &[Arc<Cluster<C>>] {
        &self.clusters
    }

    /// The cluster of a primary, by its alias.
    pub(crate) fn cluster_called(&self, primary: &str) -> Option<ClusterId> {
        let member = self.member(self.routing.id(primary)?)?;
        (member.node == PRIMARY).then_some(member.cluster)
    }

    /// The database that a node of a cluster is.
    pub(crate) fn database(&self, cluster: ClusterId, node: NodeId) -> DatabaseId {
        self.databases[cluster.index()][node.index()]
    }
}

impl<C: RoutedConnection> fmt::Debug for Topology<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology")
            .field("nodes", &self.nodes)
            .field("statements", &self.statements)
            .finish_non_exhaustive()
    }
}

/// The databases of each cluster: a primary, then its replicas in file order.
fn groups(config: &Config) -> Vec<Vec<DatabaseId>> {
    let mut replicas: FxHashMap<&str, Vec<DatabaseId>> = FxHashMap::default();
    for (index, database) in config.databases.iter().enumerate() {
        if let Some(primary) = &database.replica_of {
            replicas.entry(primary.as_str()).or_default().push(DatabaseId::new(index));
        }
    }
    let of_primary = |(index, alias)| {
        let replicas = replicas.remove(alias)?;
        Some(std::iter::once(DatabaseId::new(index)).chain(replicas).collect())
    };
    let aliases = config.databases.iter().map(|database| database.alias.as_str());
    aliases.enumerate().filter_map(of_primary).collect()
}

/// What reads the statements of connections of this type: one classifier for each dialect that a database of the file has.
fn readings<C: RoutedConnection>(routing: &Routing, earlier: Option<&Topology<C>>) -> Arc<Readings> {
    let engines = routing.engines().into_iter().filter(|engine| C::supports(*engine));
    let mut engines: Vec<_> = engines.collect();
    if engines.is_empty() {
        engines.push(C::renders_for());
    }
    let classifiers: Vec<_> =
        engines.iter().map(|engine| routing.classifier(Dialect::from(*engine))).collect();
    let known = earlier.map(|earlier| earlier.statements.readings());
    let known = known.filter(|readings| readings.are_by(&classifiers)).cloned();
    known.unwrap_or_else(|| Arc::new(Readings::new(engines[0], classifiers)))
}

/// Locks, also where a thread panicked while it held the lock: what is kept here is never half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
