//! Whether each node of a cluster would serve a statement, by what is known without asking any of them.

use std::fmt;

use router_core::Alias;

use super::RouteError;
use super::circumstances::Circumstances;
use super::freshness::{Freshness, History, Judgement, Need, Nodes, Search, Terms};
use super::passed::{Passed, Shortfall};
use super::reach::{OnPrimary, Place, Reach, Standpoint, Wants, reach};
use super::route::Route;
use crate::engine::position::Coverage;
use crate::time::Now;
use crate::topology::balance::Candidate;
use crate::topology::cluster;
use crate::topology::{ClusterId, DatabaseId, Member, NodeId, PRIMARY, Prepared, Replayed, Routing, View};

/// What one node of the database's cluster has to do with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeRoute {
    /// The node's alias.
    pub alias: Alias,
    /// Whether it would serve the statement.
    pub serves: Serves,
    /// Why, or why not, in words: `by round_robin`, `lagging 3.2 s > 1 s`, `behind by 48 kB`.
    pub why: String,
    /// Why, or why not.
    pub reason: NodeReason,
}

/// Whether a node would serve a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Serves {
    /// It would.
    Yes,
    /// It is one of those from which the policy chooses, or one that must be asked first how far it is.
    Maybe,
    /// It would not.
    No,
}

/// Why a node would serve a statement, or would not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeReason {
    /// It serves, and no other node could.
    Primary(OnPrimary),
    /// It serves: the session reads from it.
    SessionReadsFromIt,
    /// It serves, as the only node that may.
    NoOtherMay,
    /// It serves, as the primary of replicas of which none may.
    NoReplicaMay,
    /// It may serve: the policy of this name chooses.
    Policy(String),
    /// It serves on this condition.
    If(Condition),
    /// It does not serve.
    Passed(Passed),
}

/// What must hold so that a node serves a read. The servers are asked when the read runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It has all that the primary has at that time.
    HasAllOfThePrimary,
    /// Its primary is of the history that the token is of.
    IsOfTheTokensHistory,
    /// It has caught up since it was last asked.
    HasCaughtUp(Shortfall),
    /// It has all that the session needs.
    HasAllThatIsNeeded,
    /// It is still the server that it was when the session read from it.
    IsTheSameServer,
    /// It is the primary, and no replica can.
    NoReplicaCan,
}

impl fmt::Display for NodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary(why) => why.fmt(f),
            Self::SessionReadsFromIt => f.write_str("this session reads from it"),
            Self::NoOtherMay => f.write_str("no other may"),
            Self::NoReplicaMay => f.write_str("no replica may"),
            Self::Policy(policy) => write!(f, "by {policy}"),
            Self::If(condition) => condition.fmt(f),
            Self::Passed(passed) => passed.fmt(f),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HasAllOfThePrimary => f.write_str("if it has all that the primary has now"),
            Self::IsOfTheTokensHistory => f.write_str("if its primary is of the token's history"),
            Self::HasCaughtUp(shortfall) => write!(f, "if it is no longer {shortfall}"),
            Self::HasAllThatIsNeeded => f.write_str("if it has all that the session needs"),
            Self::IsTheSameServer => {
                f.write_str("this session read from it, if it is the same server as then")
            }
            Self::NoReplicaCan => f.write_str("if no replica can"),
        }
    }
}

impl NodeRoute {
    fn new(alias: &Alias, serves: Serves, reason: NodeReason) -> Self {
        Self { alias: alias.clone(), serves, why: reason.to_string(), reason }
    }
}

/// A cluster at one moment, as a session sees it.
pub(crate) struct Scene<'a> {
    /// The primary's alias, then those of the replicas.
    pub(crate) aliases: Vec<&'a Alias>,
    pub(crate) policy: &'a str,
    pub(crate) view: &'a View,
    pub(crate) nodes: &'a dyn Nodes,
    pub(crate) now: Now,
}

/// Whether a node would serve a read.
enum Chance {
    /// The session reads from it already.
    Kept,
    /// The policy may choose it.
    Open,
    /// It serves on a condition.
    If(Condition),
    No(Passed),
}

