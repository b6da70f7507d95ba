//! Which connection can answer a statement that asks about earlier ones.

use std::fmt;

use router_core::Alias;

use super::RouteError;
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
    /// The router has sent something of its own on the connection since.
    Overwritten(DatabaseId),
}

impl Marks {
    /// Notes that a statement which makes these facts has run on the connection to a node.
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
        let of_node = |mark: &&mut Mark| **mark == Mark::On(node) || **mark == Mark::Overwritten(node);
        for mark in self.0.iter_mut().filter(of_node) {
            *mark = Mark::Gone;
        }
    }

    /// Notes that the router has sent statements of its own on the connection to a node: how the session's last one
    /// ended is not known there any more.
    pub(crate) fn overwritten(&mut self, node: DatabaseId) {
        for (fact, mark) in Facts::EACH.into_iter().zip(&mut self.0) {
            if Facts::OF_THE_LAST.has(fact) && *mark == Mark::On(node) {
                *mark = Mark::Overwritten(node);
            }
        }
    }

    /// The node whose connection can tell all that is asked. `None` where any connection can.
    ///
    /// # Errors
    /// No connection can, or no single one.
    pub(crate) fn node(
        &self,
        asks: Facts,
        name: impl Fn(DatabaseId) -> Alias,
    ) -> Result<Option<DatabaseId>, RouteError> {
        let mut found = None;
        for (fact, mark) in Facts::EACH.iter().zip(&self.0).filter(|(fact, _)| asks.has(**fact)) {
            let no_answer = |why| Err(RouteError::NoAnswer { asked: in_words(*fact), why });
            let node = match mark {
                // A variable that was never set is NULL everywhere.
                Mark::Never if *fact == Facts::VARIABLES => continue,
                Mark::Never => return no_answer(NoAnswerReason::Never),
                Mark::Gone => return no_answer(NoAnswerReason::Gone),
                Mark::Overwritten(node) => {
                    return no_answer(NoAnswerReason::Overwritten { on: name(*node) });
                }
                Mark::On(node) => *node,
            };
            match found {
                Some(other) if other != node => {
                    let (on, goes_to) = (name(node), name(other));
                    return no_answer(NoAnswerReason::Elsewhere { on, goes_to });
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
pub enum NoAnswerReason {
    /// The session has run no statement that the question could be about.
    Never,
    /// The session no longer holds the connection on which the statement ran.
    Gone,
    /// The router has sent a statement of its own on the connection since: a setting of the session, or a question for
    /// the server's position.
    Overwritten {
        /// The database of the connection.
        on: Alias,
    },
    /// The statement ran on another database than the one where this statement would run.
    Elsewhere {
        /// Where the earlier statement ran.
        on: Alias,
        /// Where this statement would run.
        goes_to: Alias,
    },
    /// A pooler may answer the question on another connection of the server, outside of a transaction.
    Pooler {
        /// The database behind the pooler.
        on: Alias,
    },
}

/// What a statement asks about, in words.
pub(super) fn in_words(fact: Facts) -> &'static str {
    match fact {
        Facts::INSERTED => "the session's last INSERT",
        Facts::CHANGED => "the session's last change of rows",
        Facts::FOUND => "the session's last query",
        Facts::VARIABLES => VARIABLE,
        _ => "the session's last statement",
    }
}

const VARIABLE: &str = "a variable that the session has set";

pub(super) fn fmt_no_answer(f: &mut fmt::Formatter<'_>, what: &str, why: &NoAnswerReason) -> fmt::Result {
    write!(f, "this statement asks about {what}, ")?;
    match why {
        NoAnswerReason::Never => {
            f.write_str("and the session has run none; ask in the session that ran it, right after it has succeeded")
        }
        NoAnswerReason::Gone if what == VARIABLE => f.write_str(
            "and the session no longer holds the connection on which it was set; set it again, or carry it with \
             `session.set`",
        ),
        NoAnswerReason::Gone => f.write_str(
            "and the session no longer holds the connection on which it ran; ask in the same transaction, or use \
             RETURNING",
        ),
        NoAnswerReason::Overwritten { on } => write!(
            f,
            "and the router has sent a statement of its own to `{on}` since; ask right after the statement, before \
             `session.set` or `session.token`"
        ),
        NoAnswerReason::Elsewhere { on, goes_to } => write!(
            f,
            "which ran on `{on}`, but it would run on `{goes_to}`; ask on `{on}` first, and pass the value on"
        ),
        NoAnswerReason::Pooler { on } => write!(
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

    fn node(marks: &Marks, asks: Facts) -> Result<Option<DatabaseId>, NoAnswerReason> {
        let name = |database| Alias::new(if database == two()[0] { "a" } else { "b" });
        marks.node(asks, name).map_err(|error| match error {
            RouteError::NoAnswer { why, .. } => why,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn the_last_of_each_kind_answers() {
        let ([a, b], mut marks) = (two(), Marks::default());
        assert_eq!(node(&marks, Facts::NONE), Ok(None));
        assert_eq!(node(&marks, Facts::INSERTED), Err(NoAnswerReason::Never));
        assert_eq!(node(&marks, Facts::VARIABLES), Ok(None));

        marks.made(Facts::INSERTED.with(Facts::CHANGED), a);
        marks.made(Facts::CHANGED, b);
        assert_eq!(node(&marks, Facts::INSERTED), Ok(Some(a)));
        assert_eq!(node(&marks, Facts::CHANGED), Ok(Some(b)));
        let (on, goes_to) = (Alias::new("b"), Alias::new("a"));
        let both = node(&marks, Facts::INSERTED.with(Facts::CHANGED));
        assert_eq!(both, Err(NoAnswerReason::Elsewhere { on, goes_to }));
    }

    #[test]
    fn a_connection_that_was_given_back_answers_nothing() {
        let ([a, b], mut marks) = (two(), Marks::default());
        marks.made(Facts::INSERTED, a);
        marks.left(b);
        assert_eq!(node(&marks, Facts::INSERTED), Ok(Some(a)));
        marks.left(a);
        assert_eq!(node(&marks, Facts::INSERTED), Err(NoAnswerReason::Gone));
    }

    #[test]
    fn the_routers_own_statements_hide_how_the_last_one_ended() {
        let ([a, b], mut marks) = (two(), Marks::default());
        marks.made(Facts::INSERTED.with(Facts::ENDED), a);
        marks.overwritten(b);
        assert_eq!(node(&marks, Facts::ENDED), Ok(Some(a)));
        marks.overwritten(a);
        assert_eq!(node(&marks, Facts::INSERTED), Ok(Some(a)));
        assert_eq!(node(&marks, Facts::ENDED), Err(NoAnswerReason::Overwritten { on: Alias::new("a") }));
        marks.left(a);
        assert_eq!(node(&marks, Facts::ENDED), Err(NoAnswerReason::Gone));
        marks.made(Facts::ENDED, a);
        assert_eq!(node(&marks, Facts::ENDED), Ok(Some(a)));
    }
}
