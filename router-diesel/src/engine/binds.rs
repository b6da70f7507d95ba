//! The values that are bound in a query, read without a connection.

use diesel::connection::Connection;
use diesel::query_builder::QueryFragment;

/// A value that is bound in a query, as far as the router must understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// `NULL`, of whatever type.
    Null,
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A value of another type.
    Other,
}

/// A connection whose queries show the values that are bound in them.
///
/// Every [`RoutedConnection`](super::RoutedConnection) implements it.
pub trait Binds: Connection {
    /// The values in the order in which they are bound. `None` where they cannot be read without a connection.
    fn binds<T>(query: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<<Self as Connection>::Backend>;
}

/// Reads values that are bound as bytes.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn of_bytes<DB>(
    collector: diesel::query_builder::bind_collector::RawBytesBindCollector<DB>,
    kind: impl Fn(&DB::TypeMetadata) -> Kind,
) -> Vec<Bound>
where
    DB: diesel::backend::Backend + diesel::sql_types::TypeMetadata,
{
    let one = |(bytes, metadata): (Option<Vec<u8>>, DB::TypeMetadata)| match (bytes, kind(&metadata)) {
        (None, _) => Bound::Null,
        (Some(bytes), Kind::Text) => String::from_utf8(bytes).map_or(Bound::Other, Bound::Text),
        (Some(bytes), Kind::Bool) => Bound::Bool(bytes.iter().any(|byte| *byte != 0)),
        (Some(_), Kind::Other) => Bound::Other,
    };
    collector.binds.into_iter().zip(collector.metadata).map(one).collect()
}

/// What the bytes of a value are.
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Bool,
    Other,
}

#[cfg(all(test, feature = "postgres", feature = "mysql"))]
mod tests {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

    use super::*;
    use crate::engine::AnyConnection;

    fn expected() -> Option<Vec<Bound>> {
        let text = Bound::Text("it's \u{e9}".to_owned());
        Some(vec![text, Bound::Bool(true), Bound::Bool(false), Bound::Null, Bound::Other])
    }

    macro_rules! query {
        () => {
            diesel::sql_query("")
                .bind::<Text, _>("it's \u{e9}")
                .bind::<Bool, _>(true)
                .bind::<Bool, _>(false)
                .bind::<Nullable<Text>, _>(None::<String>)
                .bind::<BigInt, _>(1)
        };
    }

    #[test]
    fn bound_values_are_read_without_a_connection() {
        assert_eq!(diesel::PgConnection::binds(&query!()), expected());
        assert_eq!(diesel::MysqlConnection::binds(&query!()), expected());
        assert_eq!(AnyConnection::binds(&query!()), expected());
    }
}
