//! The lock of a database on a server: one that the server gives to a connection.

use std::time::Duration;

use diesel::QueryResult;

use super::{LockError, LockHolder, poll};
use crate::config::{Database, Engine};
use crate::engine::{Access, RoutedConnection};

/// The two numbers of the advisory lock: `dbrt` in ASCII, and the first lock under it. PostgreSQL keeps the
/// advisory locks of each database apart, so they need not name it.
const KEY: (i32, i32) = (0x6462_7274, 1);

/// The name of the lock on MySQL and MariaDB, whose names are the whole server's and have 64 characters at most.
const NAME: &str =
    "CONCAT('dbrouter:', IF(CHAR_LENGTH(DATABASE()) > 50, SHA1(DATABASE()), COALESCE(DATABASE(), '')))";

/// Something that holds a lock until it is dropped.
pub(super) trait Hold: Send {
    /// Whether it still does.
    fn is_held(&mut self) -> bool;
}

/// A connection of its own that holds the lock.
pub(super) struct ServerLock<C: RoutedConnection> {
    conn: C,
    engine: Engine,
}

impl<C: RoutedConnection> ServerLock<C> {
    pub(super) fn acquire(database: &Database, wait: Duration, marker: &str) -> Result<Self, LockError> {
        let alias = &database.alias;
        let refused = |error: diesel::result::Error| LockError::Refused {
            alias: alias.clone(),
            cause: error.to_string(),
        };
        // The connection idles for as long as the task takes: the pool's limits are not meant for it.
        let mut settings = database.pool.clone();
        settings.statement_timeout = None;
        let conn = C::open(&database.url, &settings.connect(Access::ReadWrite))
            .map(|opened| opened.conn)
            .map_err(|error| LockError::Unreachable { alias: alias.clone(), cause: error.to_string() })?;
        let mut lock = Self { conn, engine: database.url.engine() };
        lock.set_up(marker).map_err(refused)?;
        if poll(wait, || lock.try_acquire().map_err(refused))? {
            return Ok(lock);
        }
        // Whoever held it may have let go just now, so that there is nobody to name.
        let holder = lock.holder().unwrap_or_default().map(Box::new);
        Err(LockError::Held { alias: alias.clone(), holder, waited: wait })
    }

    /// Gives the connection its name and keeps it from being closed for idling.
    fn set_up(&mut self, marker: &str) -> QueryResult<()> {
        match self.engine {
            Engine::Postgres => {
                // A name has 63 bytes at most, and a host's may be long: the process at its end is what counts.
                let name = shortened(marker, 63).replace('\'', "''");
                self.conn.batch_execute(&format!("SET application_name = '{name}'"))?;
                // From PostgreSQL 14 on; `set_config` is not reached where there is no such setting.
                self.conn
                    .texts("SELECT set_config(name, '0', false) AS value FROM pg_settings WHERE name = 'idle_session_timeout'")
                    .map(drop)
            }
            Engine::Mysql => self.conn.batch_execute("SET SESSION wait_timeout = 2000000, autocommit = 1"),
            Engine::Sqlite => Ok(()),
        }
    }

    fn try_acquire(&mut self) -> QueryResult<bool> {
        let (first, second) = KEY;
        let sql = match self.engine {
            Engine::Postgres => {
                format!(
                    "SELECT CASE WHEN pg_try_advisory_lock({first}, {second}) THEN '1' ELSE '0' END AS value"
                )
            }
            _ => format!("SELECT CAST(GET_LOCK({NAME}, 0) AS CHAR) AS value"),
        };
        self.is_one(&sql)
    }

    fn is_one(&mut self, sql: &str) -> QueryResult<bool> {
        Ok(self.conn.texts(sql)?.first().and_then(Option::as_deref) == Some("1"))
    }

    fn holder(&mut self) -> QueryResult<Option<LockHolder>> {
        match self.engine {
            Engine::Postgres => self.postgres_holder(),
            _ => self.mysql_holder(),
        }
    }

