//! Why no node of a cluster can do what is asked.

use std::fmt;

use router_core::Alias;

use super::passed::Passed;
use super::token::TokenError;
use crate::engine::RoutedConnection;
use crate::topology::{Cluster, NodeId, PRIMARY};

/// Why no node of a cluster can do what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterError {
    /// No replica may serve a read, and neither may the primary.
    NoNode {
        /// The primary's alias.
        alias: Alias,
        /// Each replica, with why it may not.
        replicas: Vec<(Alias, String)>,
        /// Why the primary may not.
        primary: String,
    },
    /// The primary is `offline: primary`.
    Offline {
        /// The primary's alias.
        alias: Alias,
    },
    /// The database has no replica and is none.
    NoCluster {
        /// Its alias.
        alias: Alias,
    },
    /// A token was asked for while a transaction is open.
    OpenTransaction {
        /// The database on which it is open, if a statement has chosen one.
        alias: Option<Alias>,
    },
    /// A token cannot be read.
    Token(TokenError),
}

impl ClusterError {
    /// No node of a cluster serves a read. `tried` says why those do not that were tried.
    pub(crate) fn no_node<'p, C: RoutedConnection>(
        cluster: &Cluster<C>,
        tried: impl Fn(NodeId) -> Option<&'p Passed>,
        primary: &dyn fmt::Display,
    ) -> Self {
        Self::NoNode {
            alias: cluster.alias().clone(),
            replicas: why_no_replica(cluster, tried),
            primary: primary.to_string(),
        }
    }
}

/// Why each replica does not serve a read: what became of those that were tried, the standing of the others.
pub(crate) fn why_no_replica<'p, C: RoutedConnection>(
    cluster: &Cluster<C>,
    tried: impl Fn(NodeId) -> Option<&'p Passed>,
) -> Vec<(Alias, String)> {
    let view = cluster.view();
    let why = |node| match tried(node) {
        Some(passed) => passed.to_string(),
        None => view.standing(node).to_string(),
    };
    let replicas = cluster.nodes().filter(|(node, _)| *node != PRIMARY);
    replicas.map(|(node, replica)| (replica.alias().clone(), why(node))).collect()
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode { alias, replicas, primary } => {
                write!(f, "no node of `{alias}` can serve the read: the primary: {primary}")?;
                replicas.iter().try_for_each(|(replica, why)| write!(f, "; `{replica}`: {why}"))
            }
            Self::Offline { alias } => {
                write!(f, "database `{alias}` is `offline: primary`: only its replicas are used")
            }
            Self::NoCluster { alias } => {
                write!(f, "database `{alias}` has no replica: no other names it under `replica_of`")
            }
            Self::OpenTransaction { alias: Some(alias) } => write!(
                f,
                "a transaction is open on `{alias}`, so nobody else can see its writes yet; take the token after it"
            ),
            Self::OpenTransaction { alias: None } => {
                f.write_str("a transaction is open; take the token after it")
            }
            Self::Token(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClusterError {}

impl From<TokenError> for ClusterError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
