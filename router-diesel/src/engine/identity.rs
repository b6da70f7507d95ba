//! Which physical database a connection leads to, whatever name it goes by.
//!
//! Two aliases may name one database: as its owner and as the service's user, by a host's name and by its address,
//! through a link to a file. What runs there must run there once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::QueryResult;

use super::{DatabaseUrl, Engine, RoutedConnection};

/// A physical database. Two are equal when they are one and the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhysicalDatabase {
    engine: Engine,
    /// What tells the server, or the file, from all others.
    server: String,
    /// The database on it; nothing for a file.
    name: String,
}

impl fmt::Display for PhysicalDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, server, name } = self;
        match engine {
            Engine::Sqlite => write!(f, "{engine} {server}"),
            Engine::Postgres | Engine::Mysql => write!(f, "{engine} database `{name}` on {server}"),
        }
    }
}

/// Asks a connection, opened with `url`, which physical database it leads to.
///
/// Ask for all of them in one run of the program and before anything is made: the answer for PostgreSQL changes when
/// the server is started again, and that for SQLite when the file appears.
///
/// # Errors
/// What Diesel says of the queries.
pub fn of<C: RoutedConnection>(conn: &mut C, url: &DatabaseUrl) -> QueryResult<PhysicalDatabase> {
    let engine = url.engine();
    let (server, name) = match engine {
        Engine::Sqlite => (sqlite_identity(url), String::new()),
        Engine::Postgres => postgres_identity(conn)?,
        Engine::Mysql => mysql_identity(conn)?,
    };
    Ok(PhysicalDatabase { engine, server, name })
}

/// The moment, to the microsecond, at which the server was started, and its port.
///
/// The system identifier would not do: it is the same on a server restored from another's backup and on its
/// replicas, and not every user may read it, while the owner's and the service's users must get one answer.
fn postgres_identity<C: RoutedConnection>(conn: &mut C) -> QueryResult<(String, String)> {
    let server = conn.text(
        "SELECT 'the server on port ' || current_setting('port') || ' that was started at '
             || to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || 'Z' AS value",
    )?;
    Ok((server, conn.text("SELECT current_database()::text AS value")?))
}

/// MySQL has an identifier, MariaDB has none: there the host, port and folder that the server itself names.
fn mysql_identity<C: RoutedConnection>(conn: &mut C) -> QueryResult<(String, String)> {
    let mut server = conn.text(
        "SELECT CAST(CONCAT(@@hostname, ':', @@port, ' ', @@datadir, ' with id ', @@server_id) AS CHAR) AS value",
    )?;
    if !conn.text("SELECT CAST(VERSION() AS CHAR) AS value")?.contains("MariaDB") {
        server.push(' ');
        server.push_str(&conn.text("SELECT CAST(@@server_uuid AS CHAR) AS value")?);
    }
    // Where the server ignores the case of names, it says so.
    let name = conn.text(
        "SELECT CAST(IF(@@lower_case_table_names = 0, COALESCE(DATABASE(), ''), LOWER(COALESCE(DATABASE(), '')))
             AS CHAR) AS value",
    )?;
    Ok((server, name))
}

