//! The lock of a database that is a file: the operating system's, on a file beside it.
//!
//! It is not on the database's own file: to close that would let go of the locks that the engine holds on it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use router_core::Alias;

use super::{LockError, LockHolder, now, poll};

/// An open and locked file. It is removed when it is released, and whoever waited for it looks whether the file
/// that it then holds is still the one of that name.
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    pub(super) fn acquire(
        alias: &Alias,
        database: &Path,
        wait: Duration,
        marker: &str,
    ) -> Result<Self, LockError> {
        let path = path_for(database);
        let failed = |error: io::Error| LockError::File {
            alias: alias.clone(),
            path: path.clone(),
            cause: error.to_string(),
        };
        let mut locked = None;
        poll(wait, || {
            locked = try_acquire(&path).map_err(failed)?;
            Ok(locked.is_some())
        })?;
        let Some(mut file) = locked else {
            let holder = holder(&path).map(Box::new);
            return Err(LockError::Held { alias: alias.clone(), holder, waited: wait });
        };
        let text = format!("{marker} since {}\n", now());
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(Self { file, path })
    }

    pub(super) fn is_held(&self) -> bool {
        is_at(&self.file, &self.path).unwrap_or(false)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // While it is still locked, so that nobody's new file is removed. Windows keeps open files.
        if cfg!(unix) && self.is_held() {
            let _ = fs::remove_file(&self.path);
        }
        let _ = FileExt::unlock(&self.file);
    }
}

/// `blog.sqlite3.dbrouter.lock`, beside the file that all names of a database lead to.
fn path_for(database: &Path) -> PathBuf {
    let database = crate::engine::identity::canonical(database);
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".dbrouter.lock");
    database.with_file_name(name)
}

/// Opens the file and locks it, if nobody else has.
fn try_acquire(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        // By the trait's name: newer versions of Rust have a method of that name themselves.
        match FileExt::try_lock(&file) {
            Ok(()) if is_at(&file, path)? => return Ok(Some(file)),
            // Removed between the two by its last holder: the next one is another file.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether an open file is still the one of that name: its last holder may have removed it since.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// What the holder wrote into the file.
fn holder(path: &Path) -> Option<LockHolder> {
    let mut text = String::new();
    File::open(path).ok()?.take(1024).read_to_string(&mut text).ok()?;
    let (who, since) = text.trim().split_once(" since ")?;
    Some(LockHolder {
        who: format!("`{who}`"),
        from: None,
        since: Some(format!("since {since}")),
        end_with: None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn acquire(path: &Path, wait: Duration) -> Result<FileLock, LockError> {
        FileLock::acquire(&"blog_db".into(), path, wait, "dbrouter migrate on web1 pid 4711")
    }

    #[test]
    fn one_holds_it_and_is_named_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("blog.sqlite3");
        let lock = acquire(&database, Duration::ZERO).unwrap();
        assert!(lock.is_held());
        let error = acquire(&database, Duration::from_millis(20)).err().unwrap();
        let text = error.to_string();
        assert!(
            text.starts_with("database `blog_db` is locked by `dbrouter migrate on web1 pid 4711`, since 20"),
            "{text}"
        );
        drop(lock);
        acquire(&database, Duration::ZERO).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = acquire(Path::new("no/such/folder/blog.sqlite3"), Duration::ZERO).err().unwrap();
        assert!(error.to_string().contains("`no/such/folder/blog.sqlite3.dbrouter.lock`"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_the_same_lock_and_a_removed_file_to_none() {
        let folder = tempfile::tempdir().unwrap();
        let (database, link) = (folder.path().join("blog.sqlite3"), folder.path().join("link.sqlite3"));
        File::create(&database).unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let lock = acquire(&database, Duration::ZERO).unwrap();
        assert!(acquire(&link, Duration::ZERO).is_err());
        fs::remove_file(folder.path().join("blog.sqlite3.dbrouter.lock")).unwrap();
        assert!(!lock.is_held());
    }

    #[test]
    fn many_threads_hold_it_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("blog.sqlite3");
        let (inside, times) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let lock = acquire(&database, Duration::from_secs(30)).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    times.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                });
            }
        });
        assert_eq!(times.into_inner(), 16);
    }
}
