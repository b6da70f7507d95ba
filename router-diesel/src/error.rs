//! The one error of the crate's boundary. Each module owns its own, next to the code that raises it.

use std::fmt;

use router_core::{Alias, RuleError};

use crate::config::ConfigError;
use crate::decision::ClusterError;
use crate::decision::{RouteError, SettingError};
use crate::text::secrets;
use crate::topology::pool::PoolError;

/// Why something could not be done.
///
/// Through a session, where Diesel's own error type is the one that can be returned, it travels as
/// `diesel::result::Error::QueryBuilderError`; [`Error::from_diesel`] finds it again.
///
/// ```
/// use router_diesel::{Error, ErrorKind};
///
/// fn describe(error: &diesel::result::Error) -> &'static str {
///     match Error::from_diesel(error).map(Error::kind) {
///         Some(ErrorKind::CrossDatabaseQuery) => "two databases in one statement",
///         Some(ErrorKind::Unreachable) => "try again later",
///         Some(_) => "another error of the router",
///         None => "the database's own error",
///     }
/// }
/// # assert_eq!(describe(&diesel::result::Error::NotFound), "the database's own error");
/// ```
pub struct Error(Box<Source>);

/// The problems of a configuration as people read them, as a `main` that ends by `?` prints this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Config(error) => fmt::Debug::fmt(error, f),
            source if f.alternate() => secrets::write(f, format_args!("Error({source:#?})")),
            source => secrets::write(f, format_args!("Error({source:?})")),
        }
    }
}

#[derive(Debug)]
enum Source {
    Config(ConfigError),
    Rules(Vec<RuleError>),
    Route(RouteError),
    Pool(PoolError),
    Cluster(ClusterError),
    Setting(SettingError),
    Diesel(diesel::result::Error),
}

