//! Reads that a replica may serve: the fourth step, as a session walks it.
//!
//! A session keeps to one replica of each cluster. Before it reads from one, it makes sure that the replica has
//! all that the session wrote or read elsewhere; what that is, it asks the primary, and only when it is about to
//! read from a replica.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use diesel::QueryResult;
use diesel::connection::LoadConnection;
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use polonius_the_crab::{ForLt, PoloniusResult, polonius};
use router_core::Role;

use super::reader::Reader;
use super::shared::Shared;
use super::{Isolation, Session};
use crate::decision::ClusterError;
use crate::decision::Prepared;
use crate::engine::RoutedConnection;
use crate::engine::observe;
use crate::engine::position::{Coverage, Position, Why};
use crate::error::Error;
use crate::topology::pool::{NodeConnection, Patience};
use crate::topology::{Cluster, Failure, Fallback, Member, PRIMARY, Skipped};

/// How often a read that waits for a replica asks it, at most.
const POLL: Duration = Duration::from_millis(2);

/// A read that a node of a cluster may serve.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplicaRead {
    cluster: usize,
    /// The one replica that the routers chose, where they did.
    only: Option<usize>,
    /// The database that the routers chose.
    database: usize,
}

impl ReplicaRead {
    /// Whether the routers chose one replica, and not this one.
    pub(super) fn is_for_another(self, node: usize) -> bool {
        self.only.is_some_and(|only| only != node)
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Whether a replica may serve a statement that was routed to a database.
    pub(super) fn replica_read(&self, database: usize, prepared: &Prepared) -> Option<ReplicaRead> {
        let Member { cluster, node } = self.databases.clusters().member(database)?;
        let begins_read_only = self.read_only && self.is_transaction_pending() && self.depth() == 1;
        let may_leave = (self.depth() == 0 || begins_read_only)
            && self.state.using.is_none()
            && self.state.role != Some(Role::Writing)
            && !self.is_stateful(cluster)
            && self.isolation == Isolation::None
            && self.databases.base_depth() == 0;
        (may_leave && prepared.may_be_read_from_replicas()).then_some(ReplicaRead {
            cluster,
            only: (node != PRIMARY).then_some(node),
            database,
        })
    }

    /// Runs a read on a node of its cluster: on another, then on the primary, where one fails because it is gone.
    pub(super) fn load_from_cluster<'conn, 'query, B, T>(
        &'conn mut self,
        read: ReplicaRead,
        source: T,
    ) -> QueryResult<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let source = Shared::new(source);
        let mut skipped = Skipped::default();
        let mut session = self;
        let reader = session.reader(read.cluster);
        (reader.is_new, reader.is_first_use) = (false, false);
        loop {
            let node = session.choose(read, &mut skipped)?;
            if session.is_transaction_pending() {
                // Nothing was read yet, so a transaction that cannot begin here may begin elsewhere.
                match session.begin_on(read.database, node) {
                    Ok(()) => {}
                    Err(error) => {
                        session.leave_node(read, node, error, &mut skipped)?;
                        continue;
                    }
                }
            }
            let attempt = source.clone();
            let outcome = polonius::<
                _,
                _,
                ForLt!(
                    <'any> = QueryResult<<NodeConnection<C> as LoadConnection<B>>::Cursor<'any, 'query>>
                ),
            >(session, |session| {
                let conn = match session.node(node) {
                    Ok(conn) => conn,
                    Err(error) => return PoloniusResult::Owned(error),
                };
                match <NodeConnection<C> as LoadConnection<B>>::load(conn, attempt) {
                    Ok(cursor) => PoloniusResult::Borrowing(Ok(cursor)),
                    Err(error) => PoloniusResult::Owned(error),
                }
            });
            match outcome {
                PoloniusResult::Borrowing(cursor) => return cursor,
                PoloniusResult::Owned { value: error, input_borrow } => {
                    session = input_borrow;
                    session.leave_node(read, node, error, &mut skipped)?;
                }
            }
        }
    }

    /// Whether a statement has left something behind on the primary's connection, where the session then stays.
    fn is_stateful(&self, cluster: usize) -> bool {
        let primary = self.databases.clusters().get(cluster).database(PRIMARY);
        self.stateful.contains(&primary)
    }

    /// Notes that a statement runs on a database, and whether it leaves something behind on the connection. What a
    /// replica shows after a statement on its primary must not be older.
    pub(super) fn note_use(&mut self, database: usize, leaves_state: bool) {
        if leaves_state && !self.stateful.contains(&database) {
            self.stateful.push(database);
        }
        if self.open.is_some_and(|open| open.node != database) {
            // A transaction that reads, on a replica.
            return;
        }
        let clusters = self.databases.clusters();
        let Some(Member { cluster, node: PRIMARY }) = clusters.member(database) else { return };
        let has_positions = clusters.get(cluster).has_positions();
        let reader = self.reader(cluster);
        reader.verified = false;
        if has_positions {
            reader.outdated = true;
        } else {
            reader.need = Some(Position::at(SystemTime::now()));
            reader.is_foreign = false;
        }
    }

