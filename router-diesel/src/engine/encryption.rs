//! A connection that is not encrypted as its URL asks.

use std::fmt;

use diesel::ConnectionError;
use diesel::result::Error as DieselError;

/// A connection is not encrypted, or its server not verified, although its URL asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotEncrypted {
    what: &'static str,
}

impl NotEncrypted {
    /// A connection in plain text, which was closed. The client may or may not be able to ask for TLS by itself.
    pub(super) fn plain(client_asks: bool) -> Self {
        Self {
            what: if client_asks {
                "its URL asks for TLS, but the connection is not encrypted and was closed; turn TLS on at the server, \
                 or write `ssl_mode=disabled`"
            } else {
                "its URL asks for TLS, but the connection is not encrypted and was closed; turn TLS on at the server \
                 and name its certificate with `ssl_ca`, build with the feature `mysql-bundled`, whose client \
                 library asks for TLS by itself, or write `ssl_mode=disabled`"
            },
        }
    }

    /// A client library that would not check the server's certificate. Nothing was sent.
    pub(super) fn unverifiable() -> Self {
        Self {
            what: "its URL asks for a verified server, which the client library of MariaDB cannot do for this program; \
                   build with the feature `mysql-bundled`, or write `ssl_mode=required` with `ssl_ca`",
        }
    }

    /// Finds it in the error of a connection that could not be opened.
    pub(crate) fn in_error(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::CouldntSetupConfiguration(DieselError::QueryBuilderError(error)) => {
                error.downcast_ref().copied()
            }
            _ => None,
        }
    }
}

impl From<NotEncrypted> for ConnectionError {
    /// Diesel's type has no place of its own for it.
    fn from(error: NotEncrypted) -> Self {
        Self::CouldntSetupConfiguration(DieselError::QueryBuilderError(Box::new(error)))
    }
}

impl fmt::Display for NotEncrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for NotEncrypted {}
