//! Connecting to PostgreSQL.

use std::borrow::Cow;

use diesel::{ConnectionError, ConnectionResult, QueryResult};

use super::{PRODUCT, Postgres};
use crate::engine::connection::milliseconds;
use crate::engine::{Access, Ask, Connect, ConnectSettings, DatabaseUrl, Server};

impl Connect for Postgres {
    /// Bounds the time to connect, unless the URL already does.
    ///
    /// libpq's `connect_timeout` is in whole seconds, and takes one as two.
    fn address<'u>(
        &self,
        url: &'u DatabaseUrl,
        settings: &ConnectSettings,
    ) -> ConnectionResult<Cow<'u, str>> {
        let url = url.expose();
        if url.contains("connect_timeout=") {
            return Ok(url.into());
        }
        let seconds = settings.connect_timeout.as_secs().max(2);
        let separator = if url.contains('?') { '&' } else { '?' };
        Ok(format!("{url}{separator}connect_timeout={seconds}").into())
    }

    /// Behind a pooler that shares connections between transactions, as `prepared_statements: false` says, nothing is
    /// set: whoever is given the connection next would find it, and a writer could not write.
    fn set_up(&self, conn: &mut dyn Ask, settings: &ConnectSettings) -> ConnectionResult<Server> {
        let mut setup = String::new();
        if settings.prepared_statements {
            if let Some(timeout) = settings.statement_timeout {
                setup.push_str(&format!("SET statement_timeout = {};", milliseconds(timeout)));
            }
            if settings.access == Access::ReadOnly {
                setup.push_str("SET default_transaction_read_only = on;");
            }
        }
        if !setup.is_empty() {
            conn.run(&setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(Server::of(PRODUCT))
    }

    fn timeout_behind_pooler(&self) -> Option<&'static str> {
        Some("give the server's role one: `ALTER ROLE … SET statement_timeout`")
    }

    fn version(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        conn.text("SELECT current_setting('server_version') AS value")
    }
}
