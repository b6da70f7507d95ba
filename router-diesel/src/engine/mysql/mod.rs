//! MySQL and MariaDB.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::mysql::{Mysql, MysqlConnection, MysqlQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::sql_types::Text;
use diesel::{Connection, ConnectionError, ConnectionResult, QueryResult, RunQueryDsl};

use super::{Access, RoutedConnection, TextRow, milliseconds};
use crate::config::{DatabaseUrl, Engine, PoolSettings};
use crate::statement::Dialect;

impl RoutedConnection for MysqlConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Mysql
    }

    fn dialect() -> Dialect {
        Dialect::Mysql
    }

    fn open(url: &DatabaseUrl, settings: &PoolSettings, access: Access) -> ConnectionResult<Self> {
        let mut conn = Self::establish(url.expose())?;
        set_up(&mut conn, settings, access).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
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

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        Ok(diesel::sql_query(sql).load::<TextRow>(self)?.into_iter().map(|row| row.value).collect())
    }
}

/// MariaDB bounds every statement, in seconds; MySQL bounds SELECT alone, in milliseconds.
fn set_up(conn: &mut MysqlConnection, settings: &PoolSettings, access: Access) -> QueryResult<()> {
    if let Some(timeout) = settings.statement_timeout {
        let version = diesel::select(sql::<Text>("VERSION()")).get_result::<String>(conn)?;
        let bound = if version.contains("MariaDB") {
            format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64())
        } else {
            format!("SET SESSION max_execution_time = {}", milliseconds(timeout))
        };
        conn.batch_execute(&bound)?;
    }
    if access == Access::ReadOnly {
        conn.batch_execute("SET SESSION TRANSACTION READ ONLY")?;
    }
    Ok(())
}
