//! Every database of one file: its routing, its pools, and the sessions over them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use once_cell::sync::OnceCell;
use router_core::{Alias, Operation, Router, RouterChain, RouterName};

use crate::cluster::{Balance, ClusterStatus, Token, TokenKeys};
use crate::config::{Config, Offline};
use crate::decision::ClusterError;
use crate::decision::{Circumstances, Explanation, Prepared};
use crate::engine::RoutedConnection;
use crate::engine::position::Position;
use crate::error::{Error, ErrorKind};
use crate::migrate::Migrator;
use crate::session::Session;
use crate::statement::cache::StatementCache;
use crate::statement::{Classifier, Dialect};
use crate::topology::Routing;
use crate::topology::health::Event;
use crate::topology::pool::{self, Checkout, Isolation, Manager, Patience, Pool, Vitals};
use crate::topology::{Cluster, Clusters, Failure, Fallback, Member, Monitor, PRIMARY, Policies, Skipped};

/// Every database of one configuration file, with pools that are built at first use.
///
/// To clone it is cheap and gives the same databases: make it once, at start, and hand it around.
///
/// ```no_run
/// use diesel::prelude::*;
/// use router_diesel::Databases;
///
/// diesel::table! { posts { id -> Integer, title -> Text } }
///
/// let databases = Databases::<SqliteConnection>::from_file("config/databases.yml")?;
/// let mut conn = databases.session();
/// let titles = posts::table.select(posts::title).load::<String>(&mut conn)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Databases<C: RoutedConnection> {
    inner: Arc<Inner<C>>,
}

struct Inner<C: RoutedConnection> {
    routing: Routing,
    pools: Vec<OnceCell<(Pool<C>, Manager<C>)>>,
    vitals: Vec<Arc<Vitals>>,
    clusters: Clusters,
    monitor: OnceCell<Monitor>,
    statements: StatementCache<Prepared>,
    classifiers: Vec<Classifier>,
    isolation: Isolation,
    only: Option<Vec<usize>>,
    token_keys: Option<TokenKeys>,
}

