//! What is wrong with a configuration, and how it is told.

use std::fmt;

use router_core::Place;
use serde::{Serialize, Serializer};

use super::code::Code;
use crate::text::secrets::without_secrets;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but hardly as it was meant.
    Warning,
    /// It is worth knowing.
    Note,
}

/// One problem of a configuration. `Display` draws it with the lines of the file that it is about;
/// secrets in them are masked.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Problem {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) label: Option<String>,
    #[serde(serialize_with = "place")]
    pub(crate) place: Option<Place>,
    #[serde(serialize_with = "place")]
    pub(crate) related: Option<Place>,
    pub(crate) help: Option<String>,
    #[serde(skip)]
    pub(crate) rendered: String,
}

impl Problem {
    /// A note about a checked configuration, whose lines are not at hand any more.
    pub(crate) fn note(code: Code, message: &str, place: Place) -> Self {
        let message = without_secrets(message).into_owned();
        let rendered = format!("note[{code}]: {message}\n  --> {place}");
        let severity = Severity::Note;
        Self { code, severity, message, label: None, place: Some(place), related: None, help: None, rendered }
    }

    /// Adds what to do.
    pub(crate) fn with_help(mut self, help: String) -> Self {
        self.rendered.push_str(&format!("\n  = help: {help}"));
        self.help = Some(help);
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What to do, where we can guess.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

fn place<S: Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Written<'a> {
        file: &'a str,
        line: u32,
        column: u32,
    }
    place
        .as_ref()
        .map(|place| Written { file: place.file(), line: place.line(), column: place.column() })
        .serialize(serializer)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that is wrong with a configuration, in file order.
#[derive(Clone)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems, in file order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}
