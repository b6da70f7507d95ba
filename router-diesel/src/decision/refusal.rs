//! Why a statement has no database.

use std::fmt;

use router_core::{Alias, AppLabel, Operation, Place, RouterName};

use super::asked::{NoAnswerReason, fmt_no_answer};
use crate::config::Restriction;

/// Why a statement has no database that it may go to. Nothing was run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// No database has this name.
    UnknownDatabase {
        /// The name.
        alias: Alias,
        /// What named it, if it was a router.
        router: Option<String>,
        /// A name like it.
        suggestion: Option<Alias>,
    },
    /// The statement's tables are on more than one database.
    CrossDatabaseQuery {
        /// Each table with its database.
        tables: Vec<(String, Alias)>,
        /// Those of the tables that belong to no app, and so fell to the default database.
        unclaimed: Vec<String>,
    },
    /// The statement is for another database than the open transaction.
    CrossDatabaseTransaction {
        /// Where the transaction is open.
        open: Alias,
        /// Where the statement would go.
        asked: Alias,
        /// The statement's tables.
        tables: Vec<String>,
    },
    /// The database may not be asked for that.
    OperationNotAllowed {
        /// The database.
        alias: Alias,
        /// What was asked.
        operation: Operation,
        /// What keeps it from being done.
        restriction: Restriction,
        /// Where the database is declared.
        place: Option<Place>,
    },
    /// Writes are refused here.
    WritesPrevented {
        /// What writes, or could.
        what: String,
        /// Its tables.
        tables: Vec<String>,
    },
    /// The table belongs to no app, and the file says `unrouted: error`.
    Unrouted {
        /// The table.
        table: String,
    },
    /// A router needs a hint to say where a table is, and the session has none of that type.
    MissingHint {
        /// The router.
        router: RouterName,
        /// The hint, as the router calls it.
        hint: &'static str,
        /// The table, where the question is about one.
        table: Option<String>,
        /// The app that has the table, if any.
        app: Option<AppLabel>,
    },
    /// The statement cannot be read, so its tables are not known.
    Unreadable {
        /// That it cannot be read, and what in it.
        why: String,
    },
    /// The statement controls a transaction by hand, on a connection that the session chose.
    TransactionControl,
    /// The statement names no table and has an effect, and the file has several databases.
    NoDatabase {
        /// What the statement does.
        what: String,
        /// The functions in it that the engine does not have built in.
        functions: Vec<String>,
    },
    /// The statement names a database by a name that several databases of the file have on their servers.
    AmbiguousDatabase {
        /// The table, with its database.
        table: String,
        /// The databases that have that name.
        databases: Vec<Alias>,
    },
    /// The statement asks about earlier ones, and no connection can answer it.
    NoAnswer {
        /// What it asks about.
        asked: &'static str,
        /// Why no connection can answer.
        why: NoAnswerReason,
    },
    /// The statement is a setting of a transaction, and it names no database of its own.
    BelongsToTransaction {
        /// Whether a transaction waits for its first statement, with which the setting is sent.
        is_pending: bool,
    },
    /// The statement chooses another database on its connection, as MySQL's `USE` does.
    SwitchesDatabase,
    /// The statement copies data over its connection, and text alone cannot say what the data is.
    CopyAsText,
    /// The connection on which the session left settings or other state is lost.
    StateLost {
        /// Its database.
        alias: Alias,
    },
    /// A closure that was lent a connection left another number of transactions open on it than it found, or controlled
    /// one by hand. The connection is closed.
    UnbalancedTransaction {
        /// The database of the connection.
        alias: Alias,
        /// How many transactions were open before, one inside of the other. `None` where nobody could tell.
        before: Option<u32>,
        /// How many were open afterwards.
        after: Option<u32>,
    },
    /// A test allowed other databases only.
    DatabaseNotExpected {
        /// The database.
        alias: Alias,
        /// Those that are allowed.
        expected: Vec<Alias>,
    },
}

