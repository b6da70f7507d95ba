//! Why a task was not done.

use std::fmt;
use std::path::{Path, PathBuf};

use router_core::{Alias, AppLabel, Operation};

use crate::config::{Config, Restriction};
use crate::engine::Engine;
use crate::engine::absence::Unopened;
use crate::engine::client::ClientError;
use crate::engine::dump::DumpError;
use crate::lock::LockError;
use crate::migrate::leftover::{Presence, left_records};
use crate::text::nearest;
use crate::text::one_line;

/// Why a task was not done, with the database it was for and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskError {
    /// No database has this name.
    UnknownDatabase {
        /// The name.
        alias: Alias,
        /// A name like it.
        suggestion: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No app has this name.
    UnknownApp {
        /// The name.
        app: AppLabel,
        /// A name like it.
        suggestion: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The database is a replica, which only its primary changes.
    Replica {
        /// The database.
        alias: Alias,
        /// Its primary.
        primary: Alias,
    },
    /// The file does not let the database be changed.
    NotAllowed {
        /// The database.
        alias: Alias,
        /// What the task would do.
        operation: Operation,
        /// What keeps it from being changed.
        restriction: Restriction,
    },
    /// The task destroys data, and this is production.
    Production {
        /// The task.
        task: &'static str,
        /// The environment: `production` or `prod`, in whatever case.
        environment: String,
    },
    /// The task destroys data, and the environment may be a production that was mistyped: it is neither
    /// `development` nor `test`, and the file does not declare it.
    UndeclaredEnvironment {
        /// The task.
        task: &'static str,
        /// The environment.
        environment: String,
        /// A well-known name like it.
        suggestion: Option<String>,
    },
    /// The database keeps the records of others that stay, whose migrations would all count as pending.
    KeepsRecords {
        /// The database.
        alias: Alias,
        /// The others.
        of: Vec<Alias>,
    },
    /// The database that keeps its records cannot be reached, and nothing was dropped.
    RecordsUnreachable {
        /// The database.
        alias: Alias,
        /// The one that keeps its records.
        history: Alias,
        /// Why that cannot be reached.
        cause: String,
    },
    /// The database is gone, and its records are not.
    RecordsStay {
        /// The database.
        alias: Alias,
        /// The one that keeps its records.
        history: Alias,
        /// Why they could not be taken away.
        cause: String,
    },
    /// The database is not there or is empty, and another has records of its migrations, as of one that was lost.
    LeftRecords {
        /// The database.
        alias: Alias,
        /// Whether it is there.
        presence: Presence,
        /// The one that keeps its records.
        history: Alias,
        /// How many there are.
        number: usize,
    },
    /// The database is in memory, where each connection has one of its own.
    InMemory {
        /// The database.
        alias: Alias,
    },
    /// The URL names no database on its server.
    Nameless {
        /// The database.
        alias: Alias,
    },
    /// The server could not be reached.
    Unreachable {
        /// The database.
        alias: Alias,
        /// What the attempt to connect said, without any password.
        cause: String,
    },
    /// There is no such database.
    Absent {
        /// The database.
        alias: Alias,
        /// Its file, or its name on the server.
        name: String,
    },
    /// The server refused.
    Refused {
        /// The database.
        alias: Alias,
        /// What was asked of it, as the end of "failed to".
        doing: String,
        /// What it said.
        cause: String,
    },
    /// Others are connected to the database.
    InUse {
        /// The database.
        alias: Alias,
        /// One line for each connection.
        sessions: Vec<String>,
    },
    /// The file is no database of the engine's.
    NotADatabase {
        /// The database.
        alias: Alias,
        /// The engine.
        engine: Engine,
        /// The file.
        path: PathBuf,
    },
    /// The database has tables already.
    NotEmpty {
        /// The database.
        alias: Alias,
        /// Its tables.
        tables: Vec<String>,
    },
    /// There is no schema to load.
    NoSchema {
        /// The database.
        alias: Alias,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The schema was loaded, and the migrations that made it could not be recorded.
    Unrecorded {
        /// The database.
        alias: Alias,
        /// Why not.
        cause: String,
    },
    /// The folder of seeds that was named is not there.
    NoSeedFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A seed failed. The ones before it stay.
    Seed {
        /// The database.
        alias: Alias,
        /// The file.
        path: PathBuf,
        /// What the database said of it.
        cause: String,
        /// The seeds that were sown before.
        sown: Vec<String>,
    },
    /// An app has seeds, and no database where it may be written to.
    NowhereToWrite {
        /// The app.
        app: AppLabel,
        /// Its folder of seeds.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    File {
        /// The database, where it is for one.
        alias: Option<Alias>,
        /// What was to be done, as the end of "failed to".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A program of the database's client is not installed.
    MissingProgram {
        /// The database.
        alias: Alias,
        /// The program.
        program: String,
        /// The Debian and Ubuntu package that brings it.
        package: &'static str,
    },
    /// A program of the database's client failed.
    Program {
        /// The database.
        alias: Alias,
        /// The program.
        program: String,
        /// What it wrote.
        output: String,
    },
    /// A part of the URL cannot be told to the client's program without everybody seeing it.
    SecretOption {
        /// The database.
        alias: Alias,
        /// The option's name.
        option: String,
    },
    /// The name cannot be that of a migration.
    BadName {
        /// The name.
        name: String,
    },
    /// The database could not be locked.
    Lock(LockError),
}

impl TaskError {
    /// The database that the error is about, where it is about one.
    #[must_use]
    pub fn alias(&self) -> Option<&Alias> {
        match self {
            Self::UnknownDatabase { alias, .. }
            | Self::Replica { alias, .. }
            | Self::NotAllowed { alias, .. }
            | Self::InMemory { alias }
            | Self::Nameless { alias }
            | Self::Unreachable { alias, .. }
            | Self::Absent { alias, .. }
            | Self::Refused { alias, .. }
            | Self::InUse { alias, .. }
            | Self::NotADatabase { alias, .. }
            | Self::NotEmpty { alias, .. }
            | Self::NoSchema { alias, .. }
            | Self::Unrecorded { alias, .. }
            | Self::KeepsRecords { alias, .. }
            | Self::RecordsUnreachable { alias, .. }
            | Self::RecordsStay { alias, .. }
            | Self::LeftRecords { alias, .. }
            | Self::Seed { alias, .. }
            | Self::MissingProgram { alias, .. }
            | Self::Program { alias, .. }
            | Self::SecretOption { alias, .. } => Some(alias),
            Self::File { alias, .. } => alias.as_ref(),
            Self::Lock(error) => Some(error.alias()),
            Self::UnknownApp { .. }
            | Self::Production { .. }
            | Self::UndeclaredEnvironment { .. }
            | Self::NoSeedFolder { .. }
            | Self::NowhereToWrite { .. }
            | Self::BadName { .. } => None,
        }
    }

    /// Whether the database could not be reached, so that the same call could succeed later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::RecordsUnreachable { .. }
                | Self::Lock(LockError::Unreachable { .. })
        )
    }

    pub(super) fn unknown_database(alias: &str, config: &Config) -> Self {
        let known = config.databases.iter().map(|database| database.alias.as_str());
        Self::UnknownDatabase {
            alias: alias.into(),
            suggestion: nearest(alias, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    pub(super) fn unknown_app(app: &str, config: &Config) -> Self {
        let known = config.apps.iter().map(|app| app.label.as_str());
        Self::UnknownApp {
            app: AppLabel::new(app),
            suggestion: nearest(app, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    pub(super) fn unreachable(alias: &Alias, error: &diesel::ConnectionError) -> Self {
        Self::Unreachable { alias: alias.clone(), cause: error.to_string() }
    }

    /// Why a connection could not be opened to the very database.
    pub(super) fn unopened(alias: &Alias, Unopened { error, absent }: Unopened) -> Self {
        match absent {
            Some(name) => Self::Absent { alias: alias.clone(), name },
            None => Self::unreachable(alias, &error),
        }
    }

    pub(super) fn refused(
        alias: &Alias,
        doing: impl Into<String>,
    ) -> impl FnOnce(diesel::result::Error) -> Self {
        let (alias, doing) = (alias.clone(), doing.into());
        move |error| Self::Refused { alias, doing, cause: error.to_string() }
    }

    pub(super) fn of_client(alias: &Alias) -> impl FnOnce(ClientError) -> Self {
        let alias = alias.clone();
        move |error| match error {
            ClientError::Nameless => Self::Nameless { alias },
            ClientError::Secret(option) => Self::SecretOption { alias, option },
            ClientError::Missing { program, package } => Self::MissingProgram { alias, program, package },
            ClientError::Failed { program, output } => Self::Program { alias, program, output },
        }
    }

    pub(super) fn of_dump(alias: &Alias, doing: impl Into<String>) -> impl FnOnce(DumpError) -> Self {
        let (alias, doing) = (alias.clone(), doing.into());
        move |error| match error {
            DumpError::Refused(error) => Self::refused(&alias, doing)(error),
            DumpError::Client(error) => Self::of_client(&alias)(error),
        }
    }

    pub(super) fn file(
        alias: Option<&Alias>,
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let (alias, path) = (alias.cloned(), path.to_owned());
        move |error| Self::File { alias, doing, path, cause: error.to_string() }
    }
}

impl From<LockError> for TaskError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDatabase { alias, suggestion, known } => {
                write!(f, "unknown database `{alias}`; {}", did_you_mean(suggestion.as_deref(), known))
            }
            Self::UnknownApp { app, suggestion, known } => {
                write!(f, "unknown app `{app}`; {}", did_you_mean(suggestion.as_deref(), known))
            }
            Self::Replica { alias, primary } => write!(
                f,
                "database `{alias}` is a replica of `{primary}` and gets everything from there; name `{primary}`"
            ),
            Self::NotAllowed { alias, operation, restriction } => {
                let (why, next) = match restriction {
                    Restriction::Replica => ("is a replica", "name its primary"),
                    Restriction::ReadOnly => ("is `read_only: true`", "take that away for the task"),
                    Restriction::Offline => ("is `offline: primary`", "take that away for the task"),
                    Restriction::Operations => {
                        return write!(
                            f,
                            "database `{alias}` has `operations` without `{operation}`, which the task needs; add it, \
                             or name another database"
                        );
                    }
                };
                write!(f, "database `{alias}` {why}; {next}")
            }
            Self::Production { task, environment } => write!(
                f,
                "`{task}` destroys data, and this is the environment `{environment}`; pass `--force` if you mean it"
            ),
            Self::UndeclaredEnvironment { task, environment, suggestion } => {
                write!(f, "`{task}` destroys data, and no environment `{environment}` is declared; ")?;
                match suggestion {
                    Some(suggestion) => write!(f, "did you mean `{suggestion}`?"),
                    None => write!(
                        f,
                        "declare it in the file, if only as `environments: {{ {environment}: {{}} }}`, or pass \
                         `--force`"
                    ),
                }
            }
            Self::KeepsRecords { alias, of } => {
                let of: Vec<String> = of.iter().map(Alias::to_string).collect();
                let options: String = of.iter().map(|of| format!(" --database {of}")).collect();
                write!(
                    f,
                    "`{alias}` keeps the records of the migrations of {}, which would all count as pending; drop them \
                     together, with `--database {alias}{options}`, or pass `--force`",
                    quoted(&of)
                )
            }
            Self::RecordsUnreachable { alias, history, cause } => write!(
                f,
                "database `{alias}` was not dropped, as the records of its migrations are on `{history}` and cannot \
                 be taken away: {}; try again when it answers, or pass `--force`, and they stay",
                one_line(cause)
            ),
            Self::RecordsStay { alias, history, cause } => write!(
                f,
                "database `{alias}` is gone, but the records of its migrations stay on `{history}`: {}; `dbrouter \
                 drop --database {alias}` takes them away when it answers",
                one_line(cause)
            ),
            Self::LeftRecords { alias, presence, history, number } => {
                let (message, help) = left_records(alias, *presence, history, *number);
                write!(f, "{message}; {help}")
            }
            Self::InMemory { alias } => write!(
                f,
                "database `{alias}` is in memory, where each connection has one of its own; give it a file"
            ),
            Self::Nameless { alias } => {
                write!(f, "the URL of database `{alias}` names no database on its server; add `/name`")
            }
            Self::Unreachable { alias, cause } => {
                write!(f, "database `{alias}` cannot be reached: {}", cause.trim_end())
            }
            Self::Absent { alias, name } => write!(
                f,
                "database `{alias}` is not there: there is no `{name}`; `dbrouter create --database {alias}` makes it"
            ),
            Self::Refused { alias, doing, cause } => {
                write!(f, "failed to {doing} for database `{alias}`: {}", cause.trim_end())
            }
            Self::InUse { alias, sessions } => write!(
                f,
                "database `{alias}` is in use by {}; end these connections, or pass `--force`",
                sessions.join(", ")
            ),
            Self::NotADatabase { alias, engine, path } => write!(
                f,
                "`{}`, which database `{alias}` names, is no {} file; correct its URL, or pass `--force`",
                path.display(),
                engine.title()
            ),
            Self::NotEmpty { alias, tables } => {
                let shown: Vec<String> = tables.iter().take(5).map(|table| format!("`{table}`")).collect();
                write!(f, "database `{alias}` is not empty: it has {}", shown.join(", "))?;
                if tables.len() > shown.len() {
                    write!(f, " and {} more", tables.len() - shown.len())?;
                }
                write!(
                    f,
                    "; to begin anew, `dbrouter drop --database {alias}` and `dbrouter create --database \
                     {alias}`, or pass `--force` to load over them"
                )
            }
            Self::NoSchema { alias, path } => write!(
                f,
                "nothing was loaded, as there is no `{}`, where the schema of database `{alias}` is looked for; \
                 `dbrouter schema dump` writes it where there is a database that has the schema",
                path.display()
            ),
            Self::Unrecorded { alias, cause } => write!(
                f,
                "the schema of database `{alias}` was loaded, but not all of its migrations could be recorded: {}; \
                 `dbrouter drop --database {alias}` and begin anew, or record them by `dbrouter fake`",
                cause.trim_end()
            ),
            Self::NoSeedFolder { path } => write!(
                f,
                "there is no folder of seeds `{}`; correct it, or leave it out for `seeds`",
                path.display()
            ),
            Self::Seed { alias, path, cause, sown } => {
                write!(f, "seed `{}` failed on database `{alias}`: {}; ", path.display(), cause.trim_end())?;
                match sown.as_slice() {
                    [] => f.write_str("nothing was sown"),
                    sown => write!(f, "what was sown before it stays: {}", quoted(sown)),
                }
            }
            Self::NowhereToWrite { app, path } => write!(
                f,
                "app `{app}` has seeds in `{}`, but no database where it may be written to",
                path.display()
            ),
            Self::File { alias, doing, path, cause } => {
                write!(f, "failed to {doing} `{}`", path.display())?;
                if let Some(alias) = alias {
                    write!(f, " for database `{alias}`")?;
                }
                write!(f, ": {cause}")
            }
            Self::MissingProgram { alias, program, package } => write!(
                f,
                "`{program}`, which database `{alias}` needs for this, was not found; install the package \
                 `{package}`"
            ),
            Self::Program { alias, program, output } => {
                write!(f, "`{program}` failed for database `{alias}`: {}", output.trim_end())
            }
            Self::SecretOption { alias, option } => write!(
                f,
                "the URL of database `{alias}` has the option `{option}`, which cannot be handed to another \
                 program unseen; use an alias without it"
            ),
            Self::BadName { name } => write!(
                f,
                "`{name}` cannot be the name of a migration; use letters, digits and `_`, as in `create_posts`"
            ),
            Self::Lock(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TaskError {}

fn did_you_mean(suggestion: Option<&str>, known: &[String]) -> String {
    /// As many names as a reader takes in.
    const MANY: usize = 20;

    match suggestion {
        Some(suggestion) => format!("did you mean `{suggestion}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None if known.len() > MANY => {
            format!("there are {} and {} more", quoted(&known[..MANY]), known.len() - MANY)
        }
        None => format!("there are {}", quoted(known)),
    }
}

pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_sentence_is_one_line() {
        let (alias, history) = (Alias::new("blog_db"), Alias::new("default"));
        let cause = "connection to server failed: refused\n\tIs the server running?\n".to_owned();
        for error in [
            TaskError::RecordsUnreachable {
                alias: alias.clone(),
                history: history.clone(),
                cause: cause.clone(),
            },
            TaskError::RecordsStay { alias, history, cause },
        ] {
            let text = error.to_string();
            assert!(
                text.contains(": connection to server failed: refused Is the server running?; "),
                "{text}"
            );
        }
    }
}
