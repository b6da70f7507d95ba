//! Reads that are tried a second time, where that is safe: their connection was lost, or its plans were stale.

use std::time::{Duration, Instant};

use diesel::connection::LoadConnection;
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use polonius_the_crab::{ForLt, PoloniusResult, polonius};

use super::Session;
use super::shared::Shared;
use crate::engine::{RoutedConnection, is_lost};
use crate::error::{Error, ErrorKind};
use crate::topology::pool::NodeConnection;
use crate::topology::{DatabaseId, Prepared};

/// How long a read may have taken that is tried again: one that ran into a time limit is not run into it twice.
const QUICK: Duration = Duration::from_millis(500);

impl<C: RoutedConnection> Session<C> {
    /// Runs a read on one node, and once more where that is safe and may help.
    pub(super) fn load_on<'conn, 'query, B, T>(
        &'conn mut self,
        database: DatabaseId,
        node: DatabaseId,
        prepared: &Prepared,
        source: T,
    ) -> Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>, Error>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        if !self.may_run_again(node, prepared) {
            return self.load_once::<B, T>(database, node, prepared, source);
        }
        let source = Shared::new(source);
        let start = Instant::now();
        let mut first: Option<Error> = None;
        let mut session = self;
        loop {
            let attempt = source.clone();
            let outcome = polonius::<
                _,
                _,
                ForLt!(
                    <'any> = Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'any, 'query>, Error>
                ),
            >(session, |session| {
                let position = match session.position_for(database, node, prepared) {
                    Ok(position) => position,
                    Err(error) => return PoloniusResult::Owned(error),
                };
                let conn = &mut *session.held[position].checkout;
                match <NodeConnection<C> as LoadConnection<B>>::load(conn, attempt) {
                    Ok(cursor) => {
                        session.marks.ran(prepared.statement.effects(), node);
                        PoloniusResult::Borrowing(Ok(cursor))
                    }
                    Err(error) => PoloniusResult::Owned(error.into()),
                }
            });
            let error = match outcome {
                PoloniusResult::Borrowing(cursor) => return cursor,
                PoloniusResult::Owned { value: error, input_borrow } => {
                    session = input_borrow;
                    error
                }
            };
            match first {
                None if session.is_mended(node, start, &error) => first = Some(error),
                // A new connection could not be had: then the loss of the old one is what happened.
                Some(first) if error.kind() != ErrorKind::Diesel => return Err(first),
                _ => return Err(error),
            }
        }
    }

    fn load_once<'conn, 'query, B, T>(
        &'conn mut self,
        database: DatabaseId,
        node: DatabaseId,
        prepared: &Prepared,
        source: T,
    ) -> Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>, Error>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let position = self.position_for(database, node, prepared)?;
        let conn = &mut *self.held[position].checkout;
        let cursor = <NodeConnection<C> as LoadConnection<B>>::load(conn, source)?;
        self.marks.ran(prepared.statement.effects(), node);
        Ok(cursor)
    }

    /// Whether a read on a node may run a second time: nothing depends on the connection, and nothing in the statement
    /// can have an effect. SQLite loses no connection and prepares again by itself.
    #[inline]
    fn may_run_again(&self, node: DatabaseId, prepared: &Prepared) -> bool {
        self.topology.routing().has_servers
            && prepared.statement.may_run_again()
            && self.topology.routing().declared(node).url.engine().spec().has_servers()
            && self.depth() == 0
            && !self.is_in_test_transaction()
            && !self.is_stateful(node)
    }

    /// Whether what made a read fail is out of the way now.
    #[cold]
    pub(super) fn is_mended(&mut self, node: DatabaseId, start: Instant, error: &Error) -> bool {
        if start.elapsed() > QUICK {
            return false;
        }
        if error.as_diesel().is_some_and(is_lost) {
            return !self.holds(node);
        }
        self.position(node).is_some_and(|position| self.held[position].checkout.has_forgotten_plans())
    }
}
