//! Diesel's connection to MySQL.

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::mysql::{Mysql, MysqlConnection, MysqlQueryBuilder, MysqlType};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::{Connection, ConnectionResult, QueryResult, RunQueryDsl};

use crate::engine::ask::{TextRow, values};
use crate::engine::binds::{Binds, Bound, Kind, of_bytes};
use crate::engine::{Ask, Engine, RoutedConnection};

impl Ask for MysqlConnection {
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

impl Binds for MysqlConnection {
    fn binds<T>(query: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<Mysql>,
    {
        let mut collector = RawBytesBindCollector::<Mysql>::new();
        QueryFragment::<Mysql>::collect_binds(query, &mut collector, &mut (), &Mysql).ok()?;
        Some(of_bytes(collector, kind))
    }
}

/// What the bytes of a value are. MySQL's `BOOL` is a `TINYINT`.
pub(in crate::engine) fn kind(metadata: &MysqlType) -> Kind {
    match metadata {
        MysqlType::String => Kind::Text,
        MysqlType::Tiny => Kind::Bool,
        _ => Kind::Other,
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

    fn render<T>(_: Engine, query: &T) -> QueryResult<String>
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
