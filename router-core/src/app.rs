//! The label of an app.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The label of an app: the part of a service whose tables live together, such as `blog`.
///
/// As in Django, a dotted path stands for its last segment, so `apps.blog` and `blog` are one label.
/// To clone a label allocates nothing.
///
/// ```
/// use router_core::AppLabel;
///
/// assert_eq!(AppLabel::new("apps.blog"), AppLabel::new("blog"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppLabel(Arc<str>);

impl AppLabel {
    /// Makes a label of a name or a dotted path, of which the last segment counts.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(Self::last_segment(path).into())
    }

    /// The last segment of a dotted path: what an app is called in rules.
    #[must_use]
    pub fn last_segment(path: &str) -> &str {
        // Bytes rather than `rsplit`, which takes as long as all the rest of a decision.
        match path.bytes().rposition(|byte| byte == b'.') {
            Some(dot) => &path[dot + 1..],
            None => path,
        }
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for AppLabel {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for AppLabel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for AppLabel {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl PartialEq<str> for AppLabel {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for AppLabel {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}
