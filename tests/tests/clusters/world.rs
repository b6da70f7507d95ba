//! A primary with replicas on an engine, a table on it, and the databases of a file over them.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use router_diesel::cluster::{NodeStatus, Standing};
use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases, DatabasesBuilder, Error, ErrorKind, Session};
use router_tests::mariadb::MariaDbCluster;
use router_tests::postgres::PostgresCluster;
use router_tests::{ClusterDatabase, HarnessError, Mark, Stop, require};

pub(crate) type Conn = AnyConnection;

diesel::table! { posts { id -> Integer, title -> Text } }

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    MariaDb,
}

/// The nodes by their numbers in marks and logs.
pub(crate) const PRIMARY: usize = 0;

/// How long a test waits for what is to happen. A busy machine may take many times as long as an idle one.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) enum Servers {
    Postgres(PostgresCluster),
    MariaDb(MariaDbCluster),
}

/// Calls the same method of whichever cluster there is.
macro_rules! servers {
    ($servers:expr, $cluster:ident => $call:expr) => {
        match $servers {
            Servers::Postgres($cluster) => $call,
            Servers::MariaDb($cluster) => $call,
        }
    };
}

/// A cluster with the empty table `posts`.
pub(crate) struct World {
    // Dropped before its servers.
    pub(crate) database: ClusterDatabase,
    pub(crate) servers: Servers,
}

impl World {
    /// `None` where the server is not installed.
    pub(crate) fn start(engine: Engine, replicas: usize) -> Option<Self> {
        let servers = match engine {
            Engine::Postgres => Servers::Postgres(require(PostgresCluster::start(replicas))?),
            Engine::MariaDb => Servers::MariaDb(require(MariaDbCluster::start(replicas))?),
        };
        Some(Self::over(servers))
    }

