//! A primary and its replicas: what all sessions know of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use once_cell::sync::OnceCell;
use router_core::Alias;
use rustc_hash::FxHashMap;

use super::balance::{self, Balance, Candidate};
use super::health::{self, Actions, Event, Health, NodeSettings, Pace, Progress, Standing};
use super::ids::{DatabaseId, NodeId, PRIMARY};
use super::lock;
use super::monitor::Waker;
use super::node::{Node, Replayed};
use super::status::{Fallback, Fallbacks};
use super::view::View;
use crate::config::{Config, HealthSettings, Offline, Policy, PrimaryReads};
use crate::engine::observe::Observation;
use crate::engine::position::{Coverage, Position, Why};
use crate::engine::{Role, RoutedConnection};

/// The policies that a program brought, by the primary's alias.
pub(crate) type Policies = FxHashMap<Alias, Arc<dyn Balance>>;

/// A primary and its replicas.
#[derive(Debug)]
pub(crate) struct Cluster<C: RoutedConnection> {
    nodes: Vec<Arc<Node<C>>>,
    settings: Settings,
    balance: Arc<dyn Balance>,
    /// Whether the program brought the policy, instead of the file.
    is_own_policy: bool,
    policy: String,
    started: Instant,
    health: Mutex<Health<Position>>,
    view: ArcSwap<View>,
    pub(super) fallbacks: Fallbacks,
    waker: OnceCell<Waker>,
}

/// What a file says of a cluster. A cluster of the same nodes with the same settings is the same cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    policy: Policy,
    primary_reads: PrimaryReads,
    offline: Option<Offline>,
    health: HealthSettings,
    max_lags: Vec<Option<Duration>>,
    /// How a session knows that a replica has what it needs.
    pub(crate) evidence: Evidence,
    /// For how long after a use of the primary the replicas are not read, where a clock decides.
    pub(crate) primary_window: Duration,
    /// How long a read waits for a replica that is behind.
    pub(crate) wait_for_replica: Duration,
}

/// What shows that a replica has a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Its position, which the engine tells.
    Positions,
    /// The time since the write.
    Clock,
}

impl<C: RoutedConnection> Cluster<C> {
    /// `databases` and `nodes` are the same ones, the primary first.
    pub(super) fn new(
        config: &Config,
        databases: &[DatabaseId],
        nodes: Vec<Arc<Node<C>>>,
        policies: &Policies,
    ) -> Self {
        let settings = Settings::new(config, databases);
        let own = policies.get(nodes[PRIMARY.index()].alias()).cloned();
        let cluster = Self {
            health: Mutex::new(settings.health()),
            is_own_policy: own.is_some(),
            policy: own.as_ref().map_or_else(|| settings.policy.to_string(), |own| format!("{own:?}")),
            balance: own.unwrap_or_else(|| balance::named(settings.policy)),
            nodes,
            settings,
            started: Instant::now(),
            view: ArcSwap::default(),
            fallbacks: Fallbacks::default(),
            waker: OnceCell::new(),
        };
        cluster.publish(&lock(&cluster.health), Duration::ZERO);
        cluster
    }

    /// Whether this is what another would be.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let has_its_nodes =
            || self.nodes.iter().zip(&other.nodes).all(|(one, other)| Arc::ptr_eq(one, other));
        let has_its_policy = match (self.is_own_policy, other.is_own_policy) {
            (true, true) => Arc::ptr_eq(&self.balance, &other.balance),
            (false, false) => true,
            _ => false,
        };
        self.nodes.len() == other.nodes.len()
            && has_its_nodes()
            && has_its_policy
            && self.settings == other.settings
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The primary's alias, which is the cluster's name.
    pub(crate) fn alias(&self) -> &Alias {
        self.alias_of(PRIMARY)
    }

    pub(crate) fn alias_of(&self, node: NodeId) -> &Alias {
        self.node(node).alias()
    }

    #[inline]
    pub(crate) fn node(&self, node: NodeId) -> &Arc<Node<C>> {
        &self.nodes[node.index()]
    }

