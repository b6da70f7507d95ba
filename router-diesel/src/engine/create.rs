//! Where an engine keeps a database, and how it is made there and removed.

use std::io;
use std::path::{Path, PathBuf};

use diesel::QueryResult;

use super::{Ask, DatabaseUrl, UrlError};

/// How an engine makes and removes its databases.
pub(crate) trait Places {
    /// Where the database is that a URL names.
    fn place(&self, url: &DatabaseUrl) -> Place;

    /// Whether some servers of the engine take two names of databases for one that differ in case alone.
    fn servers_may_ignore_case(&self) -> bool {
        false
    }

    /// The file that a connection which may write would make, as it is not there yet.
    fn file_to_make(&self, url: &DatabaseUrl) -> Option<PathBuf> {
        let _ = url;
        None
    }
}

/// Where a database is.
pub(crate) enum Place {
    /// In a file.
    File(PathBuf, &'static dyn FileDatabases),
    /// In the memory of this process, and only there.
    Memory,
    /// On a server.
    Server(ServerPlace),
}

/// A database on a server.
pub(crate) struct ServerPlace {
    /// The hosts and ports as they stand in the URL.
    pub(crate) hosts: String,
    /// The name as the server gets it. `None` where the URL names none.
    pub(crate) name: Option<String>,
    /// What the server is told.
    pub(crate) databases: &'static dyn ServerDatabases,
}

impl Place {
    /// Whether another URL of the same engine leads to the same database, as far as the URLs tell.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one, _), Self::File(other, _)) => {
                let full = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
                full(one) == full(other)
            }
            (Self::Server(one), Self::Server(other)) => one.hosts == other.hosts && one.name == other.name,
            _ => false,
        }
    }
}

impl DatabaseUrl {
    /// Whether another URL leads to the same database, as far as the URLs tell.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let place = |url: &Self| url.engine().spec().place(url);
        self.engine() == other.engine() && place(self).is(&place(other))
    }

    /// Whether the database is in the memory of this process, so that it ends with its connections.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.engine().spec().place(self), Place::Memory)
    }
}

/// Databases in files.
pub(crate) trait FileDatabases: Sync {
    /// Whether a file is one of this engine's databases, perhaps one that is still empty.
    ///
    /// # Errors
    /// The file cannot be read.
    fn is_database(&self, path: &Path) -> io::Result<bool>;

    /// The files that the engine may keep beside a database, and which belong to it.
    fn beside(&self, path: &Path) -> Vec<PathBuf>;
}

/// Databases on servers.
pub(crate) trait ServerDatabases: Sync {
    /// The URLs by which to connect to the server itself, and not to the database that a URL names. The first that
    /// leads to a connection is taken.
    fn server_urls(&self, url: &DatabaseUrl) -> Vec<Result<DatabaseUrl, UrlError>>;

    /// Whether a server may let a user into a database although it lets that user in by none of the
    /// [`server_urls`](Self::server_urls).
    fn may_let_into_database_alone(&self) -> bool;

    /// Whether there is a database of a name.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn has(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<bool>;

    /// Makes a database.
    ///
    /// # Errors
    /// What Diesel says of the statement.
    fn create(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()>;

    /// Makes the schema in which the tables of a database are to be, given a connection to it, if it is not there. Gives
    /// its name where it was made.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn make_schema(&self, conn: &mut dyn Ask) -> QueryResult<Option<String>> {
        let _ = conn;
        Ok(None)
    }

    /// How connections to a database count when it is to be dropped. `None` where they do not: then the database can
    /// be dropped while it is locked.
    fn sessions(&self) -> Option<&'static dyn Sessions>;

    /// Drops a database, if it is there.
    ///
    /// # Errors
    /// What Diesel says of the statement.
    fn drop(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()>;
}

/// Connections that are in the way when a database is dropped.
pub(crate) trait Sessions: Sync {
    /// The connections to a database, each as people may read it.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn list(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<Vec<String>>;

    /// Ends the connections to a database and drops it.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn end_and_drop(&self, conn: &mut dyn Ask, name: &str) -> QueryResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_as_data() {
        for (url, name, hosts, others) in [
            (
                "postgres://u:p%40@h:5433/b%22log?sslmode=require",
                Some("b\"log"),
                "h:5433",
                vec![
                    "postgres://u:p%40@h:5433/postgres?sslmode=require",
                    "postgres://u:p%40@h:5433/template1?sslmode=require",
                ],
            ),
            (
                "postgres://h?dbname=blog&user=u&password=p",
                Some("blog"),
                "h",
                vec!["postgres://h/postgres?user=u&password=p", "postgres://h/template1?user=u&password=p"],
            ),
            (
                "postgres://u@a:1,b:2",
                Some("u"),
                "a:1,b:2",
                vec!["postgres://u@a:1,b:2/postgres", "postgres://u@a:1,b:2/template1"],
            ),
            (
                "postgres:///db?host=%2Frun%2Fpg",
                Some("db"),
                "",
                vec!["postgres:///postgres?host=%2Frun%2Fpg", "postgres:///template1?host=%2Frun%2Fpg"],
            ),
            ("mysql://u:p@[::1]:3306/my-db", Some("my-db"), "[::1]:3306", vec!["mysql://u:p@[::1]:3306/"]),
            ("mariadb://u@h", None, "h", vec!["mysql://u@h/"]),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            let Place::Server(place) = url.engine().spec().place(&url) else { panic!("{url}") };
            assert_eq!((place.name.as_deref(), &*place.hosts), (name, hosts), "{url}");
            let urls: Result<Vec<_>, _> = place.databases.server_urls(&url).into_iter().collect();
            let urls = urls.unwrap();
            assert_eq!(urls.iter().map(DatabaseUrl::expose).collect::<Vec<_>>(), others, "{url}");
            assert!(urls.iter().all(|other| other.product() == url.product()), "{url}");
        }
    }
}
