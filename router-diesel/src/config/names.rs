//! Which databases of a file have a name on their server.

use router_core::Alias;
use rustc_hash::FxHashMap;

use super::model::{Config, Database};
use crate::engine::{Engine, create::Place};

/// The aliases of databases by the names that the databases have on their servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerNames {
    /// By the name as it is written.
    exact: FxHashMap<Engine, FxHashMap<String, Vec<Alias>>>,
    /// By the name in lower case, on engines whose servers may ignore the case of names.
    any_case: FxHashMap<Engine, FxHashMap<String, Vec<Alias>>>,
}

impl ServerNames {
    /// Looks at the URLs of all databases, in file order. A replica is left out, because its primary speaks for it.
    pub(crate) fn of(databases: &[Database]) -> Self {
        let mut names = Self::default();
        for database in databases.iter().filter(|database| !database.is_replica()) {
            let engine = database.url.engine();
            let Place::Server(place) = engine.spec().place(&database.url) else { continue };
            let Some(name) = place.name else { continue };
            if engine.spec().servers_may_ignore_case() {
                let by_name = names.any_case.entry(engine).or_default();
                by_name.entry(name.to_lowercase()).or_default().push(database.alias.clone());
            }
            let by_name = names.exact.entry(engine).or_default();
            by_name.entry(name).or_default().push(database.alias.clone());
        }
        names
    }
}

impl Config {
    /// The databases whose name on their server is this one, in file order.
    ///
    /// A statement can name a table with its database: `blog_8.posts` on MySQL and MariaDB, `blog_8.public.posts` on
    /// PostgreSQL. This tells which of the file's databases that means. The name is the one at the end of the URL, not the
    /// alias.
    ///
    /// - PostgreSQL compares names exactly, so pass a name that was folded as the server folds it.
    /// - MySQL and MariaDB may ignore the case of names, as `lower_case_table_names` says. Databases with exactly this
    ///   name come first. Only where there are none, those whose names differ in case are returned.
    /// - A file of SQLite has no such name. Its connections call it `main`, whichever file it is.
    ///
    /// Replicas are left out: their primary has the same name.
    ///
    /// ```
    /// use router_diesel::config::{Config, Engine};
    ///
    /// let config = Config::from_yaml("
    /// databases:
    ///   default: { url: 'mysql://u@h/shop' }
    ///   blog_db: { url: 'mysql://u@h/blog_8' }
    /// ")?;
    /// assert_eq!(config.named(Engine::Mysql, "blog_8"), ["blog_db"]);
    /// # Ok::<(), router_diesel::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn named(&self, engine: Engine, name: &str) -> &[Alias] {
        let exact = self.server_names.exact.get(&engine).and_then(|names| names.get(name));
        // Only engines that may ignore case have an entry, so that the others pay nothing.
        let any_case = || self.server_names.any_case.get(&engine)?.get(&name.to_lowercase());
        exact.or_else(any_case).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_servers_as_data() {
        let config = Config::from_yaml(
            "
databases:
  default: { url: 'mysql://u@h/shop' }
  copy: { url: 'mysql://u@h/shop', replica_of: default }
  owner: { url: 'mysql://owner@h/shop' }
  upper: { url: 'mariadb://u@h/SHOP' }
  blog: { url: 'mysql://u@h/Blog' }
  nameless: { url: 'mysql://u@h' }
  pg: { url: 'postgres://u@h/we%22ird' }
  parameter: { url: 'postgres://u@h/other?dbname=stats' }
  pg_parts: { engine: postgres, host: h, user: u, name: Sales }
  user: { url: 'postgres://billing@h' }
  file: { url: 'sqlite://db/shop' }
  memory: { url: ':memory:' }
",
        )
        .unwrap();
        for (engine, name, expected) in [
            (Engine::Mysql, "shop", &["default", "owner"][..]),
            (Engine::Mysql, "SHOP", &["upper"]),
            (Engine::Mysql, "Shop", &["default", "owner", "upper"]),
            (Engine::Mysql, "blog", &["blog"]),
            (Engine::Mysql, "Blog", &["blog"]),
            (Engine::Mysql, "", &[]),
            (Engine::Mysql, "Sales", &[]),
            (Engine::Postgres, "we\"ird", &["pg"]),
            (Engine::Postgres, "stats", &["parameter"]),
            (Engine::Postgres, "other", &[]),
            (Engine::Postgres, "Sales", &["pg_parts"]),
            (Engine::Postgres, "sales", &[]),
            (Engine::Postgres, "billing", &["user"]),
            (Engine::Postgres, "shop", &[]),
            (Engine::Sqlite, "shop", &[]),
            (Engine::Sqlite, "main", &[]),
        ] {
            assert_eq!(config.named(engine, name), expected, "{engine} {name:?}");
        }
    }
}
