//! Diesel's connection to PostgreSQL.

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::pg::{Pg, PgConnection, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::{Connection, ConnectionResult, QueryResult, RunQueryDsl};

use crate::engine::ask::{TextRow, values};
use crate::engine::binds::{Binds, Bound, Kind, of_bytes};
use crate::engine::{Ask, Engine, RoutedConnection};

impl Ask for PgConnection {
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

impl Binds for PgConnection {
    fn binds<T>(query: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<Pg>,
    {
        let mut collector = RawBytesBindCollector::<Pg>::new();
        QueryFragment::<Pg>::collect_binds(query, &mut collector, &mut NoCatalogue, &Pg).ok()?;
        // The object ids of `bool`, `text` and `varchar`.
        Some(of_bytes(collector, |metadata| match metadata.oid() {
            Ok(16) => Kind::Bool,
            Ok(25 | 1043) => Kind::Text,
            _ => Kind::Other,
        }))
    }
}

/// Knows no type of a database's own.
struct NoCatalogue;

impl PgMetadataLookup for NoCatalogue {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
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

    fn render<T>(_: Engine, query: &T) -> QueryResult<String>
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
