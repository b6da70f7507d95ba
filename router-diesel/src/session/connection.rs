//! Diesel's connection traits for a session.

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
    TransactionManagerStatus,
};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::{ConnectionResult, QueryResult};

use super::held::begin_test_transaction;
use super::instrumentation::SessionInstrumentation;
use super::manager::{SessionTransactionManager, run_transaction};
use super::rendered::Rendered;
use super::statement::Target;
use super::{Isolation, Session, no_url};
use crate::decision::Wants;
use crate::engine::RoutedConnection;
use crate::error::Error;
use crate::statement::effects::Facts;
use crate::topology::pool::NodeConnection;
use crate::topology::{PRIMARY, Prepared};

impl<C: RoutedConnection> SimpleConnection for Session<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.batch(query).map_err(|error| self.report_refusal(query, error))
    }
}

impl<C: RoutedConnection> ConnectionSealed for Session<C> {}

impl<C: RoutedConnection> Connection for Session<C> {
    type Backend = C::Backend;
    type TransactionManager = SessionTransactionManager;

    /// Fails: a session is opened by [`Databases::session`](crate::Databases::session).
    fn establish(_: &str) -> ConnectionResult<Self> {
        no_url()
    }

    /// As Diesel's own, and rolls back when the closure panics too.
    fn transaction<T, E, F>(&mut self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<DieselError>,
    {
        run_transaction(self, f)
    }

    /// From now on every database that the session touches is in a test transaction of its own, which is
    /// rolled back when the session is dropped.
    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        assert!(
            self.depth() == 0 && self.isolation == Isolation::None,
            "a test transaction begins outside of any other transaction"
        );
        let base = self.databases.base_depth();
        for held in &mut self.held {
            begin_test_transaction(&mut held.checkout, base)?;
        }
        self.isolation = Isolation::TestTransactions;
        self.count_test_transaction()
    }

    /// Runs the closure with every database in a test transaction, and rolls all of them back.
    ///
    /// Inside of another transaction, or of a test transaction, it is a transaction that is rolled back, as Diesel's is.
    ///
    /// # Panics
    /// With Diesel's words if the closure returns an error.
    fn test_transaction<T, E, F>(&mut self, f: F) -> T
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: std::fmt::Debug,
    {
        let result = if self.depth() > 0 || self.isolation != Isolation::None {
            self.roll_back_after(f)
        } else {
            self.begin_test_transaction().expect("a test transaction can begin");
            let result = f(self);
            self.end_test_transaction();
            result
        };
        result.unwrap_or_else(|error| panic!("Transaction did not succeed: {error:?}"))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.follow();
        if T::query_id().is_none() && C::ONE_DIALECT {
            let sql = C::render(C::renders_for(), source)?;
            let prepared = self.topology.prepare_text(&sql);
            let rendered = Rendered { sql, query: source };
            let outcome = self.execute_prepared(&prepared, &rendered);
            return outcome.map_err(|error| self.report_refusal(&rendered.sql, error));
        }
        let prepared = self.topology.prepare(source)?;
        self.execute_prepared(&prepared, source)
            .map_err(|error| self.report_refusal(&self.written(source), error))
    }

    fn transaction_state(&mut self) -> &mut Self {
        self
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    /// Sets what all connections of this session report to while it holds them.
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.report_to(SessionInstrumentation::new(instrumentation));
    }

    /// Sets the size for all connections of this session while it holds them.
    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.statement_cache = Some(size);
        for held in &mut self.held {
            held.checkout.set_prepared_statement_cache_size(size);
        }
    }
}

impl<B: 'static, C: RoutedConnection + LoadConnection<B>> LoadConnection<B> for Session<C> {
    type Cursor<'conn, 'query>
        = <NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>
    where
        Self: 'conn;
    type Row<'conn, 'query>
        = <C as LoadConnection<B>>::Row<'conn, 'query>
    where
        Self: 'conn;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<<Self as LoadConnection<B>>::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        self.follow();
        if T::query_id().is_none() && C::ONE_DIALECT {
            let sql = C::render(C::renders_for(), &source)?;
            let prepared = self.topology.prepare_text(&sql);
            return self.load_prepared::<B, _>(&prepared, Rendered { sql, query: source });
        }
        let prepared = self.topology.prepare(&source)?;
        self.load_prepared::<B, _>(&prepared, source)
    }
}