    fn postgres_holder(&mut self) -> QueryResult<Option<LockHolder>> {
        let (first, second) = KEY;
        // What another user's session does is not everybody's to see: its name and process are.
        let sql = format!(
            "SELECT unnest(ARRAY[
                 pid::text, application_name, usename::text, coalesce(host(client_addr), ''),
                 coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')
             ]) AS value
             FROM pg_stat_activity WHERE pid = (
                 SELECT pid FROM pg_locks
                 WHERE locktype = 'advisory' AND granted AND classid = {first} AND objid = {second} AND objsubid = 2
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 LIMIT 1)"
        );
        let fields: Vec<String> = self.conn.texts(&sql)?.into_iter().map(Option::unwrap_or_default).collect();
        let [pid, name, user, address, since] = fields.as_slice() else { return Ok(None) };
        let who = match name.as_str() {
            "" => format!("the connection with process {pid} of the server"),
            name => format!("`{name}`"),
        };
        let address = if address.is_empty() { "the server's own host" } else { address };
        Ok(Some(LockHolder {
            who,
            from: Some(format!("user `{user}` from {address}")),
            since: (!since.is_empty()).then(|| format!("connected since {since}Z")),
            end_with: Some(format!("SELECT pg_terminate_backend({pid})")),
        }))
    }

    fn mysql_holder(&mut self) -> QueryResult<Option<LockHolder>> {
        let id = self.conn.texts(&format!("SELECT CAST(IS_USED_LOCK({NAME}) AS CHAR) AS value"))?;
        let Some(Some(id)) = id.into_iter().next() else { return Ok(None) };
        // Without the privilege PROCESS, other users' connections are not in the list.
        let mut field = |column: &str| -> Option<String> {
            let sql = format!(
                "SELECT CAST({column} AS CHAR) AS value FROM information_schema.processlist WHERE id = {id}"
            );
            self.conn.texts(&sql).ok()?.into_iter().next().flatten()
        };
        let (user, host, idle) = (field("user"), field("host"), field("time"));
        // Both client libraries tell their process to the performance schema, where it is switched on.
        let process = self
            .conn
            .texts(&format!(
                "SELECT CAST(attr_value AS CHAR) AS value FROM performance_schema.session_connect_attrs
                 WHERE processlist_id = {id} AND attr_name = '_pid'"
            ))
            .unwrap_or_default()
            .into_iter()
            .next()
            .flatten();
        Ok(Some(LockHolder {
            who: match process {
                Some(process) => format!("connection {id} of the process {process}"),
                None => format!("connection {id}"),
            },
            from: user.zip(host).map(|(user, host)| format!("user `{user}` from {host}")),
            since: idle.map(|seconds| format!("silent for {seconds} s")),
            end_with: Some(format!("KILL {id}")),
        }))
    }
}

impl<C: RoutedConnection> Hold for ServerLock<C> {
    fn is_held(&mut self) -> bool {
        let (first, second) = KEY;
        let sql = match self.engine {
            Engine::Postgres => format!(
                "SELECT count(*)::text AS value FROM pg_locks
                 WHERE locktype = 'advisory' AND granted AND classid = {first} AND objid = {second} AND objsubid = 2
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND pid = pg_backend_pid()"
            ),
            _ => format!("SELECT CAST(IS_USED_LOCK({NAME}) = CONNECTION_ID() AS CHAR) AS value"),
        };
        self.is_one(&sql).unwrap_or(false)
    }
}

impl<C: RoutedConnection> Drop for ServerLock<C> {
    fn drop(&mut self) {
        // Closing the connection releases it too, but the server may take its time to notice.
        let (first, second) = KEY;
        let _ = match self.engine {
            Engine::Postgres => {
                self.conn.batch_execute(&format!("SELECT pg_advisory_unlock({first}, {second})"))
            }
            _ => self.conn.texts(&format!("SELECT CAST(RELEASE_LOCK({NAME}) AS CHAR) AS value")).map(drop),
        };
    }
}

/// A text that is cut in its middle so that it has so many bytes at most.
fn shortened(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let half = bytes / 2 - 1;
    let start = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = (text.len() - half..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}..{}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_its_ends() {
        let name = format!("dbrouter migrate on {} pid 4711", "h".repeat(80));
        let short = shortened(&name, 63);
        assert!(short.len() <= 63);
        assert!(short.starts_with("dbrouter migrate on hhh") && short.ends_with("hhh pid 4711"), "{short}");
        assert_eq!(shortened("dbrouter", 63), "dbrouter");
        assert!(shortened(&"ä".repeat(80), 63).len() <= 63);
    }
}
