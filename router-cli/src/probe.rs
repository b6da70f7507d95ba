//! Asks databases whether they answer.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use router_diesel::config::{Database, DatabaseUrl, Engine};
use serde::Serialize;

use crate::output::{milliseconds, one_line};
use crate::server_url::{decode, hide_secrets};

/// How many databases are asked at once: a fleet should not need a thread for each.
const AT_ONCE: usize = 64;
/// What a database may take beyond the time to connect, to answer the one question.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// What a database answered.
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
    /// What is worth knowing although it is well.
    pub(crate) note: Option<&'static str>,
}

/// What a database that is well says of itself.
#[derive(Debug)]
struct Answer {
    version: Option<String>,
    note: Option<&'static str>,
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
            note: None,
        }
    }

    fn new(database: &Database, answer: Result<Answer, String>, took: Duration) -> Self {
        let (ok, error, version, note) = match answer {
            Ok(Answer { version, note }) => (true, None, version, note),
            Err(error) => (false, Some(hide_secrets(&one_line(&error), &database.url)), None, None),
        };
        let ms = Some(milliseconds(took));
        Self { ok: Some(ok), error, ms, version, note, ..Self::unasked(database) }
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
        let engine = match self.engine {
            "sqlite" => "SQLite",
            "postgres" => "PostgreSQL",
            "mysql" => "MySQL",
            other => other,
        };
        let words = match (&self.error, &self.version, self.note) {
            (Some(error), ..) => error.clone(),
            // MariaDB's version says so itself.
            (None, Some(version), _) if version.contains("MariaDB") => version.clone(),
            (None, Some(version), _) => format!("{engine} {version}"),
            (None, None, note) => note.unwrap_or_default().to_owned(),
        };
        [self.alias.clone(), state.to_owned(), took, words]
    }
}

/// Asks databases side by side, each for no longer than its `pool.connection_timeout`, and answers in their order.
///
/// A server that accepts a connection and then says nothing may hold its thread for longer. It is left behind,
/// and ends with the process.
pub(crate) fn probe(databases: &[Database]) -> Vec<Probe> {
    databases.chunks(AT_ONCE).flat_map(probe_at_once).collect()
}

fn probe_at_once(databases: &[Database]) -> Vec<Probe> {
    let start = Instant::now();
    let asked: Vec<_> = databases
        .iter()
        .map(|database| {
            let (sender, receiver) = mpsc::channel();
            let asked = database.clone();
            // Nobody listens any more where the time is up.
            thread::spawn(move || {
                let start = Instant::now();
                sender.send((ask(&asked), start.elapsed()))
            });
            receiver
        })
        .collect();
    let answers = databases.iter().zip(asked).map(|(database, receiver)| {
        let limit = database.pool.connection_timeout + TO_ANSWER;
        let (answer, took) = match receiver.recv_timeout(limit.saturating_sub(start.elapsed())) {
            Ok(answered) => answered,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                (Err(format!("no answer within {:?}", database.pool.connection_timeout)), start.elapsed())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                (Err("the driver panicked".to_owned()), start.elapsed())
            }
        };
        Probe::new(database, answer, took)
    });
    answers.collect()
}

fn ask(database: &Database) -> Result<Answer, String> {
    if !supports(database.url.engine()) {
        return Err(format!(
            "this build has no support for {0}; build with the feature `{0}`",
            database.url.engine()
        ));
    }
    if is_new_file(&database.url)? {
        let note = "no file yet, it is made at first use";
        return Ok(Answer { version: None, note: Some(note) });
    }
    Ok(Answer { version: Some(version(database)?), note: None })
}

/// Whether this build can connect to the engine.
pub(crate) fn supports(engine: Engine) -> bool {
    [
        (Engine::Sqlite, cfg!(feature = "sqlite")),
        (Engine::Postgres, cfg!(feature = "postgres")),
        (Engine::Mysql, cfg!(feature = "mysql")),
    ]
    .contains(&(engine, true))
}

/// Whether the URL is of a SQLite file that is yet to be made. To look must not make it.
fn is_new_file(url: &DatabaseUrl) -> Result<bool, String> {
    if url.engine() != Engine::Sqlite {
        return Ok(false);
    }
    let path = match url.expose().strip_prefix("file:") {
        Some(uri) if uri.contains("mode=") || uri.contains("vfs=") => return Ok(false),
        Some(uri) => decode(uri.split(['?', '#']).next().unwrap_or(uri)),
        None => url.expose().to_owned(),
    };
    let path = std::path::Path::new(&path);
    if path.exists() || path.as_os_str() == ":memory:" {
        return Ok(false);
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder `{}`", folder.display())),
        None => Ok(true),
    }
}

/// Connects, and asks for the server's version: the question that shows that it answers.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn version(database: &Database) -> Result<String, String> {
    use diesel::RunQueryDsl;
    use diesel::sql_types::Text;
    use router_diesel::backend::{Access, RoutedConnection};

    #[derive(diesel::QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }

    let question = match database.url.engine() {
        Engine::Postgres => "SELECT current_setting('server_version') AS version",
        Engine::Mysql => "SELECT version() AS version",
        _ => "SELECT sqlite_version() AS version",
    };
    // No setting is made: a pooler would hand the server's connection on with it, to a user who wants to write.
    let mut settings = database.pool.clone();
    settings.statement_timeout = None;
    let mut conn = router_diesel::AnyConnection::open(&database.url, &settings, Access::ReadWrite)
        .map_err(|error| error.to_string())?;
    let answer: Version =
        diesel::sql_query(question).get_result(&mut conn).map_err(|error| error.to_string())?;
    Ok(answer.version)
}

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn version(_: &Database) -> Result<String, String> {
    Err("this build connects to nothing".to_owned())
}
