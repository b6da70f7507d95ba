//! Why a command could not do its work.

use std::io;

use router_diesel::config::{Config, ConfigError, Database};

/// Why a command could not do its work. What it was asked to find is no failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration cannot be used; rendered, with all of its problems.
    Config(String),
    /// The command was called wrongly, or something that it needs is missing.
    Usage(String),
    /// The answer could not be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.to_string())
    }
}

impl From<router_diesel::Error> for Failure {
    fn from(error: router_diesel::Error) -> Self {
        match error.as_config() {
            Some(problems) => Self::Config(problems.to_string()),
            None => Self::Config(format!("error: {error}")),
        }
    }
}

/// Finds a database by the name that the user typed.
pub(crate) fn find_database<'a>(config: &'a Config, alias: &str) -> Result<&'a Database, Failure> {
    config.database(alias).ok_or_else(|| {
        let aliases = config.databases.iter().map(|database| database.alias.as_str());
        let what_then = match nearest(alias, aliases.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the file has {}", some_of(aliases)),
        };
        Failure::Usage(format!("no database is called `{alias}`; {what_then}"))
    })
}

/// Names in backticks, as many as a reader takes in.
fn some_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MANY: usize = 20;

    let more = names.len().saturating_sub(MANY);
    let shown: Vec<String> = names.take(MANY).map(|name| format!("`{name}`")).collect();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Those databases that the user named, or all of them, in file order.
pub(crate) fn choose_databases(config: &Config, aliases: &[String]) -> Result<Vec<Database>, Failure> {
    for alias in aliases {
        find_database(config, alias)?;
    }
    let is_chosen = |database: &&Database| {
        aliases.is_empty() || aliases.iter().any(|alias| *alias == database.alias.as_str())
    };
    Ok(config.databases.iter().filter(is_chosen).cloned().collect())
}

/// The name that a person who typed `word` most likely meant: at most a third of the letters away.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3);
    names
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_some_are_shown() {
        assert_eq!(some_of(["a", "b"].into_iter()), "`a`, `b`");
        let many = vec!["a"; 23];
        assert!(some_of(many.into_iter()).ends_with("`a` and 3 more"));
    }
}
