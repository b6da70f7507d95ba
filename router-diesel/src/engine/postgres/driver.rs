//! Diesel's connection to PostgreSQL.

use diesel::connection::SimpleConnection;
use diesel::pg::{Pg, PgConnection, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::{Connection, ConnectionResult, QueryResult, RunQueryDsl};

use crate::engine::ask::{TextRow, values};
use crate::engine::{Ask, Engine, RoutedConnection};

impl Ask for PgConnection {
    fn run(&mut self, sql: &str) -> QueryResult<()> {
        self.batch_execute(sql)
    }

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        diesel::sql_query(sql).load::<TextRow>(self).map(values)
    }
}

impl RoutedConnection for PgConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Postgres
    }

    fn renders_for() -> Engine {
        Engine::Postgres
    }

    fn connect(_: Engine, address: &str) -> ConnectionResult<Self> {
        Self::establish(address)
    }

    fn render<T>(query: &T) -> QueryResult<String>
    where
        T: QueryFragment<Pg>,
    {
        let mut builder = PgQueryBuilder::new();
        query.to_sql(&mut builder, &Pg)?;
        Ok(builder.finish())
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }
}
