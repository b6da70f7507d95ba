//! Opening a file of SQLite.

use std::borrow::Cow;

use diesel::{ConnectionError, ConnectionResult, QueryResult};

use super::url::{SqlitePlace, place};
use super::{PRODUCT, Sqlite};
use crate::engine::connection::milliseconds;
use crate::engine::{Access, Ask, Connect, ConnectSettings, DatabaseUrl, Server};

impl Connect for Sqlite {
    fn has_methods_past_sql(&self) -> bool {
        true
    }

    /// A file that is only read is not made where it is missing.
    fn address<'u>(
        &self,
        url: &'u DatabaseUrl,
        settings: &ConnectSettings,
    ) -> ConnectionResult<Cow<'u, str>> {
        if settings.access == Access::ReadOnly
            && let Some(path) = url.file()
            && !path.exists()
        {
            let message = format!("unable to open database file: there is no file `{}`", path.display());
            return Err(ConnectionError::BadConnection(message));
        }
        Ok(url.expose().into())
    }

    /// A writer that finds the file locked waits for `connect_timeout` instead of failing at once, as
    /// several pooled connections to one file need.
    fn set_up(&self, conn: &mut dyn Ask, settings: &ConnectSettings) -> ConnectionResult<Server> {
        let mut setup = format!("PRAGMA busy_timeout = {};", milliseconds(settings.connect_timeout));
        if settings.access == Access::ReadOnly {
            setup.push_str("PRAGMA query_only = 1;");
        }
        conn.run(&setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Server::of(PRODUCT))
    }

    /// A database in memory is that of one connection, unless its name is shared.
    fn is_found_again(&self, url: &DatabaseUrl) -> bool {
        !matches!(place(url.expose()), SqlitePlace::Memory)
    }

    fn version(&self, conn: &mut dyn Ask) -> QueryResult<String> {
        conn.text("SELECT sqlite_version() AS value")
    }
}
