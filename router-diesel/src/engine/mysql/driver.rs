//! Diesel's connection to MySQL.

use diesel::connection::SimpleConnection;
use diesel::mysql::{Mysql, MysqlConnection, MysqlQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::{Connection, ConnectionResult, QueryResult, RunQueryDsl};

use crate::engine::ask::{TextRow, values};
use crate::engine::{Ask, Engine, RoutedConnection};

impl Ask for MysqlConnection {
    fn run(&mut self, sql: &str) -> QueryResult<()> {
        self.batch_execute(sql)
    }

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        diesel::sql_query(sql).load::<TextRow>(self).map(values)
    }
}

impl RoutedConnection for MysqlConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Mysql
    }

    fn renders_for() -> Engine {
        Engine::Mysql
    }

    fn connect(_: Engine, address: &str) -> ConnectionResult<Self> {
        Self::establish(address)
    }

    fn render<T>(query: &T) -> QueryResult<String>
    where
        T: QueryFragment<Mysql>,
    {
        let mut builder = MysqlQueryBuilder::new();
        query.to_sql(&mut builder, &Mysql)?;
        Ok(builder.finish())
    }

    fn engine(&self) -> Engine {
        Engine::Mysql
    }
}
