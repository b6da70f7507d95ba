//! A database of one engine, with a user of its own on servers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use router_diesel::backend::RoutedConnection as _;
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, DatabasesBuilder, Error};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{PASSWORD, TestDatabase, require};
use tempfile::TempDir;

diesel::table! {
    posts {
        id -> Integer,
        title -> Text,
    }
}

/// No test waits longer than this for what is to come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Engine {
    /// A statement that leaves a mark on its connection.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Sqlite => "CREATE TEMP VIEW mark AS SELECT 'marked' AS value",
            Self::Postgres => "SET application_name = 'marked'",
            Self::MariaDb => "SET @mark = 'marked'",
        }
    }

    /// A query that asks a connection for its mark.
    pub(crate) fn marked(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT value FROM mark",
            Self::Postgres => "SELECT current_setting('application_name') AS value",
            Self::MariaDb => "SELECT CAST(COALESCE(@mark, '') AS CHAR) AS value",
        }
    }
}

/// A database, and on servers a user who owns it and whose password can be changed.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) folder: TempDir,
    database: TestDatabase,
    user: Option<String>,
    // Its folder goes when the test ends.
    _sqlite: Sqlite,
}

impl World {
    /// Starts what the engine needs; `None` where a server is not installed.
    pub(crate) fn start(engine: Engine) -> Option<Self> {
        let sqlite = require(Sqlite::start())?;
        let database = match engine {
            Engine::Sqlite => sqlite.database("blog"),
            Engine::Postgres => require(Postgres::shared())?.database("blog"),
            Engine::MariaDb => require(MariaDb::shared())?.database("blog"),
        };
        let database = database.expect("a database can be made");
        let folder = tempfile::tempdir().unwrap();
        let world = Self { engine, folder, database, user: None, _sqlite: sqlite };
        world.admin("CREATE TABLE posts (id INTEGER PRIMARY KEY, title VARCHAR(99) NOT NULL)");
        if engine == Engine::Sqlite {
            world.admin("PRAGMA journal_mode = WAL");
        }
        Some(world)
    }

    /// The same with a user on the server, who has this password.
    pub(crate) fn with_user(engine: Engine, password: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut world = Self::start(engine)?;
        let user = format!("u{}_{}", NUMBER.fetch_add(1, Ordering::Relaxed), world.database.name());
        let name = world.database.name().to_owned();
        world.admin(&match engine {
            Engine::Sqlite => unreachable!("SQLite has no users"),
            Engine::Postgres => format!(
                "CREATE ROLE {user} LOGIN PASSWORD '{password}'; ALTER DATABASE {name} OWNER TO {user};
                 ALTER TABLE posts OWNER TO {user}; ALTER SCHEMA public OWNER TO {user}"
            ),
            Engine::MariaDb => format!(
                "CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'; GRANT ALL ON {name}.* TO '{user}'@'%'"
            ),
        });
        world.user = Some(user);
        Some(world)
    }

    pub(crate) fn user(&self) -> &str {
        self.user.as_deref().expect("a user was made")
    }

    /// Changes the user's password.
    pub(crate) fn set_password(&self, password: &str) {
        let user = self.user();
        self.admin(&match self.engine {
            Engine::Sqlite => unreachable!("SQLite has no users"),
            Engine::Postgres => format!("ALTER ROLE {user} PASSWORD '{password}'"),
            Engine::MariaDb => format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'"),
        });
    }

    /// The URL of the harness's own user, with the password.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// The URL of the user, without a password or with one.
    pub(crate) fn url_of_user(&self, password: Option<&str>) -> String {
        let (scheme, rest) = self.url().split_once("://").unwrap();
        let (_, address) = rest.rsplit_once('@').unwrap();
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("{scheme}://{}{password}@{address}", self.user())
    }

    /// Runs statements past the router.
    pub(crate) fn admin(&self, sql: &str) {
        let url = self.url().parse::<router_diesel::config::DatabaseUrl>().unwrap();
        let mut conn = AnyConnection::connect(url.engine(), url.expose()).unwrap();
        conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The configuration of one database of this URL and with these other keys.
    pub(crate) fn config(&self, url: &str, keys: &str) -> Config {
        let folder = self.folder.path().display();
        let text = format!(
            "apps: {{ blog: {{ tables: [posts], migrations: '{folder}/migrations' }} }}
databases:
  blog_db: {{ url: '{url}', apps: [blog]{keys} }}
"
        );
        let none: [(&str, &str); 0] = [];
        let file = self.folder.path().join("databases.yml");
        std::fs::write(&file, text).unwrap();
        Config::loader().file(file).variables(none).load().unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn builder(&self, url: &str, keys: &str) -> DatabasesBuilder<AnyConnection> {
        Databases::builder(self.config(url, keys))
    }

    /// Writes a migration of the app.
    pub(crate) fn migration(&self, name: &str, up: &str) {
        let folder = self.folder.path().join("migrations").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("up.sql"), up).unwrap();
        std::fs::write(folder.join("down.sql"), "SELECT 1").unwrap();
    }

    /// Writes a file beside the configuration.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }
}

/// The one text that a query has in its column `value`.
pub(crate) fn text<C>(conn: &mut C, sql: &str) -> QueryResult<String>
where
    C: diesel::connection::LoadConnection,
    diesel::query_builder::SqlQuery: diesel::query_dsl::LoadQuery<'static, C, Value>,
{
    diesel::sql_query(sql).get_result::<Value>(conn).map(|row| row.value)
}

#[derive(diesel::QueryableByName)]
pub(crate) struct Value {
    #[diesel(sql_type = Text)]
    pub(crate) value: String,
}

/// Asks through a connection that somebody checked out.
pub(crate) fn ping(databases: &Databases<AnyConnection>) -> Result<(), Error> {
    databases.ping("blog_db")
}

/// Says what an error is, once it is known to hold none of these secrets.
pub(crate) fn said(error: &(impl std::fmt::Display + std::fmt::Debug), secrets: &[&str]) -> String {
    let text = format!("{error}\n{error:?}\n{error:#?}");
    for secret in secrets.iter().chain(&[PASSWORD]) {
        assert!(!text.contains(secret), "{text}");
    }
    error.to_string()
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
