//! One statement, from what it is to the connection on which it runs.

use diesel::connection::TransactionManagerStatus;
use diesel::result::Error as DieselError;

use super::{Isolation, Session};
use crate::decision::{
    Circumstances, OnPrimary, Place, Reach, Route, Standpoint, Transaction, Wants, reach, route,
};
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::statement::effects::Facts;
use crate::time::Now;
use crate::topology::pool::NodeConnection;
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
            prevent_writes: self.state.prevent_writes,
            only: self.only.as_deref().or_else(|| self.topology.only()),
            in_test_transaction: self.isolation == Isolation::TestTransactions
                || self.databases.base_depth() > 0,
            marks: Some(&self.marks),
        }
    }

    fn transaction(&self) -> Transaction {
        match (&self.open, &self.status) {
            (Some(open), _) => Transaction::On { database: open.database, node: open.node },
            (None, TransactionManagerStatus::Valid(status)) if status.transaction_depth().is_some() => {
                Transaction::Pending { is_snapshot: self.read_only && self.depth() == 1 }
            }
            _ => Transaction::None,
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
                    makes: made_by(prepared),
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

    /// The connection to a node that was chosen for a statement.
    pub(super) fn connection_to(
        &mut self,
        database: DatabaseId,
        node: DatabaseId,
        prepared: &Prepared,
    ) -> Result<&mut NodeConnection<C>, Error> {
        if self.is_transaction_pending() {
            self.begin_on(database, node)?;
        }
        let leaves_state = prepared.statement.may_leave_state();
        if leaves_state || self.topology.member(node).is_some() {
            // A server that cannot be reached was not used.
            self.node(node)?;
            self.note_use(node);
            if leaves_state {
                self.note_state(node, prepared);
            }
        }
        self.marks.made(made_by(prepared), node);
        let in_transaction = self.open.is_some();
        let position = self.node_at(node)?;
        if leaves_state {
            // It may change what the session sets everywhere.
            self.held[position].applied.forget();
        }
        let conn = &mut *self.held[position].checkout;
        conn.next_is(prepared.number());
        if !prepared.statement.transaction_controls().is_empty() {
            conn.retire();
        }
        if in_transaction && conn.is_lost() {
            return Err(DieselError::BrokenTransactionManager.into());
        }
        Ok(conn)
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

/// What later statements may ask about this one. Every statement ends somehow.
#[inline]
pub(super) fn made_by(prepared: &Prepared) -> Facts {
    prepared.statement.effects().makes.with(Facts::ENDED)
}