impl<C: RoutedConnection> Clone for Databases<C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<C: RoutedConnection> fmt::Debug for Databases<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases")
            .field("aliases", &self.aliases().collect::<Vec<_>>())
            .field("statements", &self.inner.statements)
            .finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> Databases<C> {
    /// Reads and checks a file, and routes by its rules. No connection is opened.
    ///
    /// # Errors
    /// Every problem of the file at once, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(Config::from_file(path)?).build()
    }

    /// Starts from a checked configuration, to add routers or the settings of tests.
    pub fn builder(config: Config) -> DatabasesBuilder<C> {
        DatabasesBuilder {
            routers: RouterChain::new(config.default.clone()),
            config,
            isolation: Isolation::None,
            only: None,
            policies: Policies::default(),
            token_keys: None,
            connection: std::marker::PhantomData,
        }
    }

    /// Opens a session: a `diesel::Connection` that routes each statement by itself.
    ///
    /// One session serves one request or one job. It checks out nothing until its first statement.
    #[must_use]
    pub fn session(&self) -> Session<C> {
        Session::new(self.clone())
    }

    /// Opens a session that shows no less than the session did whose [`token`](Session::token) this is.
    ///
    /// Until a replica has all of it, reads wait for up to `wait_for_replica`, then go to the primary. So they do
    /// where the token is of another timeline or server than the cluster is now.
    ///
    /// # Errors
    /// The text is no token of these databases: cut off, made up, or signed with another key. Where a fresh answer
    /// matters more than that, go on with [`session_on_primaries`](Self::session_on_primaries).
    pub fn session_after(&self, token: impl AsRef<str>) -> Result<Session<C>, Error> {
        let token =
            Token::decode(token.as_ref(), self.inner.token_keys.as_ref()).map_err(ClusterError::from)?;
        Ok(Session::after(self.clone(), &token))
    }

    pub(crate) fn encode(&self, token: &Token) -> String {
        token.encode(self.inner.token_keys.as_ref())
    }

    /// How a primary and its replicas stand, and how often reads fell back. Nothing is asked: it is what is known
    /// since [`watch_clusters`](Self::watch_clusters) or the first read.
    ///
    /// # Errors
    /// No database has that name, or it has no replica.
    pub fn cluster(&self, primary: impl AsRef<str>) -> Result<ClusterStatus, Error> {
        let database = self.inner.routing.find(primary.as_ref())?;
        match self.clusters().member(database) {
            Some(member) => Ok(self.clusters().get(member.cluster).status()),
            None => Err(ClusterError::NoCluster { alias: Alias::new(primary.as_ref()) }.into()),
        }
    }

    /// Takes a node of a cluster out of use: reads that it served go to another, at their next statement outside of
    /// a transaction. Writes go to a primary all the same.
    ///
    /// # Errors
    /// No database has that name, or it is in no cluster.
    pub fn drain(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        self.tell(alias.as_ref(), Event::Drain)
    }

    /// Gives a node back that was drained.
    ///
    /// # Errors
    /// No database has that name, or it is in no cluster.
    pub fn undrain(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        self.tell(alias.as_ref(), Event::Undrain)
    }

    fn tell(&self, alias: &str, event: Event<Position>) -> Result<(), Error> {
        let database = self.inner.routing.find(alias)?;
        let Some(member) = self.clusters().member(database) else {
            return Err(ClusterError::NoCluster { alias: Alias::new(alias) }.into());
        };
        self.clusters().get(member.cluster).tell(member.node, event);
        Ok(())
    }

    /// Opens a session that reads where it writes, as in a [`Scope::writing`](crate::Scope::writing): from the
    /// primaries. For whom [`session_after`](Self::session_after) refuses a token.
    #[must_use]
    pub fn session_on_primaries(&self) -> Session<C> {
        Session::on_primaries(self.clone())
    }

    /// The pool of one database, configured from the file: `diesel::r2d2::Pool` itself.
    ///
    /// Its `get` waits as r2d2 has it: a whole `connection_timeout` for a server that is down.
    /// [`connection`](Self::connection) fails at once there, and names the database.
    ///
    /// # Errors
    /// No database has that name, or the connections have no support for its engine.
    pub fn pool(&self, alias: impl AsRef<str>) -> Result<Pool<C>, Error> {
        let database = self.inner.routing.find(alias.as_ref())?;
        Ok(self.pool_at(database)?.0.clone())
    }

    /// Checks out a connection to one database by its name.
    ///
    /// # Errors
    /// No database has that name, or it has no connection to give.
    pub fn connection(&self, alias: impl AsRef<str>) -> Result<Checkout<C>, Error> {
        self.check_out(self.inner.routing.find(alias.as_ref())?)
    }

    /// Checks out a connection to the database where the tables of a query are read. What the query itself
    /// would do does not matter, unless it locks rows or writes.
    ///
    /// Where the database has replicas, it is a connection to the one that is next. Such a connection knows nothing
    /// of what was written elsewhere: a [`session`](Self::session) does.
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { posts { id -> Integer } }
    /// # fn demo(databases: &router_diesel::Databases<SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut conn = databases.read(posts::table)?;
    /// let count = posts::table.count().get_result::<i64>(&mut conn)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The query has no single database, that database may not be read, or it has no connection to give.
    pub fn read<Q>(&self, query: Q) -> Result<Checkout<C>, Error>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
    {
        self.check_out_for(&query.as_query(), Operation::Read)
    }

    /// Checks out a connection to the database where the tables of a query are written.
    ///
    /// # Errors
    /// The query has no single database, that database may not be written to, or it has no connection to
    /// give.
    pub fn write<Q>(&self, query: Q) -> Result<Checkout<C>, Error>
    where
        Q: AsQuery,
        Q::Query: QueryFragment<C::Backend> + QueryId,
    {
        self.check_out_for(&query.as_query(), Operation::Write)
    }

    /// Says where a query would go and why, with what each router answered, as a new session would send it.
    /// Nothing is run.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    pub fn explain<T>(&self, query: &T) -> QueryResult<Explanation>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.session().explain(query)
    }

    /// Runs the migrations of these databases, and tells where they stand.
    ///
    /// ```no_run
    /// # fn demo(databases: &router_diesel::Databases<diesel::SqliteConnection>) -> Result<(), Box<dyn std::error::Error>> {
    /// databases.migrator().migrate()?;
    /// # Ok(()) }
    /// ```
    pub fn migrator(&self) -> Migrator<C> {
        Migrator::new(self.clone())
    }

    /// The rules and routers, to ask without a query.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        &self.inner.routing
    }

    /// The checked configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.inner.routing.config()
    }

    /// The names of all databases, in file order.
    pub fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.config().databases.iter().map(|database| &database.alias)
    }

    /// Opens a connection to one database, or takes a free one, and asks the server whether it works.
    ///
    /// # Errors
    /// No database has that name, or it cannot be reached.
    pub fn ping(&self, alias: impl AsRef<str>) -> Result<(), Error> {
        let mut conn = self.connection(alias)?;
        Ok(diesel::r2d2::R2D2Connection::ping(&mut *conn)?)
    }

    fn check_out_for<T>(&self, query: &T, operation: Operation) -> Result<Checkout<C>, Error>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let prepared = self.prepare(query)?;
        // A query that locks rows is a write however it was asked for.
        let operation = operation.max(prepared.statement.operation());
        let circumstances = Circumstances { only: self.only(), ..Circumstances::default() };
        let database = self.inner.routing.route(&prepared, operation, circumstances)?;
        if prepared.may_be_read_from_replicas()
            && operation == Operation::Read
            && self.base_depth() == 0
            && let Some(Member { cluster, node: PRIMARY }) = self.clusters().member(database)
        {
            return self.check_out_of(self.clusters().get(cluster));
        }
        self.check_out(database)
    }

    /// Checks out a connection to the node that serves the next read of a cluster.
    fn check_out_of(&self, cluster: &Cluster) -> Result<Checkout<C>, Error> {
        self.watch_clusters();
        let mut skipped = Skipped::default();
        // Nobody waits for a busy node while another may serve.
        let mut busy = None;
        while let Some(node) = cluster.pick(&cluster.view(), &skipped) {
            let error = match self.check_out_with(cluster.database(node), Patience::Pass) {
                Ok(checkout) => return Ok(checkout),
                Err(error) => diesel::result::Error::from(error),
            };
            let Some(failure) = Failure::of(&error) else {
                return Err(error.into());
            };
            if failure == Failure::Busy {
                busy = busy.or(Some(node));
            }
            skipped.push(node, cluster.passes_over(node, failure, &error));
        }
        if let Some(why) = cluster.why_not_primary() {
            return match busy {
                Some(node) => self.check_out(cluster.database(node)),
                None => Err(ClusterError::no_node(cluster, &skipped, why).into()),
            };
        }
        cluster.count(Fallback::NoReplica);
        self.check_out(cluster.database(PRIMARY)).map_err(|error| match error.kind() {
            ErrorKind::Unreachable | ErrorKind::Exhausted => {
                ClusterError::no_node(cluster, &skipped, error.to_string()).into()
            }
            _ => error,
        })
    }

    /// What is known of a query: found by its id, else by its text, else learnt now.
    pub(crate) fn prepare<T>(&self, query: &T) -> QueryResult<Arc<Prepared>>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let Some(id) = T::query_id() else {
            return Ok(self.prepare_text(&C::render(query)?));
        };
        if let Some(prepared) = self.inner.statements.by_id(id) {
            return Ok(prepared);
        }
        let prepared = Arc::new(self.inner.routing.prepare(&C::render(query)?, &self.inner.classifiers));
        self.inner.statements.insert_id(id, &prepared);
        Ok(prepared)
    }

    pub(crate) fn prepare_text(&self, sql: &str) -> Arc<Prepared> {
        if let Some(prepared) = self.inner.statements.by_text(sql) {
            return prepared;
        }
        let prepared = Arc::new(self.inner.routing.prepare(sql, &self.inner.classifiers));
        self.inner.statements.insert_text(sql, &prepared);
        prepared
    }

    /// How deep in transactions a connection is when it is checked out.
    pub(crate) fn base_depth(&self) -> u32 {
        match self.inner.isolation {
            Isolation::None => 0,
            Isolation::TestTransaction => 1,
        }
    }

    pub(crate) fn only(&self) -> Option<&[usize]> {
        self.inner.only.as_deref()
    }

    pub(crate) fn clusters(&self) -> &Clusters {
        &self.inner.clusters
    }

    /// Starts to look after the nodes of all clusters, on a thread of its own, if nobody does yet.
    ///
    /// The first read from a cluster does that too. To do it at the start has the replicas known by then, which those
    /// with a `max_lag` need before they serve.
    ///
    /// Drop the last of the databases before the process ends: that waits for the questions under way, each for no
    /// longer than its `timeout`. OpenSSL may crash a process that ends while it connects.
    pub fn watch_clusters(&self) {
        if self.clusters().iter().len() == 0 {
            return;
        }
        self.inner.monitor.get_or_init(|| Monitor::start::<C>(&self.inner.clusters, self.config()));
    }

    fn check_out(&self, database: usize) -> Result<Checkout<C>, Error> {
        self.check_out_with(database, Patience::Wait)
    }

    pub(crate) fn check_out_with(&self, database: usize, patience: Patience) -> Result<Checkout<C>, Error> {
        let declared = &self.config().databases[database];
        if declared.offline == Some(Offline::Primary) {
            return Err(ClusterError::Offline { alias: declared.alias.clone() }.into());
        }
        let (pool, manager) = self.pool_at(database)?;
        Ok(pool::check_out(pool, manager, patience)?)
    }

    fn pool_at(&self, database: usize) -> Result<&(Pool<C>, Manager<C>), Error> {
        self.inner.pools[database]
            .get_or_try_init(|| {
                let vitals = Arc::clone(&self.inner.vitals[database]);
                pool::build(&self.config().databases[database], self.inner.isolation, vitals)
            })
            .map_err(Error::from)
    }
}

