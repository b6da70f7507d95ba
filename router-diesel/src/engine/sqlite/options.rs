//! The options of SQLite's URIs.
//!
//! SQLite ignores what it does not know, so all others are errors. A VFS of somebody's own may read any.

use super::Sqlite;
use crate::engine::Words as _;
use crate::engine::url::options::{OptionProblem, UrlOption, judge};
use crate::engine::url::percent::decoded;

const FLAGS: &[&str] = &["0", "1", "no", "yes", "off", "on", "false", "true"];

const OPTIONS: [UrlOption; 7] = [
    UrlOption { name: "mode", values: &["ro", "rw", "rwc", "memory"] },
    UrlOption { name: "cache", values: &["shared", "private"] },
    UrlOption::any("vfs"),
    UrlOption { name: "immutable", values: FLAGS },
    UrlOption { name: "nolock", values: FLAGS },
    UrlOption { name: "psow", values: FLAGS },
    UrlOption::any("modeof"),
];

/// The VFSs that come with SQLite.
const BUILT_IN: [&str; 10] = [
    "unix",
    "unix-excl",
    "unix-dotfile",
    "unix-none",
    "unix-flock",
    "memdb",
    "win32",
    "win32-longpath",
    "win32-none",
    "win32-longpath-none",
];

/// What is wrong with the options of what SQLite is given. Only a `file:` URI has options.
pub(super) fn wrong(name: &str) -> Vec<OptionProblem> {
    let Some(uri) = name.strip_prefix("file:") else { return Vec::new() };
    let uri = uri.split('#').next().unwrap_or_default();
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let pairs = || {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    };
    if pairs().any(|(key, value)| key == "vfs" && !BUILT_IN.contains(&&*decoded(value))) {
        return Vec::new();
    }
    judge(Sqlite.title(), &OPTIONS, pairs(), |name, _| {
        let help = match name {
            "key" | "hexkey" | "textkey" | "password" => {
                "SQLite has no encryption of its own, and would write the file in plain text"
            }
            "busy_timeout" | "timeout" | "connect_timeout" => {
                "a writer waits for the `connection_timeout` under `pool`"
            }
            "foreign_keys" | "journal_mode" | "synchronous" | "cache_size" => {
                "no PRAGMA stands in a URL; run it on the connection"
            }
            _ => return None,
        };
        Some(help.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_data() {
        for (name, expected) in [
            ("db/x?nonsense=1", vec![]),
            ("file:x?mode=ro&cache=shared&immutable=1&nolock=0&psow=on&vfs=memdb&modeof=y", vec![]),
            ("file:x?vfs=mine&anything=1", vec![]),
            (
                "file:x?mode=rx",
                vec!["the option `mode` for SQLite cannot have this value; did you mean `ro`?"],
            ),
            ("file:x?mod=ro#y", vec!["unknown option `mod` for SQLite; did you mean `mode`?"]),
            (
                "file:x?immutable=maybe&cache",
                vec![
                    "the option `immutable` for SQLite cannot have this value; there is `0`, `1`, `no`, `yes`, `off`, `on`, \
                 `false`, `true`",
                    "the option `cache` for SQLite cannot have this value; there is `shared`, `private`",
                ],
            ),
            (
                "file:x?key=hunter2",
                vec![
                    "unknown option `key` for SQLite; SQLite has no encryption of its own, and would write the file in plain \
                 text",
                ],
            ),
        ] {
            let told: Vec<String> = wrong(name).iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{name}");
        }
    }
}
