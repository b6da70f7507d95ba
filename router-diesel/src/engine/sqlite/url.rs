//! URLs of SQLite: a path, `:memory:`, a `file:` URI, or `sqlite:` before one of them.

use std::path::PathBuf;

use super::{Sqlite, options};
use crate::engine::url::percent::{decoded, encode, is_encoded, query};
use crate::engine::url::{OptionProblem, Parts, StrayParts, UrlError, UrlText, Urls, mask_query};

impl Urls for Sqlite {
    fn reads_bare(&self, text: &str, is_named: bool) -> bool {
        text == MEMORY || is_named
    }

    fn read_bare_url(&self, text: &str) -> Result<UrlText, UrlError> {
        Ok(masked(text.to_owned()))
    }

    /// SQLite itself decodes `%20` and reads parameters, given a `file:` URI.
    fn read_url(&self, scheme: &str, rest: &str) -> Result<UrlText, UrlError> {
        if scheme == "file" {
            return Ok(masked(format!("file:{rest}")));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.starts_with('?') {
            return Err(UrlError::Invalid("names no file"));
        }
        let is_uri = path.contains('?') || (path.contains('%') && is_encoded(path, true));
        Ok(masked(if is_uri { format!("file:{path}") } else { path.to_owned() }))
    }

    fn url_of_parts(&self, parts: Parts) -> Result<UrlText, UrlError> {
        let name = parts.name.filter(|name| !name.is_empty());
        let name = name.ok_or(UrlError::Invalid("needs `name`, the path of the SQLite file"))?;
        if parts.options.is_empty() {
            return Ok(masked(name));
        }
        Ok(masked(format!("file:{}?{}", encode(&name, b"/:"), query(&parts.options))))
    }

    fn wrong_options(&self, url: &str) -> Vec<OptionProblem> {
        options::wrong(url)
    }

    fn stray_parts(&self) -> Option<StrayParts> {
        Some(StrayParts {
            keys: &["host", "port", "user", "password"],
            why: "a file has none",
            help: "of the parts, SQLite takes `name` (the file) and `options`",
        })
    }

    fn file(&self, url: &str) -> Option<PathBuf> {
        match place(url) {
            SqlitePlace::File(path) => Some(path),
            SqlitePlace::SharedMemory(_) | SqlitePlace::Memory => None,
        }
    }
}

const MEMORY: &str = ":memory:";

fn masked(real: String) -> UrlText {
    let masked = match real.split_once('?') {
        Some((path, query)) => format!("{path}?{}", mask_query(query)),
        None => real.clone(),
    };
    UrlText { real, masked }
}

/// Where SQLite keeps a database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SqlitePlace {
    File(PathBuf),
    SharedMemory(String),
    Memory,
}

/// Reads what SQLite is given as it does: a path, `:memory:` or a `file:` URI.
pub(super) fn place(name: &str) -> SqlitePlace {
    let Some(uri) = name.strip_prefix("file:") else {
        return if name == MEMORY { SqlitePlace::Memory } else { SqlitePlace::File(name.into()) };
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
    if has("vfs=memdb") || has("mode=memory") || path == MEMORY || path.is_empty() {
        // memdb shares a name that begins with a slash.
        let is_shared = has("cache=shared") || (has("vfs=memdb") && path.starts_with('/'));
        return if is_shared { SqlitePlace::SharedMemory(path) } else { SqlitePlace::Memory };
    }
    SqlitePlace::File(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_data() {
        let file = |path: &str| SqlitePlace::File(path.into());
        let shared = |name: &str| SqlitePlace::SharedMemory(name.to_owned());
        for (name, expected) in [
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
            assert_eq!(place(name), expected, "{name}");
        }
    }
}
