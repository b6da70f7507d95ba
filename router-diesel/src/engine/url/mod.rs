//! The URL of a database, which shows its password to nobody.

pub(crate) mod percent;

use std::fmt;
use std::sync::Arc;

use self::percent::{encode, encoded, is_encoded, query};
use super::Engine;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// How to reach a database. `Debug` and `Display` mask the password, also where it is a parameter.
///
/// ```
/// use router_diesel::config::{DatabaseUrl, Engine};
///
/// let url: DatabaseUrl = "postgresql://blog:p@ss/w%rd@db.internal/blog".parse()?;
/// assert_eq!(url.engine(), Engine::Postgres);
/// assert_eq!(url.to_string(), "postgres://blog:***@db.internal/blog");
/// assert_eq!(url.expose(), "postgres://blog:p%40ss%2Fw%25rd@db.internal/blog");
/// # Ok::<(), router_diesel::config::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DatabaseUrl {
    engine: Engine,
    real: Arc<str>,
    masked: Arc<str>,
}

/// Why a text is no URL of a database. No variant shows the text, as it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is none that we know.
    UnknownScheme(String),
    /// There is no scheme, and no engine that does without one.
    NoScheme,
    /// It can be read in several ways, because its password is not percent-encoded.
    Ambiguous,
    /// The engine that is named beside the URL is not that of its scheme.
    EngineMismatch {
        /// The engine that was named.
        named: Engine,
        /// The engine of the scheme.
        scheme: Engine,
    },
    /// Anything else: what is wrong, as the end of a sentence that begins with "the URL".
    Invalid(&'static str),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme(scheme) => write!(f, "the URL has the unknown scheme `{scheme}`"),
            Self::NoScheme => f.write_str("the URL has no scheme"),
            Self::Ambiguous => f.write_str("the URL can be read in several ways"),
            Self::EngineMismatch { named, scheme } => {
                write!(f, "the URL is one of {scheme}, but the engine is {named}")
            }
            Self::Invalid(reason) => write!(f, "the URL {reason}"),
        }
    }
}

impl std::error::Error for UrlError {}

