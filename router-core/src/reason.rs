//! Why a database was chosen.

use std::borrow::Cow;
use std::fmt;

use crate::{Alias, AppLabel, MissingHint, Operation, Place, RouterName, Trace};

/// Why an answer is as it is; shown, it completes "because …".
///
/// ```
/// use router_core::{Place, Reason};
///
/// let reason = Reason::Rule {
///     app: "events".into(),
///     database: "warehouse".into(),
///     operation: "read".parse()?,
///     place: Some(Place::new("config/databases.yml", 12, 5)),
/// };
/// assert_eq!(reason.to_string(), "`warehouse` claims `events` for read (config/databases.yml:12:5)");
/// # Ok::<(), router_core::UnknownOperation>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A router decided. Where an explanation is asked for, its own reason stands here instead, if it gives one.
    Router {
        /// The router that decided.
        name: RouterName,
    },
    /// A database claims the app for the operation.
    Rule {
        /// The app that is claimed.
        app: AppLabel,
        /// The database that claims it.
        database: Alias,
        /// What it is claimed for.
        operation: Operation,
        /// Where it is claimed.
        place: Option<Place>,
    },
    /// The rules name one database for the app's migrations.
    Target {
        /// The app whose migrations they are.
        app: AppLabel,
        /// The database on which they run.
        database: Alias,
        /// Where that was declared; nothing where it follows from no claim having `migrate`.
        place: Option<Place>,
    },
    /// No migration runs on the database, whatever the app.
    MayNotMigrate {
        /// The database.
        database: Alias,
        /// Where the database is declared.
        place: Option<Place>,
    },
    /// The app is `managed: false`: its tables are somebody else's.
    Unmanaged {
        /// The app.
        app: AppLabel,
    },
    /// No database claims the app, or none claims it for this operation, so it fell to the default database.
    Unclaimed {
        /// The app.
        app: AppLabel,
        /// The operation, where the app is claimed for others.
        operation: Option<Operation>,
    },
    /// No router decided, and an instance at hand was loaded from the database.
    Instance,
    /// No router decided, so it fell to the default database.
    Default,
    /// No router decided, and migrations then run on the default database alone.
    OnlyDefault {
        /// The default database.
        default: Alias,
    },
    /// No router decided, and both models are written to one database.
    SameDatabase {
        /// That database.
        database: Alias,
    },
    /// No router decided, and the two models are written to different databases.
    DifferentDatabases {
        /// Where the one is written to.
        a: Alias,
        /// Where the other is written to.
        b: Alias,
    },
    /// A router needs a hint that is not there, so that nobody can say which database it is.
    MissingHint(MissingHint),
    /// A router's own words, which complete "because …".
    Stated(Cow<'static, str>),
    /// What a nested chain says. An explanation unfolds it, so that a decision never carries one.
    Chain {
        /// Why the chain answered, or why it had no opinion.
        reason: Option<Box<Reason>>,
        /// The routers that the chain asked.
        trace: Trace,
    },
}

impl Reason {
    /// Puts a router's own reason into words: `Reason::stated("tenant 7 lives there")`.
    #[must_use]
    pub fn stated(words: impl Into<Cow<'static, str>>) -> Self {
        Self::Stated(words.into())
    }

    /// Whether no router decided, so that a fall-back did.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        matches!(
            self,
            Self::Unclaimed { .. }
                | Self::Instance
                | Self::Default
                | Self::OnlyDefault { .. }
                | Self::SameDatabase { .. }
                | Self::DifferentDatabases { .. }
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router { name } => write!(f, "router `{name}` says so"),
            Self::Rule { app, database, operation, place } => {
                write!(f, "`{database}` claims `{app}` for {operation}")?;
                in_parentheses(f, place.as_ref())
            }
            Self::Target { app, database, place } => {
                write!(f, "migrations of `{app}` run on `{database}`")?;
                in_parentheses(f, place.as_ref())
            }
            Self::MayNotMigrate { database, place } => {
                write!(f, "no migration runs on `{database}`")?;
                in_parentheses(f, place.as_ref())
            }
            Self::Unmanaged { app } => write!(f, "`{app}` is not managed"),
            Self::Unclaimed { app, .. } if app.as_str().is_empty() => f.write_str("it belongs to no app"),
            Self::Unclaimed { app, operation: None } => write!(f, "no database claims `{app}`"),
            Self::Unclaimed { app, operation: Some(operation) } => {
                write!(f, "no database claims `{app}` for {operation}")
            }
            Self::Instance => f.write_str("no router decided and the instance came from there"),
            Self::Default => f.write_str("no router decided"),
            Self::OnlyDefault { default } => {
                write!(f, "no router decided and migrations then run on `{default}` alone")
            }
            Self::SameDatabase { database } => write!(f, "both are written to `{database}`"),
            Self::DifferentDatabases { a, b } => {
                write!(f, "the one is written to `{a}` and the other to `{b}`")
            }
            Self::MissingHint(missing) => missing.fmt(f),
            Self::Stated(words) => f.write_str(words),
            Self::Chain { reason: Some(reason), .. } => fmt::Display::fmt(reason, f),
            Self::Chain { reason: None, .. } => f.write_str("none of its routers decided"),
        }
    }
}

fn in_parentheses(f: &mut fmt::Formatter<'_>, place: Option<&Place>) -> fmt::Result {
    match place {
        Some(place) => write!(f, " ({place})"),
        None => Ok(()),
    }
}
