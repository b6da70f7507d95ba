//! SQLite.

use diesel::connection::SimpleConnection;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::sqlite::{Sqlite, SqliteConnection, SqliteQueryBuilder};
use diesel::{Connection, ConnectionError, ConnectionResult, QueryResult, RunQueryDsl};

use super::{Access, RoutedConnection, TextRow, milliseconds};
use crate::config::{DatabaseUrl, Engine, PoolSettings};
use crate::engine::identity::sqlite_file;
use crate::statement::Dialect;

impl RoutedConnection for SqliteConnection {
    fn supports(engine: Engine) -> bool {
        engine == Engine::Sqlite
    }

    fn dialect() -> Dialect {
        Dialect::Sqlite
    }

    /// A writer that finds the file locked waits for `connection_timeout` instead of failing at once, as
    /// several pooled connections to one file need. A file that is only read is not made where it is missing.
    fn open(url: &DatabaseUrl, settings: &PoolSettings, access: Access) -> ConnectionResult<Self> {
        if access == Access::ReadOnly
            && let Some(path) = sqlite_file(url)
            && !path.exists()
        {
            let message = format!("unable to open database file: there is no file `{}`", path.display());
            return Err(ConnectionError::BadConnection(message));
        }
        let mut conn = Self::establish(url.expose())?;
        let mut setup = format!("PRAGMA busy_timeout = {};", milliseconds(settings.connection_timeout));
        if access == Access::ReadOnly {
            setup.push_str("PRAGMA query_only = 1;");
        }
        conn.batch_execute(&setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }

    fn render<T>(query: &T) -> QueryResult<String>
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

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        Ok(diesel::sql_query(sql).load::<TextRow>(self)?.into_iter().map(|row| row.value).collect())
    }
}
