//! What can be typed.

pub(crate) mod migrate;
pub(crate) mod task;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use router_diesel::statement::Dialect;

use self::migrate::{MigrateCommand, NewArguments};
use self::task::TaskCommand;

/// The environment variable that names the file.
pub(crate) const CONFIG_VARIABLE: &str = "DBROUTER_CONFIG";
/// The environment variable that names the environment.
pub(crate) const ENVIRONMENT_VARIABLE: &str = "DBROUTER_ENV";
/// The environment where nobody names one.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "development";
/// The file where nobody names one.
pub(crate) const DEFAULT_CONFIG: &str = "config/databases.yml";

const GLOBAL: &str = "Global options";
const AFTER_HELP: &str = "\
Environment:
  DBROUTER_CONFIG  the file, where --config does not name it
  DBROUTER_ENV     the environment, where --env does not name it

Exit status:
  0  all is well
  1  the command found what it looks for: a warning, a refusal, a difference
  2  wrong usage or configuration
  3  a database could not be reached, or another process kept it locked
  4  a migration or another task failed, or what an earlier one left keeps it from running";

/// Says which database a model or a statement belongs to, and migrates them all by the same rules.
#[derive(Debug, Parser)]
#[command(name = "dbrouter", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration file; else DBROUTER_CONFIG, else config/databases.yml
    #[arg(long, short, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The environment; else DBROUTER_ENV, else development
    #[arg(long, short, global = true, help_heading = GLOBAL, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// A file of variables, which must be there; else .env if present
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[value(help = None)]
    Text,
    /// For programs.
    #[value(help = None)]
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration, and with --connect the way to every database
    Check(CheckArguments),
    /// Show where each app is read, written and migrated
    Routes,
    /// Say where a model or a statement goes, and why
    Route(RouteArguments),
    /// Compare the routes of two configuration files
    Diff(DiffArguments),
    /// Ask every database whether it answers, and the nodes of clusters how they stand
    Health(HealthArguments),
    #[command(flatten)]
    Migrations(MigrateCommand),
    /// Begin a migration of an app
    New(NewArguments),
    #[command(flatten)]
    Tasks(TaskCommand),
    /// Open the database's own client: psql, mariadb or sqlite3
    Shell(ShellArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Connect to every database, too
    #[arg(long)]
    pub(crate) connect: bool,
    /// Connect to this database only; may be repeated
    #[arg(long = "database", short, value_name = "ALIAS", requires = "connect")]
    pub(crate) databases: Vec<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("question").args(["model", "sql"]).required(true)))]
pub(crate) struct RouteArguments {
    /// The app, and perhaps one of its tables
    #[arg(value_name = "APP[.TABLE]")]
    pub(crate) model: Option<String>,
    /// Ask for a write; by default for a read
    #[arg(long, short, conflicts_with = "sql")]
    pub(crate) write: bool,
    /// The statement; `-` reads it from stdin
    #[arg(long, value_name = "STATEMENT", allow_hyphen_values = true)]
    pub(crate) sql: Option<String>,
    /// Whose SQL it is; by default that of the default database
    #[arg(long, value_name = "DIALECT", requires = "sql", value_parser = DialectParser)]
    pub(crate) dialect: Option<Dialect>,
}

/// Reads the words for a dialect, and shows the one of each in help.
#[derive(Debug, Clone)]
struct DialectParser;

impl TypedValueParser for DialectParser {
    type Value = Dialect;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Dialect, clap::Error> {
        let parser = StringValueParser::new().try_map(|word| word.parse::<Dialect>());
        parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Dialect::ALL.into_iter().map(|dialect| PossibleValue::new(dialect.as_str()))))
    }
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The configuration file as it was
    pub(crate) old: PathBuf,
    /// The configuration file as it will be
    pub(crate) new: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// Ask this database only; may be repeated
    #[arg(long = "database", short, value_name = "ALIAS")]
    pub(crate) databases: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShellArguments {
    /// The database
    #[arg(value_name = "ALIAS")]
    pub(crate) alias: String,
    /// More arguments for the client, after `--`
    #[arg(value_name = "ARGUMENT", last = true)]
    pub(crate) arguments: Vec<OsString>,
}
