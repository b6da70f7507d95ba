//! Asks databases whether they answer, and the nodes of clusters how they stand.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod cluster;
mod node;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use router_core::Operation;
use router_diesel::backend::Product;
use router_diesel::config::{Config, Database, DatabaseUrl, Engine};
use router_diesel::tasks::PhysicalDatabase;
use serde::Serialize;

pub(crate) use self::node::Node;
use crate::failure::Failure;
use crate::output::{milliseconds, one_line};

/// How many databases are asked at once: a fleet should not need a thread for each.
const AT_ONCE: usize = 64;
/// What a database may take beyond the time to connect, to answer the one question.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// What a database answered. Scripts read it: fields may be added at the end, and nothing else.
#[derive(Debug, Serialize)]
pub(crate) struct Probe {
    pub(crate) alias: String,
    pub(crate) engine: &'static str,
    /// The URL, masked.
    pub(crate) url: String,
    /// Whether it answered; nothing where it was not asked.
    pub(crate) ok: Option<bool>,
    pub(crate) error: Option<String>,
    /// How long that took, in milliseconds.
    pub(crate) ms: Option<f64>,
    /// The server's own word for its version.
    pub(crate) version: Option<String>,
    /// Which of the products that share the engine the server is; that of the engine where nobody knows.
    #[serde(skip)]
    pub(crate) product: String,
    /// What is worth knowing although it is well.
    pub(crate) note: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) node: Node,
    /// Which database it really is; asked for in a cluster only.
    #[serde(skip)]
    pub(crate) physical: Option<PhysicalDatabase>,
}

/// What a database that is well says of itself.
#[derive(Debug)]
struct Answer {
    version: Option<String>,
    product: Option<Product>,
    note: Option<&'static str>,
    physical: Option<PhysicalDatabase>,
}

impl Probe {
    /// A database that is not asked.
    pub(crate) fn unasked(database: &Database) -> Self {
        Self {
            alias: database.alias.to_string(),
            engine: database.url.engine().as_str(),
            url: database.url.to_string(),
            ok: None,
            error: None,
            ms: None,
            version: None,
            product: database.url.engine().title().to_owned(),
            note: None,
            node: Node::default(),
            physical: None,
        }
    }

    fn new(database: &Database, answer: Result<Answer, String>, took: Duration) -> Self {
        let asked = Self { ms: Some(milliseconds(took)), ..Self::unasked(database) };
        match answer {
            Ok(Answer { version, product, note, physical }) => {
                let product = product.map_or(asked.product, |product| product.to_string());
                Self { ok: Some(true), version, product, note, physical, ..asked }
            }
            Err(error) => {
                let error = database.url.without_secrets(&one_line(&error));
                Self { ok: Some(false), error: Some(error), ..asked }
            }
        }
    }

    pub(crate) fn is_unreachable(&self) -> bool {
        self.ok == Some(false)
    }

    /// The answer as people read it.
    pub(crate) fn in_words(&self) -> [String; 4] {
        let state = match self.ok {
            Some(true) => "ok",
            Some(false) => "failed",
            None => "not asked",
        };
        let took = self.ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
        let mut words = match (&self.error, &self.version, self.note) {
            (Some(error), ..) => error.clone(),
            // Some versions name their product themselves.
            (None, Some(version), _) if version.contains(&self.product) => version.clone(),
            (None, Some(version), _) => format!("{} {version}", self.product),
            (None, None, note) => note.unwrap_or_default().to_owned(),
        };
        if !self.node.words.is_empty() {
            words.push_str("; ");
            words.push_str(&self.node.words);
        }
        [self.alias.clone(), state.to_owned(), took, words]
    }
}

/// Asks databases side by side, each for no longer than its `pool.connection_timeout`, and answers in their order.
///
/// A server that accepts a connection and then says nothing may hold its thread for longer. It is left behind,
/// and ends with the process. All others are waited for: at the end of a process OpenSSL cleans up, and whoever
/// connects with it at that time crashes.
///
/// # Errors
/// The clusters of the configuration cannot be watched.
pub(crate) fn probe(config: &Config, databases: &[Database]) -> Result<Vec<Probe>, Failure> {
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    let watch = cluster::Watch::begin(config, databases)?;
    let asked: Vec<Asked> = databases
        .iter()
        .map(|database| Asked {
            is_node: database.is_replica() || config.replicas_of(database.alias.as_str()).next().is_some(),
            database: database.clone(),
        })
        .collect();
    let probes = asked.chunks(AT_ONCE).flat_map(probe_at_once).collect();
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    let probes = match watch {
        Some(watch) => watch.finish(databases, probes),
        None => probes,
    };
    Ok(probes)
}