impl Scene<'_> {
    fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.aliases.len()).map(NodeId::new)
    }

    fn alias(&self, node: NodeId) -> &Alias {
        self.aliases[node.index()]
    }

    /// The nodes where a statement goes to one of them and could go to no other.
    pub(crate) fn only(&self, serving: NodeId, why: OnPrimary) -> Vec<NodeRoute> {
        let other = NodeReason::Passed(Passed::GoesTo(self.alias(serving).clone()));
        let of_node = |node| match node == serving {
            true => NodeRoute::new(self.alias(node), Serves::Yes, NodeReason::Primary(why)),
            false => NodeRoute::new(self.alias(node), Serves::No, other.clone()),
        };
        self.ids().map(of_node).collect()
    }

    /// The nodes for a read that replicas may serve. `holds` says of which nodes the session holds a connection.
    pub(crate) fn read(
        &self,
        freshness: &Freshness,
        only: Option<NodeId>,
        holds: &dyn Fn(NodeId) -> bool,
    ) -> Vec<NodeRoute> {
        let search = Search::new(only);
        let freshness = &freshness.once_begun(&search, self.nodes, self.now);
        let chances: Vec<Chance> =
            self.ids().map(|node| self.chance(freshness, &search, node, holds)).collect();
        let left = chances.iter().filter(|chance| !matches!(chance, Chance::No(_))).count();
        let is_sure = chances.iter().any(|chance| matches!(chance, Chance::Kept | Chance::Open));
        let of_node = |(node, chance)| {
            let is_fallback = node == PRIMARY && self.view.primary_may_serve();
            let (serves, reason) = match chance {
                Chance::Kept => (Serves::Yes, NodeReason::SessionReadsFromIt),
                Chance::Open if left == 1 => (Serves::Yes, NodeReason::NoOtherMay),
                Chance::Open => (Serves::Maybe, NodeReason::Policy(self.policy.to_owned())),
                Chance::If(condition) => (Serves::Maybe, NodeReason::If(condition)),
                Chance::No(_) if is_fallback && left == 0 => (Serves::Yes, NodeReason::NoReplicaMay),
                Chance::No(_) if is_fallback && !is_sure => {
                    (Serves::Maybe, NodeReason::If(Condition::NoReplicaCan))
                }
                Chance::No(passed) => (Serves::No, NodeReason::Passed(passed)),
            };
            NodeRoute::new(self.alias(node), serves, reason)
        };
        self.ids().zip(chances).map(of_node).collect()
    }

    fn chance(
        &self,
        freshness: &Freshness,
        search: &Search,
        node: NodeId,
        holds: &dyn Fn(NodeId) -> bool,
    ) -> Chance {
        if !self.view.may_serve(node) {
            return Chance::No(match Passed::of_primary(self.view) {
                _ if node != PRIMARY => Passed::Standing(self.view.standing(node).clone()),
                None => Passed::OnlyWhereNoReplicaCan,
                Some(passed) => passed,
            });
        }
        match freshness.ready(search, self.nodes) {
            Some(kept) if kept == node && holds(node) => return Chance::Kept,
            Some(kept) if kept == node => return Chance::If(Condition::IsTheSameServer),
            Some(kept) if holds(kept) => {
                return Chance::No(Passed::SessionReadsFrom(self.alias(kept).clone()));
            }
            _ => {}
        }
        if search.is_for_another(node) {
            return Chance::No(Passed::RoutersChoseAnother);
        }
        if freshness.rests(self.now) && self.view.primary_may_serve() {
            return Chance::No(Passed::NotCaughtUpAMomentAgo);
        }
        if node == PRIMARY { Chance::Open } else { self.chance_of_replica(freshness.need(), node) }
    }

    /// Whether a replica has what is needed.
    fn chance_of_replica(&self, need: &Need, node: NodeId) -> Chance {
        match need.history(self.nodes) {
            History::Same => {}
            History::Other(why) => return Chance::No(Passed::Lacks(why.into())),
            History::Ask => return Chance::If(Condition::IsOfTheTokensHistory),
        }
        match need.judge(self.nodes, node, self.now.steady, self.now) {
            Judgement::HasAll => Chance::Open,
            Judgement::Lacks(shortfall) => Chance::No(Passed::Lacks(shortfall)),
            Judgement::Ask if *need == Need::WhereThePrimaryIs => Chance::If(Condition::HasAllOfThePrimary),
            Judgement::Ask => match need.known_shortfall(self.nodes, node, self.now) {
                // It has shown it once; whether to the server that is there now, its connection will tell.
                Some(Coverage::Covered) => Chance::Open,
                Some(lacks @ Coverage::Incomparable(_)) => Chance::No(Passed::Lacks(Shortfall::new(lacks))),
                Some(lacks @ Coverage::Behind(_)) => {
                    Chance::If(Condition::HasCaughtUp(Shortfall::new(lacks)))
                }
                None => Chance::If(Condition::HasAllThatIsNeeded),
            },
        }
    }
}

