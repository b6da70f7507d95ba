//! A private MariaDB server, and a cluster of them.

mod cluster;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use diesel::{
    Connection as _, MysqlConnection, RunQueryDsl as _, connection::SimpleConnection as _, sql_query,
};
use once_cell::sync::OnceCell;

pub use cluster::MariaDbCluster;

use crate::{
    HarnessError, LoggedStatement, Mark, PASSWORD, Stop, TestDatabase,
    account::Account,
    database,
    program::{build_of, folder_of, run},
    server::{Engine, Listen, Server, Signals},
    statement_log::{self, mariadb::HARNESS_USER},
    template,
};

const INSTALL_ARGUMENTS: [&str; 6] = [
    "--no-defaults",
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=16M",
];

const SETTINGS: [(&str, &str); 12] = [
    ("bind-address", "127.0.0.1"),
    ("skip-name-resolve", "ON"),
    ("performance-schema", "OFF"),
    // Nothing needs to outlive the machine. A killed server still finds all that it wrote.
    ("innodb-flush-log-at-trx-commit", "2"),
    ("innodb-doublewrite", "OFF"),
    ("innodb-use-native-aio", "OFF"),
    ("innodb-log-file-size", "4M"),
    ("innodb-buffer-pool-size", "16M"),
    ("innodb-temp-data-file-path", "ibtmp1:1M:autoextend"),
    ("aria-pagecache-buffer-size", "8M"),
    ("character-set-server", "utf8mb4"),
    ("general-log", "ON"),
];

/// A private MariaDB server, which ends with this value and with the process.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
}

impl MariaDb {
    /// Starts a server.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] where MariaDB is not installed, else what kept it from starting.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&[])
    }

    /// Starts a server with options of `mariadbd` over the harness's own, such as `("log-bin", "binlog")`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self, HarnessError> {
        let (installer, program) = programs()?;
        let engine = Engine {
            name: "mariadb",
            program,
            account: Account::for_server("mysql")?,
            signals: Signals { fast: "TERM", now: "KILL" },
            listen: Listen::Argument,
            data_folder,
            data: None,
        };
        let server = Server::start(engine, |engine, folder| {
            prepare(engine, folder, &installer)?;
            let mut arguments = vec![OsString::from("--no-defaults")];
            for (name, file) in [
                ("datadir", "data"),
                ("tmpdir", ""),
                ("socket", "socket"),
                ("pid-file", "mariadb.pid"),
                ("init-file", "users.sql"),
                ("general-log-file", GENERAL_LOG),
            ] {
                arguments.push(format!("--{name}={}", folder.join(file).display()).into());
            }
            for (name, value) in SETTINGS.iter().chain(settings) {
                arguments.push(format!("--{name}={value}").into());
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
        static SHARED: OnceCell<MariaDb> = OnceCell::new();
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
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .map_err(HarnessError::refused(format!("make `{name}`")))?;
        let drop = {
            let name = name.clone();
            move || {
                // The test may have stopped the server, or still hold a lock on a table.
                if let Ok(mut admin) = MysqlConnection::establish(&admin_url(port)) {
                    let _ = admin.batch_execute("SET lock_wait_timeout = 1");
                    let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"));
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
        statement_log::mark(&self.folder().join(GENERAL_LOG))
    }

    /// The statements that the server was sent since `mark`, by its own count, on all its databases.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn statements_since(&self, mark: Mark) -> Result<Vec<LoggedStatement>, HarnessError> {
        let (before, after) = statement_log::split(&self.folder().join(GENERAL_LOG), mark)?;
        Ok(statement_log::mariadb::parse(&before, &after))
    }

    fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// A connection of the harness's own.
    fn admin(&self) -> Result<MysqlConnection, HarnessError> {
        let port = self.port();
        MysqlConnection::establish(&admin_url(port))
            .map_err(HarnessError::refused(format!("connect to MariaDB on port {port}")))
    }
}

/// The file in a server's folder that it logs statements to.
const GENERAL_LOG: &str = "statements";

fn url(port: u16, database: &str) -> String {
    format!("mysql://router:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// For what the harness itself asks, as a user whose statements a test does not see in the log.
fn admin_url(port: u16) -> String {
    format!("mysql://{HARNESS_USER}:{PASSWORD}@127.0.0.1:{port}/")
}

/// The program that makes a data folder, and the server.
fn programs() -> Result<(PathBuf, PathBuf), HarnessError> {
    let find = |program: &'static str| {
        // Debian keeps servers out of a user's PATH.
        let folder =
            folder_of(&[program], ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from));
        folder
            .map(|folder| folder.join(program))
            .ok_or(HarnessError::Missing { program, package: "mariadb-server" })
    };
    Ok((find("mariadb-install-db")?, find("mariadbd")?))
}

fn prepare(engine: &Engine, folder: &Path, installer: &Path) -> Result<(), HarnessError> {
    // Read at each start. It must not appear in the log of a server that others replicate from.
    let mut users = String::from("SET SESSION sql_log_bin = OFF;\n");
    for user in ["router", HARNESS_USER] {
        users.push_str(&format!(
            "CREATE USER IF NOT EXISTS '{user}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO '{user}'@'127.0.0.1' WITH GRANT OPTION;\n"
        ));
    }
    let users_file = folder.join("users.sql");
    fs::write(&users_file, users).map_err(HarnessError::io("write the server's users"))?;
    engine.account.own(&users_file)?;

    let build = build_of(&engine.program).map_err(HarnessError::io("look at MariaDB's program"))?;
    let recipe = (build, INSTALL_ARGUMENTS, &engine.account);
    let data = folder.join("data");
    template::fill(&data, engine.name, recipe, || {
        let mut install = engine.account.command(installer, folder);
        run(install.args(INSTALL_ARGUMENTS).arg(format!("--datadir={}", data.display()))).map(drop)
    })
}

fn data_folder(port: u16) -> Option<String> {
    #[derive(diesel::QueryableByName)]
    struct Place {
        #[diesel(sql_type = diesel::sql_types::Text)]
        place: String,
    }
    let mut conn = MysqlConnection::establish(&admin_url(port)).ok()?;
    let query = sql_query("SELECT @@datadir AS place");
    query.get_result(&mut conn).ok().map(|Place { place }| place)
}
