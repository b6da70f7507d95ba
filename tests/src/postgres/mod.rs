//! A private PostgreSQL server, and a cluster of them.

mod cluster;

use std::{
    ffi::OsString,
    fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, connection::SimpleConnection as _, dsl::sql,
    sql_types::Text,
};
use once_cell::sync::OnceCell;

pub use cluster::PostgresCluster;

use crate::{
    HarnessError, LoggedStatement, Mark, PASSWORD, Stop, TestDatabase,
    account::Account,
    database,
    program::{build_of, debian_postgres_folders, folder_of, run},
    server::{Engine, Listen, Server, Signals},
    statement_log, template,
};

const INITDB_ARGUMENTS: [&str; 9] = [
    "--pgdata=data",
    "--username=router",
    "--pwfile=password",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
    // Small files: a folder is copied for every server.
    "--wal-segsize=1",
];

const SETTINGS: [(&str, &str); 13] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    // Nothing needs to outlive the machine. A killed server still finds all that it wrote.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("shared_buffers", "16MB"),
    // In the data folder, with which it goes even when the server was killed.
    ("dynamic_shared_memory_type", "mmap"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("log_statement", "all"),
    ("log_line_prefix", statement_log::postgres::LINE_PREFIX),
];

/// A private PostgreSQL server, which ends with this value and with the process.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
}

impl Postgres {
    /// Starts a server.
    ///
    /// All such servers have one system identifier, as their data folders are copies of one;
    /// [`PostgresCluster::start_unrelated`] gives another.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] where PostgreSQL is not installed, else what kept it from starting.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&[])
    }

    /// Starts a server with settings of `postgresql.conf` over the harness's own, such as `("wal_level", "logical")`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self, HarnessError> {
        Self::start_in(settings, |engine, folder, programs| {
            initialize(engine, folder, programs, Lineage::Common)
        })
    }

    /// Starts a server in the folder that `fill`, given the folder of PostgreSQL's programs, puts a data folder into.
    fn start_in(
        settings: &[(&str, &str)],
        fill: impl FnOnce(&Engine, &Path, &Path) -> Result<(), HarnessError>,
    ) -> Result<Self, HarnessError> {
        let programs = programs()?;
        let engine = Engine {
            name: "postgres",
            program: programs.join("postgres"),
            account: Account::for_server("postgres")?,
            signals: Signals { fast: "INT", now: "QUIT" },
            listen: Listen::Argument,
            data_folder,
            data: None,
        };
        let server = Server::start(engine, |engine, folder| {
            fill(engine, folder, &programs)?;
            let mut arguments = vec![OsString::from("-D"), folder.join("data").into_os_string()];
            for (name, value) in SETTINGS.iter().chain(settings) {
                arguments.extend(["-c".into(), format!("{name}={value}").into()]);
            }
            Ok(arguments)
        })?;
        Ok(Self { server })
    }

    /// The server that the tests of one process share, started by the first that asks. It cannot be stopped.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn shared() -> Result<&'static Self, HarnessError> {
        static SHARED: OnceCell<Postgres> = OnceCell::new();
        SHARED.get_or_try_init(Self::start)
    }

    /// The port on 127.0.0.1. It stays the same when the server is started again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's throw-away folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Makes an empty database, whose name begins with `name`.
    ///
    /// # Errors
    /// If the server is stopped or refuses.
    ///
    /// # Panics
    /// If the name holds more than a-z, 0-9 and `_`.
    pub fn database(&self, name: &str) -> Result<TestDatabase, HarnessError> {
        let name = database::unique(name);
        let port = self.port();
        let mut admin = self.admin()?;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .map_err(HarnessError::refused(format!("make `{name}`")))?;
        let drop = {
            let name = name.clone();
            move || {
                // The test may have stopped the server.
                if let Ok(mut admin) = PgConnection::establish(&admin_url(port)) {
                    let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                }
            }
        };
        Ok(TestDatabase::new(name.clone(), url(port, &name), drop))
    }

    /// Stops the server, if it runs. Its databases stay.
    ///
    /// # Errors
    /// If the system does not let it be stopped.
    pub fn stop(&mut self, stop: Stop) -> Result<(), HarnessError> {
        self.server.stop(stop)
    }

    /// Starts the stopped server again, on the same port and with its databases.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_again(&mut self) -> Result<(), HarnessError> {
        self.server.start_again()
    }

    /// Marks this moment in the server's log of statements.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn mark(&self) -> Result<Mark, HarnessError> {
        statement_log::mark(&self.server.log())
    }

    /// The statements that the server was sent since `mark`, by its own count, on all its databases.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn statements_since(&self, mark: Mark) -> Result<Vec<LoggedStatement>, HarnessError> {
        let (_, after) = statement_log::split(&self.server.log(), mark)?;
        Ok(statement_log::postgres::parse(&after))
    }

    fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// A connection of the harness's own.
    fn admin(&self) -> Result<PgConnection, HarnessError> {
        let port = self.port();
        PgConnection::establish(&admin_url(port))
            .map_err(HarnessError::refused(format!("connect to PostgreSQL on port {port}")))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A server that was killed leaves a segment of shared memory, which only its next start or we remove.
        // The seventh line of the file that it leaves too is `key id`.
        let lock = fs::read_to_string(self.folder().join("data/postmaster.pid")).unwrap_or_default();
        let is_running = self.is_running();
        if let Some(id) =
            lock.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)).filter(|_| !is_running)
        {
            let _ = run(Command::new("ipcrm").args(["-m", id]));
        }
    }
}

