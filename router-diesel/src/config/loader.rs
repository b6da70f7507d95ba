//! How a configuration is found and read.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::check;
use super::model::Config;
use super::problem::{Code, ConfigError, Problem};

/// The environment variable that names the file.
pub(crate) const FILE_VARIABLE: &str = "DBROUTER_CONFIG";
/// The environment variable that names the environment.
pub(crate) const ENVIRONMENT_VARIABLE: &str = "DBROUTER_ENV";
/// The environment where none is named.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "development";
/// Where the file is where nobody says otherwise.
pub(crate) const DEFAULT_FILE: &str = "config/databases.yml";

impl Config {
    /// Reads and checks a file, with the variables of the process.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not sound: with all of its problems at once.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::loader().file(path).load()
    }

    /// Checks a text in YAML, with the variables of the process. In messages it is called `<text>`.
    ///
    /// # Errors
    ///
    /// When the text is not sound: with all of its problems at once.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        Self::loader().yaml(text, "<text>").load()
    }

    /// Reads and checks the file that `DBROUTER_CONFIG` names, else `config/databases.yml`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not sound: with all of its problems at once.
    pub fn find() -> Result<Self, ConfigError> {
        Self::loader().load()
    }

    /// Reads a configuration in any other way.
    #[must_use]
    pub fn loader() -> Loader {
        Loader::default()
    }
}

/// Reads a configuration from where and with what you say.
///
/// ```
/// use router_diesel::config::Config;
///
/// let config = Config::loader()
///     .yaml("databases: { default: { url: '${MAIN_URL}' } }", "inline.yml")
///     .variables([("MAIN_URL", "sqlite://db/main.sqlite3")])
///     .load()?;
/// assert_eq!(config.databases[0].url.to_string(), "db/main.sqlite3");
/// # Ok::<(), router_diesel::config::ConfigError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Loader {
    source: Source,
    environment: Option<String>,
    variables: Option<HashMap<String, String>>,
    env_file: Option<PathBuf>,
}

#[derive(Clone, Default)]
enum Source {
    #[default]
    Find,
    File(PathBuf),
    Text {
        text: String,
        name: String,
    },
}

/// Shows neither the text nor the variables: both may hold passwords.
impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Find => None,
            Source::File(path) => Some(path.display().to_string()),
            Source::Text { name, .. } => Some(name.clone()),
        };
        f.debug_struct("Loader")
            .field("source", &source)
            .field("environment", &self.environment)
            .field("env_file", &self.env_file)
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// Reads this file instead of the one that `DBROUTER_CONFIG` names.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.source = Source::File(path.as_ref().to_owned());
        self
    }

    /// Reads this text, and calls it by this name in messages; `include` is relative to the name.
    pub fn yaml(mut self, text: impl Into<String>, name: impl Into<String>) -> Self {
        self.source = Source::Text { text: text.into(), name: name.into() };
        self
    }

    /// Chooses the environment; by default `DBROUTER_ENV`, else `development`.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Takes these variables instead of the process's own, and reads no `.env` that is not named.
    pub fn variables<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.variables =
            Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Reads more variables from this file, which must be there; by default from `.env` if present.
    /// Neither overrides a variable that is set.
    pub fn env_file(mut self, path: impl AsRef<Path>) -> Self {
        self.env_file = Some(path.as_ref().to_owned());
        self
    }

    /// Reads and checks.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not sound: with all of its problems at once.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let failed = |code, message: String| ConfigError::new(vec![Problem::new(code, message)]);
        let (name, text) = match &self.source {
            Source::Find => {
                let path = std::env::var(FILE_VARIABLE).unwrap_or_else(|_| DEFAULT_FILE.to_owned());
                return self.clone().file(path).load();
            }
            Source::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| failed(Code::MissingFile, error.to_string()))?;
                (path.display().to_string(), text)
            }
            Source::Text { text, name } => (name.clone(), text.clone()),
        };
        let environment = self
            .environment
            .clone()
            .or_else(|| std::env::var(ENVIRONMENT_VARIABLE).ok())
            .unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
        let file = serde_yaml::from_str(&text)
            .map_err(|error| failed(Code::Syntax, format!("the file cannot be read: {error}")))?;
        check::check(file, &name, environment).map_err(ConfigError::new)
    }
}
