//! The project of three databases: `default` for users, `blog_db` whose records are kept on `default` and whose
//! migrations run by the name of its owner, `shop_db` by itself.

use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use router_diesel::config::Config;
use router_diesel::migrate::{Migrator, Status};
use router_diesel::pool::Checkout;
use router_diesel::{Databases, DatabasesBuilder, RoutedConnection};
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

pub(crate) struct World<C: RoutedConnection> {
    pub(crate) databases: Databases<C>,
    pub(crate) yaml: String,
    pub(crate) engine: Engine,
    folder: TempDir,
    _sqlite: Sqlite,
    servers: Vec<TestDatabase>,
}

impl<C: RoutedConnection> World<C> {
    /// Starts what the engine needs; `None` where a server is not installed. `extra` is YAML for more databases, in
    /// which `MAIN`, `BLOG` and `SHOP` stand for the URLs.
    pub(crate) fn start(engine: Engine, extra: &str) -> Option<Self> {
        let sqlite = require(Sqlite::start())?;
        let mut servers = Vec::new();
        for name in ["main", "blog", "shop"] {
            let database = match engine {
                Engine::Sqlite => sqlite.database(name),
                Engine::Postgres => require(Postgres::shared())?.database(name),
                Engine::MariaDb => require(MariaDb::shared())?.database(name),
            };
            servers.push(database.expect("a database can be made"));
        }
        let folder = tempfile::tempdir().unwrap();
        for app in ["users", "blog", "shop"] {
            fs::create_dir(folder.path().join(app)).unwrap();
        }
        let [main, blog, shop] = [0, 1, 2].map(|index: usize| servers[index].url().to_owned());
        let extra = extra.replace("MAIN", &main).replace("BLOG", &blog).replace("SHOP", &shop);
        let migrations = folder.path().display();
        let yaml = format!(
            "apps:
  users: {{ tables: [users], migrations: '{migrations}/users' }}
  blog: {{ tables: [posts, comments, tags], migrations: '{migrations}/blog' }}
  shop: {{ tables: [products, prices, broken], migrations: '{migrations}/shop' }}
  legacy: {{ tables: [customers], migrations: '{migrations}/legacy', managed: false }}
databases:
  default: {{ url: '{main}', apps: [users] }}
  blog_db: {{ url: '{blog}', apps: [blog], migrate_to: blog_admin, migration_history: default }}
  blog_admin: {{ url: '{blog}' }}
  shop_db: {{ url: '{shop}', apps: [shop, legacy] }}
{extra}"
        );
        let databases = builder(&yaml).build().unwrap();
        Some(Self { databases, yaml, engine, folder, _sqlite: sqlite, servers })
    }

    /// The same databases by another file or with routers.
    pub(crate) fn rebuilt(
        &self,
        change: impl FnOnce(DatabasesBuilder<C>) -> DatabasesBuilder<C>,
    ) -> Databases<C> {
        change(builder(&self.yaml)).build().unwrap()
    }

    /// The same file with something put in another's place.
    pub(crate) fn with(&self, from: &str, to: &str) -> Databases<C> {
        assert!(self.yaml.contains(from), "{from} is in\n{}", self.yaml);
        builder(&self.yaml.replace(from, to)).build().unwrap()
    }

    pub(crate) fn migrator(&self) -> Migrator<C> {
        self.databases.migrator()
    }