/// Adds routers, or what tests need, to the databases of a configuration.
#[must_use = "nothing is built before `build`"]
pub struct DatabasesBuilder<C> {
    config: Config,
    routers: RouterChain,
    isolation: Isolation,
    only: Option<Vec<String>>,
    policies: Policies,
    token_keys: Option<TokenKeys>,
    connection: std::marker::PhantomData<fn() -> C>,
}

impl<C> fmt::Debug for DatabasesBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabasesBuilder").field("routers", &self.routers).finish_non_exhaustive()
    }
}

impl<C: RoutedConnection> DatabasesBuilder<C> {
    /// Adds a router of your own. Routers are asked in the order in which they were added, and the rules of
    /// the file after all of them.
    pub fn router(mut self, router: impl Router + 'static) -> Self {
        self.routers = self.routers.with(router);
        self
    }

    /// Adds a router under a name for explanations and errors to use; by default that is its type's name.
    pub fn named_router(mut self, name: impl Into<RouterName>, router: impl Router + 'static) -> Self {
        self.routers = self.routers.with_named(name, router);
        self
    }

    /// Puts a whole chain in place of the routers added so far; the rules of the file still come last.
    pub fn routers(mut self, routers: RouterChain) -> Self {
        self.routers = routers;
        self
    }

    /// For tests: gives every database one connection, in a transaction that is never committed.
    ///
    /// All sessions of these databases see what the others wrote, and nothing is left when they are dropped.
    pub fn test_transactions(mut self) -> Self {
        self.isolation = Isolation::TestTransaction;
        self
    }