    /// Notes that a transaction has ended. Where a clock decides, it starts when others can see the write.
    pub(super) fn note_commit(&mut self, database: usize) {
        let clusters = self.databases.clusters();
        let Some(Member { cluster, node: PRIMARY }) = clusters.member(database) else { return };
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.cluster == cluster)
            && !clusters.get(cluster).has_positions()
            && reader.need.is_some()
        {
            reader.need = Some(Position::at(SystemTime::now()));
        }
    }

    pub(super) fn reader_of(&self, read: ReplicaRead) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.cluster == read.cluster)
    }

    fn reader(&mut self, cluster: usize) -> &mut Reader {
        let position = self.readers.iter().position(|reader| reader.cluster == cluster);
        let position = position.unwrap_or_else(|| {
            self.readers.push(Reader::new(cluster));
            self.readers.len() - 1
        });
        &mut self.readers[position]
    }

    /// The node for a read, as the index of its database. The session holds a connection to it.
    fn choose(&mut self, read: ReplicaRead, skipped: &mut Skipped) -> QueryResult<usize> {
        match self.kept_node(read, skipped) {
            Some(database) => Ok(database),
            None => self.choose_anew(read, skipped),
        }
    }

    /// The node that the session already reads from, if it may go on.
    fn kept_node(&self, read: ReplicaRead, skipped: &Skipped) -> Option<usize> {
        let reader = self.reader_of(read)?;
        let node = reader.kept().filter(|node| !skipped.contains(*node))?;
        let cluster = self.databases.clusters().get(read.cluster);
        let database = cluster.database(node);
        let is_held = self.nodes.iter().any(|(held, checkout)| *held == database && !checkout.is_lost());
        (is_held && !read.is_for_another(node) && cluster.view().may_serve(node)).then_some(database)
    }

    #[cold]
    fn choose_anew(&mut self, read: ReplicaRead, skipped: &mut Skipped) -> QueryResult<usize> {
        self.databases.watch_clusters();
        let cluster = Arc::clone(self.databases.clusters().get(read.cluster));
        if self.reader(read.cluster).stays_on_primary() && cluster.primary_may_serve() {
            return self.read_primary(&cluster, read, skipped);
        }
        self.leave_unusable(&cluster, read, skipped)?;
        // The policy is asked once for a read that is served: a second answer would be another's turn.
        let mut first = self.next_node(&cluster, read, skipped);
        if first == Some(PRIMARY) {
            // It has all there is, so nothing need be asked.
            match self.try_node(&cluster, read, PRIMARY, None, Patience::Wait) {
                Ok(_) => {
                    self.keep(read, PRIMARY);
                    return Ok(cluster.database(PRIMARY));
                }
                Err(error) => self.leave_node(read, cluster.database(PRIMARY), error, skipped)?,
            }
            first = self.next_node(&cluster, read, skipped);
        }
        if first.is_none() {
            return self.fall_back(&cluster, read, skipped, Fallback::NoReplica);
        }
        // Nobody waits for a busy replica while another node may serve.
        let mut patience = Patience::Pass;
        let mut need = self.need(&cluster, read)?;
        if let Some(need) = &need
            && let Err(why) = self.same_history(&cluster, read, need)?
        {
            tracing::debug!(alias = %cluster.alias(), reason = %why, "no replica can be compared with the token");
            return self.fall_back(&cluster, read, skipped, Fallback::Incomparable);
        }
        let deadline = Instant::now() + cluster.wait_for_replica();
        loop {
            let mut behind = Skipped::default();
            let mut may_catch_up = false;
            while let Some(node) =
                first.take().or_else(|| self.next_node(&cluster, read, &skipped.and(&behind)))
            {
                match self.try_node(&cluster, read, node, need.as_ref(), patience) {
                    Ok(Coverage::Covered) => {
                        self.keep(read, node);
                        tracing::debug!(
                            alias = %cluster.alias_of(node),
                            passed_over = %cluster.in_words(&skipped.and(&behind), Some(node)),
                            "chose a node to read from"
                        );
                        return Ok(cluster.database(node));
                    }
                    Ok(coverage) => {
                        may_catch_up |= matches!(coverage, Coverage::Behind(_));
                        behind.push(node, coverage.to_string());
                    }
                    Err(error) => {
                        self.leave_node(read, cluster.database(node), error, skipped)?;
                        need = self.need(&cluster, read)?;
                    }
                }
            }
            let may_wait = patience == Patience::Pass && cluster.why_not_primary().is_some();
            if behind.is_empty() && may_wait && skipped.forgive_busy() {
                patience = Patience::Wait;
                continue;
            }
            if behind.is_empty() {
                return self.fall_back(&cluster, read, skipped, Fallback::NoReplica);
            }
            let now = Instant::now();
            if now >= deadline || !may_catch_up {
                self.reader(read.cluster).stay_on_primary(now);
                return self.fall_back(&cluster, read, &skipped.and(&behind), Fallback::Behind);
            }
            std::thread::sleep(POLL.min(deadline - now));
        }
    }

    /// Connects to a node, and says whether it has all that is needed.
    fn try_node(
        &mut self,
        cluster: &Cluster,
        read: ReplicaRead,
        node: usize,
        need: Option<&Position>,
        patience: Patience,
    ) -> QueryResult<Coverage> {
        let database = cluster.database(node);
        self.node_with(database, patience)?;
        if node == PRIMARY {
            let is_first_use = !self.reader(read.cluster).outdated;
            self.note_use(database, false);
            self.reader(read.cluster).is_first_use = is_first_use;
            return Ok(Coverage::Covered);
        }
        self.coverage(cluster, node, need)
    }

    /// The replica that the session reads from, else what the policy says.
    fn next_node(&mut self, cluster: &Cluster, read: ReplicaRead, skipped: &Skipped) -> Option<usize> {
        let view = cluster.view();
        if let Some(only) = read.only {
            return Some(only).filter(|node| !skipped.contains(*node) && view.may_serve(*node));
        }
        let kept = self.reader(read.cluster).node;
        kept.filter(|node| !skipped.contains(*node)).or_else(|| cluster.pick(&view, skipped))
    }

    fn keep(&mut self, read: ReplicaRead, node: usize) {
        let reader = self.reader(read.cluster);
        if reader.node != Some(node) {
            reader.is_new = true;
            reader.since = Instant::now();
        }
        reader.node = Some(node);
        reader.verified = true;
    }

    /// Leaves a node that may serve no longer, or whose server may have been rebuilt since it showed something: the
    /// session has given back its connection, and the one that it gets is newer.
    fn leave_unusable(
        &mut self,
        cluster: &Cluster,
        read: ReplicaRead,
        skipped: &mut Skipped,
    ) -> QueryResult<()> {
        let reader = self.reader(read.cluster);
        let (Some(node), since) = (reader.node, reader.since) else { return Ok(()) };
        let database = cluster.database(node);
        let position = self.nodes.iter().position(|(held, _)| *held == database);
        if !cluster.view().may_serve(node) {
            if let Some(position) = position {
                self.give_back(position);
            }
            self.forget_kept(cluster, read);
        } else if skipped.contains(node) || read.is_for_another(node) {
            self.forget_kept(cluster, read);
        } else if position.is_none() && node != PRIMARY {
            match self.node_with(database, Patience::Pass).map(|conn| conn.opened() > since) {
                Ok(false) => {}
                Ok(true) => self.forget_kept(cluster, read),
                Err(error) => self.leave_node(read, database, error, skipped)?,
            }
        }
        Ok(())
    }

    /// Gives up the session's node. Whatever it showed, the next one must have too.
    fn forget_kept(&mut self, cluster: &Cluster, read: ReplicaRead) {
        let reader = self.reader(read.cluster);
        let Some(node) = reader.node.take() else { return };
        reader.verified = false;
        if node == PRIMARY || reader.is_new {
            return;
        }
        if cluster.has_positions() {
            reader.outdated = true;
        } else {
            reader.need = Some(Position::at(SystemTime::now()));
        }
    }

    /// What a replica must have replayed before it may serve this session.
    ///
    /// Whatever was needed before, the primary has it or nobody does, so where the primary is now is all that
    /// counts.
    fn need(&mut self, cluster: &Cluster, read: ReplicaRead) -> QueryResult<Option<Position>> {
        if self.reader(read.cluster).outdated {
            let position = self.ask(cluster.database(PRIMARY), observe::written)?;
            cluster.answered(PRIMARY);
            self.reader(read.cluster).set_need(position);
        }
        Ok(self.reader(read.cluster).need.clone())
    }

    /// Whether what a token needs can be compared with this cluster at all. What was learnt here always can.
    fn same_history(
        &mut self,
        cluster: &Cluster,
        read: ReplicaRead,
        need: &Position,
    ) -> QueryResult<Result<(), Why>> {
        if !self.reader(read.cluster).is_foreign || cluster.window_coverage(need).is_some() {
            return Ok(Ok(()));
        }
        if *need == Position::Unknown {
            return Ok(Err(Why::Unknown));
        }
        if cluster.known_position(PRIMARY).is_none() {
            let asked = Instant::now();
            match self.ask(cluster.database(PRIMARY), observe::replayed) {
                Ok(observation) => _ = cluster.note_replayed(PRIMARY, asked, &observation),
                // A replica tells its history itself. One that seems to be on the token's, and is not, lacks only
                // what a failover has lost.
                Err(error) if Failure::of(&error).is_some() && need.names_its_history() => return Ok(Ok(())),
                Err(error) => return Err(error),
            }
        }
        let judged = match cluster.known_position(PRIMARY) {
            Some(primary) => need.same_history(&primary),
            None => Err(Why::Unknown),
        };
        if judged.is_ok() {
            self.reader(read.cluster).is_foreign = false;
        }
        Ok(judged)
    }

    /// Asks a database for its position, outside of a transaction. A connection that turns out to be lost, as after a
    /// restart of the server, says nothing of the server: it is replaced once.
    pub(super) fn ask<T>(
        &mut self,
        database: usize,
        question: fn(&mut C) -> QueryResult<T>,
    ) -> QueryResult<T> {
        let conn = self.node(database)?;
        match conn.watch(question) {
            Err(_) if conn.is_lost() => self.node(database)?.watch(question),
            answer => answer,
        }
    }

    /// Whether a node, to which the session holds a connection, has all that is needed.
    ///
    /// What is known of the node counts where it was learnt while this connection was open: a server that was
    /// rebuilt since has lost its connections.
    fn coverage(&mut self, cluster: &Cluster, node: usize, need: Option<&Position>) -> QueryResult<Coverage> {
        let Some(need) = need else { return Ok(Coverage::Covered) };
        if let Some(coverage) = cluster.window_coverage(need) {
            return Ok(coverage);
        }
        let conn = self.node(cluster.database(node))?;
        if let Some(known) = cluster.replayed(node, conn.opened()) {
            let coverage = known.position.covers(need);
            if coverage == Coverage::Covered || known.asked.elapsed() < POLL {
                return Ok(coverage);
            }
        }
        let asked = Instant::now();
        let observation = conn.watch(observe::replayed)?;
        cluster.answered(node);
        let position = cluster.note_replayed(node, asked, &observation);
        Ok(position.map_or(Coverage::Incomparable(Why::Unknown), |position| position.covers(need)))
    }

    /// Takes in why a node did not serve a read: an error that is not the node's fault is the read's own.
    fn leave_node(
        &mut self,
        read: ReplicaRead,
        database: usize,
        error: DieselError,
        skipped: &mut Skipped,
    ) -> QueryResult<()> {
        let cluster = Arc::clone(self.databases.clusters().get(read.cluster));
        let node = cluster.node_of(database);
        // Where the primary serves as the replicas do, they may serve in its place. Where its connection is lost, as
        // after a restart, it is tried once more on a new one.
        let may_go_on = |failure: &Failure| {
            node != PRIMARY || *failure == Failure::Lost || cluster.view().may_serve(PRIMARY)
        };
        let is_news = self.open.is_none() && !skipped.contains(node);
        let Some(failure) = Failure::of(&error).filter(may_go_on).filter(|_| is_news) else {
            return Err(error);
        };
        let reader = self.reader(read.cluster);
        if node == PRIMARY && reader.is_first_use {
            reader.outdated = false;
        }
        if reader.node == Some(node) {
            self.forget_kept(&cluster, read);
        }
        let reason = cluster.passes_over(node, failure, &error);
        match failure {
            Failure::Busy => skipped.push_busy(node, reason),
            Failure::Unreachable | Failure::Lost => skipped.push(node, reason),
        }
        Ok(())
    }

    /// Reads from the primary, since no replica may serve.
    fn fall_back(
        &mut self,
        cluster: &Cluster,
        read: ReplicaRead,
        skipped: &Skipped,
        fallback: Fallback,
    ) -> QueryResult<usize> {
        if cluster.primary_may_serve() {
            cluster.count(fallback);
            tracing::debug!(
                alias = %cluster.alias(),
                reason = %fallback,
                replicas = %cluster.in_words(skipped, None),
                "a read fell back to the primary"
            );
        }
        self.read_primary(cluster, read, skipped)
    }

    fn read_primary(
        &mut self,
        cluster: &Cluster,
        read: ReplicaRead,
        skipped: &Skipped,
    ) -> QueryResult<usize> {
        if let Some(why) = cluster.why_not_primary() {
            return Err(Error::from(ClusterError::no_node(cluster, skipped, why)).into());
        }
        let database = cluster.database(PRIMARY);
        if let Err(error) = self.node(database) {
            return Err(match Failure::of(&error) {
                Some(_) => Error::from(ClusterError::no_node(cluster, skipped, error.to_string())).into(),
                None => error,
            });
        }
        self.note_use(database, false);
        self.reader(read.cluster).verified = false;
        Ok(database)
    }
}
