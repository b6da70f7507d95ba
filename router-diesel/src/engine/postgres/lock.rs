//! The advisory locks of PostgreSQL.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::lock::{LockHolder, Locking, Locks, ServerLocks, is_one};
use crate::engine::{Ask, DatabaseUrl};

/// The two numbers of the lock: `dbrt` in ASCII, and one for the schema, which is 1 for `public`. PostgreSQL keeps the
/// advisory locks of each database apart, so they need not name it.
///
/// The second number is found once and kept on the connection: the migrations that run under the lock may make the
/// schema that becomes the current one.
const KEY: &str = "1684173428, current_setting('dbrouter.lock')::int";

/// Finds the second number.
const FIND_KEY: &str = "SELECT set_config('dbrouter.lock', CASE coalesce(current_schema()::text, 'public') \
     WHEN 'public' THEN '1' \
     ELSE (('x' || substr(md5(current_schema()::text), 1, 8))::bit(32)::int & 2147483647)::text END, false) AS value";

impl Locks for Postgres {
    fn locking(&self, _: &DatabaseUrl) -> Locking {
        Locking::Server(&Postgres)
    }
}

impl ServerLocks for Postgres {
    fn prepare(&self, conn: &mut dyn Ask, marker: &str) -> QueryResult<()> {
        // A name has 63 bytes at most, and a host's may be long: the process at its end is what counts.
        let name = shortened(marker, 63).replace('\'', "''");
        conn.run(&format!("SET application_name = '{name}'"))?;
        conn.texts(FIND_KEY)?;
        // From PostgreSQL 14 on; `set_config` is not reached where there is no such setting.
        conn.texts(
            "SELECT set_config(name, '0', false) AS value FROM pg_settings WHERE name = 'idle_session_timeout'",
        )
        .map(drop)
    }

    fn try_lock(&self, conn: &mut dyn Ask) -> QueryResult<bool> {
        is_one(conn, &format!("SELECT CASE WHEN pg_try_advisory_lock({KEY}) THEN '1' ELSE '0' END AS value"))
    }

    fn is_locked(&self, conn: &mut dyn Ask) -> QueryResult<bool> {
        let sql = format!(
            "SELECT count(*)::text AS value FROM pg_locks WHERE {} AND pid = pg_backend_pid()",
            in_pg_locks()
        );
        is_one(conn, &sql)
    }

    fn unlock(&self, conn: &mut dyn Ask) -> QueryResult<()> {
        conn.run(&format!("SELECT pg_advisory_unlock({KEY})"))
    }

    fn holder(&self, conn: &mut dyn Ask) -> QueryResult<Option<LockHolder>> {
        // What another user's session does is not everybody's to see: its name and process are.
        let sql = format!(
            "SELECT unnest(ARRAY[
                 pid::text, application_name, usename::text, coalesce(host(client_addr), ''),
                 coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')
             ]) AS value
             FROM pg_stat_activity WHERE pid = (SELECT pid FROM pg_locks WHERE {} LIMIT 1)",
            in_pg_locks()
        );
        let fields: Vec<String> = conn.texts(&sql)?.into_iter().map(Option::unwrap_or_default).collect();
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
}

/// What is true of the lock's row in `pg_locks`.
fn in_pg_locks() -> String {
    format!(
        "locktype = 'advisory' AND granted AND (classid::bigint, objid::bigint) = ({KEY}) AND objsubid = 2
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
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