impl<C: RoutedConnection> Session<C> {
    /// Runs a closure in a transaction that is rolled back whatever it returns.
    fn roll_back_after<T, E>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let mut result = None;
        let ended = self.transaction::<(), DieselError, _>(|conn| {
            result = Some(f(conn));
            Err(DieselError::RollbackTransaction)
        });
        result.unwrap_or_else(|| panic!("Transaction did not succeed: {ended:?}"))
    }

    /// Rolls back what was done on every database, and gives the connections back.
    fn end_test_transaction(&mut self) {
        self.open = None;
        self.status = TransactionManagerStatus::default();
        self.waiting.clear();
        self.callbacks.clear();
        self.release();
        self.isolation = Isolation::None;
    }
}

impl<C: RoutedConnection> Session<C> {
    /// The text of a statement, for reports.
    fn written<T: QueryFragment<C::Backend>>(&self, source: &T) -> String {
        C::render(self.topology.renders_for(), source).unwrap_or_default()
    }

    /// Runs a text, or has it wait for its transaction.
    fn batch(&mut self, query: &str) -> Result<(), Error> {
        self.follow();
        let prepared = self.topology.prepare_text(query);
        if let Some(setting) = prepared.statement.effects().setting
            && self.defer(setting, query)?
        {
            return Ok(());
        }
        self.run(&prepared, |conn| conn.batch_execute(query))
    }

    /// Runs a statement for the number of its rows, or has it wait for its transaction.
    #[inline]
    fn execute_prepared<T>(&mut self, prepared: &Prepared, source: &T) -> Result<usize, Error>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        if let Some(setting) = prepared.statement.effects().setting {
            if self.defer(setting, &C::render(self.topology.renders_for(), source)?)? {
                return Ok(usize::from(setting.returns_row));
            }
        } else if let Some(bound) = Self::by_bound_values(&self.topology, prepared, source) {
            if self.defer(bound.setting, &bound.sql)? {
                return Ok(usize::from(bound.setting.returns_row));
            }
            return self.run(&bound.prepared, |conn| conn.execute_returning_count(source));
        }
        self.run(prepared, |conn| conn.execute_returning_count(source))
    }

    fn load_prepared<'conn, 'query, B, T>(
        &'conn mut self,
        prepared: &Prepared,
        source: T,
    ) -> QueryResult<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let bound = Self::by_bound_values(&self.topology, prepared, &source);
        let (prepared, setting) = match &bound {
            Some(bound) => (&*bound.prepared, Some(bound.setting)),
            None => (prepared, prepared.statement.effects().setting),
        };
        let admitted = setting.map_or(Ok(()), |setting| self.admit_loaded(setting));
        let target = match admitted.and_then(|()| self.target(prepared, Wants::Rows)) {
            Ok(target) => target,
            Err(error) => return Err(self.report_refusal(&self.written(&source), error)),
        };
        Ok(match target {
            Target::Replicas(read) => self.load_from_cluster::<B, T>(read, source)?,
            Target::Node { database, node } => self.load_on::<B, T>(database, node, prepared, source)?,
        })
    }

    /// Runs a statement that returns no rows.
    #[inline]
    fn run<T: Outcome>(
        &mut self,
        prepared: &Prepared,
        run: impl FnOnce(&mut NodeConnection<C>) -> QueryResult<T>,
    ) -> Result<T, Error> {
        let (database, node) = match self.target(prepared, Wants::Effect)? {
            Target::Node { database, node } => (database, node),
            // What is run for its effect is left to no replica.
            Target::Replicas(read) => {
                let primary = self.topology.database(read.cluster, PRIMARY);
                (primary, primary)
            }
        };
        let position = self.position_for(database, node, prepared)?;
        let outcome = run(&mut self.held[position].checkout)?;
        let makes = prepared.statement.effects().makes;
        // Where no row was written, no id was generated.
        let makes = if outcome.is_nothing() { makes.without(Facts::INSERTED) } else { makes };
        self.marks.made(makes, node);
        self.marks.set_variables(prepared.statement.effects().variables.as_deref(), node);
        Ok(outcome)
    }
}

/// What a statement that returns no rows comes to.
trait Outcome {
    /// Whether it is known that no row was written.
    fn is_nothing(&self) -> bool;
}

impl Outcome for usize {
    fn is_nothing(&self) -> bool {
        *self == 0
    }
}

impl Outcome for () {
    fn is_nothing(&self) -> bool {
        false
    }
}
