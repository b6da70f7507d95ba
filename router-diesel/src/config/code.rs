//! The codes of problems.

use std::fmt;

use serde::{Serialize, Serializer};

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
    Expansion = "R006", "the file is nested too deeply, or its aliases are too many";
    /// A key stands twice in one map.
    DuplicateKey = "R007", "a key stands twice";
    /// A key means nothing here.
    UnknownKey = "R008", "a key is unknown";
    /// A value is of the wrong kind, such as text where a list belongs.
    WrongType = "R009", "a value is of the wrong kind";
    /// A number is out of its range.
    BadNumber = "R010", "a number is out of range";
    /// A duration cannot be read, is zero, or is too short or too long for what it is for.
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
    /// No database claims an app, perhaps because the claim is misspelt.
    Unclaimed = "R048", "no database claims an app";
    /// An app is claimed for reads alone or for writes alone, and the rest goes to the default database.
    HalfClaimed = "R049", "half of an app goes to the default database";
    /// A setting changes nothing where it stands.
    NoEffect = "R050", "a setting has no effect";
    /// A database has both a password and the file of one.
    PasswordAndFile = "R051", "a database has a password and a file of one";
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
