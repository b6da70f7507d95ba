//! A primary and its replicas: what all sessions know of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};
use diesel::result::Error as DieselError;
use once_cell::sync::OnceCell;
use router_core::Alias;
use rustc_hash::FxHashMap;

use super::balance::{self, Balance, Candidate};
use super::health::{self, Actions, Event, Health, NodeSettings, Pace, Progress, Standing};
use super::monitor::Waker;
use super::status::{Fallback, Fallbacks};
use super::view::{Skipped, View};

use crate::config::{Config, Database, PrimaryReads};
use crate::engine::observe::Observation;
use crate::engine::position::{Coverage, Position, Why};
use crate::engine::{Role, read_failed_for_its_node};
use crate::error::{Error, ErrorKind};
use crate::text::one_line;
use crate::topology::pool::Vitals;

/// A cluster's own number for its primary; its replicas follow in file order.
pub(crate) const PRIMARY: usize = 0;

/// The clusters of one configuration: each primary that has replicas.
#[derive(Debug)]
pub(crate) struct Clusters {
    list: Vec<Arc<Cluster>>,
    members: Vec<Option<Member>>,
}

/// A database's place in its cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) cluster: usize,
    pub(crate) node: usize,
}

impl Clusters {
    /// `vitals` are those of the databases, in the same order.
    pub(crate) fn new(config: &Config, vitals: &[Arc<Vitals>], policies: &Policies) -> Self {
        let mut nodes: FxHashMap<&Alias, Vec<usize>> = FxHashMap::default();
        for (replica, database) in config.databases.iter().enumerate() {
            if let Some(primary) = &database.replica_of {
                nodes.entry(primary).or_default().push(replica);
            }
        }
        let mut members = vec![None; config.databases.len()];
        let mut list = Vec::with_capacity(nodes.len());
        for (primary, database) in config.databases.iter().enumerate() {
            let Some(mut nodes) = nodes.remove(&database.alias) else { continue };
            nodes.insert(PRIMARY, primary);
            for (node, index) in nodes.iter().enumerate() {
                members[*index] = Some(Member { cluster: list.len(), node });
            }
            list.push(Arc::new(Cluster::new(config, &nodes, vitals, policies)));
        }
        Self { list, members }
    }

    #[inline]
    pub(crate) fn member(&self, database: usize) -> Option<Member> {
        self.members[database]
    }

    pub(crate) fn get(&self, cluster: usize) -> &Arc<Cluster> {
        &self.list[cluster]
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Cluster>> {
        self.list.iter()
    }
}

/// The policies that a program brought, by the primary's alias.
pub(crate) type Policies = FxHashMap<Alias, Arc<dyn Balance>>;

/// A primary and its replicas: what all sessions know of them.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) nodes: Vec<Node>,
    balance: Arc<dyn Balance>,
    policy: String,
    primary_reads: PrimaryReads,
    has_positions: bool,
    wait_for_replica: Duration,
    primary_window: Duration,
    started: Instant,
    health: Mutex<Health<Position>>,
    view: ArcSwap<View>,
    pub(super) fallbacks: Fallbacks,
    waker: OnceCell<Waker>,
}

/// One server of a cluster.
#[derive(Debug)]
pub(super) struct Node {
    /// The index of its database.
    database: usize,
    pub(super) alias: Alias,
    candidate: Candidate,
    pub(super) vitals: Arc<Vitals>,
    replayed: Mutex<Option<Replayed>>,
}

/// How far a node was when it was last asked.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    pub(crate) position: Position,
    /// When it was asked, before it answered.
    pub(crate) asked: Instant,
}