/// The parts of which a URL can be made.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) options: Vec<(String, String)>,
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// A password with a raw `@`, `/`, `?` or `%` is understood and encoded where there is only one
    /// way to read it.
    ///
    /// # Errors
    ///
    /// When the scheme is unknown or missing, or when the text is no URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::parse_for(text, None)
    }

    /// Reads a URL beside which an engine may be named; a bare path is a URL for SQLite alone.
    pub(crate) fn parse_for(text: &str, engine: Option<Engine>) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Invalid("is empty"));
        }
        if text.contains(['\0', '\n', '\r']) {
            return Err(UrlError::Invalid("holds a control character"));
        }
        let url = match scheme(text) {
            _ if text == ":memory:" => Self::sqlite(text.to_owned()),
            None if engine == Some(Engine::Sqlite) => Self::sqlite(text.to_owned()),
            None => return Err(UrlError::NoScheme),
            Some(("file", _)) => Self::sqlite(text.to_owned()),
            Some(("sqlite", rest)) => Self::sqlite_url(rest)?,
            Some(("postgres" | "postgresql", rest)) => Self::server(Engine::Postgres, rest)?,
            Some(("mysql" | "mariadb", rest)) => Self::server(Engine::Mysql, rest)?,
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(UrlError::UnknownScheme(scheme.to_owned()));
            }
            // `localhost:5432/blog`, perhaps with a password: nothing of it is shown.
            Some(_) => return Err(UrlError::NoScheme),
        };
        match engine {
            Some(named) if named != url.engine => Err(UrlError::EngineMismatch { named, scheme: url.engine }),
            _ => Ok(url),
        }
    }

    /// Makes a URL of its parts, with user and password percent-encoded.
    pub(crate) fn from_parts(engine: Engine, parts: &Parts) -> Result<Self, UrlError> {
        match engine {
            Engine::Sqlite => {
                let name = parts.name.as_deref().unwrap_or_default();
                if name.is_empty() {
                    return Err(UrlError::Invalid("needs `name`, the path of the SQLite file"));
                }
                if parts.options.is_empty() {
                    return Ok(Self::sqlite(name.to_owned()));
                }
                let path = encode(name, b"/:");
                Ok(Self::sqlite(format!("file:{path}?{}", query(&parts.options))))
            }
            Engine::Postgres | Engine::Mysql => Self::server_from_parts(engine, parts),
        }
    }

    fn server_from_parts(engine: Engine, parts: &Parts) -> Result<Self, UrlError> {
        let mut options = Vec::new();
        let mut host = parts.host.clone().unwrap_or_default();
        let mut port = parts.port;
        if host.starts_with('/') {
            // A folder or file is a Unix socket, which no host of a URL can be.
            let socket = std::mem::take(&mut host);
            if engine == Engine::Postgres {
                options.push(("host".to_owned(), socket));
                options.extend(port.take().map(|port| ("port".to_owned(), port.to_string())));
            } else {
                "localhost".clone_into(&mut host);
                options.push(("unix_socket".to_owned(), socket));
            }
        } else if host.contains(':') && !host.starts_with('[') {
            host = format!("[{host}]");
        }
        options.extend(parts.options.iter().cloned());
        let name = parts.name.as_deref().unwrap_or_default();
        if engine == Engine::Mysql && encode(name, b"$") != name {
            return Err(UrlError::Invalid("has a database name that MySQL's client cannot be told"));
        }
        let mut text = String::new();
        if let Some(user) = &parts.user {
            text.push_str(&encode(user, b""));
        }
        if let Some(password) = &parts.password {
            text.push(':');
            text.push_str(&encode(password, b""));
        }
        if parts.user.is_some() || parts.password.is_some() {
            text.push('@');
        }
        text.push_str(&host);
        if let Some(port) = port {
            text.push_str(&format!(":{port}"));
        }
        text.push('/');
        text.push_str(&encode(name, b"$"));
        if !options.is_empty() {
            text.push('?');
            text.push_str(&query(&options));
        }
        Self::server(engine, &format!("//{text}"))
    }

    fn sqlite(real: String) -> Self {
        let masked = match real.split_once('?') {
            Some((path, query)) => format!("{path}?{}", mask_query(query)),
            None => real.clone(),
        };
        Self { engine: Engine::Sqlite, real: real.into(), masked: masked.into() }
    }

    /// What follows `sqlite:`. SQLite itself decodes `%20` and reads parameters, given a `file:` URI.
    fn sqlite_url(rest: &str) -> Result<Self, UrlError> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.starts_with('?') {
            return Err(UrlError::Invalid("names no file"));
        }
        let is_uri = path.contains('?') || (path.contains('%') && is_encoded(path, true));
        Ok(Self::sqlite(if is_uri { format!("file:{path}") } else { path.to_owned() }))
    }

    /// What follows the scheme of PostgreSQL and MySQL.
    fn server(engine: Engine, rest: &str) -> Result<Self, UrlError> {
        let rest = rest.strip_prefix("//").ok_or(UrlError::Invalid("lacks the `//` after its scheme"))?;
        let Reading { user_info, address } = read(rest)?;
        let mut real = format!("{}://", engine.as_str());
        let mut masked = real.clone();
        if let Some(user_info) = user_info {
            let (user, password) = match user_info.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (user_info, None),
            };
            let user = encoded(user)?;
            real.push_str(&user);
            masked.push_str(&user);
            if let Some(password) = password {
                real.push_str(&format!(":{}", encoded(password)?));
                masked.push_str(&format!(":{MASK}"));
            }
            real.push('@');
            masked.push('@');
        }
        real.push_str(address);
        match address.split_once('?') {
            Some((host, query)) => masked.push_str(&format!("{host}?{}", mask_query(query))),
            None => masked.push_str(address),
        }
        Ok(Self { engine, real: real.into(), masked: masked.into() })
    }

    /// The kind of server.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The real thing, with the password: what `Connection::establish` takes. For SQLite this is a
    /// path, a `file:` URI or `:memory:`. Never show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.real
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.masked, f)
    }
}

