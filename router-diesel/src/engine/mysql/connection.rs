//! Connecting to MySQL and MariaDB.

use std::borrow::Cow;

use diesel::{ConnectionError, ConnectionResult, QueryResult};

use super::{Mysql, PRODUCT, options};
use crate::engine::connection::milliseconds;
use crate::engine::{Access, Ask, Connect, ConnectSettings, DatabaseUrl, Server, mariadb};

impl Connect for Mysql {
    fn address<'u>(&self, url: &'u DatabaseUrl, _: &ConnectSettings) -> ConnectionResult<Cow<'u, str>> {
        let url = url.expose();
        let obeys_mode = options::obeys_mode();
        options::may_connect(url, obeys_mode)?;
        Ok(options::for_client(url, obeys_mode).map_or(Cow::Borrowed(url), Cow::Owned))
    }

    /// Where the URL asks for TLS, the cipher is the first thing that is asked. The password has been sent by then.
    fn admit(&self, conn: &mut dyn Ask, url: &DatabaseUrl) -> ConnectionResult<()> {
        options::admit(conn, url)
    }

    /// The one question that tells the two products apart is asked of each new connection.
    fn set_up(&self, conn: &mut dyn Ask, settings: &ConnectSettings) -> ConnectionResult<Server> {
        set_up(self, conn, settings).map_err(ConnectionError::CouldntSetupConfiguration)
    }

    fn version(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        conn.text("SELECT CAST(VERSION() AS CHAR) AS value")
    }
}

/// MariaDB bounds every statement, in seconds; MySQL bounds SELECT alone, in milliseconds.
fn set_up(mysql: &Mysql, conn: &mut dyn Ask, settings: &ConnectSettings) -> QueryResult<Server> {
    let version = mysql.version(conn)?;
    let is_mariadb = mariadb::wrote(&version);
    if let Some(timeout) = settings.statement_timeout {
        conn.run(&if is_mariadb {
            mariadb::statement_timeout(timeout)
        } else {
            format!("SET SESSION max_execution_time = {}", milliseconds(timeout))
        })?;
    }
    if settings.access == Access::ReadOnly {
        conn.run("SET SESSION TRANSACTION READ ONLY")?;
    }
    let product = if is_mariadb { mariadb::PRODUCT } else { PRODUCT };
    Ok(Server { product, version: Some(version) })
}
