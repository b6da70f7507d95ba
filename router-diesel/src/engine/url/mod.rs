//! The URL of a database, which shows its password to nobody.

pub(super) mod options;
pub(crate) mod percent;
pub(super) mod server;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use options::OptionProblem;

use super::{Engine, EngineWord, Product, words};
use crate::text::secrets::{self, MASK, is_secret_key};

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
    product: Option<Product>,
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
    /// Options that the engine does not know, or values that they cannot have. Each would be ignored.
    Options(Vec<OptionProblem>),
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
            Self::Options(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str("the URL cannot be used: ")?;
                secrets::write(f, format_args!("{}", problems.join("; ")))
            }
            Self::Invalid(reason) => write!(f, "the URL {reason}"),
        }
    }
}

impl std::error::Error for UrlError {}

/// How an engine reads and writes its URLs.
pub(crate) trait Urls {
    /// Whether a text is one of the engine's URLs although it has no scheme of the engine's. A path is one only where
    /// the engine `is_named` beside it.
    fn reads_bare(&self, text: &str, is_named: bool) -> bool {
        let _ = (text, is_named);
        false
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// That it is no URL.
    fn read_bare_url(&self, text: &str) -> Result<UrlText, UrlError> {
        let _ = text;
        Err(UrlError::NoScheme)
    }

    /// Reads a URL whose scheme is one of the engine's [`schemes`](super::Words::schemes), given the scheme and what
    /// follows its colon.
    ///
    /// # Errors
    /// Why it is no URL.
    fn read_url(&self, scheme: &str, rest: &str) -> Result<UrlText, UrlError>;

    /// Makes a URL of its parts.
    ///
    /// # Errors
    /// Why the parts make none.
    fn url_of_parts(&self, parts: Parts) -> Result<UrlText, UrlError>;

    /// The options of a URL that the engine does not know, with those whose value it does not know. Each would be ignored,
    /// so they are errors.
    fn wrong_options(&self, url: &str) -> Vec<OptionProblem> {
        let _ = url;
        Vec::new()
    }

    /// The options of a URL that may be unknown, of which the client library is the judge.
    fn doubtful_options(&self, url: &str) -> Vec<OptionProblem> {
        let _ = url;
        Vec::new()
    }

    /// Parts that mean nothing here, where there are such.
    fn stray_parts(&self) -> Option<StrayParts> {
        None
    }

    /// The file that a URL of this engine names, where it names one.
    fn file(&self, url: &str) -> Option<PathBuf> {
        let _ = url;
        None
    }
}

/// A URL as an engine reads it: as Diesel takes it, and as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlText {
    pub(crate) real: String,
    pub(crate) masked: String,
}

/// Parts of a URL that mean nothing to an engine, and what to say to those who wrote one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StrayParts {
    pub(crate) keys: &'static [&'static str],
    /// Why they mean nothing.
    pub(crate) why: &'static str,
    pub(crate) help: &'static str,
}

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

    /// Reads a URL beside which an engine may be named. Only the engine that is named beside it reads a bare path.
    pub(crate) fn parse_for(text: &str, named: Option<EngineWord>) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Invalid("is empty"));
        }
        if text.contains(['\0', '\n', '\r']) {
            return Err(UrlError::Invalid("holds a control character"));
        }
        let is_named = |engine: Engine| named.is_some_and(|named| named.engine == engine);
        let without_scheme =
            |engine: &&Engine| engine.spec().reads_bare(text, scheme(text).is_none() && is_named(**engine));
        let (word, url) = match (Engine::ALL.iter().find(without_scheme), scheme(text)) {
            (Some(&engine), _) => {
                (EngineWord::of(engine, engine.as_str()), engine.spec().read_bare_url(text)?)
            }
            (None, None) => return Err(UrlError::NoScheme),
            (None, Some((scheme, rest))) => match words::schemes().find(|word| word.text == scheme) {
                Some(word) => (word, word.engine.spec().read_url(scheme, rest)?),
                None if rest.starts_with("//") => return Err(UrlError::UnknownScheme(scheme.to_owned())),
                // `localhost:5432/blog`, perhaps with a password: nothing of it is shown.
                None => return Err(UrlError::NoScheme),
            },
        };
        match named {
            Some(named) if named.engine != word.engine => {
                Err(UrlError::EngineMismatch { named: named.engine, scheme: word.engine })
            }
            _ => Self::new(word.engine, word.product.or(named.and_then(|named| named.product)), url),
        }
    }

    /// Reads the URL of another database on the same server, which is asked for the same product.
    ///
    /// # Errors
    ///
    /// When the text is no URL.
    pub(super) fn with_text(&self, text: &str) -> Result<Self, UrlError> {
        Ok(Self { product: self.product, ..Self::parse(text)? })
    }

    /// Makes a URL of its parts, with user and password percent-encoded.
    pub(crate) fn from_parts(word: EngineWord, parts: Parts) -> Result<Self, UrlError> {
        Self::new(word.engine, word.product, word.engine.spec().url_of_parts(parts)?)
    }

    fn new(
        engine: Engine,
        product: Option<Product>,
        UrlText { real, masked }: UrlText,
    ) -> Result<Self, UrlError> {
        let wrong = engine.spec().wrong_options(&real);
        if !wrong.is_empty() {
            return Err(UrlError::Options(wrong));
        }
        Ok(Self { engine, product, real: real.into(), masked: masked.into() })
    }

    /// The options that may be unknown to the client library, which is their judge.
    pub(crate) fn doubtful_options(&self) -> Vec<OptionProblem> {
        self.engine.spec().doubtful_options(&self.real)
    }

    /// The kind of server.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The product that the server must be, where the URL or the `engine` beside it says `mariadb`. Every new
    /// connection is checked for it.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        self.product
    }

    /// The products that the server may be, as far as the URL tells, the likeliest first. There is always one.
    pub(crate) fn products(&self) -> &[Product] {
        self.product.as_ref().map_or(self.engine.spec().products(), std::slice::from_ref)
    }

    /// The file that holds the database, on an engine that keeps it in one.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.engine.spec().file(&self.real)
    }

    /// The file that a connection which may write would make, as it is not there yet. `None` on engines that make no
    /// files by themselves, and where the URL has parameters that may keep the engine from it.
    #[must_use]
    pub fn file_to_make(&self) -> Option<PathBuf> {
        self.engine.spec().file_to_make(self)
    }

    /// A text, such as a driver's error, without the secrets of the URL that it may repeat.
    ///
    /// ```
    /// use router_diesel::config::DatabaseUrl;
    ///
    /// let url: DatabaseUrl = "postgres://blog:hunter2@db.internal/blog".parse()?;
    /// assert_eq!(url.without_secrets("`hunter2` is wrong"), "`***` is wrong");
    /// # Ok::<(), router_diesel::config::UrlError>(())
    /// ```
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        /// A shorter secret would tear words apart, and be betrayed by where it did.
        const SHORTEST: usize = 4;

        let mut text = text.replace(&*self.real, &self.masked);
        if self.engine.spec().has_servers() {
            let mut secrets = server::Sections::of(&self.real).secrets();
            // A driver may repeat them as they stand in the URL, too.
            secrets.extend(secrets.iter().map(|secret| percent::encode(secret, b"")).collect::<Vec<_>>());
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
                text = text.replace(secret, MASK);
            }
        }
        secrets::without_secrets(&text).into_owned()
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

