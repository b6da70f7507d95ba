//! The name of a router in a chain.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The name under which a chain, its traces and its errors speak of a router.
///
/// Unless [named](crate::RouterChain::with_named), a router goes by its type: `TenantRouter`. To clone a name
/// allocates nothing, and for a static one, which most are, touches no counter either.
#[derive(Clone)]
pub struct RouterName(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl RouterName {
    /// The name of a type without the modules it lies in, and without a closure's unspeakable arguments.
    ///
    /// ```
    /// use router_core::{NoRouter, RouterName};
    ///
    /// assert_eq!(RouterName::of_type::<NoRouter>(), "NoRouter");
    /// ```
    #[must_use]
    pub fn of_type<R: ?Sized>() -> Self {
        short_type_name(std::any::type_name::<R>())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(name) => name,
            Text::Shared(name) => name,
        }
    }
}

fn short_type_name(path: &'static str) -> RouterName {
    let (outer, arguments) = path.split_at(path.find(['<', ' ', '&']).unwrap_or(path.len()));
    if arguments.is_empty() || arguments.contains("{{closure}}") {
        return outer.rsplit("::").next().unwrap_or(outer).into();
    }
    let is_part_of_a_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let mut name = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        let (word, after) = if is_part_of_a_path(letter) {
            rest.split_at(rest.find(|letter| !is_part_of_a_path(letter)).unwrap_or(rest.len()))
        } else {
            rest.split_at(letter.len_utf8())
        };
        name.push_str(word.rsplit("::").next().unwrap_or(word));
        rest = after;
    }
    name.into()
}

impl From<&'static str> for RouterName {
    fn from(name: &'static str) -> Self {
        Self(Text::Static(name))
    }
}

impl From<String> for RouterName {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<Arc<str>> for RouterName {
    fn from(name: Arc<str>) -> Self {
        Self(Text::Shared(name))
    }
}

impl fmt::Display for RouterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RouterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for RouterName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for RouterName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RouterName {}

impl Hash for RouterName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for RouterName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for RouterName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_stripped() {
        for (path, name) in [
            ("NoRouter", "NoRouter"),
            ("app::routers::Tenants", "Tenants"),
            ("app::Tenants<app::region::Eu>", "Tenants<Eu>"),
            ("alloc::sync::Arc<dyn router_core::router::Router>", "Arc<dyn Router>"),
            ("&app::Tenants", "&Tenants"),
            ("router_core::adapter::ReadFn<app::main::{{closure}}>", "ReadFn"),
            ("router_core::adapter::ReadFn<app::by_region>", "ReadFn<by_region>"),
        ] {
            assert_eq!(short_type_name(path), name);
        }
    }

    #[test]
    fn a_name_is_equal_however_it_is_held() {
        assert_eq!(RouterName::from("tenants"), RouterName::from("tenants".to_owned()));
    }
}
