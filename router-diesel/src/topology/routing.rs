//! The rules and routers of one file.
//!
//! [`Routing`] holds one file's rules and the project's own routers. It opens nothing, so a program can ask
//! it where a statement would go without a server.

use std::sync::Arc;

use router_core::{
    Alias, AppLabel, Hints, MissingHint, Model, Operation, Router, RouterChain, RuleError, RuleRouter,
};
use rustc_hash::FxHashMap;

use super::ids::DatabaseId;
use crate::config::{Config, Database, Engine, TableMap};
use crate::statement::{Classifier, Dialect};
use crate::text::nearest;

/// The rules of one file and the routers of a project: all that is needed to say where a statement goes.
///
/// ```
/// use router_diesel::{Routing, config::Config};
/// use router_diesel::statement::Dialect;
///
/// let config = Config::loader()
///     .yaml("
/// apps: { blog: { tables: [posts] } }
/// databases:
///   default: { url: 'sqlite://default.sqlite3' }
///   blog_db: { url: 'sqlite://blog.sqlite3', apps: [blog] }
/// ", "databases.yml")
///     .load()?;
/// let explanation = Routing::new(config)?.explain_sql("SELECT * FROM posts", Dialect::Sqlite);
/// assert_eq!(explanation.alias().unwrap(), "blog_db");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Routing {
    pub(crate) config: Config,
    pub(crate) chain: RouterChain,
    pub(crate) rules: Arc<RuleRouter>,
    pub(crate) tables: TableMap,
    pub(crate) functions: TableMap,
    databases: FxHashMap<Alias, DatabaseId>,
    pub(crate) default: DatabaseId,
    /// Whether the rules are all there is, so that what they say of a table is always the same.
    pub(crate) rules_alone: bool,
    /// Whether the file has more than one database, not counting replicas and other names of the same one.
    pub(crate) has_several: bool,
    /// Whether one of the databases is on a server, so that its connection may be lost.
    pub(crate) has_servers: bool,
}

impl Routing {
    /// Asks the routers first, then the rules of the file.
    ///
    /// Where nobody decides, the file's default database counts, whatever the chain's own default is.
    ///
    /// # Errors
    /// Everything that is wrong with the rules. A [`Config`] that was loaded has been through the same judge, so this
    /// fails only if the program built or changed it.
    pub(crate) fn compile(config: Config, routers: RouterChain) -> Result<Self, Vec<RuleError>> {
        let rules = Arc::new(config.rules()?);
        let databases: FxHashMap<Alias, DatabaseId> = config
            .databases
            .iter()
            .enumerate()
            .map(|(index, database)| (database.alias.clone(), DatabaseId::new(index)))
            .collect();
        let default = databases.get(&config.default).copied().unwrap_or(DatabaseId::new(0));
        let rules_alone = routers.names().len() == 0;
        let routers = if *routers.default_alias() == config.default {
            routers
        } else {
            RouterChain::new(config.default.clone()).with_named("routers", routers)
        };
        let chain = routers.with_named("rules", Arc::clone(&rules)).with_aliases(databases.keys().cloned());
        let has_several = config.has_several_databases();
        let has_servers = config.databases.iter().any(|database| database.url.engine().spec().has_servers());
        let (tables, functions) = (config.table_map(), config.function_map());
        Ok(Self {
            tables,
            functions,
            config,
            chain,
            rules,
            databases,
            default,
            rules_alone,
            has_several,
            has_servers,
        })
    }

    /// The file's checked model.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every router in the order in which it is asked; the file's rules are the last.
    #[must_use]
    pub fn chain(&self) -> &RouterChain {
        &self.chain
    }

    /// The rules of the file.
    #[must_use]
    pub fn rules(&self) -> &RuleRouter {
        &self.rules
    }

    /// Where the file's apps are read, written and migrated, in file order. No session asks, so no router is given a hint.
    ///
    /// A side is `None` where the answer is a database that may not be asked for it, or where a router needs a hint to
    /// answer.
    #[must_use]
    pub fn routes(&self) -> Vec<AppRoute> {
        self.config.apps.iter().map(|app| self.app_route(&app.label)).collect()
    }

    fn app_route(&self, app: &AppLabel) -> AppRoute {
        let model = Model::app(app.as_str());
        let side = |operation| {
            let decision = self.chain.route(operation, &model, &Hints::default());
            let missing = decision.missing_hint().cloned();
            let alias = decision.into_alias();
            let database = self.config.database(alias.as_str());
            let alias = database.is_some_and(|it| it.restriction(operation).is_none()).then_some(alias);
            (alias, missing)
        };
        let is_migrated = |database: &&Database| {
            database.replica_of.is_none()
                && database.migrate
                && database.operations.contains(Operation::Migrate)
                && self.chain.migration_allowed(&database.alias, &model, &Hints::default())
        };
        let (read, read_needs) = side(Operation::Read);
        let (write, write_needs) = side(Operation::Write);
        let migrate = self.config.databases.iter().filter(is_migrated).map(|database| database.alias.clone());
        AppRoute { app: app.clone(), read, write, migrate: migrate.collect(), read_needs, write_needs }
    }

    /// The hint without which nobody can say where an app is written, if a router needs one, and if no router and no rule
    /// says that the app is migrated on this database. Its migrations then run on the default database, which may well be
    /// none of those that are written.
    pub(crate) fn migrated_by_default(&self, database: &Alias, model: &Model<'_>) -> Option<MissingHint> {
        let nothing = Hints::default();
        let is_said = self.chain.allow_migrate(database, model, &nothing).is_some();
        let decision = (!is_said).then(|| self.chain.route(Operation::Write, model, &nothing))?;
        decision.missing_hint().cloned()
    }

    pub(crate) fn classifier(&self, dialect: Dialect) -> Classifier {
        Classifier::new(dialect)
            .with_write_functions(&self.config.write_functions)
            .with_state_functions(&self.config.state_functions)
            .with_read_functions(&self.config.read_functions)
    }

    /// The engines of the file's databases, each once.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let mut engines = Vec::new();
        for database in &self.config.databases {
            let engine = database.url.engine();
            if !engines.contains(&engine) {
                engines.push(engine);
            }
        }
        engines
    }

    /// The database of a name.
    pub(crate) fn id(&self, alias: &str) -> Option<DatabaseId> {
        self.databases.get(alias).copied()
    }

    pub(crate) fn alias(&self, database: DatabaseId) -> &Alias {
        &self.declared(database).alias
    }

    /// A database as the file declares it.
    pub(crate) fn declared(&self, database: DatabaseId) -> &Database {
        &self.config.databases[database.index()]
    }

    /// The name that was probably meant.
    pub(crate) fn nearest(&self, alias: &str) -> Option<Alias> {
        nearest(alias, self.config.databases.iter().map(|database| database.alias.as_str())).map(Alias::from)
    }
}

/// Where one app is read, written and migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppRoute {
    /// The app.
    pub app: AppLabel,
    /// The database that its reads go to; `None` where that database may not be read, or where a router needs a hint.
    pub read: Option<Alias>,
    /// The database that its writes go to; `None` where that database may not be written to, or where a router needs a
    /// hint.
    pub write: Option<Alias>,
    /// Every database where its migrations would run, in file order.
    pub migrate: Vec<Alias>,
    /// The hint that a router needs to say where the app is read.
    pub read_needs: Option<MissingHint>,
    /// The hint that a router needs to say where the app is written.
    pub write_needs: Option<MissingHint>,
}
