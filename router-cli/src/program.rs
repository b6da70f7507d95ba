//! The program as a value: which routers it asks, and how it is run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use router_core::{Alias, Router, RouterChain, RouterName};
use router_diesel::backend::{Credentials, Hooks};
use router_diesel::config::{Config, ConfigError, Loader, Secrets};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use router_diesel::{AnyConnection, Databases};
use router_diesel::{Error, Routing};

use crate::args::{
    Arguments, CONFIG_VARIABLE, DEFAULT_CONFIG, DEFAULT_ENVIRONMENT, ENVIRONMENT_VARIABLE, Options,
};
use crate::command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Talk};

/// The commands of `dbrouter`, over the rules of a file and the routers of a project.
///
/// Routers are asked in the order in which they were added, and the rules of the file after all of them: as
/// `DatabasesBuilder` of router-diesel has it, so add the same ones in both places.
///
/// ```
/// use router_cli::{Exit, Program};
/// use router_core::read_fn;
///
/// # let folder = std::env::temp_dir().join(format!("dbrouter-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let file = folder.join("databases.yml");
/// std::fs::write(&file, "
/// apps: { events: { tables: [page_views] } }
/// databases:
///   default: { url: 'sqlite://default.sqlite3' }
///   analytics: { url: 'sqlite://analytics.sqlite3' }
/// ")?;
///
/// let program = Program::new()
///     .named_router("events", read_fn(|model, _| (model.app == "events").then(|| "analytics".into())))
///     .config(&file);
/// let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
/// let exit = program.run(["dbrouter", "route", "events.page_views"], &mut stdout, &mut stderr);
///
/// assert_eq!(exit, Exit::Fine);
/// assert!(String::from_utf8(stdout)?.starts_with("read events.page_views: analytics\n"));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a program does nothing before `main` or `run`"]
pub struct Program {
    routers: Vec<(RouterName, Arc<dyn Router>)>,
    hooks: Hooks,
    config: Option<PathBuf>,
    variables: Option<HashMap<String, String>>,
}

/// Does not show the variables: they may hold passwords.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("routers", &self.routers)
            .field("hooks", &self.hooks)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Starts with the rules of the file alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a router of your own, under the name of its type.
    pub fn router<R: Router + 'static>(self, router: R) -> Self {
        self.named_router(RouterName::of_type::<R>(), router)
    }

    /// Adds a router of your own, under a name for explanations and errors to use.
    pub fn named_router(mut self, name: impl Into<RouterName>, router: impl Router + 'static) -> Self {
        self.routers.push((name.into(), Arc::new(router)));
        self
    }

    /// Runs a function on each new connection of migrations and tasks, as
    /// [`DatabasesBuilder::on_connect`](router_diesel::DatabasesBuilder::on_connect) does. The commands that only ask
    /// how a database is connect without it.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    #[track_caller]
    pub fn on_connect<F, E>(mut self, hook: F) -> Self
    where
        F: Fn(&Alias, &mut AnyConnection) -> Result<(), E> + Send + Sync + 'static,
        E: fmt::Display,
    {
        self.hooks = self.hooks.on_connect(hook);
        self
    }

    /// Asks a function for the password of each new connection, as
    /// [`DatabasesBuilder::credentials`](router_diesel::DatabasesBuilder::credentials) does, and of the client programs.
    #[track_caller]
    pub fn credentials<F, T, E>(mut self, ask: F) -> Self
    where
        F: Fn(&Alias) -> Result<T, E> + Send + Sync + 'static,
        T: Into<Option<Credentials>>,
        E: fmt::Display,
    {
        self.hooks = self.hooks.credentials(ask);
        self
    }

    /// Chooses the file that is read where neither `--config` nor `DBROUTER_CONFIG` names one; by default
    /// `config/databases.yml`, where most projects have it.
    pub fn config(mut self, file: impl AsRef<Path>) -> Self {
        self.config = Some(file.as_ref().to_owned());
        self
    }

    /// Takes these environment variables instead of the process's own, for tests.
    pub fn variables<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.variables =
            Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Runs the command that the process was called with.
    #[must_use]
    pub fn main(&self) -> ExitCode {
        let mut stdout = BufWriter::new(io::stdout().lock());
        let talk = if io::stderr().is_terminal() { Talk::Terminal } else { Talk::Lines };
        let exit = self.run_with(std::env::args_os(), talk, &mut stdout, &mut io::stderr());
        match stdout.flush() {
            Err(error) if error.kind() != ErrorKind::BrokenPipe && exit == Exit::Fine => Exit::Usage,
            _ => exit,
        }
        .into()
    }

    /// Runs a command inside of this process; the first argument is the program's name, which help uses.
    ///
    /// A reader that goes away early, such as `head`, is no error. `shell` replaces the whole process on Unix,
    /// as the client wants the terminal for itself; `route --sql -` reads the process's own stdin.
    pub fn run<I>(&self, arguments: I, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Exit
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        self.run_with(arguments, Talk::Lines, stdout, stderr)
    }

    fn run_with<I>(&self, arguments: I, talk: Talk, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Exit
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let secrets = self.secrets(&arguments);
        let Arguments { options, command } = match Arguments::try_parse_from(arguments) {
            Ok(arguments) => arguments,
            Err(error) if error.use_stderr() => {
                let _ = write!(stderr, "{}", secrets.hide(&error.render().to_string()));
                return Exit::Usage;
            }
            Err(help) => {
                let _ = write!(stdout, "{}", help.render());
                return Exit::Fine;
            }
        };
        let mut output = Output::new(options.format, talk, stdout, stderr, secrets);
        match command::run(&command, &Project { program: self, options: &options }, &mut output) {
            Ok(exit) => exit,
            Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Exit::Fine,
            Err(failure) => {
                match failure {
                    Failure::Config(problems) => output.say(problems),
                    Failure::Usage(message) => output.say(format_args!("error: {message}")),
                    Failure::Output(error) => output.say(format_args!("error: failed to write: {error}")),
                }
                Exit::Usage
            }
        }
    }
}

