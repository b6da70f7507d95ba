//! Why a session's setting was not made.

use std::fmt;

use router_core::Alias;

use crate::engine::Engine;

/// Why a setting was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingError {
    /// The text is not a valid name of a setting.
    BadName {
        /// The text.
        name: String,
    },
    /// The value has a NUL in it, which no server takes.
    BadValue {
        /// The setting.
        name: String,
    },
    /// The setting changes what names mean or whose rights count, so it needs a call of its own.
    Unchecked {
        /// The setting.
        name: String,
    },
    /// The setting would let a connection write that must only read.
    Guard {
        /// The setting.
        name: String,
    },
    /// The setting says how transactions begin or end, so it is none of a connection.
    OfTransactions {
        /// The setting.
        name: String,
    },
    /// The engine has no settings of this kind.
    Unsupported {
        /// The engine.
        engine: Engine,
    },
    /// The engine has no such option for transactions.
    NoSuchOption {
        /// The engine.
        engine: Engine,
        /// What it does not have, in words.
        what: &'static str,
    },
    /// `set_local` was called outside of a transaction.
    OutsideTransaction,
    /// The setting answers with a row, and the transaction has no database yet that could give one.
    NeedsSetLocal,
    /// A pooler shares the server's connections, so nothing can stay on one outside of a transaction.
    BehindPooler {
        /// The database behind the pooler.
        alias: Alias,
    },
    /// The server refused the setting.
    NotApplied {
        /// The database.
        alias: Alias,
        /// The setting, or the statement that makes it.
        what: String,
        /// What the server said.
        cause: String,
    },
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName { name } => write!(
                f,
                "`{name}` is not a valid name of a setting; write lower-case letters, digits, `_` and dots, as in \
                 `app.tenant`"
            ),
            Self::BadValue { name } => write!(f, "the value of `{name}` has a NUL in it; take it out"),
            Self::Unchecked { name } => write!(
                f,
                "`{name}` changes what names mean or whose rights count; if you want that, use `set_unchecked` or \
                 `set_local_unchecked`"
            ),
            Self::Guard { name } => write!(
                f,
                "`{name}` decides whether a connection may write, and the router decides that itself; use a scope, or \
                 `operations` in the file"
            ),
            Self::Unsupported { engine } => {
                write!(f, "{} has no settings of this kind; pass the value in the statement", engine.title())
            }
            Self::OutsideTransaction => {
                f.write_str("`set_local` holds until its transaction ends, so call it in `transaction`")
            }
            Self::NeedsSetLocal => f.write_str(
                "this setting answers with a row, and the transaction has no database yet; use \
                 `session.set_local(name, value)`, or run it with `execute`",
            ),
            Self::BehindPooler { alias } => write!(
                f,
                "`{alias}` is behind a pooler, so a setting holds only within a transaction; run the statement in \
                 `transaction`"
            ),
            Self::OfTransactions { name } => write!(
                f,
                "`{name}` says how transactions begin or end, and the session keeps to that itself; use \
                 `build_transaction`, `set_local`, or a setting whose name begins with `default_`"
            ),
            Self::NoSuchOption { engine, what } => {
                write!(f, "{engine} has no {what}; leave this option out for its databases")
            }
            Self::NotApplied { alias, what, cause } => {
                write!(
                    f,
                    "{what} could not be set on `{alias}`, so the statement did not run: {cause}; correct the setting, or set \
                     it only for statements of databases that have it"
                )
            }
        }
    }
}

impl std::error::Error for SettingError {}
