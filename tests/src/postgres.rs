//! A private PostgreSQL server.

use std::{
    ffi::OsString,
    fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{Connection as _, PgConnection, RunQueryDsl as _, connection::SimpleConnection as _, sql_query};
use once_cell::sync::OnceCell;

use crate::{
    HarnessError, LoggedStatement, Mark, PASSWORD, Stop, TestDatabase,
    account::Account,
    database,
    program::{build_of, debian_postgres_folders, folder_of, run},
    server::{Engine, Server, Signals},
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

const SETTINGS: [(&str, &str); 12] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    // Nothing needs to outlive the machine. A killed server still finds all that it wrote.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("shared_buffers", "16MB"),
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
        let programs = programs()?;
        let engine = Engine {
            name: "postgres",
            program: programs.join("postgres"),
            account: Account::for_server("postgres")?,
            signals: Signals { fast: "INT", now: "QUIT" },
            data_folder,
        };
        let server = Server::start(engine, |engine, folder| {
            prepare(engine, folder, &programs.join("initdb"))?;
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
        let mut admin = PgConnection::establish(&url(port, "postgres"))
            .map_err(HarnessError::refused(format!("connect to make `{name}`")))?;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .map_err(HarnessError::refused(format!("make `{name}`")))?;
        let drop = {
            let name = name.clone();
            move || {
                // The test may have stopped the server.
                if let Ok(mut admin) = PgConnection::establish(&url(port, "postgres")) {
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
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A server that was killed leaves a segment of shared memory, which only its next start or we remove.
        // The seventh line of the file that it leaves too is `key id`.
        let lock = fs::read_to_string(self.folder().join("data/postmaster.pid")).unwrap_or_default();
        let is_running = self.server.is_running();
        if let Some(id) =
            lock.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)).filter(|_| !is_running)
        {
            let _ = run(Command::new("ipcrm").args(["-m", id]));
        }
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://router:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// The folder of PostgreSQL's programs.
fn programs() -> Result<PathBuf, HarnessError> {
    let configured =
        || run(Command::new("pg_config").arg("--bindir")).ok().map(|folder| folder.trim().into());
    folder_of(
        &["initdb", "postgres"],
        debian_postgres_folders().into_iter().chain(iter::once_with(configured).flatten()),
    )
    .ok_or(HarnessError::Missing { program: "initdb", package: "postgresql" })
}

fn prepare(engine: &Engine, folder: &Path, initdb: &Path) -> Result<(), HarnessError> {
    let build = build_of(&engine.program).map_err(HarnessError::io("look at PostgreSQL's program"))?;
    let recipe = (build, INITDB_ARGUMENTS, PASSWORD, &engine.account);
    template::fill(&folder.join("data"), engine.name, recipe, || {
        let password = folder.join("password");
        fs::write(&password, PASSWORD).map_err(HarnessError::io("write the password"))?;
        engine.account.own(&password)?;
        run(engine.account.command(initdb, folder).args(INITDB_ARGUMENTS)).map(drop)
    })
}

fn data_folder(port: u16) -> Option<String> {
    #[derive(diesel::QueryableByName)]
    struct Place {
        #[diesel(sql_type = diesel::sql_types::Text)]
        place: String,
    }
    let mut conn = PgConnection::establish(&url(port, "postgres")).ok()?;
    let query = sql_query("SELECT current_setting('data_directory') AS place");
    query.get_result(&mut conn).ok().map(|Place { place }| place)
}
