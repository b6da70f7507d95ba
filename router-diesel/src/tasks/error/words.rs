//! What the errors of tasks say.

use std::fmt;

use router_core::Alias;

use super::TaskError;
use crate::config::Restriction;
use crate::migrate::leftover::left_records;
use crate::text::{one_line, secrets};

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        secrets::write(f, format_args!("{}", Words(self)))
    }
}

/// What an error says, perhaps with a URL that somebody took for a name.
struct Words<'a>(&'a TaskError);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TaskError::UnknownDatabase { alias, suggestion, known } => {
                write!(f, "unknown database `{alias}`; {}", did_you_mean(suggestion.as_deref(), known))
            }
            TaskError::UnknownApp { app, suggestion, known } => {
                write!(f, "unknown app `{app}`; {}", did_you_mean(suggestion.as_deref(), known))
            }
            TaskError::Replica { alias, primary } => write!(
                f,
                "database `{alias}` is a replica of `{primary}` and gets everything from there; name `{primary}`"
            ),
            TaskError::NotAllowed { alias, operation, restriction } => {
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
            TaskError::Production { task, environment } => write!(
                f,
                "`{task}` destroys data, and this is the environment `{environment}`; pass `--force` if you mean it"
            ),
            TaskError::UndeclaredEnvironment { task, environment, suggestion } => {
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
            TaskError::KeepsRecords { alias, of } => {
                let of: Vec<String> = of.iter().map(Alias::to_string).collect();
                let options: String = of.iter().map(|of| format!(" --database {of}")).collect();
                write!(
                    f,
                    "`{alias}` keeps the records of the migrations of {}, which would all count as pending; drop them \
                     together, with `--database {alias}{options}`, or pass `--force`",
                    quoted(&of)
                )
            }
            TaskError::OtherSchemas { alias, of } => {
                let of: Vec<String> = of.iter().map(Alias::to_string).collect();
                let options: String = of.iter().map(|of| format!(" --database {of}")).collect();
                write!(
                    f,
                    "`{alias}` is one schema of a database, and {} has another schema of it, which would be dropped too; drop \
                     them together, with `--database {alias}{options}`, or pass `--force`",
                    quoted(&of)
                )
            }
            TaskError::RecordsUnreachable { alias, history, cause } => write!(
                f,
                "database `{alias}` was not dropped, as the records of its migrations are on `{history}` and cannot \
                 be taken away: {}; try again when it answers, or pass `--force`, and they stay",
                one_line(cause)
            ),
            TaskError::RecordsStay { alias, history, cause } => write!(
                f,
                "database `{alias}` is gone, but the records of its migrations stay on `{history}`: {}; `dbrouter \
                 drop --database {alias}` takes them away when it answers",
                one_line(cause)
            ),
            TaskError::LeftRecords { alias, presence, history, number } => {
                let (message, help) = left_records(alias, *presence, history, *number);
                write!(f, "{message}; {help}")
            }
            TaskError::InMemory { alias } => write!(
                f,
                "database `{alias}` is in memory, where each connection has one of its own; give it a file"
            ),
            TaskError::Nameless { alias } => {
                write!(f, "the URL of database `{alias}` names no database on its server; add `/name`")
            }
            TaskError::Unreachable { alias, cause } => {
                write!(f, "database `{alias}` cannot be reached: {}", cause.trim_end())
            }
            TaskError::NotConnected { alias, fault, cause } => f.write_str(&fault.describe(alias, cause)),
            TaskError::Absent { alias, name } => write!(
                f,
                "database `{alias}` is not there: there is no `{name}`; `dbrouter create --database {alias}` makes it"
            ),
            TaskError::Refused { alias, doing, cause } => {
                write!(f, "failed to {doing} for database `{alias}`: {}", cause.trim_end())
            }
            TaskError::InUse { alias, sessions } => write!(
                f,
                "database `{alias}` is in use by {}; end these connections, or pass `--force`",
                sessions.join(", ")
            ),
            TaskError::NotADatabase { alias, engine, path } => write!(
                f,
                "`{}`, which database `{alias}` names, is no {} file; correct its URL, or pass `--force`",
                path.display(),
                engine.title()
            ),
            TaskError::NotEmpty { alias, tables } => {
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
            TaskError::Incomplete { alias, path, migrations } => {
                let number = migrations.len();
                let wrote = if number == 1 { "1 migration" } else { "migrations" };
                let shown: Vec<&str> = migrations.iter().take(5).map(String::as_str).collect();
                let more = match number - shown.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "nothing was loaded, as `{}` does not hold what {wrote} of `{alias}` wrote: {}{more}; dump it with \
                     `dbrouter schema dump --data TABLE` for each table of these rows, or pass `--record-incomplete` if all of \
                     it comes from elsewhere",
                    path.display(),
                    shown.join(", ")
                )
            }
            TaskError::UnknownTable { table } => write!(
                f,
                "no database that is dumped has a table `{table}`; name one that is there, with its schema if need be"
            ),
            TaskError::NoSchema { alias, path } => write!(
                f,
                "nothing was loaded, as there is no `{}`, where the schema of database `{alias}` is looked for; \
                 `dbrouter schema dump` writes it where there is a database that has the schema",
                path.display()
            ),
            TaskError::Unrecorded { alias, cause } => write!(
                f,
                "the schema of database `{alias}` was loaded, but not all of its migrations could be recorded: {}; \
                 `dbrouter drop --database {alias}` and begin anew, or record them by `dbrouter fake`",
                cause.trim_end()
            ),
            TaskError::NoSeedFolder { path } => write!(
                f,
                "there is no folder of seeds `{}`; correct it, or leave it out for `seeds`",
                path.display()
            ),
            TaskError::Seed { alias, path, cause, sown } => {
                write!(f, "seed `{}` failed on database `{alias}`: {}; ", path.display(), cause.trim_end())?;
                match sown.as_slice() {
                    [] => f.write_str("nothing was sown"),
                    sown => write!(f, "what was sown before it stays: {}", quoted(sown)),
                }
            }
            TaskError::NowhereToWrite { app, path } => write!(
                f,
                "app `{app}` has seeds in `{}`, but no database where it may be written to",
                path.display()
            ),
            TaskError::File { alias, doing, path, cause } => {
                write!(f, "failed to {doing} `{}`", path.display())?;
                if let Some(alias) = alias {
                    write!(f, " for database `{alias}`")?;
                }
                write!(f, ": {cause}")
            }
            TaskError::MissingProgram { alias, program, package } => write!(
                f,
                "`{program}`, which database `{alias}` needs for this, was not found; install the package \
                 `{package}`"
            ),
            TaskError::Program { alias, program, output } => {
                write!(f, "`{program}` failed for database `{alias}`: {}", output.trim_end())
            }
            TaskError::SecretOption { alias, option } => write!(
                f,
                "the URL of database `{alias}` has the option `{option}`, which cannot be handed to another \
                 program unseen; use an alias without it"
            ),
            TaskError::BadName { name } => write!(
                f,
                "`{name}` cannot be the name of a migration; use letters, digits and `_`, as in `create_posts`"
            ),
            TaskError::Lock(error) => error.fmt(f),
        }
    }
}

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

pub(in crate::tasks) fn quoted(names: &[String]) -> String {
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
