//! The value that says which shard a row is on.

use std::fmt;
use std::sync::Arc;

/// The value that says which shard a row is on: a tenant's number, a name, or several together.
///
/// Text is behind a shared pointer, so to clone a key allocates nothing.
///
/// ```
/// use router_core::ShardKey;
///
/// assert_eq!(ShardKey::from(42).to_string(), "42");
/// assert_eq!(ShardKey::composite(["acme".into(), 7.into()]).to_string(), "(acme, 7)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShardKey {
    /// SQL's NULL, which may stand in a composite key.
    Null,
    /// Any integer; the smaller ones hash like `bigint`.
    Integer(i64),
    /// Text.
    Text(Arc<str>),
    /// A UUID, as its sixteen bytes.
    Uuid([u8; 16]),
    /// Several columns in the order in which the shards name them.
    Composite(Arc<[ShardKey]>),
}

impl ShardKey {
    /// Makes one key of several columns.
    #[must_use]
    pub fn composite(columns: impl IntoIterator<Item = ShardKey>) -> Self {
        Self::Composite(columns.into_iter().collect())
    }
}

impl fmt::Display for ShardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Uuid(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Self::Composite(columns) => {
                f.write_str("(")?;
                for (index, column) in columns.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{column}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl From<i64> for ShardKey {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for ShardKey {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<&str> for ShardKey {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for ShardKey {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<[u8; 16]> for ShardKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self::Uuid(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_shown_as_people_write_it() {
        let bytes =
            [0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0];
        assert_eq!(ShardKey::from(bytes).to_string(), "123e4567-e89b-12d3-a456-426614174000");
    }

    #[test]
    fn both_integers_make_one_key() {
        assert_eq!(ShardKey::from(7_i32), ShardKey::from(7_i64));
    }

    #[test]
    fn a_composite_key_may_hold_null() {
        assert_eq!(ShardKey::composite([ShardKey::Null, "a".into()]).to_string(), "(null, a)");
    }
}
