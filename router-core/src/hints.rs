//! What the caller knows beyond the model.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::{Alias, ShardKey};

/// Whether a session is there to read or to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The session reads, and replicas may serve it.
    Reading,
    /// The session may write.
    Writing,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading => "reading",
            Self::Writing => "writing",
        })
    }
}

/// What the caller knows beyond the model; a router uses what it understands and ignores the rest.
///
/// Hints borrow what they hold. Only [`extension`](Self::extension) allocates.
///
/// ```
/// use router_core::{Alias, Hints, Role};
///
/// struct Region(&'static str);
///
/// let alias = Alias::new("blog_db");
/// let region = Region("eu");
/// let hints = Hints::default().instance(&alias).role(Role::Reading).extension(&region);
///
/// assert_eq!(hints.instance, Some(&alias));
/// assert_eq!(hints.get::<Region>().map(|region| region.0), Some("eu"));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Hints<'a> {
    /// The database that an instance at hand was loaded from. Where no router decides, it is taken.
    pub instance: Option<&'a Alias>,
    /// The shard key of the request.
    pub shard_key: Option<&'a ShardKey>,
    /// The role of the session.
    pub role: Option<Role>,
    /// The database that a question about migrations is about. A chain sets it where it asks a router for
    /// its [`reason`](crate::Router::reason); elsewhere the database is an argument of its own.
    pub database: Option<&'a Alias>,
    shared: &'a [Arc<dyn Any + Send + Sync>],
    extensions: Vec<&'a (dyn Any + Send + Sync)>,
}

impl<'a> Hints<'a> {
    /// Says which database an instance at hand was loaded from.
    #[must_use]
    pub fn instance(mut self, alias: &'a Alias) -> Self {
        self.instance = Some(alias);
        self
    }

    /// Gives the shard key of the request.
    #[must_use]
    pub fn shard_key(mut self, key: &'a ShardKey) -> Self {
        self.shard_key = Some(key);
        self
    }

    /// Gives the role of the session.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Says which database a question about migrations is about.
    #[must_use]
    pub fn database(mut self, alias: &'a Alias) -> Self {
        self.database = Some(alias);
        self
    }

    /// Adds a value of the caller's own type, for routers that know that type.
    ///
    /// Of two values of one type the later one is found.
    #[must_use]
    pub fn extension(mut self, value: &'a (dyn Any + Send + Sync)) -> Self {
        self.extensions.push(value);
        self
    }

    /// Gives values of the caller's own types that it holds together, without an allocation.
    ///
    /// They are found as those of [`extension`](Self::extension) are, and after them.
    #[must_use]
    pub fn shared(mut self, values: &'a [Arc<dyn Any + Send + Sync>]) -> Self {
        self.shared = values;
        self
    }

    /// Finds the value of a type that was added with [`extension`](Self::extension) or [`shared`](Self::shared).
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&'a T> {
        let own = self.extensions.iter().rev().find_map(|value| value.downcast_ref());
        own.or_else(|| self.shared.iter().rev().find_map(|value| value.downcast_ref()))
    }
}

impl fmt::Debug for Hints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints")
            .field("instance", &self.instance)
            .field("shard_key", &self.shard_key)
            .field("role", &self.role)
            .field("database", &self.database)
            .field("extensions", &(self.extensions.len() + self.shared.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_extension_of_a_type_is_found() {
        let (first, second, text) = (1_u32, 2_u32, "text");
        let hints = Hints::default().extension(&first).extension(&second).extension(&text);
        assert_eq!(hints.get::<u32>(), Some(&2));
        assert_eq!(hints.get::<&'static str>(), Some(&"text"));
        assert_eq!(hints.get::<i64>(), None);

        let shared: [Arc<dyn Any + Send + Sync>; 3] = [Arc::new(3_u32), Arc::new(4_i64), Arc::new(5_i64)];
        let hints = Hints::default().shared(&shared);
        assert_eq!(hints.get::<i64>(), Some(&5));
        assert_eq!(hints.extension(&second).get::<u32>(), Some(&2));
    }

    #[test]
    fn debug_counts_extensions() {
        let text = format!("{:?}", Hints::default().role(Role::Writing).extension(&1_u8));
        assert!(text.contains("role: Some(Writing)") && text.contains("extensions: 1"), "{text}");
    }
}