    pub(crate) fn over(servers: Servers) -> Self {
        let database = servers!(&servers, it => it.database("blog")).unwrap();
        let world = Self { database, servers };
        world.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL)");
        world.catch_up();
        world
    }

    fn replicas(&self) -> usize {
        servers!(&self.servers, it => it.replicas())
    }

    /// Runs a statement on the primary, past all routing.
    pub(crate) fn execute(&self, sql: &str) {
        execute(self.database.url(), sql);
    }

    /// Writes a row on the primary, past all routing.
    pub(crate) fn write(&self, id: i32) {
        self.execute(&format!("INSERT INTO posts (id, title) VALUES ({id}, 'new')"));
    }

    /// Waits until every replica that runs has all that the primary has.
    pub(crate) fn catch_up(&self) {
        servers!(&self.servers, it => it.wait_until_caught_up()).unwrap();
    }

    pub(crate) fn delay(&self, delay: Duration) {
        for replica in 0..self.replicas() {
            servers!(&self.servers, it => it.set_apply_delay(replica, delay)).unwrap();
        }
    }

    pub(crate) fn pause(&self, replica: usize) {
        servers!(&self.servers, it => it.pause_replay(replica)).unwrap();
    }

    pub(crate) fn resume(&self, replica: usize) {
        servers!(&self.servers, it => it.resume_replay(replica)).unwrap();
    }

    pub(crate) fn promote(&mut self, replica: usize) {
        servers!(&mut self.servers, it => it.promote(replica)).unwrap();
    }

    pub(crate) fn kill_replica(&mut self, replica: usize) {
        servers!(&mut self.servers, it => it.replica_mut(replica).stop(Stop::Kill)).unwrap();
    }

    pub(crate) fn stop_replica(&mut self, replica: usize, stop: Stop) {
        servers!(&mut self.servers, it => it.replica_mut(replica).stop(stop)).unwrap();
    }

    /// Has all nodes speak German from now on, to new connections. False where they have not learnt it, which is said.
    pub(crate) fn speaks_german(&self) -> bool {
        self.speaks("de_DE", "existiert nicht")
    }

    /// The same for another language: `absent` is how it says that a table is not there.
    pub(crate) fn speaks(&self, locale: &str, absent: &str) -> bool {
        let mariadbs = format!("SET GLOBAL lc_messages = '{locale}'");
        let (change, reload, package) = match self.servers {
            Servers::Postgres(_) => {
                ("ALTER SYSTEM SET lc_messages = 'C.UTF-8'", "SELECT pg_reload_conf()", "postgresql")
            }
            Servers::MariaDb(_) => (mariadbs.as_str(), "DO 0", "mariadb-server"),
        };
        let replicas = (0..self.replicas()).map(|replica| self.database.replica_url(replica));
        let speaks = |url: &str| {
            let mut conn = AnyConnection::establish(url).unwrap();
            let error = conn.batch_execute("DELETE FROM nowhere").unwrap_err().to_string();
            error.contains(absent)
        };
        replicas.chain([self.database.url()]).all(|url| {
            execute(url, change);
            execute(url, reload);
            let start = Instant::now();
            while !speaks(url) {
                if start.elapsed() > Duration::from_secs(5) {
                    let missing = HarnessError::Missing { program: "messages in other languages", package };
                    return require(Err::<(), _>(missing)).is_some();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            true
        })
    }

    pub(crate) fn restart_replica(&mut self, replica: usize) {
        servers!(&mut self.servers, it => it.replica_mut(replica).start_again()).unwrap();
    }

    pub(crate) fn kill_primary(&mut self) {
        servers!(&mut self.servers, it => it.primary_mut().stop(Stop::Kill)).unwrap();
    }

    pub(crate) fn restart_primary(&mut self) {
        servers!(&mut self.servers, it => it.primary_mut().start_again()).unwrap();
    }

    pub(crate) fn port(&self, replica: usize) -> u16 {
        servers!(&self.servers, it => it.replica(replica).port())
    }

    fn node_mark(&self, node: usize) -> Result<Mark, HarnessError> {
        servers!(&self.servers, it => match node {
            PRIMARY => it.primary().mark(),
            replica => it.replica(replica - 1).mark(),
        })
    }

    /// Marks this moment in the statement logs of all nodes.
    pub(crate) fn mark(&self) -> Vec<Mark> {
        (0..=self.replicas()).map(|node| self.node_mark(node).unwrap()).collect()
    }

    /// The statements that each node was sent on our database since then: the primary first.
    pub(crate) fn since(&self, marks: &[Mark]) -> Vec<Vec<String>> {
        let of_node = |(node, mark): (usize, &Mark)| {
            let statements = servers!(&self.servers, it => match node {
                PRIMARY => it.primary().statements_since(*mark),
                replica => it.replica(replica - 1).statements_since(*mark),
            });
            let statements = statements.unwrap().into_iter();
            statements.filter(|it| it.database == self.database.name()).map(|it| it.sql).collect()
        };
        marks.iter().enumerate().map(of_node).collect()
    }

    /// How many reads of the table each node has served since then: the primary first.
    pub(crate) fn reads_since(&self, marks: &[Mark]) -> Vec<usize> {
        let is_read = |sql: &&String| sql.starts_with("SELECT") && sql.contains("posts");
        self.since(marks).iter().map(|statements| statements.iter().filter(is_read).count()).collect()
    }

    /// A file with all nodes of the cluster, as they are.
    pub(crate) fn file(&self) -> File {
        let replicas: Vec<_> = (0..self.replicas()).map(|it| self.database.replica_url(it)).collect();
        File::of(self.database.url(), &replicas)
    }
}

/// A file with a cluster `default` of `replica_0`, `replica_1` and so on, which has the app `blog`.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) primary: String,
    pub(crate) replicas: Vec<String>,
    /// Settings of the primary.
    pub(crate) settings: String,
    /// Settings of each replica.
    pub(crate) replica_settings: String,
    /// More databases.
    pub(crate) more: String,
}

/// Nodes that are asked once, at the beginning: the statement logs then have what sessions asked and no more.
pub(crate) const QUIET: &str = "health: { interval: 10m, timeout: 10s }, pool: { validate_after: 10m }";

/// Nodes that are asked often, and soon given another chance. They have time to answer on a busy machine too.
pub(crate) const LIVELY: &str = "health: { interval: 1s, timeout: 1s, ban: 200ms }, \
                                 pool: { connection_timeout: 8s }";