/// Scheme and rest, where the text begins with a scheme. One letter is a drive of Windows.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let sound = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    sound.then_some((scheme, rest))
}

/// One way to read what follows `//`.
struct Reading<'a> {
    user_info: Option<&'a str>,
    /// Host, port, name and parameters.
    address: &'a str,
}

/// Finds the `@` that ends the user and password.
fn read(rest: &str) -> Result<Reading<'_>, UrlError> {
    let ats: Vec<usize> = rest.match_indices('@').map(|(at, _)| at).collect();
    // As the standard has it: the last `@` before the path, with everything before it encoded.
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let strict = ats.iter().copied().rfind(|at| *at < authority);
    let path_end = rest.find('?').unwrap_or(rest.len());
    let reading = |at: usize| Reading { user_info: Some(&rest[..at]), address: &rest[at + 1..] };
    match strict {
        None if ats.is_empty() || (ats[0] > path_end && is_address(rest)) => {
            return if is_address(rest) {
                Ok(Reading { user_info: None, address: rest })
            } else {
                Err(UrlError::Invalid("is not of the form `scheme://user:password@host:port/name`"))
            };
        }
        Some(at)
            if is_address(&rest[at + 1..])
                && is_encoded(&rest[..at], false)
                && !rest[at + 1..path_end.max(at + 1)].contains('@') =>
        {
            return Ok(reading(at));
        }
        _ => {}
    }
    let mut plausible = ats.into_iter().filter(|at| is_address(&rest[at + 1..]));
    match (plausible.next(), plausible.next()) {
        (Some(at), None) => Ok(reading(at)),
        (Some(_), Some(_)) => Err(UrlError::Ambiguous),
        (None, _) => Err(UrlError::Invalid("is not of the form `scheme://user:password@host:port/name`")),
    }
}