/// Device and inode of the file where the system has them, else its full path.
///
/// A database in memory is one of its own at each connection, unless its name is shared within the process.
fn sqlite_identity(url: &DatabaseUrl) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    match sqlite_place(url.expose()) {
        SqlitePlace::File(path) => file_identity(&path),
        SqlitePlace::SharedMemory(name) => format!("memory shared as `{name}`"),
        SqlitePlace::Memory => format!("memory {}", NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

#[cfg(unix)]
fn file_identity(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    // Two names of one file, as hard links are, have one inode; a file that is not there yet has its path.
    match std::fs::metadata(path) {
        Ok(file) => format!("file {} on device {}", file.ino(), file.dev()),
        Err(_) => format!("file `{}`", canonical(path).display()),
    }
}

#[cfg(not(unix))]
fn file_identity(path: &Path) -> String {
    format!("file `{}`", canonical(path).display())
}

/// The full path without links, also where the file itself is not there yet.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The file of an SQLite database; nothing for one in memory or on a server.
pub(crate) fn sqlite_file(url: &DatabaseUrl) -> Option<PathBuf> {
    if url.engine() != Engine::Sqlite {
        return None;
    }
    match sqlite_place(url.expose()) {
        SqlitePlace::File(path) => Some(path),
        SqlitePlace::SharedMemory(_) | SqlitePlace::Memory => None,
    }
}

/// Where SQLite keeps a database.
#[derive(Debug, PartialEq, Eq)]
enum SqlitePlace {
    File(PathBuf),
    SharedMemory(String),
    Memory,
}

/// Reads what SQLite is given as it does: a path, `:memory:` or a `file:` URI.
fn sqlite_place(name: &str) -> SqlitePlace {
    let Some(uri) = name.strip_prefix("file:") else {
        return if name == ":memory:" { SqlitePlace::Memory } else { SqlitePlace::File(name.into()) };
    };
    let uri = uri.split('#').next().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    // `file://localhost/x` and `file:///x` have a host, which is left out.
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => path,
    };
    let path = decoded(path);
    let has = |pair: &str| query.split('&').any(|other| other == pair);
    if has("vfs=memdb") || has("mode=memory") || path == ":memory:" || path.is_empty() {
        // memdb shares a name that begins with a slash.
        let is_shared = has("cache=shared") || (has("vfs=memdb") && path.starts_with('/'));
        return if is_shared { SqlitePlace::SharedMemory(path) } else { SqlitePlace::Memory };
    }
    SqlitePlace::File(path.into())
}

/// Undoes percent-encoding.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = text.get(index..index + 3).and_then(|escape| escape.strip_prefix('%'));
        let escape = escape.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_data() {
        let file = |path: &str| SqlitePlace::File(path.into());
        let shared = |name: &str| SqlitePlace::SharedMemory(name.to_owned());
        for (name, place) in [
            (":memory:", SqlitePlace::Memory),
            ("db/blog.sqlite3", file("db/blog.sqlite3")),
            ("100%.sqlite3", file("100%.sqlite3")),
            ("file:blog.sqlite3", file("blog.sqlite3")),
            ("file:/a%20b.sqlite3?mode=ro#x", file("/a b.sqlite3")),
            ("file:///abs/blog.sqlite3", file("/abs/blog.sqlite3")),
            ("file://localhost/abs/blog.sqlite3", file("/abs/blog.sqlite3")),
            ("file::memory:", SqlitePlace::Memory),
            ("file::memory:?cache=shared", shared(":memory:")),
            ("file:blog?mode=memory", SqlitePlace::Memory),
            ("file:blog?mode=memory&cache=shared", shared("blog")),
            ("file:/blog?vfs=memdb", shared("/blog")),
        ] {
            assert_eq!(sqlite_place(name), place, "{name}");
        }
    }

    #[cfg(all(unix, feature = "sqlite"))]
    #[test]
    fn files_are_known_by_what_they_are_and_memory_by_nothing() {
        use diesel::{Connection as _, SqliteConnection};

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["blog.sqlite3", "shop.sqlite3"] {
            std::fs::File::create(path(name)).unwrap();
        }
        std::fs::hard_link(path("blog.sqlite3"), path("hard.sqlite3")).unwrap();
        std::os::unix::fs::symlink(path("blog.sqlite3"), path("soft.sqlite3")).unwrap();
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let mut identity = |url: &str| of(&mut conn, &url.parse().unwrap()).unwrap();
        let folder = folder.path().display();
        let blog = identity(&format!("sqlite://{folder}/blog.sqlite3"));
        assert_eq!(blog, identity(&format!("sqlite://{folder}/../{}/soft.sqlite3", blog_folder(&folder))));
        assert_eq!(blog, identity(&format!("sqlite://{folder}/hard.sqlite3?mode=ro")));
        assert_ne!(blog, identity(&format!("sqlite://{folder}/shop.sqlite3")));
        let absent = identity(&format!("sqlite://{folder}/absent.sqlite3"));
        assert_eq!(absent, identity(&format!("sqlite://{folder}/./absent.sqlite3")));
        assert_ne!(identity(":memory:"), identity(":memory:"));
        let shared = identity("sqlite://x?mode=memory&cache=shared");
        assert_eq!(shared, identity("sqlite://x?mode=memory&cache=shared"));
        assert_eq!(shared.to_string(), "sqlite memory shared as `x`");
    }

    #[cfg(all(unix, feature = "sqlite"))]
    fn blog_folder(folder: &impl fmt::Display) -> String {
        let folder = PathBuf::from(folder.to_string());
        folder.file_name().unwrap().to_string_lossy().into_owned()
    }
}