/// A database that is asked.
#[derive(Debug, Clone)]
struct Asked {
    database: Database,
    /// Whether it is in a cluster.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
        expect(dead_code, reason = "without an engine nothing is asked")
    )]
    is_node: bool,
}

/// How long a database may take to answer.
fn limit(database: &Database) -> Duration {
    database.pool.connection_timeout + TO_ANSWER
}

fn probe_at_once(databases: &[Asked]) -> Vec<Probe> {
    let start = Instant::now();
    let asked: Vec<_> = databases
        .iter()
        .map(|database| {
            let (sender, receiver) = mpsc::channel();
            let asked = database.clone();
            let thread = thread::spawn(move || {
                let start = Instant::now();
                // Nobody listens any more where the time is up.
                let _ = sender.send((ask(&asked), start.elapsed()));
            });
            (receiver, thread)
        })
        .collect();
    let answers = databases.iter().zip(asked).map(|(Asked { database, .. }, (receiver, thread))| {
        let answer = receiver.recv_timeout(limit(database).saturating_sub(start.elapsed()));
        if !matches!(answer, Err(mpsc::RecvTimeoutError::Timeout)) {
            // It has nothing left to do.
            let _ = thread.join();
        }
        let (answer, took) = answer.unwrap_or_else(|error| {
            let why = match error {
                mpsc::RecvTimeoutError::Timeout => {
                    format!("no answer within {:?}", database.pool.connection_timeout)
                }
                mpsc::RecvTimeoutError::Disconnected => "the driver panicked".to_owned(),
            };
            (Err(why), start.elapsed())
        });
        Probe::new(database, answer, took)
    });
    answers.collect()
}

fn ask(asked: &Asked) -> Result<Answer, String> {
    let Database { url, .. } = &asked.database;
    if !supports(url.engine()) {
        return Err(format!("this build has no support for {0}; build with the feature `{0}`", url.engine()));
    }
    let Some(missing) = missing_file(url)? else { return answer(asked) };
    if asked.database.is_replica() {
        return Err(format!("there is no file `{missing}`, and none is made for a replica"));
    }
    let is_written = [Operation::Write, Operation::Migrate]
        .iter()
        .any(|operation| asked.database.restriction(*operation).is_none());
    let note = if is_written {
        "no file yet, it is made at first use"
    } else {
        "no file yet, and it is only read here"
    };
    Ok(Answer { version: None, product: None, note: Some(note), physical: None })
}

/// Whether this build can connect to the engine.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) fn supports(engine: Engine) -> bool {
    <router_diesel::AnyConnection as router_diesel::RoutedConnection>::supports(engine)
}

/// Whether this build can connect to the engine: it can connect to none.
#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
pub(crate) fn supports(_: Engine) -> bool {
    false
}

/// The file that is yet to be made, on an engine that makes one. To look must not make it.
fn missing_file(url: &DatabaseUrl) -> Result<Option<String>, String> {
    let Some(path) = url.file_to_make() else { return Ok(None) };
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder `{}`", folder.display())),
        None => Ok(Some(path.display().to_string())),
    }
}

/// Connects, and asks for the server's version: the question that shows that it answers.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn answer(asked: &Asked) -> Result<Answer, String> {
    use router_diesel::backend::{Access, RoutedConnection};

    let Asked { database: database @ Database { pool, .. }, is_node } = asked;
    let url = &database.current_url().map_err(|error| error.to_string())?;
    // No setting is made: a pooler would hand the server's connection on with it, to a user who wants to write.
    let mut settings = pool.clone();
    settings.statement_timeout = None;
    let opened = router_diesel::AnyConnection::open(url, &settings.connect(Access::ReadWrite));
    let router_diesel::backend::Opened { mut conn, server, .. } =
        opened.map_err(|error| url.without_secrets(&error.to_string()))?;
    let version = url.engine().version(&mut conn).map_err(|error| error.to_string())?;
    let physical = is_node.then(|| router_diesel::tasks::physical_database(&mut conn, url).ok()).flatten();
    Ok(Answer { version: Some(version), product: Some(server.product), note: None, physical })
}

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn answer(_: &Asked) -> Result<Answer, String> {
    Err("this build connects to nothing".to_owned())
}
