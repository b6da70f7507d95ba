//! What can be typed about migrations.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use router_diesel::migrate;

/// The commands that run migrations, or tell of them.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Run what is pending, on every database
    Migrate(MigrateArguments),
    /// Show what migrate would do, and write nothing at all
    Plan(PlanArguments),
    /// Show where every migration stands
    Status(StatusArguments),
    /// Revert the last migrations of a database
    Rollback(BackArguments),
    /// Revert the last migrations of a database and run them again
    Redo(BackArguments),
    /// Record migrations as applied without running them
    Fake(FakeArguments),
    /// Say what became of a migration whose state is in doubt
    Resolve(ResolveArguments),
    /// Take over what Diesel's own command recorded
    Adopt(AdoptArguments),
}

/// Which databases and apps a command is for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// This database only; may be repeated
    #[arg(long = "database", short, value_name = "ALIAS")]
    pub(crate) databases: Vec<String>,
    /// This app only; may be repeated
    #[arg(long = "app", value_name = "APP")]
    pub(crate) apps: Vec<String>,
}

impl Selection {
    /// The same choice as it is typed after a command, with a space before each option.
    pub(crate) fn as_options(&self) -> String {
        let databases = self.databases.iter().map(|alias| format!(" --database {alias}"));
        databases.chain(self.apps.iter().map(|app| format!(" --app {app}"))).collect()
    }
}

/// How long to wait for another process.
#[derive(Debug, Clone, Args)]
pub(crate) struct LockWait {
    /// How long to wait for another process at the same database: 500ms, 60s, 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) lock_wait: Duration,
}

/// How several databases are taken.
#[derive(Debug, Clone, Args)]
pub(crate) struct Fleet {
    /// How many databases are migrated at once
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroUsize,
    /// The database to migrate first and alone: if it fails, no other is begun
    #[arg(long, value_name = "ALIAS")]
    pub(crate) canary: Option<String>,
    /// What happens to the other databases when one has failed
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub(crate) on_error: OnError,
}

/// What happens to the other databases when one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    #[value(help = None)]
    Stop,
    #[value(help = None)]
    Continue,
}

impl From<OnError> for migrate::OnError {
    fn from(on_error: OnError) -> Self {
        match on_error {
            OnError::Stop => Self::Stop,
            OnError::Continue => Self::Continue,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Migrate up to and with this version; by default all that is pending
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    /// Begin this app from nothing, though another database has records of it; may be repeated
    #[arg(long, value_name = "APP")]
    pub(crate) anew: Vec<String>,
    #[command(flatten)]
    pub(crate) fleet: Fleet,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Plan up to and with this version; by default all that is pending
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    /// Begin this app from nothing, though another database has records of it; may be repeated
    #[arg(long, value_name = "APP")]
    pub(crate) anew: Vec<String>,
    /// Show the SQL of each migration, too
    #[arg(long)]
    pub(crate) sql: bool,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// End with 1 where anything is pending or wrong
    #[arg(long)]
    pub(crate) check: bool,
}

const STATUS_HELP: &str = "\
States:
  applied       run, and as it was since
  pending       yet to run
  out of order  yet to run, though a later one of its app was applied
  changed       its file was edited after it was applied
  missing       recorded, but not among the migrations any more
  dirty         it failed or was interrupted where nothing can be rolled back
  drift         applied, but a table that it creates is not there

With --format json, one line, to which fields may be added at the end:
  {\"clean\":BOOL,\"databases\":[{\"database\":ALIAS,\"history\":ALIAS,\"migrations\":[
    {\"app\":APP,\"version\":TEXT,\"name\":TEXT,\"state\":STATE,\"applied_at\":TEXT?,\"ms\":NUMBER?,
     \"file\":PATH?,\"detail\":TEXT?,\"help\":TEXT?}],\"failure\":FAILURE?,\"warnings\":[TEXT]}],
   \"problems\":[PROBLEM]}
  FAILURE is {\"kind\":TEXT,\"database\":ALIAS?,\"app\":APP?,\"version\":TEXT?,\"file\":PATH?,
    \"message\":TEXT,\"help\":TEXT?}
  PROBLEM, which keeps a run from beginning, is {\"code\":TEXT,\"app\":APP,\"version\":TEXT?,
    \"databases\":[ALIAS],\"file\":PATH?,\"line\":NUMBER?,\"message\":TEXT,\"help\":TEXT?}
  What has a ? may be null.";

#[derive(Debug, Args)]
pub(crate) struct BackArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How many migrations of each database
    #[arg(long, value_name = "N", default_value = "1", value_parser = steps)]
    pub(crate) steps: NonZeroUsize,
    #[command(flatten)]
    pub(crate) fleet: Fleet,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["versions", "all"]).required(true)))]
pub(crate) struct FakeArguments {
    /// The versions to record as applied
    #[arg(value_name = "VERSION")]
    pub(crate) versions: Vec<String>,
    /// Record all that is pending
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("finding").args(["applied", "reverted"]).required(true)))]
pub(crate) struct ResolveArguments {
    /// The app of the migration
    #[arg(value_name = "APP")]
    pub(crate) app: String,
    /// Its version
    #[arg(value_name = "VERSION")]
    pub(crate) version: String,
    /// All of it is there, as its file now stands: it counts as applied
    #[arg(long)]
    pub(crate) applied: bool,
    /// Nothing of it is there: it is pending again
    #[arg(long)]
    pub(crate) reverted: bool,
    /// This database only; may be repeated
    #[arg(long = "database", short, value_name = "ALIAS")]
    pub(crate) databases: Vec<String>,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Record it; by default it is only shown
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) lock_wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The app
    #[arg(value_name = "APP")]
    pub(crate) app: String,
    /// What the migration does, such as create_posts
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Reads how many steps to go back.
fn steps(text: &str) -> Result<NonZeroUsize, String> {
    let number: usize = text.parse().map_err(|_| "write a number, such as 2".to_owned())?;
    NonZeroUsize::new(number).ok_or_else(|| "no step is nothing to do; write 1 or more".to_owned())
}

/// Reads `500ms`, `60s` or `5m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let number: Option<u64> = digits.parse().ok();
    let duration = match (number, &text[digits.len()..]) {
        (Some(number), "ms") => Some(Duration::from_millis(number)),
        (Some(number), "s") => Some(Duration::from_secs(number)),
        (Some(number), "m") => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    };
    duration.ok_or_else(|| "write a number and its unit, as in `500ms`, `60s` or `5m`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_data() {
        for (text, expected) in [
            ("500ms", Some(Duration::from_millis(500))),
            ("60s", Some(Duration::from_secs(60))),
            ("5m", Some(Duration::from_secs(300))),
            ("0s", Some(Duration::ZERO)),
            ("60", None),
            ("s", None),
            ("1h", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615m", None),
            ("5é", None),
            ("", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }
}
