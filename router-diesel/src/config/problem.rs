//! What is wrong with a configuration, and how it is told.

use std::fmt;

use router_core::Place;
use serde::{Serialize, Serializer};

use super::node::Mark;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $title:literal;)+) => {
        /// What kind of problem it is. A code never changes its meaning; `docs/errors.md` has an
        /// example of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it is printed, such as `R012`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// The code in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }
        }
    };
}

codes! {
    /// The file cannot be opened or read.
    MissingFile = "R001", "the file cannot be read";
    /// The file declares nothing at all.
    EmptyFile = "R002", "the file is empty";
    /// The file is no text in UTF-8.
    NotText = "R003", "the file is not text";
    /// The file is larger than any configuration.
    TooLarge = "R004", "the file is too large";
    /// The file is not YAML.
    Syntax = "R005", "the file is not YAML";
    /// YAML aliases blow the file up beyond measure, or refer to themselves.
    Expansion = "R006", "the file is too large once its aliases are expanded";
    /// A key stands twice in one map.
    DuplicateKey = "R007", "a key stands twice";
    /// A key means nothing here.
    UnknownKey = "R008", "a key is unknown";
    /// A value is of the wrong kind, such as text where a list belongs.
    WrongType = "R009", "a value is of the wrong kind";
    /// A number is out of its range.
    BadNumber = "R010", "a number is out of range";
    /// A duration cannot be read or is zero.
    BadDuration = "R011", "a duration cannot be used";
    /// An alias names no database.
    UnknownAlias = "R012", "an alias names no database";
    /// A word is none of those that may stand here.
    UnknownWord = "R013", "a word is not among the choices";
    /// A name has characters that names do not have.
    BadName = "R014", "a name cannot be used";
    /// Two names differ in nothing but case.
    SameButCase = "R015", "two names differ only in case";
    /// The file declares no database.
    NoDatabases = "R016", "there is no database";
    /// An operation is none of read, write and migrate.
    UnknownOperation = "R017", "an operation is unknown";
    /// The list of operations is empty.
    NoOperations = "R018", "a database allows no operation";
    /// Two databases claim an app for one operation.
    ClaimedTwice = "R019", "an app is claimed twice";
    /// The target of `migrate_to` may not migrate.
    MigrateToForbidden = "R020", "migrations are sent where none may run";
    /// A replica is declared to be the replica of a replica.
    ReplicaOfReplica = "R021", "a replica follows a replica";
    /// `replica_of` leads back to where it began.
    ReplicaCycle = "R022", "replicas follow each other in a circle";
    /// `migrate_to` leads back to where it began, or on to another `migrate_to`.
    MigrateCycle = "R023", "migrations are sent in a circle";
    /// A replica claims apps for more than reading.
    ReplicaClaims = "R024", "a replica claims more than reads";
    /// A rule can never be used.
    Unreachable = "R025", "a rule can never be used";
    /// Two apps claim one table.
    TableClaimedTwice = "R026", "a table belongs to two apps";
    /// A name stands twice in one list.
    Repeated = "R027", "a name stands twice in a list";
    /// Nothing says how to reach a database.
    NoUrl = "R028", "a database has no URL";
    /// A database has both a URL and the parts of one.
    UrlAndParts = "R029", "a database has a URL and parts of one";
    /// The scheme of a URL is unknown.
    UnknownScheme = "R030", "a URL has an unknown scheme";
    /// A URL cannot be read, or cannot be made of its parts.
    BadUrl = "R031", "a URL cannot be read";
    /// A URL can be read in several ways, because its password is not encoded.
    AmbiguousUrl = "R032", "a URL can be read in several ways";
    /// `engine` and the scheme of the URL disagree.
    EngineMismatch = "R033", "engine and URL disagree";
    /// A key beside which another is missing or forbidden.
    Misplaced = "R034", "a key does not fit its neighbours";
    /// A variable is not set.
    MissingVariable = "R035", "a variable is not set";
    /// A dollar sign begins no variable.
    BadVariable = "R036", "a variable is written wrongly";
    /// An env file that was named is missing.
    MissingEnvFile = "R037", "an env file is missing";
    /// An env file cannot be read.
    BadEnvFile = "R038", "an env file cannot be read";
    /// An included file is missing.
    MissingInclude = "R039", "an included file is missing";
    /// A file includes itself, at once or by way of others.
    IncludeCycle = "R040", "files include each other in a circle";
    /// Two files declare one name.
    DeclaredTwice = "R041", "a name is declared in two files";
    /// The environment that was chosen is not declared.
    UnknownEnvironment = "R042", "the environment is unknown";
    /// A table pattern is none.
    BadPattern = "R043", "a table's name cannot be used";
    /// A merge key is given something that cannot be merged.
    BadMerge = "R044", "a merge key cannot be used";
    /// The default database is a replica.
    DefaultIsReplica = "R045", "the default database is a replica";
    /// An app is migrated into a database from which it is not read.
    MigratesElsewhere = "R046", "an app is not read from where its tables are";
    /// A database is of an engine that this build has no support for.
    EngineNotBuilt = "R047", "this build has no support for the engine";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

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
    pub(crate) fn note(code: Code, message: String, place: Place) -> Self {
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

/// A problem whose places are still marks, before it is drawn.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) mark: Mark,
    pub(crate) label: String,
    pub(crate) related: Option<(Mark, String)>,
    pub(crate) help: Option<String>,
}

impl Draft {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            mark: Mark::default(),
            label: String::new(),
            related: None,
            help: None,
        }
    }

    /// Where it is, and what is said there.
    pub(crate) fn at(mut self, mark: Mark, label: impl Into<String>) -> Self {
        self.mark = mark;
        self.label = label.into();
        self
    }

    /// Where what it conflicts with is, and what is said there.
    pub(crate) fn also(mut self, mark: Mark, label: impl Into<String>) -> Self {
        self.related = Some((mark, label.into()));
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers the candidate that is spelt most like a word; changes nothing where none is.
    pub(crate) fn did_you_mean<'a>(
        mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if let Some(candidate) = nearest(word, candidates) {
            self.help = Some(format!("did you mean `{candidate}`?"));
        }
        self
    }

    /// Says that it is worth knowing, and no error.
    pub(crate) fn note(mut self) -> Self {
        self.severity = Severity::Note;
        self
    }
}

/// The candidate that a person who wrote `word` most likely meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // A third of the letters may be wrong; more would be guessing.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        // The lengths bound the distance, and spare comparing with thousands of aliases.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit * 2)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
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
