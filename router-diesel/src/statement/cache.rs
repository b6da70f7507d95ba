//! What was learnt of a statement, kept so that it is learnt once.

use std::any::TypeId;
use std::sync::Arc;

use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use rustc_hash::FxHashMap;

/// How many distinct texts are kept. Diesel's own texts are few; those that a service writes itself, with
/// values inside, could be any number.
const TEXTS: usize = 4_096;

/// A longer text is read anew each time, so that the cache holds some tens of megabytes at the very most.
const LONGEST_TEXT: usize = 16 * 1024;

/// Knowledge of statements, by Diesel's query id where the statement has one, else by text.
///
/// The ids are as many as the program has static queries, so they are all kept, in a map that is copied when
/// one is added and read without a lock.
pub(crate) struct StatementCache<T> {
    by_id: ArcSwap<FxHashMap<TypeId, Arc<T>>>,
    by_text: Cache<Box<str>, Arc<T>>,
}

impl<T> StatementCache<T> {
    pub(crate) fn new() -> Self {
        Self { by_id: ArcSwap::default(), by_text: Cache::new(TEXTS) }
    }

    pub(crate) fn by_id(&self, id: TypeId) -> Option<Arc<T>> {
        self.by_id.load().get(&id).cloned()
    }

    pub(crate) fn by_text(&self, text: &str) -> Option<Arc<T>> {
        self.by_text.get(text)
    }

    pub(crate) fn insert_id(&self, id: TypeId, value: &Arc<T>) {
        self.by_id.rcu(|map| {
            let mut map = FxHashMap::clone(map);
            map.insert(id, Arc::clone(value));
            map
        });
    }

    pub(crate) fn insert_text(&self, text: &str, value: &Arc<T>) {
        if text.len() <= LONGEST_TEXT {
            self.by_text.insert(text.into(), Arc::clone(value));
        }
    }
}

impl<T> std::fmt::Debug for StatementCache<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatementCache")
            .field("ids", &self.by_id.load().len())
            .field("texts", &self.by_text.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_bounded_and_the_longest_are_not_kept() {
        let cache = StatementCache::new();
        let value = Arc::new(1);
        for number in 0..3 * TEXTS {
            cache.insert_text(&format!("SELECT {number}"), &value);
        }
        assert!(cache.by_text.len() <= TEXTS);

        let long = "x".repeat(LONGEST_TEXT + 1);
        cache.insert_text(&long, &value);
        assert_eq!(cache.by_text(&long), None);
    }

    #[test]
    fn an_id_is_found_again() {
        let cache = StatementCache::new();
        let id = TypeId::of::<u8>();
        assert_eq!(cache.by_id(id), None);
        cache.insert_id(id, &Arc::new("posts"));
        assert_eq!(cache.by_id(id).as_deref(), Some(&"posts"));
    }
}