    /// The nodes, the primary first.
    pub(crate) fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Arc<Node<C>>)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId::new(index), node))
    }

    /// Who may serve now.
    #[inline]
    pub(crate) fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// What chooses among the replicas.
    pub(crate) fn balance(&self) -> &dyn Balance {
        &*self.balance
    }

    /// What chooses among the replicas, as a person names it.
    pub(crate) fn policy(&self) -> &str {
        &self.policy
    }

    pub(crate) fn count(&self, fallback: Fallback) {
        self.fallbacks.count(fallback);
    }

    /// Takes in what a node said of itself, and gives its position where it may be relied on.
    pub(crate) fn note_replayed(
        &self,
        node: NodeId,
        asked: Instant,
        observation: &Observation,
    ) -> Option<Position> {
        let is_right = node == PRIMARY || observation.role != Role::Primary;
        let position = observation.position.clone().filter(|_| is_right);
        self.node(node).note_replayed(asked, position.clone());
        position
    }

    /// How far a node was when it was last asked.
    pub(crate) fn replayed(&self, node: NodeId) -> Option<Replayed> {
        self.node(node).replayed()
    }

    /// Takes in that a node answered, where that is news.
    pub(crate) fn answered(&self, node: NodeId) {
        if *self.view().standing(node) != Standing::Up {
            self.tell(node, Event::Served);
        }
    }

    /// Takes in the answer to a probe.
    pub(super) fn probed(&self, node: NodeId, asked: Instant, observation: &Observation) {
        let position = self.note_replayed(node, asked, observation);
        let sent_at = asked.saturating_duration_since(self.started);
        self.tell(node, Event::Probed(health::Observation { role: observation.role, position, sent_at }));
    }

    /// Tells the state machine what happened to a node, and does what it says.
    pub(crate) fn tell(&self, node: NodeId, event: Event<Position>) {
        let mut health = lock(&self.health);
        let now = self.started.elapsed();
        let actions = health.handle(now, node, event);
        self.publish(&health, now);
        drop(health);
        self.act(&actions);
        if let (Some(soon), Some(waker)) = (actions.probe_in, self.waker.get()) {
            waker.probe_in(node, soon);
        }
    }

    /// Takes in what has changed by time alone, and says when the next such change is due.
    pub(super) fn settle(&self) -> Option<Instant> {
        let mut health = lock(&self.health);
        let now = self.started.elapsed();
        let actions = health.settle(now);
        if !actions.changes.is_empty() {
            self.publish(&health, now);
        }
        let next = health.next_change(now).map(|at| self.started + at);
        drop(health);
        self.act(&actions);
        next
    }

    fn publish(&self, health: &Health<Position>, now: Duration) {
        let lags = self.nodes().map(|(node, _)| health.lag(now, node)).collect();
        let always = self.settings.primary_reads == PrimaryReads::Always;
        let candidate = |node| self.node(node).candidate();
        self.view.store(Arc::new(View::new(health.view(now), lags, always, candidate)));
    }

    fn act(&self, actions: &Actions) {
        for node in &actions.drop_connections {
            self.node(*node).start_over();
        }
        for change in &actions.changes {
            tracing::info!(
                alias = %self.alias_of(change.node),
                from = %change.from,
                to = %change.to,
                "a node's standing changed"
            );
        }
    }

    pub(super) fn set_waker(&self, waker: Waker) {
        // The databases of one configuration have one monitor.
        let _ = self.waker.set(waker);
    }

    /// How often to probe the nodes, and how long to wait for each answer.
    pub(super) fn pace(&self) -> Pace {
        lock(&self.health).pace()
    }
}

impl Settings {
    /// `databases` are the primary and its replicas.
    pub(crate) fn new(config: &Config, databases: &[DatabaseId]) -> Self {
        let declared = |id: &DatabaseId| &config.databases[id.index()];
        let primary = declared(&databases[PRIMARY.index()]);
        let has_positions = primary.url.engine().spec().has_positions();
        Self {
            policy: primary.policy,
            primary_reads: primary.primary_reads,
            offline: primary.offline,
            health: primary.health,
            max_lags: databases.iter().map(|id| declared(id).max_lag).collect(),
            evidence: if has_positions { Evidence::Positions } else { Evidence::Clock },
            primary_window: primary.primary_window,
            wait_for_replica: primary.wait_for_replica.unwrap_or_default(),
        }
    }

    /// Who may serve in a cluster of which nothing is known yet.
    pub(crate) fn view(&self, candidate: impl Fn(NodeId) -> Candidate) -> View {
        let always = self.primary_reads == PrimaryReads::Always;
        let health: Health<Position> = self.health();
        View::new(health.view(Duration::ZERO), vec![None; self.max_lags.len()], always, candidate)
    }

    /// The state machine of a cluster of which nothing is known yet.
    fn health<P: Progress>(&self) -> Health<P> {
        let nodes = self.max_lags.iter().map(|max_lag| NodeSettings { max_lag: *max_lag });
        Health::new(self.health, nodes.collect(), self.primary_reads, self.offline)
    }
}

impl Progress for Position {
    fn covers(&self, other: &Self) -> Option<bool> {
        match Self::covers(self, other) {
            Coverage::Covered => Some(true),
            Coverage::Behind(_) => Some(false),
            Coverage::Incomparable(_) => None,
        }
    }

    fn is_of_other_cluster(&self, other: &Self) -> bool {
        // Two timelines are no sign of it: a standby may name its new one late.
        self.same_history(other) == Err(Why::OtherSystem)
    }
}
