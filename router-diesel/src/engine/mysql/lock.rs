//! The named locks of MySQL and MariaDB.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::lock::{LockHolder, Locking, Locks, ServerLocks, is_one};
use crate::engine::{Ask, DatabaseUrl};

/// The name of the lock. Names are the whole server's, so it holds the database's, and have 64 characters at most.
const NAME: &str =
    "CONCAT('dbrouter:', IF(CHAR_LENGTH(DATABASE()) > 50, SHA1(DATABASE()), COALESCE(DATABASE(), '')))";

impl Locks for Mysql {
    fn locking(&self, _: &DatabaseUrl) -> Locking {
        Locking::Server(&Mysql)
    }
}

impl ServerLocks for Mysql {
    /// A connection has no name of its own here.
    fn prepare(&self, conn: &mut dyn Ask, _: &str) -> QueryResult<()> {
        conn.run("SET SESSION wait_timeout = 2000000, autocommit = 1")
    }

    fn try_lock(&self, conn: &mut dyn Ask) -> QueryResult<bool> {
        is_one(conn, &format!("SELECT CAST(GET_LOCK({NAME}, 0) AS CHAR) AS value"))
    }

    fn is_locked(&self, conn: &mut dyn Ask) -> QueryResult<bool> {
        is_one(conn, &format!("SELECT CAST(IS_USED_LOCK({NAME}) = CONNECTION_ID() AS CHAR) AS value"))
    }

    fn unlock(&self, conn: &mut dyn Ask) -> QueryResult<()> {
        conn.texts(&format!("SELECT CAST(RELEASE_LOCK({NAME}) AS CHAR) AS value")).map(drop)
    }

    fn holder(&self, conn: &mut dyn Ask) -> QueryResult<Option<LockHolder>> {
        let id = conn.texts(&format!("SELECT CAST(IS_USED_LOCK({NAME}) AS CHAR) AS value"))?;
        let Some(Some(id)) = id.into_iter().next() else { return Ok(None) };
        // Without the privilege PROCESS, other users' connections are not in the list.
        let mut field = |column: &str| -> Option<String> {
            let sql = format!(
                "SELECT CAST({column} AS CHAR) AS value FROM information_schema.processlist WHERE id = {id}"
            );
            conn.texts(&sql).ok()?.into_iter().next().flatten()
        };
        let (user, host, idle) = (field("user"), field("host"), field("time"));
        // Both client libraries tell their process to the performance schema, where it is switched on.
        let process = conn
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
