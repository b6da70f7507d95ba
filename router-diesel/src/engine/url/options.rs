//! The options of a URL: its parameters, and what the file lists under `options`.

use std::fmt;

use super::percent::decoded;
use crate::text::nearest;

/// An option that an engine knows.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct UrlOption {
    pub(in crate::engine) name: &'static str,
    /// The values that it may have. Empty where any will do.
    pub(in crate::engine) values: &'static [&'static str],
}

impl UrlOption {
    pub(in crate::engine) const fn any(name: &'static str) -> Self {
        Self { name, values: &[] }
    }
}

/// An option that an engine does not know, or a value that an option cannot have.
///
/// It does not show the value, as that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionProblem {
    /// The option as it is written.
    pub option: String,
    /// What is wrong, as a sentence without its end: ``unknown option `sslmode` for MySQL``.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for OptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.help)
    }
}

/// Holds options, as they stand in a URL, against those that an engine knows. `advise` may say more of an option and its
/// value than which known one is spelt like it.
pub(in crate::engine) fn judge<'u>(
    title: &str,
    known: &[UrlOption],
    options: impl Iterator<Item = (&'u str, &'u str)>,
    advise: impl Fn(&str, &str) -> Option<String>,
) -> Vec<OptionProblem> {
    let problem = |(name, value): (&str, &str)| {
        let (name, value) = (decoded(name), decoded(value));
        let names = known.iter().map(|known| known.name);
        let Some(option) = known.iter().find(|known| known.name == name) else {
            let help = advise(&name, &value).unwrap_or_else(|| help(&name, names));
            return Some(OptionProblem {
                message: format!("unknown option `{name}` for {title}"),
                option: name,
                help,
            });
        };
        if option.values.is_empty() || option.values.contains(&&*value.to_ascii_lowercase()) {
            return None;
        }
        let help = advise(&name, &value).unwrap_or_else(|| help(&value, option.values.iter().copied()));
        let message = format!("the option `{name}` for {title} cannot have this value");
        Some(OptionProblem { message, option: name, help })
    };
    options.filter_map(problem).collect()
}

/// The word that was meant, or all that there are.
fn help<'w>(written: &str, words: impl Iterator<Item = &'w str> + Clone) -> String {
    match nearest(written, words.clone()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => {
            let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
            format!("there is {}", words.join(", "))
        }
    }
}
