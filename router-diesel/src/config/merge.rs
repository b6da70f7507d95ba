//! Lays one tree over another.

use rustc_hash::FxHashMap;

use super::node::{Node, Value};

/// Lays `over` over `base`: maps are merged, everything else is replaced.
///
/// A name with nothing behind it leaves a map as it was, and takes any other value away.
pub(crate) fn overlay(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(_), Value::Null) => {}
        (Value::Map(entries), Value::Map(others)) => {
            let names: FxHashMap<String, usize> =
                entries.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index)).collect();
            for other in others {
                match names.get(&other.key) {
                    Some(index) => {
                        let entry = &mut entries[*index];
                        overlay(&mut entry.node, other.node);
                        if !matches!(entry.node.value, Value::Map(_)) {
                            entry.mark = other.mark;
                        }
                    }
                    None => entries.push(other),
                }
            }
        }
        (_, value) => *base = Node { mark: over.mark, value },
    }
}