impl Routing {
    /// The nodes of a database's cluster by the file alone, as a new session would see them.
    pub(crate) fn nodes_by_file(&self, primary: DatabaseId, reach: Reach, now: Now) -> Vec<NodeRoute> {
        let alias = &self.declared(primary).alias;
        let mut group = vec![primary];
        group.extend(self.config.replicas_of(alias.as_str()).filter_map(|it| self.id(it.alias.as_str())));
        if group.len() == 1 {
            return Vec::new();
        }
        let aliases: Vec<&Alias> = group.iter().map(|database| self.alias(*database)).collect();
        let unwatched = Unwatched::new(&cluster::Settings::new(&self.config, &group), &aliases);
        let policy = self.declared(primary).policy.to_string();
        let scene = Scene { aliases, policy: &policy, view: &unwatched.view, nodes: &unwatched, now };
        match reach {
            Reach::Only(node, why) => scene.only(node, why),
            Reach::Open(_) => scene.only(PRIMARY, OnPrimary::InTransaction),
            Reach::Replicas(only) => scene.read(&Freshness::default(), only, &|_| false),
        }
    }
}

/// The nodes that would serve a statement by the file alone.
///
/// # Errors
/// As [`reach`].
pub(crate) fn by_file(
    routing: &Routing,
    prepared: &Prepared,
    route: Route,
    now: Now,
) -> Result<Vec<NodeRoute>, RouteError> {
    let declared = routing.declared(route.database);
    let primary = declared.replica_of.as_ref().and_then(|primary| routing.id(primary.as_str()));
    let mut replicas =
        primary.into_iter().flat_map(|primary| routing.config.replicas_of(routing.alias(primary).as_str()));
    let node = replicas.position(|replica| replica.alias == declared.alias).map_or(0, |index| index + 1);
    let place = Place {
        routed: route.database,
        member: Member { cluster: ClusterId::new(0), node: NodeId::new(node) },
        primary: primary.unwrap_or(route.database),
    };
    let circumstances = Circumstances::default();
    let standpoint = Standpoint { circumstances, has_session_state: false, wants: Wants::Rows };
    let reach = reach(routing, prepared, place, standpoint)?;
    Ok(routing.nodes_by_file(place.primary, reach, now))
}

/// A cluster of which nothing is known but what the file says.
struct Unwatched {
    terms: Terms,
    view: View,
}

impl Unwatched {
    fn new(settings: &cluster::Settings, aliases: &[&Alias]) -> Self {
        let candidate = |node: NodeId| Candidate::new(aliases[node.index()].clone(), 1);
        Self { terms: settings.into(), view: settings.view(candidate) }
    }
}

impl Nodes for Unwatched {
    fn terms(&self) -> Terms {
        self.terms
    }

    fn may_serve(&self, node: NodeId) -> bool {
        self.view.may_serve(node)
    }

    fn primary_may_serve(&self) -> bool {
        self.view.primary_may_serve()
    }

    fn pick(&self, _: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        None
    }

    fn replayed(&self, _: NodeId) -> Option<Replayed> {
        None
    }
}
