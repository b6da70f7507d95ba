//! PgBouncer in front of a private PostgreSQL server.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    HarnessError, PASSWORD, Stop,
    account::Account,
    postgres::{self, Postgres},
    program::folder_of,
    server::{Engine, Listen, Server, Signals, url_through},
};

const SETTINGS: [(&str, &str); 9] = [
    ("listen_addr", "127.0.0.1"),
    ("unix_socket_dir", ""),
    ("auth_type", "scram-sha-256"),
    ("auth_file", "users.txt"),
    ("pool_mode", "transaction"),
    // Few, so that clients soon meet on one.
    ("default_pool_size", "2"),
    ("log_connections", "0"),
    ("log_disconnections", "0"),
    ("log_stats", "0"),
];

/// PgBouncer in transaction mode: each transaction of a client runs on whichever connection to the server is free, and
/// two connections to the server serve all clients of one database and user.
///
/// It ends with this value and with the process.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server,
    postgres: u16,
}

impl PgBouncer {
    /// Starts PgBouncer in front of all databases of a server that runs.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] where PgBouncer is not installed, else what kept it from starting.
    pub fn start(postgres: &Postgres) -> Result<Self, HarnessError> {
        Self::start_with(postgres, &[])
    }

    /// Starts PgBouncer with settings of its section `pgbouncer` over the harness's own, such as
    /// `("pool_mode", "session")`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(postgres: &Postgres, settings: &[(&str, &str)]) -> Result<Self, HarnessError> {
        let engine = Engine {
            name: "pgbouncer",
            program: program()?,
            // That of PostgreSQL, as Debian has it: PgBouncer refuses to run as root too.
            account: Account::for_server("postgres")?,
            signals: Signals { fast: "TERM", now: "KILL" },
            // No section: to begin it again would set back all that stands in it.
            listen: Listen::File { name: PORT_FILE, text: |port| format!("listen_port = {port}\n") },
            data_folder: |port| postgres::data_folder_at(&postgres::url(port, "postgres")),
            data: Some(postgres.folder().join("data")),
        };
        let postgres = postgres.port();
        let server = Server::start(engine, |engine, folder| {
            let mut text = format!("[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\n");
            for (name, value) in SETTINGS.iter().chain(settings) {
                text.push_str(&format!("{name} = {value}\n"));
            }
            text.push_str(&format!("%include {PORT_FILE}\n"));
            // It signs in to the server with the password that it asks its clients for.
            write(engine, &folder.join("users.txt"), &format!("\"router\" \"{PASSWORD}\"\n"))?;
            write(engine, &folder.join(SETTINGS_FILE), &text)?;
            Ok(vec![SETTINGS_FILE.into()])
        })?;
        Ok(Self { server, postgres })
    }

    /// The port on 127.0.0.1. It stays the same when PgBouncer is started again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// PgBouncer's throw-away folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// The URL that leads through PgBouncer where `url` leads to the server.
    ///
    /// # Panics
    /// If `url` leads elsewhere.
    #[must_use]
    pub fn url_through(&self, url: &str) -> String {
        url_through(self.port(), self.postgres, url)
    }

    /// Stops PgBouncer, if it runs. Its clients are cut off.
    ///
    /// # Errors
    /// If the system does not let it be stopped.
    pub fn stop(&mut self, stop: Stop) -> Result<(), HarnessError> {
        self.server.stop(stop)
    }

    /// Starts the stopped PgBouncer again, on the same port.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_again(&mut self) -> Result<(), HarnessError> {
        self.server.start_again()
    }
}

/// The files in the folder with all settings, and with the port alone.
const SETTINGS_FILE: &str = "pgbouncer.ini";
const PORT_FILE: &str = "port.ini";

fn program() -> Result<PathBuf, HarnessError> {
    let program = "pgbouncer";
    // Debian keeps servers out of a user's PATH.
    folder_of(&[program], ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .ok_or(HarnessError::Missing { program, package: "pgbouncer" })
}

fn write(engine: &Engine, file: &Path, text: &str) -> Result<(), HarnessError> {
    fs::write(file, text).map_err(HarnessError::io("write PgBouncer's settings"))?;
    engine.account.own(file)
}