    /// For tests: a statement for any other database fails and names it.
    pub fn only<I>(mut self, aliases: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.only = Some(aliases.into_iter().map(Into::into).collect());
        self
    }

    /// Has reads choose among the replicas of a primary by a policy of your own, instead of the file's `policy`.
    ///
    /// # Errors
    /// [`build`](Self::build) says so if no database has that name, or it has no replica.
    pub fn balance(mut self, primary: impl Into<Alias>, policy: impl Balance + 'static) -> Self {
        self.policies.insert(primary.into(), Arc::new(policy));
        self
    }

    /// Signs the tokens of sessions, and takes only those that were signed: for tokens that pass through the hands
    /// of users.
    pub fn token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }

    /// Builds the databases. No connection is opened.
    ///
    /// # Errors
    /// A name given to [`only`](Self::only) is no database's, or the rules contradict each other.
    pub fn build(self) -> Result<Databases<C>, Error> {
        let routing = Routing::with_routers(self.config, self.routers)?;
        let only = match self.only {
            Some(aliases) => {
                Some(aliases.iter().map(|alias| routing.find(alias)).collect::<Result<Vec<_>, _>>()?)
            }
            None => None,
        };
        for primary in self.policies.keys() {
            routing.find(primary.as_str())?;
            if routing.config().replicas_of(primary.as_str()).next().is_none() {
                return Err(ClusterError::NoCluster { alias: primary.clone() }.into());
            }
        }
        let mut dialects = vec![Dialect::from(C::renders_for())];
        for engine in routing.engines() {
            let dialect = Dialect::from(engine);
            if C::supports(engine) && !dialects.contains(&dialect) {
                dialects.push(dialect);
            }
        }
        let classifiers = dialects.into_iter().map(|dialect| routing.classifier(dialect)).collect();
        let databases = &routing.config().databases;
        let pools = databases.iter().map(|_| OnceCell::new()).collect();
        let vitals: Vec<Arc<Vitals>> = databases.iter().map(|_| Arc::default()).collect();
        let clusters = Clusters::new(routing.config(), &vitals, &self.policies);
        Ok(Databases {
            inner: Arc::new(Inner {
                routing,
                pools,
                vitals,
                clusters,
                monitor: OnceCell::new(),
                statements: StatementCache::new(),
                classifiers,
                isolation: self.isolation,
                only,
                token_keys: self.token_keys,
            }),
        })
    }
}
