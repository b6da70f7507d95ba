//! Where PostgreSQL listens, as libpq reads a URL.

use std::path::Path;
use std::time::Duration;

use super::Postgres;
use crate::engine::reach::{Address, FailedAttempt, Reach};
use crate::engine::url::server::{Destination, destination};
use crate::engine::{ConnectSettings, Words as _};

/// Where a server makes its socket: as Debian builds it, and as PostgreSQL itself does.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl Reach for Postgres {
    /// libpq writes its messages in the language of the process. A socket to the same address says whether a server
    /// listens there, which takes one that is closed at once as no mistake. Of several hosts, one that does not listen
    /// is enough.
    fn is_out_of_reach(&self, attempt: &FailedAttempt<'_>) -> bool {
        let url = attempt.url.expose();
        attempt.took >= limit(url, attempt.settings)
            || addresses(url).iter().any(|address| !address.listens())
    }
}

/// The addresses that a URL leads to. A parameter goes before what stands in the host's place. There are none where a
/// service file says the address, as nobody else knows it.
fn addresses(url: &str) -> Vec<Address> {
    let destination = destination(url);
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if destination.parameter("service").is_some() || variable("PGSERVICE").is_some() {
        return Vec::new();
    }
    let default = variable("PGPORT").and_then(|port| port.parse().ok()).or(Postgres.default_port());
    hosts(&destination, variable("PGHOST").as_deref())
        .into_iter()
        .map(|(host, port)| address(&host, port.or(default).unwrap_or_default()))
        .collect()
}

/// How long an attempt takes at least which fails because its time is over.
///
/// libpq takes whole seconds, and one as two. Older ones count them by a clock without fractions, and may give up a
/// second early.
fn limit(url: &str, settings: &ConnectSettings) -> Duration {
    let seconds = destination(url)
        .parameter("connect_timeout")
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(settings.connect_timeout.as_secs());
    Duration::from_secs(seconds.max(2) - 1)
}

fn hosts(destination: &Destination, variable: Option<&str>) -> Vec<(String, Option<u16>)> {
    let ports: Vec<Option<u16>> = match destination.parameter("port") {
        Some(ports) => ports.split(',').map(|port| port.parse().ok()).collect(),
        None => Vec::new(),
    };
    let named = destination.parameter("hostaddr").or(destination.parameter("host"));
    let mut hosts = match named {
        Some(hosts) => hosts.split(',').map(|host| (host.to_owned(), None)).collect(),
        None => destination.hosts.clone(),
    };
    for (index, (host, port)) in hosts.iter_mut().enumerate() {
        // One port holds for all hosts.
        *port = ports.get(index).or(ports.first()).copied().flatten().or(*port);
        if let Some(variable) = variable.filter(|_| host.is_empty()) {
            variable.clone_into(host);
        }
    }
    hosts
}

fn address(host: &str, port: u16) -> Address {
    let file = |folder: &str| Path::new(folder).join(format!(".s.PGSQL.{port}"));
    match host {
        "" => Address::Socket(SOCKET_FOLDERS.iter().map(|folder| file(folder)).collect()),
        folder if folder.starts_with('/') => Address::Socket(vec![file(folder)]),
        host => Address::Tcp(host.to_owned(), port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_data() {
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        let socket = |file: &str| Address::Socket(vec![file.into()]);
        for (url, expected) in [
            ("postgres://u:p%40@h/db", vec![tcp("h", 5432)]),
            ("postgres://h:5433", vec![tcp("h", 5433)]),
            ("postgres://u@a:1,b,[::1]:3/db?x=y", vec![tcp("a", 1), tcp("b", 5432), tcp("::1", 3)]),
            ("postgres://%2Fvar%2Frun/db", vec![socket("/var/run/.s.PGSQL.5432")]),
            ("postgres:///db?host=%2Frun%2Fpg&port=5433", vec![socket("/run/pg/.s.PGSQL.5433")]),
            ("postgres://h/db?host=a,b&port=1,2", vec![tcp("a", 1), tcp("b", 2)]),
            ("postgres://h/db?hostaddr=127.0.0.1", vec![tcp("127.0.0.1", 5432)]),
            ("postgres:///db?service=blog", vec![]),
        ] {
            assert_eq!(addresses(url), expected, "{url}");
        }
        let [Address::Socket(files)] = &addresses("postgres:///db")[..] else { panic!() };
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn the_limit_is_that_of_the_url() {
        let settings = ConnectSettings {
            connect_timeout: Duration::from_millis(500),
            statement_timeout: None,
            prepared_statements: true,
            access: crate::engine::Access::ReadWrite,
        };
        for (url, seconds) in [("postgres://h/db", 1), ("postgres://h/db?connect_timeout=7", 6)] {
            assert_eq!(limit(url, &settings), Duration::from_secs(seconds), "{url}");
        }
    }
}
