//! Which connection can answer a statement that asks about earlier ones.

use std::fmt;

use router_core::Alias;

use crate::statement::effects::Facts;
use crate::topology::DatabaseId;

/// Where the earlier statements of a session ran: for each fact, the connection that can tell it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks([Mark; Facts::EACH.len()]);

/// The connection that can tell one fact. A session holds at most one to each database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mark {
    /// No statement has made the fact yet.
    #[default]
    Never,
    On(DatabaseId),
    /// The session no longer holds the connection.
    Gone,
}

impl Marks {
    /// Notes that a statement which makes these facts runs on the connection to a node.
    #[inline]
    pub(crate) fn made(&mut self, facts: Facts, node: DatabaseId) {
        for (index, fact) in Facts::EACH.into_iter().enumerate() {
            if facts.has(fact) {
                self.0[index] = Mark::On(node);
            }
        }
    }

    /// Notes that the session no longer holds its connection to a node.
    pub(crate) fn left(&mut self, node: DatabaseId) {
        for mark in self.0.iter_mut().filter(|mark| **mark == Mark::On(node)) {
            *mark = Mark::Gone;
        }
    }

    /// The node whose connection can tell all that is asked. `None` where any connection can.
    ///
    /// # Errors
    /// No connection can, or no single one.
    pub(crate) fn node(&self, asks: Facts) -> Result<Option<DatabaseId>, (Facts, Silence<DatabaseId>)> {
        let mut found = None;
        for (fact, mark) in Facts::EACH.iter().zip(&self.0).filter(|(fact, _)| asks.has(**fact)) {
            let node = match mark {
                // A variable that was never set is NULL everywhere.
                Mark::Never if *fact == Facts::VARIABLES => continue,
                Mark::Never => return Err((*fact, Silence::Never)),
                Mark::Gone => return Err((*fact, Silence::Gone)),
                Mark::On(node) => *node,
            };
            match found {
                Some(other) if other != node => {
                    return Err((*fact, Silence::Elsewhere { on: node, goes_to: other }));
                }
                _ => found = Some(node),
            }
        }
        Ok(found)
    }
}

/// Why no connection can answer a statement that asks about earlier ones, such as `last_insert_id()`.
///
/// [`RouteError::NoAnswer`](crate::RouteError::NoAnswer) carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Silence<D = Alias> {
    /// The session has run no statement that the question could be about.
    Never,
    /// The session no longer holds the connection on which the statement ran.
    Gone,
    /// The statement ran on another database than the one where this statement would run.
    Elsewhere {
        /// Where the earlier statement ran.
        on: D,
        /// Where this statement would run.
        goes_to: D,
    },
    /// A pooler may answer the question on another connection of the server, outside of a transaction.
    Pooler {
        /// The database behind the pooler.
        on: D,
    },
}

impl<D> Silence<D> {
    /// The same with names.
    pub(super) fn named(self, name: impl Fn(D) -> Alias) -> Silence<Alias> {
        match self {
            Self::Never => Silence::Never,
            Self::Gone => Silence::Gone,
            Self::Elsewhere { on, goes_to } => Silence::Elsewhere { on: name(on), goes_to: name(goes_to) },
            Self::Pooler { on } => Silence::Pooler { on: name(on) },
        }
    }
}

/// What a statement asks about, in words.
pub(super) fn in_words(fact: Facts) -> &'static str {
    match fact {
        Facts::INSERTED => "the session's last INSERT",
        Facts::CHANGED => "the session's last change of rows",
        Facts::FOUND => "the session's last query",
        Facts::VARIABLES => "a variable that the session has set",
        _ => "the session's last statement",
    }
}

pub(super) fn fmt_silence(f: &mut fmt::Formatter<'_>, what: &str, why: &Silence) -> fmt::Result {
    write!(f, "this statement asks about {what}, ")?;
    match why {
        Silence::Never => f.write_str("and the session has run none; ask in the session that ran it"),
        Silence::Gone => f.write_str(
            "and the session no longer holds the connection on which it ran; ask in the same transaction, or use \
             RETURNING",
        ),
        Silence::Elsewhere { on, goes_to } => write!(
            f,
            "which ran on `{on}`, but it would run on `{goes_to}`; ask on `{on}` first, and pass the value on"
        ),
        Silence::Pooler { on } => write!(
            f,
            "and `{on}` is behind a pooler, which may answer on another connection; ask in the same transaction"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [DatabaseId; 2] {
        [DatabaseId::new(0), DatabaseId::new(1)]
    }

    #[test]
    fn the_last_of_each_kind_answers() {
        let ([a, b], mut marks) = (two(), Marks::default());
        assert_eq!(marks.node(Facts::NONE), Ok(None));
        assert_eq!(marks.node(Facts::INSERTED), Err((Facts::INSERTED, Silence::Never)));
        assert_eq!(marks.node(Facts::VARIABLES), Ok(None));

        marks.made(Facts::INSERTED.with(Facts::CHANGED), a);
        marks.made(Facts::CHANGED, b);
        assert_eq!(marks.node(Facts::INSERTED), Ok(Some(a)));
        assert_eq!(marks.node(Facts::CHANGED), Ok(Some(b)));
        let both = marks.node(Facts::INSERTED.with(Facts::CHANGED));
        assert_eq!(both, Err((Facts::CHANGED, Silence::Elsewhere { on: b, goes_to: a })));
    }

    #[test]
    fn a_connection_that_was_given_back_answers_nothing() {
        let ([a, b], mut marks) = (two(), Marks::default());
        marks.made(Facts::INSERTED, a);
        marks.left(b);
        assert_eq!(marks.node(Facts::INSERTED), Ok(Some(a)));
        marks.left(a);
        assert_eq!(marks.node(Facts::INSERTED), Err((Facts::INSERTED, Silence::Gone)));
    }
}
