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
        self.follow();
        let prepared = self.topology.prepare_text(query);
        if let Some(setting) = prepared.statement.effects().setting
            && self.defer(setting, query)?
        {
            return Ok(());
        }
        Ok(self.run(&prepared, |conn| conn.batch_execute(query))?)
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
        Ok(())
    }

    /// Runs the closure with every database in a test transaction, and rolls all of them back.
    fn test_transaction<T, E, F>(&mut self, f: F) -> T
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: std::fmt::Debug,
    {
        self.begin_test_transaction().expect("a test transaction can begin");
        let result = f(self);
        self.open = None;
        self.status = TransactionManagerStatus::default();
        self.waiting.clear();
        self.release();
        self.isolation = Isolation::None;
        result.unwrap_or_else(|error| panic!("the test transaction did not succeed: {error:?}"))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.follow();
        if T::query_id().is_none() && C::ONE_DIALECT {
            let sql = C::render(C::renders_for(), source)?;
            let prepared = self.topology.prepare_text(&sql);
            return Ok(self.execute_prepared(&prepared, &Rendered { sql, query: source })?);
        }
        let prepared = self.topology.prepare(source)?;
        Ok(self.execute_prepared(&prepared, source)?)
    }

    fn transaction_state(&mut self) -> &mut Self {
        self
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    /// Sets what all connections of this session report to while it holds them.
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = SessionInstrumentation::new(instrumentation);
        for held in &mut self.held {
            self.instrumentation.join(&mut held.checkout);
        }
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
            return Ok(self.load_prepared::<B, _>(&prepared, Rendered { sql, query: source })?);
        }
        let prepared = self.topology.prepare(&source)?;
        Ok(self.load_prepared::<B, _>(&prepared, source)?)
    }
}

/// What a call of `set_config` whose bound values make it one for the transaction is read as.
const LOCAL_SETTING: &str = "SELECT set_config('a', '', true)";

impl<C: RoutedConnection> Session<C> {
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
        } else if let Some((setting, sql)) = Self::by_bound_values(prepared, source) {
            if self.defer(setting, &sql)? {
                return Ok(usize::from(setting.returns_row));
            }
            let local = self.topology.prepare_text(LOCAL_SETTING);
            return self.run(&local, |conn| conn.execute_returning_count(source));
        }
        self.run(prepared, |conn| conn.execute_returning_count(source))
    }

    fn load_prepared<'conn, 'query, B, T>(
        &'conn mut self,
        prepared: &Prepared,
        source: T,
    ) -> Result<<NodeConnection<C> as LoadConnection<B>>::Cursor<'conn, 'query>, Error>
    where
        B: 'static,
        C: LoadConnection<B>,
        T: Query + QueryFragment<C::Backend> + QueryId + 'query,
        C::Backend: QueryMetadata<T::SqlType>,
    {
        let local;
        let mut prepared = prepared;
        if let Some(setting) = prepared.statement.effects().setting {
            self.admit_loaded(setting)?;
        } else if let Some((setting, _)) = Self::by_bound_values(prepared, &source) {
            self.admit_loaded(setting)?;
            local = self.topology.prepare_text(LOCAL_SETTING);
            prepared = &local;
        }
        match self.target(prepared, Wants::Rows)? {
            Target::Replicas(read) => self.load_from_cluster::<B, T>(read, source),
            Target::Node { database, node } => self.load_on::<B, T>(database, node, prepared, source),
        }
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
