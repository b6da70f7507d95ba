//! One statement, from what it is to the connection on which it runs.

use diesel::result::Error as DieselError;

use super::Session;
use crate::decision::{
    Circumstances, OnPrimary, Place, Reach, Route, Standpoint, Transaction, Wants, reach, route,
};
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::statement::effects::Facts;
use crate::time::Now;
use crate::topology::pool::Patience;
use crate::topology::{ClusterId, DatabaseId, Member, NodeId, PRIMARY, Prepared};

/// Where a statement runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// On this node of this database.
    Node { database: DatabaseId, node: DatabaseId },
    /// On a node of this cluster that has what the session needs.
    Replicas(ClusterRead),
}

/// A read that a node of a cluster may serve.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClusterRead {
    pub(super) cluster: ClusterId,
    /// The one replica that the routers chose, where they did.
    pub(super) only: Option<NodeId>,
    /// The database that the routers chose.
    pub(super) database: DatabaseId,
    /// What later statements may ask about this one.
    pub(super) makes: Facts,
    /// Whether the statement may run a second time.
    pub(super) may_run_again: bool,
    /// By which it is known again.
    pub(super) number: u64,
}

impl<C: RoutedConnection> Session<C> {
    pub(super) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            using: self.state.using,
            transaction: self.transaction(),
            role: self.state.role,
            // No scope inside lifts what a transaction that only reads has promised.
            prevent_writes: self.state.prevent_writes || self.read_only && self.depth() > 0,
            only: self.only.as_deref().or_else(|| self.topology.only()),
            in_test_transaction: self.is_in_test_transaction(),
            marks: Some(&self.marks),
            unknown: self.state.unknown.as_ref(),
            hints: self.state.hints.as_deref().unwrap_or_default(),
        }
    }

    fn transaction(&self) -> Transaction {
        match self.open {
            Some(open) => Transaction::On { database: open.database, node: open.node },
            None if self.depth() > 0 => Transaction::Pending { is_snapshot: self.may_begin_on_replica() },
            None => Transaction::None,
        }
    }

    /// Where the session stands with the cluster of a primary.
    pub(super) fn standpoint(&self, primary: DatabaseId, wants: Wants) -> Standpoint<'_> {
        let has_session_state = self.is_stateful(primary);
        Standpoint { circumstances: self.circumstances(), has_session_state, wants }
    }

    /// Where a statement runs.
    ///
    /// # Errors
    /// Why it has no database, or may not go to it.
    #[inline]
    pub(super) fn target(&self, prepared: &Prepared, wants: Wants) -> Result<Target, Error> {
        let operation = prepared.statement.operation();
        let routing = self.topology.routing();
        let Route { database, by, node } = route(routing, prepared, operation, self.circumstances())?;
        tracing::trace!(
            alias = %routing.alias(database),
            %operation,
            tables = ?prepared.statement.tables(),
            ?by,
            "routed"
        );
        if let Some(node) = node {
            return Ok(Target::Node { database, node });
        }
        match Place::of(&self.topology, database) {
            Some(place) => self.target_in_cluster(prepared, place, wants),
            None => Ok(Target::Node { database, node: self.open.map_or(database, |open| open.node) }),
        }
    }

    fn target_in_cluster(&self, prepared: &Prepared, place: Place, wants: Wants) -> Result<Target, Error> {
        let Place { routed, member, .. } = place;
        let routing = self.topology.routing();
        let standpoint = self.standpoint(place.primary, wants);
        let (database, node, why) = match reach(routing, prepared, place, standpoint)? {
            Reach::Replicas(only) => {
                let read = ClusterRead {
                    cluster: member.cluster,
                    only,
                    database: routed,
                    makes: prepared.statement.effects().makes,
                    may_run_again: prepared.statement.may_run_again(),
                    number: prepared.number(),
                };
                return Ok(Target::Replicas(read));
            }
            Reach::Open(node) => (routed, node, OnPrimary::InTransaction),
            Reach::Only(node, why) => {
                let node = self.topology.database(member.cluster, node);
                (node, node, why)
            }
        };
        tracing::trace!(alias = %routing.alias(node), reason = %why, "goes to no other node");
        Ok(Target::Node { database, node })
    }

    /// Where the connection to a node that was chosen for a statement is among those that the session holds. The
    /// statement runs on it next.
    pub(super) fn position_for(
        &mut self,
        database: DatabaseId,
        node: DatabaseId,
        prepared: &Prepared,
    ) -> Result<usize, Error> {
        if self.is_transaction_pending() {
            self.begin_on(database, node)?;
        }
        let effects = prepared.statement.effects();
        let position =
            if effects.asks.is_empty() { self.node_at(node)? } else { self.position_to_ask(node, prepared)? };
        // A server that cannot be reached was not used.
        let leaves_state = prepared.statement.may_leave_state();
        if leaves_state || self.topology.member(node).is_some() {
            self.note_use(node);
        }
        if leaves_state {
            self.note_state(node, Some(prepared));
            // It may change what the session sets everywhere.
            self.held[position].applied.forget();
        }
        if effects.makes.has(Facts::INSERTED) {
            self.begin_to_insert(position)?;
        }
        let in_transaction = self.open.is_some();
        let conn = &mut *self.held[position].checkout;
        conn.next_is(prepared.number());
        if !prepared.statement.transaction_controls().is_empty() {
            conn.retire();
        }
        if in_transaction && conn.is_lost() {
            return Err(DieselError::BrokenTransactionManager.into());
        }
        // Every statement ends somehow, also one that fails.
        self.marks.made(Facts::ENDED, node);
        Ok(position)
    }

    /// The connection to a node, for a statement that asks about earlier ones there: it is still that very connection.
    #[cold]
    fn position_to_ask(&mut self, node: DatabaseId, prepared: &Prepared) -> Result<usize, Error> {
        let effects = prepared.statement.effects();
        let asks = effects.asks;
        // A setting made now would be the connection's last statement. But a variable may be one of those settings.
        let position = match prepared.statement.only_asks() && !asks.has(Facts::VARIABLES) {
            true => self.hold(node, Patience::Wait)?,
            false => self.node_at(node)?,
        };
        let routing = self.topology.routing();
        self.marks.node(effects, |database| routing.alias(database).clone())?;
        if asks.has(Facts::INSERTED) {
            self.held[position].checkout.asks_for_its_last_id();
        }
        Ok(position)
    }

    /// Sees to it that the last id on a connection is not one of an earlier user, where sessions of this program ask for
    /// it: an INSERT that generates none leaves the one before.
    pub(super) fn begin_to_insert(&mut self, position: usize) -> Result<(), Error> {
        let held = &mut self.held[position];
        if std::mem::replace(&mut held.has_inserted, true) || !held.checkout.may_have_a_foreign_id() {
            return Ok(());
        }
        if let Some(forget) = held.checkout.engine().spec().forget_last_id() {
            held.checkout.watch(|conn| conn.run(forget))?;
        }
        Ok(())
    }

    /// Notes that a database was used. What a replica shows after a statement on its primary must not be older.
    pub(super) fn note_use(&mut self, database: DatabaseId) {
        if let Some(Member { cluster, node: PRIMARY }) = self.topology.member(database) {
            let terms = self.topology.cluster(cluster).settings().into();
            self.freshness(cluster).used_primary(terms, Now::read());
        }
    }

    /// Notes that a transaction has ended.
    pub(super) fn note_commit(&mut self, database: DatabaseId) {
        if let Some(Member { cluster, node: PRIMARY }) = self.topology.member(database)
            && let Some((_, freshness)) = self.fresh.iter_mut().find(|(known, _)| *known == cluster)
        {
            freshness.committed(self.topology.cluster(cluster).settings().into(), Now::read());
        }
    }
}
