//! PostgreSQL.

use diesel::connection::SimpleConnection;
use diesel::pg::{Pg, PgConnection, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::{Connection, ConnectionError, ConnectionResult, QueryResult, RunQueryDsl};

use super::{Access, RoutedConnection, TextRow, milliseconds};
use crate::config::{DatabaseUrl, Engine, PoolSettings};
use crate::statement::Dialect;

impl RoutedConnection for PgConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Postgres
    }

    fn dialect() -> Dialect {
        Dialect::Postgres
    }

    /// Behind a pooler that shares connections between transactions, as `prepared_statements: false` says, nothing is
    /// set: whoever is given the connection next would find it, and a writer could not write.
    fn open(url: &DatabaseUrl, settings: &PoolSettings, access: Access) -> ConnectionResult<Self> {
        let mut conn = Self::establish(&with_connect_timeout(url.expose(), settings))?;
        if !settings.prepared_statements {
            return Ok(conn);
        }
        let mut setup = String::new();
        if let Some(timeout) = settings.statement_timeout {
            setup.push_str(&format!("SET statement_timeout = {};", milliseconds(timeout)));
        }
        if access == Access::ReadOnly {
            setup.push_str("SET default_transaction_read_only = on;");
        }
        if !setup.is_empty() {
            conn.batch_execute(&setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(conn)
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

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        Ok(diesel::sql_query(sql).load::<TextRow>(self)?.into_iter().map(|row| row.value).collect())
    }
}

/// Bounds the time to connect, unless the URL already does.
///
/// libpq's `connect_timeout` is in whole seconds, and takes one as two.
fn with_connect_timeout(url: &str, settings: &PoolSettings) -> String {
    if url.contains("connect_timeout=") {
        return url.to_owned();
    }
    let seconds = settings.connection_timeout.as_secs().max(2);
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}connect_timeout={seconds}")
}
