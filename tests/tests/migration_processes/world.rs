//! Two databases of one engine, a folder of migrations, and the program that runs them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use router_diesel::{AnyConnection, Databases};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

/// Where the records of `blog_db` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    Beside,
    OnDefault,
}

/// `default` with the app `users`, and `blog_db` with the app `blog`.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) databases: Databases<AnyConnection>,
    pub(crate) records: Records,
    folder: TempDir,
    // The databases go when the test ends.
    both: [TestDatabase; 2],
}

impl World {
    /// `None` where the server is not installed.
    pub(crate) fn start(engine: Engine, records: Records) -> Option<Self> {
        let database = |name| {
            let database = match engine {
                Engine::Sqlite => require(Sqlite::start())?.database(name),
                Engine::Postgres => require(Postgres::shared())?.database(name),
                Engine::MariaDb => require(MariaDb::shared())?.database(name),
            };
            Some(database.expect("a database can be made"))
        };
        let both = [database("main")?, database("blog")?];
        let folder = tempfile::tempdir().unwrap();
        for app in ["users", "blog"] {
            std::fs::create_dir(folder.path().join(app)).unwrap();
        }
        let history = match records {
            Records::Beside => "",
            Records::OnDefault => ", migration_history: default",
        };
        let yaml = format!(
            "apps:
  users: {{ tables: ['user*'], migrations: '{0}/users' }}
  blog: {{ tables: [runs, 'first*', 'last*'], migrations: '{0}/blog' }}
databases:
  default: {{ url: '{1}', apps: [users], pool: {{ max_size: 1 }} }}
  blog_db: {{ url: '{2}', apps: [blog], pool: {{ max_size: 1 }}{history} }}
",
            folder.path().display(),
            both[0].url(),
            both[1].url(),
        );
        let file = folder.path().join("databases.yml");
        write(&file, &yaml);
        let databases = Databases::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
        Some(Self { engine, databases, records, folder, both })
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.folder.path().join(path), text);
    }

    /// The alias of the database that keeps the records of `blog_db`.
    pub(crate) fn books(&self) -> &'static str {
        match self.records {
            Records::Beside => "blog_db",
            Records::OnDefault => "default",
        }
    }

    /// Begins a process that migrates, or reverts so many on an alias. It is ready, and waits to be let go.
    pub(crate) fn process(&self, arguments: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_migrate_once"))
            .arg(self.folder.path().join("databases.yml"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut process = Process { child, stdout };
        assert_eq!(process.line().as_deref(), Some("ready"));
        process
    }

    /// Runs a statement past all routing.
    pub(crate) fn execute(&self, alias: &str, sql: &str) {
        let mut conn = self.databases.pool(alias).unwrap().get().unwrap();
        conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The values of a query's only column, `value`.
    pub(crate) fn texts(&self, alias: &str, sql: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            value: String,
        }
        let mut conn = self.databases.pool(alias).unwrap().get().unwrap();
        let rows = diesel::sql_query(sql).load::<Row>(&mut conn);
        rows.unwrap_or_else(|error| panic!("{sql}: {error}")).into_iter().map(|row| row.value).collect()
    }

    /// The tables that the engine's own catalogue has.
    pub(crate) fn tables(&self, alias: &str) -> Vec<String> {
        let schema = match self.engine {
            Engine::Sqlite => {
                return self.texts(alias, "SELECT name AS value FROM sqlite_master WHERE type = 'table'");
            }
            Engine::Postgres => "'public'",
            Engine::MariaDb => "database()",
        };
        let sql = format!(
            "SELECT CAST(table_name AS CHAR(64)) AS value FROM information_schema.tables \
             WHERE table_schema = {schema}"
        );
        self.texts(alias, &sql).into_iter().map(|name| name.trim_end().to_owned()).collect()
    }

    /// What each migration of the app `blog` is recorded as, by version.
    pub(crate) fn recorded(&self) -> BTreeMap<String, String> {
        if !self.tables(self.books()).iter().any(|table| table == "__dbrouter_migrations") {
            return BTreeMap::new();
        }
        let column = |column| {
            let sql = format!(
                "SELECT {column} AS value FROM __dbrouter_migrations WHERE app = 'blog' ORDER BY version"
            );
            self.texts(self.books(), &sql)
        };
        column("version").into_iter().zip(column("state")).collect()
    }

    /// The migrations that have left their trace in the table `runs`, once for each time.
    pub(crate) fn runs(&self) -> Vec<String> {
        if !self.tables("blog_db").iter().any(|table| table == "runs") {
            return Vec::new();
        }
        self.texts("blog_db", "SELECT version AS value FROM runs ORDER BY version")
    }

    /// Waits until nobody but this test is connected: a server goes on for a while with what a client that is
    /// gone has sent.
    pub(crate) fn wait_for_quiet(&self) {
        let names = format!("('{}', '{}')", self.both[0].name(), self.both[1].name());
        let connected = match self.engine {
            Engine::Sqlite => return,
            Engine::Postgres => format!(
                "SELECT CAST(count(*) AS TEXT) AS value FROM pg_stat_activity WHERE datname IN {names}"
            ),
            Engine::MariaDb => format!(
                "SELECT CAST(count(*) AS CHAR(20)) AS value FROM information_schema.processlist \
                 WHERE db IN {names}"
            ),
        };
        // The pools hold one connection to each.
        self.execute("default", "SELECT 1");
        self.execute("blog_db", "SELECT 1");
        let start = Instant::now();
        while self.texts("default", &connected) != ["2"] {
            assert!(start.elapsed() < Duration::from_secs(30), "somebody stays connected");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Takes all tables away.
    pub(crate) fn clear(&self) {
        for alias in ["default", "blog_db"] {
            for table in self.tables(alias) {
                self.execute(alias, &format!("DROP TABLE {table}"));
            }
        }
    }
}

/// A process that migrates, killed if it is not ended.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nothing where it was killed.
    pub(crate) code: Option<i32>,
    /// The lines that nobody had read.
    pub(crate) lines: Vec<String>,
    pub(crate) errors: String,
}

impl Process {
    /// The next line; nothing at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.stdout.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Lets a process go on that waits.
    pub(crate) fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn end(mut self) -> Ended {
        self.go();
        let lines = std::iter::from_fn(|| self.line()).collect();
        let errors = std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap();
        Ended { code: self.child.wait().unwrap().code(), lines, errors }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
