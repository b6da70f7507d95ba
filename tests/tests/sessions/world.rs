//! Three databases with their tables, on the engines that a suite asks for.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::query_builder::{QueryFragment, QueryId};
use router_diesel::config::Config;
use router_diesel::pool::Checkout;
use router_diesel::{Databases, DatabasesBuilder, RoutedConnection};
use router_tests::mariadb::MariaDb;
use router_tests::postgres::Postgres;
use router_tests::sqlite::Sqlite;
use router_tests::{TestDatabase, require};

use crate::schema::TABLES;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

/// `default` has users, `blog_db` posts and comments, `shop_db` products; `archive` is a second name for
/// `blog_db`'s database, and `reports` a third one that may only be read.
pub(crate) struct World<C: RoutedConnection> {
    pub(crate) databases: Databases<C>,
    pub(crate) yaml: String,
    // The folder and the databases go when the test ends.
    _sqlite: Sqlite,
    _databases: Vec<TestDatabase>,
}

impl<C: RoutedConnection> World<C> {
    /// Starts what the engines need; `None` where a server is not installed. `extra` is YAML to append, in which
    /// `BLOG` stands for the URL of `blog_db`.
    pub(crate) fn start(engines: [Engine; 3], extra: &str) -> Option<Self> {
        let sqlite = require(Sqlite::start())?;
        let mut databases = Vec::new();
        for (engine, name) in engines.into_iter().zip(["main", "blog", "shop"]) {
            let database = match engine {
                Engine::Sqlite => sqlite.database(name),
                Engine::Postgres => require(Postgres::shared())?.database(name),
                Engine::MariaDb => require(MariaDb::shared())?.database(name),
            };
            databases.push(database.expect("a database can be made"));
        }
        let [main, blog, shop] = [0, 1, 2].map(|index: usize| databases[index].url().to_owned());
        let extra = extra.replace("BLOG", &blog);
        let yaml = format!(
            "apps:
  users: {{ tables: [users] }}
  blog: {{ tables: [posts, comments] }}
  shop: {{ tables: [products] }}
databases:
  default: {{ url: '{main}', apps: [users] }}
  blog_db: {{ url: '{blog}', apps: [blog] }}
  shop_db: {{ url: '{shop}', apps: [shop] }}
  archive: {{ url: '{blog}' }}
  reports: {{ url: '{blog}', operations: [read] }}
{extra}"
        );
        let world =
            Self { databases: builder(&yaml).build().unwrap(), yaml, _sqlite: sqlite, _databases: databases };
        for (engine, alias) in engines.into_iter().zip(["default", "blog_db", "shop_db"]) {
            if engine == Engine::Sqlite {
                // A reader's snapshot and a writer side by side, as the two servers have them.
                world.on(alias).batch_execute("PRAGMA journal_mode = WAL").unwrap();
            }
        }
        for (alias, table) in TABLES {
            world.on(alias).batch_execute(table).unwrap();
        }
        Some(world)
    }

    /// The same databases, built anew with routers or test settings.
    pub(crate) fn rebuilt(
        &self,
        change: impl FnOnce(DatabasesBuilder<C>) -> DatabasesBuilder<C>,
    ) -> Databases<C> {
        change(builder(&self.yaml)).build().unwrap()
    }

    /// A plain connection to one database, past all routing.
    pub(crate) fn on(&self, alias: &str) -> Checkout<C> {
        self.databases.pool(alias).unwrap().get().unwrap()
    }

    /// Runs a statement past all routing.
    pub(crate) fn execute<T>(&self, alias: &str, statement: &T) -> usize
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.on(alias).execute_returning_count(statement).unwrap()
    }
}

fn builder<C: RoutedConnection>(yaml: &str) -> DatabasesBuilder<C> {
    let config = Config::loader()
        .yaml(yaml, "databases.yml")
        .variables(Vec::<(String, String)>::new())
        .load()
        .unwrap_or_else(|error| panic!("{error}"));
    Databases::builder(config)
}