/// What kind of error it is, to decide what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file, its variables or the rules in it are wrong.
    Config,
    /// No database has the name that a router or a caller gave, or no cluster has it.
    UnknownDatabase,
    /// One statement names tables of two databases.
    CrossDatabaseQuery,
    /// A statement is for another database than the open transaction.
    CrossDatabaseTransaction,
    /// The database's `operations` lack what the statement does, or it is `offline: primary`.
    OperationNotAllowed,
    /// The statement writes where writes are prevented.
    WritesPrevented,
    /// The table belongs to no app, and the file wants that to be an error.
    Unrouted,
    /// A router needs a hint to say where a table is, and the session does not have it.
    MissingHint,
    /// The statement cannot be read, so its tables are unknown.
    Unreadable,
    /// The statement opens or closes a transaction by hand.
    TransactionControl,
    /// The statement names no table and has an effect, and the file has several databases.
    NoDatabase,
    /// The statement names a database by a name that several databases of the file have on their servers.
    AmbiguousDatabase,
    /// The statement asks about earlier ones, and the session holds no connection that can answer.
    NoAnswer,
    /// The statement chooses another database on its connection.
    SwitchesDatabase,
    /// The statement copies data over its connection, as `COPY … FROM STDIN` does: use `copy_from` or `copy_to`.
    CopyAsText,
    /// The connection on which the session left settings or other state is lost.
    StateLost,
    /// A setting of a transaction or of a session cannot be made.
    Setting,
    /// A test allowed other databases only.
    DatabaseNotExpected,
    /// The database cannot be reached.
    Unreachable,
    /// All of the database's connections are in use.
    Exhausted,
    /// No replica can serve the read, and the primary may not or cannot.
    NoNode,
    /// A token cannot be read, or was asked for in a transaction.
    Token,
    /// The connections have no support for the database's engine, or the server is not the product that the
    /// configuration asks for.
    UnsupportedEngine,
    /// The URL asks for TLS, and the connection is not encrypted or cannot be verified.
    NotEncrypted,
    /// A hook of the program or the file of a password failed, or did not end in time.
    Setup,
    /// The server refused the user or the password.
    Authentication,
    /// Diesel's own error, as it came.
    Diesel,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Source::Config(_) | Source::Rules(_) => ErrorKind::Config,
            Source::Diesel(_) => ErrorKind::Diesel,
            Source::Setting(_) => ErrorKind::Setting,
            Source::Pool(error) => match error {
                PoolError::UnsupportedEngine { .. } | PoolError::WrongProduct { .. } => {
                    ErrorKind::UnsupportedEngine
                }
                PoolError::NotEncrypted { .. } => ErrorKind::NotEncrypted,
                PoolError::Setup { .. } => ErrorKind::Setup,
                PoolError::Authentication { .. } => ErrorKind::Authentication,
                PoolError::Unreachable { .. } => ErrorKind::Unreachable,
                PoolError::Exhausted { .. } => ErrorKind::Exhausted,
            },
            Source::Cluster(error) => match error {
                ClusterError::NoNode { .. } => ErrorKind::NoNode,
                ClusterError::Offline { .. } => ErrorKind::OperationNotAllowed,
                ClusterError::NoCluster { .. } => ErrorKind::UnknownDatabase,
                ClusterError::OpenTransaction { .. } | ClusterError::Token(_) => ErrorKind::Token,
            },
            Source::Route(error) => match error {
                RouteError::UnknownDatabase { .. } => ErrorKind::UnknownDatabase,
                RouteError::CrossDatabaseQuery { .. } => ErrorKind::CrossDatabaseQuery,
                RouteError::CrossDatabaseTransaction { .. } => ErrorKind::CrossDatabaseTransaction,
                RouteError::OperationNotAllowed { .. } => ErrorKind::OperationNotAllowed,
                RouteError::WritesPrevented { .. } => ErrorKind::WritesPrevented,
                RouteError::Unrouted { .. } => ErrorKind::Unrouted,
                RouteError::MissingHint { .. } => ErrorKind::MissingHint,
                RouteError::Unreadable { .. } => ErrorKind::Unreadable,
                RouteError::TransactionControl | RouteError::UnbalancedTransaction { .. } => {
                    ErrorKind::TransactionControl
                }
                RouteError::NoDatabase { .. } => ErrorKind::NoDatabase,
                RouteError::AmbiguousDatabase { .. } => ErrorKind::AmbiguousDatabase,
                RouteError::NoAnswer { .. } => ErrorKind::NoAnswer,
                RouteError::BelongsToTransaction { .. } => ErrorKind::Setting,
                RouteError::SwitchesDatabase => ErrorKind::SwitchesDatabase,
                RouteError::CopyAsText => ErrorKind::CopyAsText,
                RouteError::StateLost { .. } => ErrorKind::StateLost,
                RouteError::DatabaseNotExpected { .. } => ErrorKind::DatabaseNotExpected,
            },
        }
    }

    /// Whether the file, its variables or the rules in it are wrong.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.kind() == ErrorKind::Config
    }

    /// Whether the same call could succeed later: the database was unreachable, busy, or had no node for it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unreachable | ErrorKind::Exhausted | ErrorKind::NoNode)
    }

    /// The database that could not be used, where the error is about one.
    #[must_use]
    pub fn alias(&self) -> Option<&Alias> {
        match &*self.0 {
            Source::Pool(error) => Some(error.alias()),
            Source::Cluster(
                ClusterError::NoNode { alias, .. }
                | ClusterError::Offline { alias }
                | ClusterError::NoCluster { alias },
            ) => Some(alias),
            Source::Route(
                RouteError::OperationNotAllowed { alias, .. }
                | RouteError::UnknownDatabase { alias, .. }
                | RouteError::StateLost { alias }
                | RouteError::DatabaseNotExpected { alias, .. },
            ) => Some(alias),
            _ => None,
        }
    }

    /// The problems of the file, where they are what is wrong.
    #[must_use]
    pub fn as_config(&self) -> Option<&ConfigError> {
        match &*self.0 {
            Source::Config(error) => Some(error),
            _ => None,
        }
    }

    /// Why the statement has no database, where that is what is wrong.
    #[must_use]
    pub fn as_route(&self) -> Option<&RouteError> {
        match &*self.0 {
            Source::Route(error) => Some(error),
            _ => None,
        }
    }

    /// Why a cluster has no node for it, or what is wrong with a token, where that is the matter.
    #[must_use]
    pub fn as_cluster(&self) -> Option<&ClusterError> {
        match &*self.0 {
            Source::Cluster(error) => Some(error),
            _ => None,
        }
    }

    /// Why a setting was not made, where that is the matter.
    #[must_use]
    pub fn as_setting(&self) -> Option<&SettingError> {
        match &*self.0 {
            Source::Setting(error) => Some(error),
            _ => None,
        }
    }

    /// Diesel's own error, where it is one.
    pub(crate) fn as_diesel(&self) -> Option<&diesel::result::Error> {
        match &*self.0 {
            Source::Diesel(error) => Some(error),
            _ => None,
        }
    }

    /// Finds the router's error inside of one that a session returned.
    #[must_use]
    pub fn from_diesel(error: &diesel::result::Error) -> Option<&Self> {
        match error {
            diesel::result::Error::QueryBuilderError(source) => source.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An alias may be a URL that a caller took for one, and a server may repeat what it was sent.
        match &*self.0 {
            Source::Config(error) => error.fmt(f),
            Source::Rules(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    secrets::write(f, format_args!("{separator}{error}"))?;
                }
                Ok(())
            }
            Source::Route(error) => secrets::write(f, format_args!("{error}")),
            Source::Pool(error) => secrets::write(f, format_args!("{error}")),
            Source::Cluster(error) => secrets::write(f, format_args!("{error}")),
            Source::Setting(error) => secrets::write(f, format_args!("{error}")),
            Source::Diesel(error) => secrets::write(f, format_args!("{error}")),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Display already says what the error inside says, so the chain goes on below it.
        match &*self.0 {
            Source::Config(error) => error.source(),
            Source::Rules(_) => None,
            Source::Route(error) => error.source(),
            Source::Pool(error) => error.source(),
            Source::Cluster(error) => error.source(),
            Source::Setting(error) => error.source(),
            Source::Diesel(error) => error.source(),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self(Box::new(Source::Config(error)))
    }
}

impl From<Vec<RuleError>> for Error {
    fn from(errors: Vec<RuleError>) -> Self {
        Self(Box::new(Source::Rules(errors)))
    }
}

impl From<RouteError> for Error {
    fn from(error: RouteError) -> Self {
        Self(Box::new(Source::Route(error)))
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        Self(Box::new(Source::Pool(error)))
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        Self(Box::new(Source::Cluster(error)))
    }
}

impl From<SettingError> for Error {
    fn from(error: SettingError) -> Self {
        Self(Box::new(Source::Setting(error)))
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        match error {
            diesel::result::Error::QueryBuilderError(source) => match source.downcast::<Self>() {
                Ok(error) => *error,
                Err(source) => {
                    Self(Box::new(Source::Diesel(diesel::result::Error::QueryBuilderError(source))))
                }
            },
            other => Self(Box::new(Source::Diesel(other))),
        }
    }
}

impl From<Error> for diesel::result::Error {
    fn from(error: Error) -> Self {
        match *error.0 {
            Source::Diesel(error) => error,
            source => Self::QueryBuilderError(Box::new(Error(Box::new(source)))),
        }
    }
}