impl RouteError {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownDatabase { .. } => "UnknownDatabase",
            Self::CrossDatabaseQuery { .. } => "CrossDatabaseQuery",
            Self::CrossDatabaseTransaction { .. } => "CrossDatabaseTransaction",
            Self::OperationNotAllowed { .. } => "OperationNotAllowed",
            Self::WritesPrevented { .. } => "WritesPrevented",
            Self::Unrouted { .. } => "Unrouted",
            Self::MissingHint { .. } => "MissingHint",
            Self::Unreadable { .. } => "Unreadable",
            Self::TransactionControl => "TransactionControl",
            Self::NoDatabase { .. } => "NoDatabase",
            Self::AmbiguousDatabase { .. } => "AmbiguousDatabase",
            Self::NoAnswer { .. } => "NoAnswer",
            Self::BelongsToTransaction { .. } => "BelongsToTransaction",
            Self::SwitchesDatabase => "SwitchesDatabase",
            Self::CopyAsText => "CopyAsText",
            Self::StateLost { .. } => "StateLost",
            Self::UnbalancedTransaction { .. } => "UnbalancedTransaction",
            Self::DatabaseNotExpected { .. } => "DatabaseNotExpected",
        }
    }
}

/// Names in backticks with commas between them.
fn list<T: fmt::Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDatabase { alias, router, suggestion } => {
                unknown_database(f, alias, router.as_deref(), suggestion.as_ref())
            }
            Self::CrossDatabaseQuery { tables, unclaimed } => cross_database_query(f, tables, unclaimed),
            Self::CrossDatabaseTransaction { open, asked, tables } => {
                write!(f, "a transaction is open on `{open}`, and ")?;
                match tables.is_empty() {
                    true => write!(f, "this statement is for `{asked}`")?,
                    false => write!(f, "{} would go to `{asked}`", list(tables))?,
                }
                f.write_str("; a transaction cannot span two databases, so end it first or use two sessions")
            }
            Self::OperationNotAllowed { alias, operation, restriction, place } => {
                write!(f, "database `{alias}` does not allow {operation}")?;
                if let Some(place) = place {
                    write!(f, " ({place})")?;
                }
                not_allowed(f, *operation, *restriction)
            }
            Self::WritesPrevented { what, tables } => {
                write!(f, "writes are prevented here, and {what}")?;
                if !tables.is_empty() {
                    write!(f, " on {}", list(tables))?;
                }
                f.write_str("; run it outside of the scope, read session or read-only transaction")
            }
            Self::Unrouted { table } => write!(
                f,
                "no app has the table `{table}`, and the file says `unrouted: error`; add it to the `tables` of \
                 an app, or name the database with `using`"
            ),
            Self::MissingHint { router, hint, table, app } => {
                missing_hint(f, (router, hint), table.as_deref(), app.as_ref())
            }
            Self::Unreadable { why } => write!(
                f,
                "this statement {why}; its tables are not known, so name the database with `using`"
            ),
            Self::TransactionControl => f.write_str(
                "this statement opens or ends a transaction by hand, which the session cannot follow; use `transaction` or \
                 `build_transaction`",
            ),
            Self::NoDatabase { what, functions } => no_database(f, what, functions),
            Self::AmbiguousDatabase { table, databases } => write!(
                f,
                "`{table}` names a database that the file calls {}; add the table to the `tables` of an app, or name the \
                 database with `using`",
                list(databases)
            ),
            Self::NoAnswer { .. }
            | Self::BelongsToTransaction { .. }
            | Self::SwitchesDatabase
            | Self::CopyAsText
            | Self::StateLost { .. } => self.of_connection(f),
            Self::UnbalancedTransaction { alias, before, after } => unbalanced(f, alias, *before, *after),
            Self::DatabaseNotExpected { alias, expected } => not_expected(f, alias, expected),
        }
    }
}

impl RouteError {
    /// Those that are about what is on a connection.
    fn of_connection(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { asked, why } => fmt_no_answer(f, asked, why),
            Self::BelongsToTransaction { is_pending: true } => {
                f.write_str(
                    "this setting waits for the transaction's first statement and goes where that goes; explain that \
                     statement",
                )
            }
            Self::BelongsToTransaction { is_pending: false } => f.write_str(
                "this setting ends with its transaction, so outside of one it has no effect; make it in `transaction`",
            ),
            Self::CopyAsText => f.write_str(
                "COPY from STDIN or to STDOUT as text leaves its connection waiting for data; use Diesel's `copy_from` on the \
                 session, or `copy_to` in `with_read_connection`",
            ),
            Self::SwitchesDatabase => f.write_str(
                "this statement chooses another database on a connection that the session chose; declare that database \
                 in the file, and name it with `using`",
            ),
            Self::StateLost { alias } => write!(
                f,
                "the connection to `{alias}` was lost, and with it what the session had set or left there; call \
                 `release()`, then set it again"
            ),
            _ => Ok(()),
        }
    }
}