/// Whether a text can be `host:port/name?parameters`, of which only the host may be several.
fn is_address(text: &str) -> bool {
    let (text, query) = text.split_once('?').map_or((text, ""), |(text, query)| (text, query));
    let (hosts, name) = text.split_once('/').unwrap_or((text, ""));
    let sound_query = query.is_empty()
        || query.split('&').all(|pair| pair.split_once('=').is_some_and(|(key, _)| is_word(key)));
    sound_query
        && !query.contains('#')
        && !name.contains(['/', '#', ' '])
        && hosts.split(',').all(|host| {
            let (host, port) = match host.strip_prefix('[') {
                Some(ip) => match ip.split_once(']') {
                    Some((ip, port)) => (ip, port.strip_prefix(':')),
                    None => return false,
                },
                None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
            };
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%:".contains(&byte))
                && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn mask_query(query: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if is_secret_key(key) => format!("{key}={MASK}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(mask).collect::<Vec<_>>().join("&")
}

/// Whether a key or parameter of this name holds a secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "pwd", "secret", "token"].iter().any(|word| key.contains(word))
        || matches!(key.as_str(), "key" | "hexkey" | "textkey" | "pass")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_data() {
        for (text, real) in [
            (":memory:", ":memory:"),
            ("sqlite::memory:", ":memory:"),
            ("sqlite://:memory:", ":memory:"),
            ("sqlite://db/x.sqlite3", "db/x.sqlite3"),
            ("sqlite:db/x.sqlite3", "db/x.sqlite3"),
            ("sqlite:///abs/x.sqlite3", "/abs/x.sqlite3"),
            ("sqlite://x?mode=memory&cache=shared", "file:x?mode=memory&cache=shared"),
            ("sqlite:///a%20b.sqlite3", "file:/a%20b.sqlite3"),
            ("sqlite:///100%.sqlite3", "/100%.sqlite3"),
            ("file:x?mode=memory", "file:x?mode=memory"),
            ("postgresql://h/db", "postgres://h/db"),
            ("postgres://u:p@h:5433/db?sslmode=require", "postgres://u:p@h:5433/db?sslmode=require"),
            ("postgres:///db?host=/var/run/postgresql", "postgres:///db?host=/var/run/postgresql"),
            ("postgres://%2Fvar%2Frun/db", "postgres://%2Fvar%2Frun/db"),
            ("postgres://u:p@[::1]:5432/db", "postgres://u:p@[::1]:5432/db"),
            ("postgres://u:p@a:1,b:2/db", "postgres://u:p@a:1,b:2/db"),
            ("mariadb://u@h/db", "mysql://u@h/db"),
            ("postgres://u:p%40ss@h/db", "postgres://u:p%40ss@h/db"),
            ("postgres://u:p@ss@h/db", "postgres://u:p%40ss@h/db"),
            ("postgres://u:p/ss@h/db", "postgres://u:p%2Fss@h/db"),
            ("postgres://u:p@s/s@h/db", "postgres://u:p%40s%2Fs@h/db"),
            ("postgres://u:100%@h/db", "postgres://u:100%25@h/db"),
            ("postgres://u:a?b#c@h/db", "postgres://u:a%3Fb%23c@h/db"),
            ("postgres://u:p@h/db?application_name=a@b", "postgres://u:p@h/db?application_name=a@b"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.expose(), real, "{text}");
        }
    }

    #[test]
    fn refusals_as_data() {
        let form = UrlError::Invalid("is not of the form `scheme://user:password@host:port/name`");
        for (text, error) in [
            ("", UrlError::Invalid("is empty")),
            ("db/x.sqlite3", UrlError::NoScheme),
            ("localhost:5432/blog", UrlError::NoScheme),
            ("redis://h", UrlError::UnknownScheme("redis".to_owned())),
            ("sqlite://", UrlError::Invalid("names no file")),
            ("postgres:h/db", UrlError::Invalid("lacks the `//` after its scheme")),
            ("postgres://u:p@h/w@x", UrlError::Ambiguous),
            ("postgres://u:p%41/x@h/db", UrlError::Ambiguous),
            ("postgres://h:port/db", form.clone()),
            ("postgres://h:99999/db", form.clone()),
            ("postgres://h/a/b", form),
        ] {
            assert_eq!(DatabaseUrl::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn parts_are_encoded() {
        let parts = Parts {
            host: Some("h".into()),
            port: Some(5433),
            name: Some("blog".into()),
            user: Some("b@log".into()),
            password: Some("p@/%:w".into()),
            options: vec![("sslmode".into(), "require".into())],
        };
        let url = DatabaseUrl::from_parts(Engine::Postgres, &parts).unwrap();
        assert_eq!(url.expose(), "postgres://b%40log:p%40%2F%25%3Aw@h:5433/blog?sslmode=require");
        assert_eq!(format!("{url} {url:?}").matches("***").count(), 2);

        let socket = Parts { host: Some("/var/run/postgresql".into()), password: None, ..parts.clone() };
        let url = DatabaseUrl::from_parts(Engine::Postgres, &socket).unwrap();
        assert_eq!(
            url.expose(),
            "postgres://b%40log@/blog?host=%2Fvar%2Frun%2Fpostgresql&port=5433&sslmode=require"
        );
        let url = DatabaseUrl::from_parts(Engine::Mysql, &socket).unwrap();
        assert_eq!(
            url.expose(),
            "mysql://b%40log@localhost:5433/blog?unix_socket=%2Fvar%2Frun%2Fpostgresql&sslmode=require"
        );
        let sqlite = Parts { name: Some("db/x".into()), ..Parts::default() };
        assert_eq!(DatabaseUrl::from_parts(Engine::Sqlite, &sqlite).unwrap().expose(), "db/x");
    }

    #[test]
    fn no_password_is_shown() {
        for text in [
            "postgres://u:hunter2@h/db",
            "postgres://u:hunter2@x@h/db",
            "postgres://h/db?user=u&password=hunter2",
            "mysql://h/db?sslpassword=hunter2&x=y",
            "sqlite://x?key=hunter2",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url}");
        }
    }
}
