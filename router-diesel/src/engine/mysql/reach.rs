//! Where MySQL and MariaDB listen, as their client libraries read what Diesel gives them.

use super::Mysql;
use crate::engine::Words as _;
use crate::engine::reach::{Address, Reach};
use crate::engine::url::server::destination;

/// Where a server makes its socket: as Debian builds it, as Red Hat does, and as the libraries themselves do.
const SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

impl Reach for Mysql {
    /// For `localhost` the libraries take the socket, also where there is a port.
    fn addresses(&self, url: &str) -> Vec<Address> {
        let destination = destination(url);
        let (host, port) = destination.hosts.first().cloned().unwrap_or_default();
        if !matches!(host.as_str(), "" | "localhost") {
            return vec![Address::Tcp(host, port.or(self.default_port()).unwrap_or_default())];
        }
        let variable = || std::env::var("MYSQL_UNIX_PORT").ok();
        let file = destination.parameter("unix_socket").map(ToOwned::to_owned).or_else(variable);
        vec![Address::Socket(match file {
            Some(file) => vec![file.into()],
            None => SOCKETS.iter().map(Into::into).collect(),
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_data() {
        let tcp = |host: &str, port| vec![Address::Tcp(host.to_owned(), port)];
        for (url, addresses) in [
            ("mysql://u:p@h/db", tcp("h", 3306)),
            ("mysql://u@127.0.0.1:3307/db?ssl_mode=disabled", tcp("127.0.0.1", 3307)),
            ("mysql://[::1]/db", tcp("::1", 3306)),
            (
                "mysql://localhost/db?unix_socket=%2Frun%2Fdb.sock",
                vec![Address::Socket(vec!["/run/db.sock".into()])],
            ),
        ] {
            assert_eq!(Mysql.addresses(url), addresses, "{url}");
        }
        let [Address::Socket(files)] = &Mysql.addresses("mysql://localhost/db")[..] else { panic!() };
        assert!(!files.is_empty());
    }
}
