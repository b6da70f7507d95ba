//! Check-outs by hand: an ordinary pooled connection to where a query belongs.

use std::time::Instant;

use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use router_core::Operation;

use super::Databases;
use super::finder::{Finder, Links};
use crate::config::Offline;
use crate::decision::freshness::{Freshness, Search};
use crate::decision::{Circumstances, ClusterError, Place, Reach, Standpoint, Wants, reach, route};
use crate::engine::RoutedConnection;
use crate::engine::position::Position;
use crate::error::Error;
use crate::topology::pool::{Checkout, Patience};
use crate::topology::{DatabaseId, Member, NodeId, Topology};

impl<C: RoutedConnection> Databases<C> {
    /// Checks out a connection to one database by its name.
    ///
    /// # Errors
    /// No database has that name, or it has no connection to give.
    pub fn connection(&self, alias: impl AsRef<str>) -> Result<Checkout<C>, Error> {
        let topology = self.topology();
        let database = topology.routing().find(alias.as_ref())?;
        check_out(&topology, database, Patience::Wait)
    }

    /// Checks out a connection to the database where the tables of a query are read. What the query itself
    /// would do does not matter, unless it locks rows or writes.
    ///
    /// Where the database has replicas, it is a connection to the one that is next. Such a connection knows nothing
    /// of what was written elsewhere: a [`session`](Self::session) does.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer } }
    /// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut conn = databases.read(posts::table)?;
    /// let count = posts::table.count().get_result::<i64>(&mut conn)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The query has no single database, that database may not be read, or it has no connection to give.
    pub fn read<Q>(&self, query: Q) -> Result<Checkout<C>, Error>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
    {
        self.check_out_for(&query.as_query(), Operation::Read)
    }

    /// Checks out a connection to the database where the tables of a query are written.
    ///
    /// # Errors
    /// The query has no single database, that database may not be written to, or it has no connection to
    /// give.
    pub fn write<Q>(&self, query: Q) -> Result<Checkout<C>, Error>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
    {
        self.check_out_for(&query.as_query(), Operation::Write)
    }

    fn check_out_for<T>(&self, query: &T, operation: Operation) -> Result<Checkout<C>, Error>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let topology = self.topology();
        let prepared = topology.prepare(query)?;
        // A query that locks rows is a write however it was asked for.
        let operation = operation.max(prepared.statement.operation());
        let circumstances = Circumstances {
            only: topology.only(),
            in_test_transaction: self.base_depth() > 0,
            ..Circumstances::default()
        };
        let route = route(topology.routing(), &prepared, operation, circumstances)?;
        let place = Place::of(&topology, route.database).filter(|_| operation == Operation::Read);
        let Some(place) = place else {
            return check_out(&topology, route.database, Patience::Wait);
        };
        let standpoint = Standpoint { circumstances, has_session_state: false, wants: Wants::Rows };
        let member = place.member;
        match reach(topology.routing(), &prepared, place, standpoint)? {
            Reach::Replicas(only) => {
                self.watch_clusters();
                let cluster = topology.cluster(member.cluster);
                let mut checkouts = Checkouts { topology: &topology, member, held: None };
                Finder::new(cluster, &mut Freshness::default(), &mut Search::new(only))
                    .find(&mut checkouts)?;
                let held = checkouts.held.map(|(_, checkout)| checkout);
                Ok(held.expect("a node that serves is one that was connected to"))
            }
            Reach::Only(node, _) => {
                let database = topology.database(member.cluster, node);
                check_out(&topology, database, Patience::Wait)
            }
            Reach::Open(database) => check_out(&topology, database, Patience::Wait),
        }
    }
}

/// Checks out a connection to one database.
///
/// # Errors
/// The database is `offline: primary`, or it has no connection to give.
pub(crate) fn check_out<C: RoutedConnection>(
    topology: &Topology<C>,
    database: DatabaseId,
    patience: Patience,
) -> Result<Checkout<C>, Error> {
    let declared = topology.routing().declared(database);
    if declared.offline == Some(Offline::Primary) {
        return Err(ClusterError::Offline { alias: declared.alias.clone() }.into());
    }
    Ok(topology.node(database).check_out(patience)?)
}

/// What a check-out by hand holds while its node is sought.
struct Checkouts<'t, C: RoutedConnection> {
    topology: &'t Topology<C>,
    member: Member,
    held: Option<(NodeId, Checkout<C>)>,
}

impl<C: RoutedConnection> Links for Checkouts<'_, C> {
    fn connect(&mut self, node: NodeId, patience: Patience) -> Result<Instant, Error> {
        let database = self.topology.database(self.member.cluster, node);
        let checkout = check_out(self.topology, database, patience)?;
        let opened = checkout.opened();
        self.held = Some((node, checkout));
        Ok(opened)
    }

    fn give_back(&mut self, node: NodeId) {
        self.held.take_if(|(held, _)| *held == node);
    }

    /// A check-out by hand knows of no need, so nothing is asked for it.
    fn ask_primary(&mut self) -> Result<Position, Error> {
        Ok(Position::Unknown)
    }

    fn ask(&mut self, _: NodeId) -> Result<Option<Position>, Error> {
        Ok(None)
    }
}
