//! Whether a server has a database of a name.

use diesel::{ConnectionError, QueryResult};

use super::Mysql;
use crate::engine::absence::{Absence, Connector};
use crate::engine::url::server::Sections;
use crate::engine::{Ask, DatabaseUrl};

impl Absence for Mysql {
    /// A connection needs no database here.
    fn absent(&self, url: &DatabaseUrl, _: &ConnectionError, connect: Connector<'_>) -> Option<String> {
        let sections = Sections::of(url.expose());
        // Diesel hands the name to the client's library as it stands in the URL.
        let name = Some(sections.name).filter(|name| !name.is_empty())?;
        let server = sections.with_name("", "").parse().ok()?;
        let mut conn = connect(&server).ok()?;
        is_absent(&mut *conn, name).ok()?.then(|| name.to_owned())
    }
}

/// Names the database, and asks which error the server had with that. Diesel keeps the number of an error to itself,
/// but the server tells the number of the last one.
fn is_absent(conn: &mut dyn Ask, name: &str) -> QueryResult<bool> {
    /// `ER_BAD_DB_ERROR`. Where the user has no rights on a database, the error is another, whether or not it is there.
    const NO_SUCH_DATABASE: &str = "1049";
    if conn.run(&format!("USE `{}`", name.replace('`', "``"))).is_ok() {
        return Ok(false);
    }
    conn.run("GET DIAGNOSTICS CONDITION 1 @dbrouter_error = MYSQL_ERRNO")?;
    Ok(conn.text("SELECT CAST(@dbrouter_error AS CHAR) AS value")? == NO_SUCH_DATABASE)
}