impl Cluster {
    fn new(config: &Config, databases: &[usize], vitals: &[Arc<Vitals>], policies: &Policies) -> Self {
        let declared = |index: &usize| -> &Database { &config.databases[*index] };
        let primary = declared(&databases[PRIMARY]);
        let settings = databases.iter().map(|index| NodeSettings { max_lag: declared(index).max_lag });
        let health = Health::new(primary.health, settings.collect(), primary.primary_reads, primary.offline);
        let nodes: Vec<Node> = databases
            .iter()
            .map(|index| Node {
                database: *index,
                alias: declared(index).alias.clone(),
                candidate: Candidate::new(declared(index).alias.clone(), declared(index).weight)
                    .counted_by(Arc::clone(vitals[*index].in_use())),
                vitals: Arc::clone(&vitals[*index]),
                replayed: Mutex::new(None),
            })
            .collect();
        let own = policies.get(&primary.alias).cloned();
        let cluster = Self {
            nodes,
            policy: own.as_ref().map_or_else(|| primary.policy.to_string(), |own| format!("{own:?}")),
            balance: own.unwrap_or_else(|| balance::named(primary.policy)),
            primary_reads: primary.primary_reads,
            has_positions: primary.url.engine().spec().has_positions(),
            wait_for_replica: primary.wait_for_replica.unwrap_or_default(),
            primary_window: primary.primary_window,
            started: Instant::now(),
            health: Mutex::new(health),
            view: ArcSwap::default(),
            fallbacks: Fallbacks::default(),
            waker: OnceCell::new(),
        };
        cluster.publish(&lock(&cluster.health), Duration::ZERO);
        cluster
    }

    /// The primary's alias, which is the cluster's name.
    pub(crate) fn alias(&self) -> &Alias {
        self.alias_of(PRIMARY)
    }

    pub(crate) fn alias_of(&self, node: usize) -> &Alias {
        &self.nodes[node].alias
    }

    /// The index of a node's database.
    pub(crate) fn database(&self, node: usize) -> usize {
        self.nodes[node].database
    }

    /// The node that is a database, which must be one of this cluster's.
    pub(crate) fn node_of(&self, database: usize) -> usize {
        self.nodes.iter().position(|node| node.database == database).unwrap_or(PRIMARY)
    }

    /// Whether the engine says how far its servers are. Where not, a clock decides.
    pub(crate) fn has_positions(&self) -> bool {
        self.has_positions
    }

    pub(crate) fn wait_for_replica(&self) -> Duration {
        self.wait_for_replica
    }

    /// Who may serve now.
    pub(crate) fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// The node that the policy chooses among those that may serve.
    pub(crate) fn pick(&self, view: &View, skipped: &Skipped) -> Option<usize> {
        view.pick(&*self.balance, skipped)
    }

    /// Whether a replica may show what was written, where the clock decides; nothing where positions do.
    pub(crate) fn window_coverage(&self, need: &Position) -> Option<Coverage> {
        let is_time = matches!(need, Position::Time { .. });
        is_time.then(|| need.after_window(self.primary_window, SystemTime::now()))
    }

    /// How far a node was, if it was asked at or after a moment.
    pub(crate) fn replayed(&self, node: usize, since: Instant) -> Option<Replayed> {
        let known = lock(&self.nodes[node].replayed);
        known.as_ref().filter(|known| known.asked >= since).cloned()
    }

    /// Takes in what a node said of itself, and gives its position where it may be relied on.
    ///
    /// The answer to the later question counts, so that what is known of one server only ever goes forward.
    pub(crate) fn note_replayed(
        &self,
        node: usize,
        asked: Instant,
        observation: &Observation,
    ) -> Option<Position> {
        let is_right = node == PRIMARY || observation.role != Role::Primary;
        let position = observation.position.clone().filter(|_| is_right);
        let mut known = lock(&self.nodes[node].replayed);
        if known.as_ref().is_none_or(|known| known.asked <= asked) {
            *known = position.clone().map(|position| Replayed { position, asked });
        }
        position
    }

    /// How far a node was when it was last asked, whenever that was.
    pub(crate) fn known_position(&self, node: usize) -> Option<Position> {
        lock(&self.nodes[node].replayed).as_ref().map(|known| known.position.clone())
    }

    /// Takes in that a node answered, where that is news.
    pub(crate) fn answered(&self, node: usize) {
        if *self.view().standing(node) != Standing::Up {
            self.tell(node, Event::Served);
        }
    }

    /// Takes in the answer to a probe.
    pub(crate) fn probed(&self, node: usize, asked: Instant, observation: &Observation) {
        let position = self.note_replayed(node, asked, observation);
        let sent_at = asked.saturating_duration_since(self.started);
        self.tell(node, Event::Probed(health::Observation { role: observation.role, position, sent_at }));
    }

    /// Tells the state machine what happened to a node, and does what it says.
    pub(crate) fn tell(&self, node: usize, event: Event<Position>) {
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
        let lags = (0..self.nodes.len()).map(|node| health.lag(now, node)).collect();
        let always = self.primary_reads == PrimaryReads::Always;
        self.view.store(Arc::new(View::new(health.view(now), lags, always, |node| {
            self.nodes[node].candidate.clone()
        })));
    }

