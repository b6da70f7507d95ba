//! How a configuration is found and read.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::assemble::{Assembler, Chosen};
use super::check::{Input, check};
use super::env::Variables;
use super::model::Config;
use super::node::{Mark, Node, Value};
use super::parse::{self, Places};
use super::problem::{ConfigError, Severity};
use super::read::{Context, read};
use crate::text::secrets::is_secret_key;

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
    ///
    /// A name that the file's `environments` lack is an error, `development` apart. A file without
    /// `environments` is the same in all of them.
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
        match self.attempt(Places::Declarations) {
            // Something is to be told, and its place is wanted.
            Err(error) if error.problems().is_empty() => self.attempt(Places::All),
            result => result,
        }
    }

    fn attempt(&self, places: Places) -> Result<Config, ConfigError> {
        let mut problems = Vec::new();
        let variables = Variables::read(self.variables.as_ref(), self.env_file.as_deref(), &mut problems);
        let named = self.environment.as_deref().or_else(|| variables.get(ENVIRONMENT_VARIABLE));
        let named = named.filter(|name| !name.is_empty());
        let chosen = Chosen { name: named.unwrap_or(DEFAULT_ENVIRONMENT), explicitly: named.is_some() };
        let mut assembler = Assembler::new(&variables, problems, places);
        let root = match &self.source {
            Source::File(path) => assembler.file(path),
            Source::Find => assembler.file(Path::new(
                variables.get(FILE_VARIABLE).filter(|path| !path.is_empty()).unwrap_or(DEFAULT_FILE),
            )),
            Source::Text { text, name } => assembler.text(name, None, text.clone()),
        };
        let checked = root.map(|mut root| {
            let declares_environment = assembler.environment(&mut root, &chosen);
            let overruled = assembler.overrule(&mut root);
            let context = Context { variables: Some(&variables), problems: &assembler.problems };
            let file = read(&root, Mark::default(), &context).unwrap_or_default();
            let input = Input {
                file,
                root: &root,
                sources: &assembler.sources,
                variables: &variables,
                overruled: &overruled,
                environment: chosen.name.to_owned(),
                declares_environment,
                files: std::mem::take(&mut assembler.files),
            };
            let mut problems = assembler.problems.borrow_mut();
            check(input, &mut problems)
        });
        let problems = assembler.problems.into_inner();
        let mut sources = assembler.sources;
        // Where nothing could be read at all, the parser has said where it stopped.
        let is_placed = places == Places::All || (checked.is_none() && problems.len() == 1);
        if !is_placed && !problems.is_empty() {
            return Err(ConfigError::new(Vec::new()));
        }
        if !problems.is_empty() {
            // An anchor may put a secret where no line betrays it, so each file is looked through as it
            // was, with the environments that were not chosen.
            let trees = sources
                .texts()
                .filter_map(|text| parse::parse(text, 0, Places::Declarations, &mut Vec::new()).ok());
            let trees: Vec<Node> = trees.collect();
            let found: Vec<String> = trees.iter().flat_map(secrets).collect();
            let secrets = sources.secrets();
            secrets.add_whole(found.into_iter().chain(variables.secrets()));
            secrets.add_values(trees.iter().flat_map(texts).chain([chosen.name]));
            secrets.add_values(variables.values());
        }
        let problems = sources.report(problems);
        match checked {
            Some(mut config) if problems.iter().all(|problem| problem.severity() != Severity::Error) => {
                config.notes = problems;
                debug_assert!(config.rules().is_ok(), "what loads also compiles: {:?}", config.rules().err());
                Ok(config)
            }
            _ => Err(ConfigError::new(problems)),
        }
    }
}

/// The secrets of a tree: what stands under keys such as `password`.
fn secrets(node: &Node) -> Vec<String> {
    let mut secrets = Vec::new();
    let mut nodes = vec![(false, node)];
    while let Some((is_secret, node)) = nodes.pop() {
        match &node.value {
            Value::Map(entries) => {
                nodes.extend(
                    entries.iter().map(|entry| (is_secret || is_secret_key(&entry.key), &entry.node)),
                );
            }
            Value::List(list) => nodes.extend(list.iter().map(|node| (is_secret, node))),
            // A secret that is no text is wrong, but no less secret.
            Value::Integer(number) if is_secret => secrets.push(number.to_string()),
            // `${PASSWORD}` may be shown; it is its value that may not.
            Value::Text(text) if is_secret && !text.starts_with("${") => secrets.push(text.clone()),
            _ => {}
        }
    }
    secrets
}

/// All keys and texts of a tree.
fn texts(node: &Node) -> Vec<&str> {
    let mut texts = Vec::new();
    let mut nodes = vec![node];
    while let Some(node) = nodes.pop() {
        match &node.value {
            Value::Map(entries) => {
                texts.extend(entries.iter().map(|entry| entry.key.as_str()));
                nodes.extend(entries.iter().map(|entry| &entry.node));
            }
            Value::List(list) => nodes.extend(list),
            Value::Text(text) => texts.push(text),
            _ => {}
        }
    }
    texts
}