fn missing_hint(
    f: &mut fmt::Formatter<'_>,
    (router, hint): (&RouterName, &str),
    table: Option<&str>,
    app: Option<&AppLabel>,
) -> fmt::Result {
    write!(f, "router `{router}` needs the hint `{hint}` to say where ")?;
    match (table, app) {
        (Some(table), Some(app)) => write!(f, "`{table}` of app `{app}`")?,
        (Some(table), None) => write!(f, "`{table}`")?,
        (None, Some(app)) => write!(f, "app `{app}`")?,
        (None, None) => f.write_str("it")?,
    }
    f.write_str(
        " is; give it with `session.with_hint` or, for a part of the program, `Scope::hint`, or name the database with \
         `using`",
    )
}

fn unbalanced(
    f: &mut fmt::Formatter<'_>,
    alias: &Alias,
    before: Option<u32>,
    after: Option<u32>,
) -> fmt::Result {
    write!(f, "the closure that was lent the connection to `{alias}` ")?;
    match (before, after) {
        (Some(before), Some(after)) if after > before => f.write_str("left a transaction open")?,
        (Some(before), Some(after)) if after < before => {
            f.write_str("ended a transaction that it did not begin")?
        }
        (Some(_), Some(_)) => f.write_str("began or ended a transaction by hand")?,
        _ => f.write_str("left its transactions in an unknown state")?,
    }
    f.write_str("; the connection is closed. Use `transaction` on the lent connection, and let it end there")
}

fn not_expected(f: &mut fmt::Formatter<'_>, alias: &Alias, expected: &[Alias]) -> fmt::Result {
    match expected {
        [] => write!(f, "this statement would go to `{alias}`, and the test allows no database")?,
        _ => write!(f, "this statement would go to `{alias}`, and the test allows only {}", list(expected))?,
    }
    write!(f, "; add `{alias}` to `only` or `allow_only`")
}

fn no_database(f: &mut fmt::Formatter<'_>, what: &str, functions: &[String]) -> fmt::Result {
    match functions {
        [] => write!(f, "this statement names no table, and it has an effect: {what}")?,
        _ => write!(
            f,
            "this statement names no table, and calls {}, which may have an effect",
            list(functions)
        )?,
    }
    f.write_str(
        "; the file has several databases, so name one with `using`, or run it in an open transaction",
    )?;
    match functions {
        [] => f.write_str(
            "; to make a setting on every connection, use `session.set`, or `on_connect` where the engine has no such \
             settings",
        ),
        _ => f.write_str(
            "; or list the function under `read_functions` if it has no effect, else under `functions` of the app that has \
             it",
        ),
    }
}

fn unknown_database(
    f: &mut fmt::Formatter<'_>,
    alias: &Alias,
    router: Option<&str>,
    suggestion: Option<&Alias>,
) -> fmt::Result {
    write!(f, "no database is called `{alias}`")?;
    if let Some(router) = router {
        write!(f, ", which was answered because {router}")?;
    }
    match suggestion {
        Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
        None => write!(f, "; declare it under `databases`"),
    }
}

fn cross_database_query(
    f: &mut fmt::Formatter<'_>,
    tables: &[(String, Alias)],
    unclaimed: &[String],
) -> fmt::Result {
    f.write_str("one statement cannot reach two databases: ")?;
    for (index, (table, alias)) in tables.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}`{table}` is on `{alias}`")?;
    }
    if !unclaimed.is_empty() {
        write!(f, "; no app has {}", list(unclaimed))?;
    }
    f.write_str("; make one statement for each, as `belonging_to` does")
}

fn not_allowed(f: &mut fmt::Formatter<'_>, operation: Operation, restriction: Restriction) -> fmt::Result {
    match restriction {
        Restriction::Operations => {
            write!(f, "; add `{operation}` to its `operations`, or route elsewhere")
        }
        Restriction::ReadOnly => f.write_str("; it is `read_only: true`; remove that, or route elsewhere"),
        Restriction::Replica => f.write_str("; it is a replica; write to its primary"),
        Restriction::Offline => f.write_str("; it is `offline: primary` until that is removed from the file"),
    }
}

impl std::error::Error for RouteError {}