pub(super) fn mask_query(query: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if is_secret_key(key) => format!("{key}={MASK}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(mask).collect::<Vec<_>>().join("&")
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
        let of = |word: &str, parts: &Parts| {
            let word = words::all().find(|known| known.text == word).unwrap();
            DatabaseUrl::from_parts(word, parts.clone()).unwrap()
        };
        let url = of("postgres", &parts);
        assert_eq!(url.expose(), "postgres://b%40log:p%40%2F%25%3Aw@h:5433/blog?sslmode=require");
        assert_eq!(format!("{url} {url:?}").matches("***").count(), 2);

        let socket = Parts { host: Some("/var/run/postgresql".into()), password: None, ..parts.clone() };
        let url = of("postgres", &socket);
        assert_eq!(
            url.expose(),
            "postgres://b%40log@/blog?host=%2Fvar%2Frun%2Fpostgresql&port=5433&sslmode=require"
        );
        let socket = Parts { options: vec![("ssl_mode".into(), "required".into())], ..socket };
        let url = of("mysql", &socket);
        assert_eq!(
            url.expose(),
            "mysql://b%40log@localhost:5433/blog?unix_socket=%2Fvar%2Frun%2Fpostgresql&ssl_mode=required"
        );
        let sqlite = Parts { name: Some("db/x".into()), ..Parts::default() };
        assert_eq!(of("sqlite", &sqlite).expose(), "db/x");
    }

    #[test]
    fn a_product_is_asked_for_by_scheme_or_beside_the_url() {
        for (text, named, product) in [
            ("mysql://h/db", None, None),
            ("mysql://h/db", Some("mysql"), None),
            ("mysql://h/db", Some("mariadb"), Some("MariaDB")),
            ("mariadb://h/db", None, Some("MariaDB")),
            ("mariadb://h/db", Some("mysql"), Some("MariaDB")),
            ("postgres://h/db", Some("postgresql"), None),
        ] {
            let named = named.map(|named| words::all().find(|word| word.text == named).unwrap());
            let url = DatabaseUrl::parse_for(text, named).unwrap();
            assert_eq!(
                url.product().map(|product| product.to_string()).as_deref(),
                product,
                "{text} {named:?}"
            );
        }
        let mariadb = DatabaseUrl::parse("mariadb://h/db").unwrap().product().unwrap();
        assert_eq!(mariadb.engine(), Engine::Mysql);
        assert_eq!(mariadb.file_infixes().collect::<Vec<_>>(), ["mariadb", "mysql"]);
    }

    #[test]
    fn no_password_is_shown() {
        for text in [
            "postgres://u:hunter2@h/db",
            "postgres://u:hunter2@x@h/db",
            "postgres://h/db?user=u&password=hunter2",
            "mysql://u:hunter2@h/db?ssl_mode=required",
            "sqlite://x?vfs=crypt&key=hunter2",
            "postgres://h/db?scram_client_key=hunter2",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn an_error_repeats_no_secret() {
        let url: DatabaseUrl = "postgres://u:p%40ssword@h/db?sslpassword=hunter2".parse().unwrap();
        let error = format!("no {}; `p@ssword` and `hunter2` are wrong", url.expose());
        let hidden = "no postgres://u:***@h/db?sslpassword=***; `***` and `***` are wrong";
        assert_eq!(url.without_secrets(&error), hidden);
    }
}
