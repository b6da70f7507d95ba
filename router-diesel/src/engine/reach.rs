//! Whether anybody answered an attempt to connect that failed.
//!
//! Of such an attempt, Diesel gives a text and nothing else. One that took all the time it had was not answered. After
//! any other, an engine finds out in its own way, by a socket to the same address where that does no harm.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use super::{ConnectSettings, DatabaseUrl};

/// How an engine tells a server that cannot be reached from one that refuses.
pub(crate) trait Reach {
    /// Whether nobody answered an attempt to connect that failed. A server that answers and refuses, as one does that
    /// has enough clients, may still serve those that are connected.
    fn is_out_of_reach(&self, attempt: &FailedAttempt<'_>) -> bool;
}

/// An attempt to connect that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedAttempt<'a> {
    pub(crate) url: &'a DatabaseUrl,
    pub(crate) settings: &'a ConnectSettings,
    /// How long it took.
    pub(crate) took: Duration,
    /// What the driver said, in whatever language.
    pub(crate) cause: &'a str,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host, by name or number, and a port.
    Tcp(String, u16),
    /// A Unix socket, in the first of these files that is there.
    Socket(Vec<PathBuf>),
}

impl Address {
    /// Whether a server accepts connections here.
    pub(super) fn listens(&self) -> bool {
        /// How long the machine may take to answer. This comes after an attempt that was answered faster.
        const PATIENCE: Duration = Duration::from_millis(500);
        match self {
            Self::Tcp(host, port) => (host.as_str(), *port).to_socket_addrs().is_ok_and(|mut addresses| {
                addresses.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
            }),
            #[cfg(unix)]
            Self::Socket(files) => {
                files.iter().any(|file| std::os::unix::net::UnixStream::connect(file).is_ok())
            }
            #[cfg(not(unix))]
            Self::Socket(_) => true,
        }
    }
}

/// Whether nobody answered an attempt to connect that failed.
pub(crate) fn is_out_of_reach(attempt: &FailedAttempt<'_>) -> bool {
    attempt.url.engine().spec().is_out_of_reach(attempt)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::engine::Access;

    #[test]
    fn who_answers_is_known_in_every_language() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let settings = ConnectSettings {
            connect_timeout: Duration::from_secs(5),
            statement_timeout: None,
            prepared_statements: true,
            access: Access::ReadWrite,
        };
        let is_out_of_reach = |url: &str, took, cause: &str| {
            let url = url.replace("PORT", &port.to_string()).parse().unwrap();
            super::is_out_of_reach(&FailedAttempt { url: &url, settings: &settings, took, cause })
        };
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(5));
        let postgres = "postgres://127.0.0.1:PORT/blog";
        for cause in ["sorry, too many clients already", "tut mir leid, schon zu viele Verbindungen"] {
            assert!(!is_out_of_reach(postgres, short, cause), "{cause}");
        }
        assert!(is_out_of_reach(postgres, long, "Zeit abgelaufen"));
        drop(listener);
        for cause in ["Connection refused", "Verbindungsaufbau abgelehnt", "接続を拒否されました"] {
            assert!(is_out_of_reach(postgres, short, cause), "{cause}");
        }
        let mysql = "mysql://127.0.0.1:PORT/blog";
        assert!(!is_out_of_reach(mysql, short, "Zu viele Verbindungen"));
        assert!(is_out_of_reach(mysql, long, "Zeit abgelaufen"));
        for cause in [
            "Can't connect to server on '127.0.0.1' (111)",
            "Can't connect to local MySQL server through socket '/run/mysqld/mysqld.sock' (2)",
            "Unknown server host 'nowhere' (-2)",
        ] {
            assert!(is_out_of_reach(mysql, short, cause), "{cause}");
        }
        assert!(!is_out_of_reach("sqlite://no/such/file", long, "unable to open database file"));
    }
}
