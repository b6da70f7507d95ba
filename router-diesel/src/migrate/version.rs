//! What a migration is known by.

use std::fmt;
use std::sync::Arc;

use router_core::AppLabel;

/// The version of a migration: what stands before the first `_` of its folder's name, without dashes.
///
/// Versions are ordered as text, as Diesel orders them. `2024-03-01-120000` and `20240301120000` are one version.
///
/// ```
/// use router_diesel::migrate::Version;
///
/// assert_eq!(Version::new("2024-03-01-120000"), Version::new("20240301120000"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// Reads a version. Dashes between digits do not count.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_date = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_date { Self(text.replace('-', "").into()) } else { Self(text.into()) }
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl From<&str> for Version {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// A migration among all apps': two apps may use the same version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MigrationId {
    /// The app that it belongs to.
    pub app: AppLabel,
    /// Its version, by which it is ordered.
    pub version: Version,
    /// Its whole name, such as `20240301120000_create_posts`.
    pub name: String,
}

impl MigrationId {
    pub(crate) fn new(app: AppLabel, version: Version, name: impl Into<String>) -> Self {
        Self { app, version, name: name.into() }
    }

    /// What all of a database's migrations are ordered by.
    pub(crate) fn order(&self) -> (&Version, &AppLabel) {
        (&self.version, &self.app)
    }
}

/// `blog/20240301120000_create_posts`.
impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.name)
    }
}

/// How far to migrate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// Everything that is pending.
    #[default]
    Latest,
    /// What is pending up to and with this version. What is applied beyond it stays; `rollback` goes back.
    Version(Version),
}

impl Target {
    /// Whether a version is wanted.
    pub(crate) fn reaches(&self, version: &Version) -> bool {
        match self {
            Self::Latest => true,
            Self::Version(last) => version <= last,
        }
    }
}