/// The URL of a database, as the user of the tests.
pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://router:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// For what the harness itself asks. The server does not log it, so that a test counts its own statements alone.
fn admin_url(port: u16) -> String {
    url(port, "postgres") + "?options=-c%20log_statement%3Dnone"
}

/// The folder of PostgreSQL's programs.
fn programs() -> Result<PathBuf, HarnessError> {
    let configured =
        || run(Command::new("pg_config").arg("--bindir")).ok().map(|folder| folder.trim().into());
    folder_of(
        &["initdb", "postgres", "pg_basebackup"],
        debian_postgres_folders().into_iter().chain(iter::once_with(configured).flatten()),
    )
    .ok_or(HarnessError::Missing { program: "initdb", package: "postgresql" })
}

/// Which servers a new one shares its system identifier with: those whose data folder `initdb` made at the same time.
#[derive(Debug, Clone, Copy, Hash)]
enum Lineage {
    Common,
    Unrelated,
}

/// Makes an empty data folder.
fn initialize(engine: &Engine, folder: &Path, programs: &Path, lineage: Lineage) -> Result<(), HarnessError> {
    let build = build_of(&engine.program).map_err(HarnessError::io("look at PostgreSQL's program"))?;
    let recipe = (build, INITDB_ARGUMENTS, PASSWORD, &engine.account, lineage);
    template::fill(&folder.join("data"), engine.name, recipe, || {
        let password = folder.join("password");
        fs::write(&password, PASSWORD).map_err(HarnessError::io("write the password"))?;
        engine.account.own(&password)?;
        run(engine.account.command(programs.join("initdb"), folder).args(INITDB_ARGUMENTS)).map(drop)
    })
}

fn data_folder(port: u16) -> Option<String> {
    data_folder_at(&admin_url(port))
}

/// The data folder of the server that a URL leads to.
pub(crate) fn data_folder_at(url: &str) -> Option<String> {
    let mut conn = PgConnection::establish(url).ok()?;
    let folder = sql::<Text>("current_setting('data_directory')");
    // In a transaction, so that the query is prepared and run on one connection of whatever stands before the server.
    conn.transaction(|conn| diesel::select(folder).get_result(conn)).ok()
}
