//! Diesel's connection to SQLite.

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::sqlite::{Sqlite, SqliteConnection, SqliteQueryBuilder};
use diesel::{Connection, ConnectionResult, QueryResult, RunQueryDsl};

use crate::engine::ask::{TextRow, values};
use crate::engine::binds::{Binds, Bound};
use crate::engine::{Ask, Engine, RoutedConnection};

impl Ask for SqliteConnection {
    fn run(&mut self, sql: &str) -> QueryResult<()> {
        self.batch_execute(sql)
    }

    fn begin(&mut self, sql: &str) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction_sql(self, sql)
    }

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        diesel::sql_query(sql).load::<TextRow>(self).map(values)
    }
}

impl Binds for SqliteConnection {
    fn binds<T>(_: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<Sqlite>,
    {
        None
    }
}

impl RoutedConnection for SqliteConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Sqlite
    }

    fn renders_for() -> Engine {
        Engine::Sqlite
    }

    fn connect(_: Engine, address: &str) -> ConnectionResult<Self> {
        Self::establish(address)
    }

    fn render<T>(_: Engine, query: &T) -> QueryResult<String>
    where
        T: QueryFragment<Sqlite>,
    {
        let mut builder = SqliteQueryBuilder::new();
        query.to_sql(&mut builder, &Sqlite)?;
        Ok(builder.finish())
    }

    fn engine(&self) -> Engine {
        Engine::Sqlite
    }
}