impl Program {
    /// What no message may quote of what the program was given: a URL where a name belongs.
    fn secrets(&self, arguments: &[OsString]) -> Secrets {
        let arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
        // `--database=URL` is quoted without its flag.
        let values = arguments.map(|argument| match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => value.to_owned(),
            _ => argument.into_owned(),
        });
        let variables =
            [CONFIG_VARIABLE, ENVIRONMENT_VARIABLE].into_iter().filter_map(|name| self.variable(name));
        Secrets::of(values.chain(variables))
    }

    /// A variable that is set to something.
    fn variable(&self, name: &str) -> Option<String> {
        match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
        .filter(|value| !value.is_empty())
    }
}

/// The files and routers that a command is about.
#[derive(Clone, Copy)]
pub(crate) struct Project<'a> {
    program: &'a Program,
    options: &'a Options,
}

impl Project<'_> {
    /// The file that counts, also where it could not be read.
    pub(crate) fn file(&self) -> PathBuf {
        self.named_file().unwrap_or_else(|| DEFAULT_CONFIG.into())
    }

    /// The environment that counts, also where no configuration could be read.
    pub(crate) fn environment(&self) -> String {
        self.named_environment().unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned())
    }

    /// Reads and checks the file that counts.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        match self.named_file() {
            Some(file) => self.config_of(&file),
            // A `.env` may name the file still, and it is the loader that reads it.
            None => Ok(self.loader().load()?.with_hooks(self.program.hooks.clone())),
        }
    }

    /// Reads and checks a file.
    pub(crate) fn config_of(&self, file: &Path) -> Result<Config, ConfigError> {
        Ok(self.loader().file(file).load()?.with_hooks(self.program.hooks.clone()))
    }

    fn loader(&self) -> Loader {
        let mut loader = Config::loader();
        if let Some(environment) = self.named_environment() {
            loader = loader.environment(environment);
        }
        if let Some(env_file) = &self.options.env_file {
            loader = loader.env_file(env_file);
        }
        if let Some(variables) = &self.program.variables {
            loader = loader.variables(variables.clone());
        }
        loader
    }

    /// The routers of the project before the rules of a file.
    pub(crate) fn routing(&self, config: Config) -> Result<Routing, Error> {
        let chain = self.chain(&config);
        Routing::with_routers(config, chain)
    }

    /// Whether the project has routers of its own before the rules.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(crate) fn has_routers(&self) -> bool {
        !self.program.routers.is_empty()
    }

    /// The databases of the file, by the routers of the project and the rules. Nothing is connected.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(crate) fn databases(&self) -> Result<Databases<AnyConnection>, Failure> {
        let config = self.config()?;
        let chain = self.chain(&config);
        Ok(Databases::builder(config).routers(chain).build()?)
    }

    fn chain(&self, config: &Config) -> RouterChain {
        let mut chain = RouterChain::new(config.default.clone());
        for (name, router) in &self.program.routers {
            chain.push(name.clone(), Arc::clone(router));
        }
        chain
    }

    fn named_file(&self) -> Option<PathBuf> {
        let variable = || self.program.variable(CONFIG_VARIABLE).map(PathBuf::from);
        self.options.config.clone().or_else(variable).or_else(|| self.program.config.clone())
    }

    fn named_environment(&self) -> Option<String> {
        self.options.env.clone().or_else(|| self.program.variable(ENVIRONMENT_VARIABLE))
    }
}
