//! Which database of which PostgreSQL server a connection leads to.

use diesel::QueryResult;

use super::Postgres;
use crate::engine::identity::{Identified, Identity};
use crate::engine::{Ask, DatabaseUrl};

impl Identity for Postgres {
    /// The moment, to the microsecond, at which the server was started, and its port.
    ///
    /// The system identifier would not do: it is the same on a server restored from another's backup and on its
    /// replicas, and not every user may read it, while the owner's and the service's users must get one answer.
    fn identity(&self, conn: &mut dyn Ask, _: &DatabaseUrl) -> QueryResult<Identified> {
        let server = conn.text(
            "SELECT 'the server on port ' || current_setting('port') || ' that was started at '
                 || to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || 'Z'
                 AS value",
        )?;
        // A schema that is not there yet is told from another by the path that names it.
        let schema = conn.text(
            "SELECT coalesce(current_schema()::text, 'none of ' || current_setting('search_path')) AS value",
        )?;
        let path = conn.texts("SELECT unnest(current_schemas(false))::text AS value")?;
        Ok(Identified {
            server,
            name: Some(conn.text("SELECT current_database()::text AS value")?),
            schema: Some(schema),
            path: path.into_iter().flatten().collect(),
        })
    }
}
