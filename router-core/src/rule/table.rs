//! The look-up that the hot path makes.
//!
//! With many apps a decision costs what it touches, not what it computes: every pointer followed is a wait for
//! memory. So a short label lies in the table itself, beside two small numbers; half a cache line in all.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::Alias;

/// Which databases an app is read from and written to.
#[derive(Debug, Clone)]
pub(super) struct Table {
    slots: FxHashMap<Key, Slot>,
    aliases: Vec<Alias>,
}

/// Indices into the aliases. One beyond their end stands for nobody.
#[derive(Debug, Clone, Copy)]
struct Slot {
    read: u32,
    write: u32,
}

const NOBODY: u32 = u32::MAX;

/// A label by its bytes, in place where it is short.
#[derive(Debug, Clone)]
enum Key {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

/// What fits beside the length and the variant in the size of a shared pointer and its own variant.
const SHORT: usize = 22;

impl Table {
    pub(super) fn new(aliases: Vec<Alias>, apps: usize) -> Self {
        Self { slots: FxHashMap::with_capacity_and_hasher(apps, Default::default()), aliases }
    }

    /// Adds an app with the indices of its databases.
    pub(super) fn insert(&mut self, app: &str, read: Option<usize>, write: Option<usize>) {
        let index = |database: Option<usize>| {
            database.and_then(|database| u32::try_from(database).ok()).unwrap_or(NOBODY)
        };
        self.slots.insert(Key::new(app), Slot { read: index(read), write: index(write) });
    }

    #[inline]
    pub(super) fn read(&self, app: &str) -> Option<&Alias> {
        self.aliases.get(self.slots.get(app.as_bytes())?.read as usize)
    }

    #[inline]
    pub(super) fn write(&self, app: &str) -> Option<&Alias> {
        self.aliases.get(self.slots.get(app.as_bytes())?.write as usize)
    }
}

impl Key {
    fn new(label: &str) -> Self {
        let label = label.as_bytes();
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..label.len()), u8::try_from(label.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(label);
                Self::Short { length, bytes }
            }
            _ => Self::Long(label.into()),
        }
    }
}

impl Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<[u8]>::borrow(self).hash(state);
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Borrow::<[u8]>::borrow(self) == Borrow::<[u8]>::borrow(other)
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_half_a_cache_line() {
        assert_eq!(size_of::<(Key, Slot)>(), 32);
    }

    #[test]
    fn labels_of_every_length_are_found() {
        let labels: Vec<_> = (0..64).map(|length| "x".repeat(length)).collect();
        let aliases = labels.iter().map(|label| Alias::new(format!("db_{label}"))).collect();
        let mut table = Table::new(aliases, labels.len());
        for (index, label) in labels.iter().enumerate() {
            table.insert(label, Some(index), None);
        }
        for label in &labels {
            assert_eq!(table.read(label).map(Alias::as_str), Some(format!("db_{label}").as_str()));
            assert_eq!(table.write(label), None);
            assert_eq!(table.read(&format!("{label}y")), None);
        }
    }
}