/// The same for nodes that are to hang: they have less time to answer, so that no test waits long.
pub(crate) const HASTY: &str = "health: { interval: 500ms, timeout: 500ms, ban: 200ms }, \
                                pool: { connection_timeout: 8s }";

/// That of [`LIVELY`] and [`HASTY`]: long, so that a check-out that waits for it is told from a machine that is busy.
pub(crate) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(8);

impl File {
    pub(crate) fn of(primary: &str, replicas: &[&str]) -> Self {
        Self {
            primary: primary.to_owned(),
            replicas: replicas.iter().map(|url| (*url).to_owned()).collect(),
            settings: String::new(),
            replica_settings: String::new(),
            more: String::new(),
        }
    }

    pub(crate) fn with(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    pub(crate) fn replicas_with(mut self, settings: &str) -> Self {
        self.replica_settings = settings.to_owned();
        self
    }

    pub(crate) fn yaml(&self) -> String {
        let line = |alias: &str, url: &str, settings: &str| {
            let comma = if settings.is_empty() { "" } else { ", " };
            format!("  {alias}: {{ url: '{url}'{comma}{settings} }}\n")
        };
        let comma = if self.replica_settings.is_empty() { "" } else { ", " };
        let of_default = format!("replica_of: default{comma}{}", self.replica_settings);
        let apps = if self.settings.is_empty() { "apps: [blog]" } else { "apps: [blog], " };
        let mut yaml = "apps: { blog: { tables: [posts] } }\ndatabases:\n".to_owned();
        yaml.push_str(&line("default", &self.primary, &format!("{apps}{}", self.settings)));
        for (number, url) in self.replicas.iter().enumerate() {
            yaml.push_str(&line(&format!("replica_{number}"), url, &of_default));
        }
        yaml.push_str(&self.more);
        yaml
    }

    pub(crate) fn builder(&self) -> DatabasesBuilder<Conn> {
        let config = Config::loader()
            .yaml(self.yaml(), "databases.yml")
            .variables(Vec::<(String, String)>::new())
            .load()
            .unwrap_or_else(|error| panic!("{error}\n{}", self.yaml()));
        Databases::builder(config)
    }

    pub(crate) fn build(&self) -> Databases<Conn> {
        self.builder().build().unwrap()
    }
}

/// Runs a statement at a URL, past all routing.
pub(crate) fn execute(url: &str, sql: &str) {
    let mut conn = AnyConnection::establish(url).unwrap();
    conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub(crate) fn insert(conn: &mut Session<Conn>, id: i32) -> QueryResult<usize> {
    diesel::insert_into(posts::table).values((posts::id.eq(id), posts::title.eq("new"))).execute(conn)
}

pub(crate) fn count(conn: &mut Session<Conn>) -> QueryResult<i64> {
    posts::table.count().get_result(conn)
}

/// Where a session would read now, in words.
pub(crate) fn explained(conn: &Session<Conn>) -> String {
    conn.explain(&posts::table.count()).unwrap().to_string()
}

/// The router's kind of an error of Diesel's.
pub(crate) fn kind(error: &diesel::result::Error) -> Option<ErrorKind> {
    Error::from_diesel(error).map(Error::kind)
}

pub(crate) fn node(databases: &Databases<Conn>, alias: &str) -> NodeStatus {
    let status = databases.cluster("default").unwrap();
    status.nodes.into_iter().find(|node| node.alias == alias).unwrap()
}

pub(crate) fn standing(databases: &Databases<Conn>, alias: &str) -> Standing {
    node(databases, alias).standing
}

/// Has the nodes looked after, and waits until each that is there has answered.
pub(crate) fn warm_up(databases: &Databases<Conn>) {
    count(&mut databases.session()).unwrap();
    eventually("all nodes to be asked", || {
        let nodes = databases.cluster("default").unwrap().nodes;
        nodes.iter().all(|node| node.standing == Standing::Up && node.position.is_some())
    });
}

/// Waits until something is so. Gives the time that it took.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}
