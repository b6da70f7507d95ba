//! Which database of which MySQL or MariaDB server a connection leads to.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::identity::{Identified, Identity};
use crate::engine::{Ask, Connect as _, DatabaseUrl, mariadb};

impl Identity for Mysql {
    /// MySQL has an identifier, MariaDB has none: there the host, port and folder that the server itself names.
    fn identity(&self, conn: &mut dyn Ask, _: &DatabaseUrl) -> QueryResult<Identified> {
        let mut server = conn.text(
            "SELECT CAST(CONCAT(@@hostname, ':', @@port, ' ', @@datadir, ' with id ', @@server_id) AS CHAR) AS value",
        )?;
        if !mariadb::wrote(&self.version(conn)?) {
            server.push(' ');
            server.push_str(&conn.text("SELECT CAST(@@server_uuid AS CHAR) AS value")?);
        }
        // Where the server ignores the case of names, it says so.
        let name = conn.text(
            "SELECT CAST(IF(@@lower_case_table_names = 0, COALESCE(DATABASE(), ''), LOWER(COALESCE(DATABASE(), '')))
                 AS CHAR) AS value",
        )?;
        Ok(Identified { server, name: Some(name), schema: None, path: Vec::new() })
    }
}