    fn act(&self, actions: &Actions) {
        for node in &actions.drop_connections {
            let Node { vitals, replayed, .. } = &self.nodes[*node];
            vitals.expire_connections();
            *lock(replayed) = None;
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

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How often to probe the nodes, and how long to wait for each answer.
    pub(super) fn pace(&self) -> Pace {
        lock(&self.health).pace()
    }

    /// The replicas with why they do not serve a read, but for the one that does.
    pub(crate) fn in_words(&self, skipped: &Skipped, serving: Option<usize>) -> impl fmt::Display {
        let mut why_not = self.why_not(skipped);
        why_not.retain(|(alias, _)| serving.is_none_or(|serving| alias != self.alias_of(serving)));
        InWords(why_not)
    }

    /// Takes in that a node did not serve a read for its own fault, so that another is tried. Gives the reason.
    pub(crate) fn passes_over(&self, node: usize, failure: Failure, error: &DieselError) -> String {
        let reason = one_line(&error.to_string());
        let event = match failure {
            // It is only in demand.
            Failure::Busy => None,
            Failure::Unreachable => Some(Event::ConnectFailed(reason.clone())),
            Failure::Lost => Some(Event::ReadFailed(reason.clone())),
        };
        match event {
            Some(event) => {
                tracing::warn!(alias = %self.alias_of(node), cause = %reason, "a node did not serve a read");
                self.tell(node, event);
            }
            None => {
                tracing::debug!(alias = %self.alias_of(node), cause = %reason, "a node did not serve a read");
            }
        }
        self.count(Fallback::OtherNode);
        reason
    }

    /// Whether a node covers a need by what is known of it, which may be old.
    pub(crate) fn known_coverage(&self, node: usize, need: &Position) -> Option<Coverage> {
        let known = || self.known_position(node).map(|position| position.covers(need));
        self.window_coverage(need).or_else(known)
    }

    pub(crate) fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.nodes.iter().map(|node| &node.alias)
    }

    /// What chooses among the replicas, as a person names it.
    pub(crate) fn policy(&self) -> &str {
        &self.policy
    }

    pub(crate) fn count(&self, fallback: Fallback) {
        self.fallbacks.count(fallback);
    }

    /// Whether the primary may serve a read that no replica can.
    pub(crate) fn primary_may_serve(&self) -> bool {
        self.view().primary_may_serve()
    }

    /// Why the primary may not serve a read that no replica can; nothing where it may.
    pub(crate) fn why_not_primary(&self) -> Option<String> {
        let view = self.view();
        if view.primary_may_serve() {
            return None;
        }
        Some(match view.standing(PRIMARY) {
            standing @ (Standing::Offline | Standing::Drained) => standing.to_string(),
            _ => "`primary_reads` is `never`".to_owned(),
        })
    }

    /// Why each replica does not serve a read: what became of those that were tried, the standing of the others.
    pub(crate) fn why_not(&self, skipped: &Skipped) -> Vec<(Alias, String)> {
        let view = self.view();
        let replicas = self.nodes.iter().enumerate().skip(1);
        replicas
            .map(|(node, it)| {
                let tried = skipped.reason(node).filter(|reason| !reason.is_empty()).map(ToOwned::to_owned);
                (it.alias.clone(), tried.unwrap_or_else(|| view.standing(node).to_string()))
            })
            .collect()
    }
}

/// Why a replica did not serve a read, where another may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// All its connections are in use.
    Busy,
    /// No connection can be made to it.
    Unreachable,
    /// The connection was lost, or the node cancelled the read.
    Lost,
}

impl Failure {
    /// What an error of a pool or a connection says of its node; nothing where the statement itself is at fault.
    pub(crate) fn of(error: &DieselError) -> Option<Self> {
        match Error::from_diesel(error).map(Error::kind) {
            Some(ErrorKind::Exhausted) => Some(Self::Busy),
            Some(ErrorKind::Unreachable) => Some(Self::Unreachable),
            _ => read_failed_for_its_node(error).then_some(Self::Lost),
        }
    }
}

/// Nodes with why they do not serve: `replica_1: behind by 48 kB; replica_2: drained`.
struct InWords(Vec<(Alias, String)>);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (alias, why)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{alias}: {why}")?;
        }
        Ok(())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
