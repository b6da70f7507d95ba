//! An answer that names no database.

use std::fmt;

use crate::{Alias, RouterName};

/// A router answered with an alias that no configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAlias {
    alias: Alias,
    router: Option<RouterName>,
    suggestion: Option<Alias>,
}

impl UnknownAlias {
    /// Describes the mistake: the alias, the router that answered so, and the aliases that exist.
    ///
    /// Without a router, the alias came from a fall-back: the hints' instance or the default.
    #[must_use]
    pub fn new<'a>(
        alias: Alias,
        router: Option<RouterName>,
        known: impl IntoIterator<Item = &'a Alias>,
    ) -> Self {
        let suggestion = suggest(&alias, known).cloned();
        Self { alias, router, suggestion }
    }

    /// The alias that names no database.
    #[must_use]
    pub const fn alias(&self) -> &Alias {
        &self.alias
    }

    /// The router that answered so, or nothing where a fall-back did.
    #[must_use]
    pub const fn router(&self) -> Option<&RouterName> {
        self.router.as_ref()
    }

    /// The known alias that was probably meant.
    #[must_use]
    pub const fn suggestion(&self) -> Option<&Alias> {
        self.suggestion.as_ref()
    }
}

/// The nearest known alias that is at most a third of the name away; of equals the first by name.
fn suggest<'a>(alias: &Alias, known: impl IntoIterator<Item = &'a Alias>) -> Option<&'a Alias> {
    let wanted = alias.as_str().to_lowercase();
    known
        .into_iter()
        .map(|other| (strsim::osa_distance(&wanted, &other.as_str().to_lowercase()), other))
        .filter(|(distance, _)| *distance <= wanted.chars().count().div_ceil(3))
        .min()
        .map(|(_, other)| other)
}

impl fmt::Display for UnknownAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.router {
            Some(router) => write!(f, "router `{router}` answered with unknown database `{}`", self.alias)?,
            None => write!(f, "no router decided, and it fell to unknown database `{}`", self.alias)?,
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => f.write_str("; declare it under `databases`"),
        }
    }
}

impl std::error::Error for UnknownAlias {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["default", "analytics", "blog_db"].map(Alias::new);
        for (alias, suggestion) in
            [("analytcis", Some("analytics")), ("BLOG_DB", Some("blog_db")), ("warehouse", None)]
        {
            let error = UnknownAlias::new(alias.into(), None, &known);
            assert_eq!(error.suggestion().map(Alias::as_str), suggestion, "{alias}");
        }
    }
}
