//! Whether anybody listens where a connection failed.
//!
//! Of a failed attempt to connect, Diesel gives a text and nothing else. So the text is not read. An attempt that took
//! all the time it had was not answered, and after any other, a socket to the same address says whether a server
//! listens there. A server that listens and refuses, as one does that has enough clients, may still serve those that
//! are connected.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use super::{ConnectSettings, DatabaseUrl};

/// Where an engine's servers listen.
pub(crate) trait Reach {
    /// The addresses that a URL leads to. None where there is no server, or where the URL leaves the address to
    /// something that is read nowhere else.
    fn addresses(&self, url: &str) -> Vec<Address>;

    /// How long an attempt to connect takes at least which fails because its time is over.
    fn connect_limit(&self, url: &str, settings: &ConnectSettings) -> Duration {
        let _ = url;
        settings.connect_timeout
    }
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
    fn listens(&self) -> bool {
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

/// Whether nobody answered an attempt to connect that failed after `took`. Of several hosts, one that does not answer
/// is enough.
pub(crate) fn is_out_of_reach(url: &DatabaseUrl, settings: &ConnectSettings, took: Duration) -> bool {
    let spec = url.engine().spec();
    took >= spec.connect_limit(url.expose(), settings)
        || spec.addresses(url.expose()).iter().any(|address| !address.listens())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::engine::Access;

    #[test]
    fn a_socket_says_whether_anybody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let settings = ConnectSettings {
            connect_timeout: Duration::from_secs(5),
            statement_timeout: None,
            prepared_statements: true,
            access: Access::ReadWrite,
        };
        let is_out_of_reach = |scheme: &str, took| {
            let url = format!("{scheme}://127.0.0.1:{port}/blog").parse().unwrap();
            super::is_out_of_reach(&url, &settings, took)
        };
        let short = Duration::from_millis(1);
        for scheme in ["postgres", "mysql"] {
            assert!(!is_out_of_reach(scheme, short), "{scheme} refused");
            assert!(is_out_of_reach(scheme, Duration::from_secs(5)), "{scheme} froze");
        }
        drop(listener);
        for scheme in ["postgres", "mysql"] {
            assert!(is_out_of_reach(scheme, short), "{scheme} is gone");
        }
        let file = "sqlite://no/such/file".parse().unwrap();
        assert!(!super::is_out_of_reach(&file, &settings, Duration::from_secs(3600)));
    }
}
