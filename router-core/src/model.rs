//! What is asked about: an app, and where known one of its tables.

use std::fmt;

use crate::AppLabel;

/// An app and, where known, one of its tables: what a router is asked about.
///
/// As everywhere, a dotted path stands for its last segment: `apps.blog` is `blog`. A model borrows its
/// names, so to make one allocates nothing.
///
/// ```
/// use router_core::Model;
///
/// assert_eq!(Model::new("apps.blog", "posts").to_string(), "blog.posts");
/// assert_eq!(Model::app("blog").to_string(), "blog");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Model<'a> {
    /// The label of the app, without dots.
    pub app: &'a str,
    /// The table, or nothing where the question is about the app as a whole.
    pub table: Option<&'a str>,
}

impl<'a> Model<'a> {
    /// Names a known app and perhaps one of its tables, without a search for dots.
    ///
    /// ```
    /// use router_core::{AppLabel, Model};
    ///
    /// let blog = AppLabel::new("apps.blog");
    /// assert_eq!(Model::of(&blog, Some("posts")), Model::new("blog", "posts"));
    /// ```
    #[inline]
    #[must_use]
    pub fn of(app: &'a AppLabel, table: Option<&'a str>) -> Self {
        Self { app: app.as_str(), table }
    }

    /// Names an app as a whole.
    #[inline]
    #[must_use]
    pub fn app(app: &'a str) -> Self {
        Self { app: AppLabel::last_segment(app), table: None }
    }

    /// Names a table of an app.
    #[inline]
    #[must_use]
    pub fn new(app: &'a str, table: &'a str) -> Self {
        Self { app: AppLabel::last_segment(app), table: Some(table) }
    }
}

impl fmt::Display for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.app)?;
        match self.table {
            Some(table) => write!(f, ".{table}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_for_its_last_segment() {
        assert_eq!(Model::app("apps.blog"), Model::app("blog"));
        assert_eq!(Model::new("shop.apps.blog", "posts").app, "blog");
    }

    #[test]
    fn a_table_keeps_its_schema() {
        assert_eq!(Model::new("blog", "audit.posts").to_string(), "blog.audit.posts");
    }
}
