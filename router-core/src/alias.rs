//! The name of a database.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name under which a database is declared, such as `blog_db`.
///
/// An alias is text behind a shared pointer: to clone one allocates nothing.
///
/// ```
/// use router_core::Alias;
///
/// let alias = Alias::new("blog_db");
/// assert_eq!(alias, "blog_db");
/// assert_eq!(alias.to_string(), "blog_db");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Arc<str>);

impl Alias {
    /// Makes an alias of a name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for Alias {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Alias {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Alias {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Alias {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl PartialEq<str> for Alias {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Alias {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}