    /// Writes a file of a migration.
    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn remove(&self, file: &str) {
        let path = self.path(file);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    /// A migration that makes one table, and takes it away again.
    pub(crate) fn table(&self, folder: &str, table: &str) {
        self.write(&format!("{folder}/up.sql"), &format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY);\n"));
        self.write(&format!("{folder}/down.sql"), &format!("DROP TABLE {table};\n"));
    }

    /// The project of the guide: two migrations for each app, whose versions interleave.
    pub(crate) fn project(&self) {
        self.table("users/20240101000000_users", "users");
        self.table("blog/20240102000000_posts", "posts");
        self.table("shop/20240102000000_products", "products");
        self.table("blog/20240104000000_comments", "comments");
        self.table("shop/20240103000000_prices", "prices");
        self.table("legacy/20240101000000_customers", "customers");
    }

    pub(crate) fn on(&self, alias: &str) -> Checkout<C> {
        self.databases.pool(alias).unwrap().get().unwrap()
    }

    pub(crate) fn execute(&self, alias: &str, sql: &str) {
        self.on(alias).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The first column, called `value`, of a query past all routing.
    pub(crate) fn texts(&self, alias: &str, sql: &str) -> Vec<String> {
        let database = self.databases.config().database(alias).unwrap();
        let access = router_diesel::backend::Access::ReadWrite;
        let mut conn = C::open(&database.url, &database.pool.connect(access)).unwrap().conn;
        conn.texts(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).into_iter().flatten().collect()
    }

    /// The tables of one database, sorted.
    pub(crate) fn tables(&self, alias: &str) -> String {
        let sql = match self.engine {
            Engine::Sqlite => "SELECT name AS value FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Engine::Postgres => {
                "SELECT tablename::text AS value FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            }
            Engine::MariaDb => {
                "SELECT table_name AS value FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"
            }
        };
        // Servers sort by rules of their own.
        let mut tables = self.texts(alias, sql);
        tables.sort();
        tables.join(" ")
    }

    /// The records on one database: `database app version state`, sorted.
    pub(crate) fn records(&self, alias: &str) -> Vec<String> {
        let sql = match self.engine {
            Engine::MariaDb => {
                "SELECT CONCAT_WS(' ', `database`, app, version, state) AS value FROM __dbrouter_migrations ORDER BY 1"
            }
            Engine::Sqlite | Engine::Postgres => {
                "SELECT \"database\" || ' ' || app || ' ' || version || ' ' || state AS value \
                 FROM __dbrouter_migrations ORDER BY 1"
            }
        };
        self.texts(alias, sql)
    }

    /// What each database would show of itself if anything had been written to it.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut dump = Vec::new();
        for (database, alias) in self.servers.iter().zip(["default", "blog_db", "shop_db"]) {
            if self.engine == Engine::Sqlite {
                let path = database.url().trim_start_matches("sqlite://");
                dump.push(match fs::read(path) {
                    Ok(bytes) => format!("{bytes:?}"),
                    Err(_) => "no file".to_owned(),
                });
                let folder = Path::new(path).parent().unwrap();
                let mut files: Vec<_> =
                    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                files.sort();
                dump.push(format!("{files:?}"));
                continue;
            }
            let sql = match self.engine {
                Engine::Postgres => {
                    "SELECT c.oid::text || ' ' || c.relname || ' ' || c.relfilenode::text || ' ' || c.xmin::text AS value \
                     FROM pg_class c ORDER BY c.oid"
                }
                _ => {
                    "SELECT CONCAT_WS(' ', table_name, create_time, update_time, table_rows) AS value \
                     FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"
                }
            };
            dump.extend(self.texts(alias, sql));
            for table in self.tables(alias).split_whitespace().filter(|table| table.starts_with("__")) {
                let count = format!("SELECT CAST(COUNT(*) AS CHAR(9)) AS value FROM {table}");
                dump.extend(self.texts(alias, &count));
            }
        }
        dump
    }
}

/// `database: app/version state, …` for each database.
pub(crate) fn told(status: &Status) -> Vec<String> {
    status
        .databases
        .iter()
        .map(|database| {
            let migrations: Vec<_> = database
                .migrations
                .iter()
                .map(|status| format!("{} {}", status.migration, status.state))
                .collect();
            let failure = database.failure.as_ref().map(|failure| format!("{:?}", failure.kind));
            format!("{}: {}{}", database.database, migrations.join(", "), failure.unwrap_or_default())
        })
        .collect()
}

fn builder<C: RoutedConnection>(yaml: &str) -> DatabasesBuilder<C> {
    let config = Config::loader()
        .yaml(yaml, "databases.yml")
        .variables(Vec::<(String, String)>::new())
        .load()
        .unwrap_or_else(|error| panic!("{error}"));
    Databases::builder(config)
}
