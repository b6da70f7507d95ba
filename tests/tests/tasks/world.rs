//! Databases of one engine, and the tasks over a file that names them.

use std::path::Path;

use diesel::connection::SimpleConnection as _;
use router_diesel::config::{Config, Database};
use router_diesel::pool::Checkout;
use router_diesel::tasks::Tasks;
use router_diesel::{AnyConnection, Databases};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Engine {
    /// An empty database; `None` where the server is not installed.
    pub(crate) fn database(self, name: &str) -> Option<TestDatabase> {
        let database = match self {
            Self::Sqlite => require(Sqlite::start())?.database(name),
            Self::Postgres => require(Postgres::shared())?.database(name),
            Self::MariaDb => require(MariaDb::shared())?.database(name),
        };
        Some(database.expect("a database can be made"))
    }

    /// The URL of a database that is not there, beside one that is.
    pub(crate) fn absent(self, beside: &TestDatabase) -> String {
        let name = beside.name();
        let other = match self {
            Self::Sqlite => format!("new/folder/{name}"),
            Self::Postgres => format!("{name}%22%20o%27x-y"),
            Self::MariaDb => format!("{name}-y"),
        };
        let (before, after) = beside.url().rsplit_once(name).expect("the URL has the name");
        format!("{before}{other}{after}")
    }
}

/// The databases of one file.
pub(crate) struct World {
    pub(crate) databases: Databases<AnyConnection>,
}

impl World {
    pub(crate) fn new(yaml: &str) -> Self {
        Self::in_environment(yaml, "development")
    }

    /// A world in which every database migrates every app.
    pub(crate) fn everywhere(yaml: &str) -> Self {
        let config = Config::loader()
            .yaml(yaml, "databases.yml")
            .variables(Vec::<(String, String)>::new())
            .load()
            .unwrap_or_else(|error| panic!("{error}"));
        let everywhere = router_diesel::migrate_fn(|_, _, _| Some(true));
        Self { databases: Databases::builder(config).router(everywhere).build().unwrap() }
    }

    pub(crate) fn in_environment(yaml: &str, environment: &str) -> Self {
        let config = Config::loader()
            .yaml(yaml, "databases.yml")
            .variables(Vec::<(String, String)>::new())
            .environment(environment)
            .load()
            .unwrap_or_else(|error| panic!("{error}"));
        Self { databases: Databases::builder(config).build().unwrap() }
    }

    pub(crate) fn tasks(&self) -> Tasks<'_, AnyConnection> {
        Tasks::new(self.databases.routing())
    }

    pub(crate) fn database(&self, alias: &str) -> &Database {
        self.databases.config().database(alias).unwrap()
    }

    /// A plain connection, past all routing.
    pub(crate) fn on(&self, alias: &str) -> Checkout<AnyConnection> {
        self.databases.pool(alias).unwrap().get().unwrap()
    }

    pub(crate) fn execute(&self, alias: &str, sql: &str) {
        self.on(alias).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The one number that a query gives.
    pub(crate) fn count(&self, alias: &str, table: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        use diesel::RunQueryDsl as _;
        let sql = format!("SELECT COUNT(*) AS count FROM {table}");
        diesel::sql_query(sql).get_result::<Count>(&mut self.on(alias)).unwrap().count
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
