//! Which file a connection to SQLite leads to.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::QueryResult;

use super::Sqlite;
use super::url::{SqlitePlace, place};
use crate::engine::identity::{Identified, Identity, canonical};
use crate::engine::{Ask, DatabaseUrl};

impl Identity for Sqlite {
    /// Device and inode of the file where the system has them, else its full path.
    ///
    /// A database in memory is one of its own at each connection, unless its name is shared within the process.
    fn identity(&self, _: &mut dyn Ask, url: &DatabaseUrl) -> QueryResult<Identified> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let server = match place(url.expose()) {
            SqlitePlace::File(path) => file_identity(&path),
            SqlitePlace::SharedMemory(name) => format!("memory shared as `{name}`"),
            SqlitePlace::Memory => format!("memory {}", NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        Ok(Identified { server, name: None, schema: None, path: Vec::new() })
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

#[cfg(all(test, unix, feature = "sqlite"))]
mod tests {
    use std::path::PathBuf;

    use crate::engine::identity::of;

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

    fn blog_folder(folder: &impl std::fmt::Display) -> String {
        let folder = PathBuf::from(folder.to_string());
        folder.file_name().unwrap().to_string_lossy().into_owned()
    }
}
