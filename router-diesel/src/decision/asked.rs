//! Which connection can answer a statement that asks about earlier ones.

use std::fmt;

use router_core::Alias;
use rustc_hash::FxHashMap;

use super::RouteError;
use crate::statement::effects::{Effects, Facts};
use crate::statement::variables::Variables;
use crate::topology::DatabaseId;

/// Where the earlier statements of a session ran: for each fact, the connection that can tell it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    facts: [Mark; Facts::EACH.len()],
    variables: VariableMarks,
}

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
    /// Each connection of the session can tell it.
    Everywhere,
}

impl Mark {
    fn leave(&mut self, node: DatabaseId) {
        if *self == Self::On(node) || *self == Self::Overwritten(node) {
            *self = Self::Gone;
        }
    }
}

/// The variables that a session has set, each with the connection that has it.
#[derive(Debug, Clone, Default)]
struct VariableMarks {
    by_name: FxHashMap<Box<str>, Mark>,
    /// All those for which there was no room.
    others: Mark,
}

impl VariableMarks {
    /// So many are known by their names. It is far more than a program has.
    const MOST: usize = 1_000;

    fn of(&self, name: &str) -> Mark {
        self.by_name.get(name).copied().unwrap_or(self.others)
    }

    fn set(&mut self, name: &str, node: DatabaseId) {
        if let Some(mark) = self.by_name.get_mut(name) {
            // What the session carries, it sets again before the connection's next statement.
            if *mark != Mark::Everywhere {
                *mark = Mark::On(node);
            }
        } else if self.by_name.len() < Self::MOST {
            self.by_name.insert(name.into(), Mark::On(node));
        } else {
            let is_alone = self.others == Mark::Never || self.others == Mark::On(node);
            self.others = if is_alone { Mark::On(node) } else { Mark::Gone };
        }
    }

    fn leave(&mut self, node: DatabaseId) {
        // A setting ends with its connection, and is nowhere else then.
        self.by_name.retain(|name, mark| !name.starts_with("@@") || *mark != Mark::On(node));
        self.by_name.values_mut().for_each(|mark| mark.leave(node));
        self.others.leave(node);
    }
}

impl Marks {
    /// Notes that a statement which makes these facts has run on the connection to a node.
    #[inline]
    pub(crate) fn made(&mut self, facts: Facts, node: DatabaseId) {
        for (index, fact) in Facts::EACH.into_iter().enumerate() {
            if facts.has(fact) {
                self.facts[index] = Mark::On(node);
            }
        }
    }

    /// Notes that a statement has run on the connection to a node.
    #[inline]
    pub(crate) fn ran(&mut self, statement: &Effects, node: DatabaseId) {
        self.made(statement.makes, node);
        self.set_variables(statement.variables.as_deref(), node);
    }

    /// Notes the variables that a statement has set on the connection to a node.
    #[inline]
    pub(crate) fn set_variables(&mut self, variables: Option<&Variables>, node: DatabaseId) {
        if let Some(variables) = variables {
            variables.set.iter().for_each(|name| self.variables.set(name, node));
        }
    }

    /// Notes that the session sets a variable on each of its connections.
    pub(crate) fn carries_variable(&mut self, name: &str) {
        self.variables.by_name.insert(name.to_lowercase().into(), Mark::Everywhere);
    }

    /// Notes that the session no longer holds its connection to a node.
    pub(crate) fn left(&mut self, node: DatabaseId) {
        self.facts.iter_mut().for_each(|mark| mark.leave(node));
        self.variables.leave(node);
    }

    /// Notes that the router has sent statements of its own on the connection to a node: how the session's last one
    /// ended is not known there any more.
    pub(crate) fn overwritten(&mut self, node: DatabaseId) {
        for (fact, mark) in Facts::EACH.into_iter().zip(&mut self.facts) {
            if Facts::OF_THE_LAST.has(fact) && *mark == Mark::On(node) {
                *mark = Mark::Overwritten(node);
            }
        }
    }

    /// The node whose connection can tell all that a statement asks. `None` where any connection can.
    ///
    /// # Errors
    /// No connection can, or no single one.
    pub(crate) fn node(
        &self,
        asks: &Effects,
        name: impl Fn(DatabaseId) -> Alias,
    ) -> Result<Option<DatabaseId>, RouteError> {
        let mut found = None;
        for (asked, mark) in self.asked(asks) {
            let no_answer = |why| Err(RouteError::NoAnswer { asked, why });
            let node = match mark {
                // A variable that was never set is NULL everywhere.
                Mark::Never if asked == VARIABLE => continue,
                Mark::Everywhere => continue,
                Mark::Never => return no_answer(NoAnswerReason::Never),
                Mark::Gone => return no_answer(NoAnswerReason::Gone),
                Mark::Overwritten(node) => {
                    return no_answer(NoAnswerReason::Overwritten { on: name(node) });
                }
                Mark::On(node) => node,
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

    /// All that a statement asks about, in words, each with its mark.
    fn asked<'m>(&'m self, asks: &'m Effects) -> impl Iterator<Item = (&'static str, Mark)> + 'm {
        let facts = Facts::EACH.into_iter().zip(self.facts).filter(|(fact, _)| asks.asks.has(*fact));
        let variables = asks.variables.iter().flat_map(|variables| &variables.asked);
        facts
            .map(|(fact, mark)| (in_words(fact), mark))
            .chain(variables.map(|name| (VARIABLE, self.variables.of(name))))
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

const VARIABLE: &str = "a variable or setting that the session has set";

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
        node_for(marks, &Effects { asks, ..Effects::default() })
    }

    fn node_for(marks: &Marks, asks: &Effects) -> Result<Option<DatabaseId>, NoAnswerReason> {
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

    /// A statement that asks some variables and sets others.
    fn variables(asked: &[&str], set: &[&str]) -> Effects {
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let variables = Variables { asked: names(asked), set: names(set) };
        Effects { variables: Some(Box::new(variables)), ..Effects::default() }
    }

    fn sets(marks: &mut Marks, statement: &Effects, node: DatabaseId) {
        marks.set_variables(statement.variables.as_deref(), node);
    }

    #[test]
    fn each_variable_is_asked_where_it_was_set() {
        let ([a, b], mut marks) = (two(), Marks::default());
        let asks = |names: &[&str]| variables(names, &[]);
        assert_eq!(node_for(&marks, &asks(&["x"])), Ok(None));
        sets(&mut marks, &variables(&[], &["x"]), a);
        sets(&mut marks, &variables(&["x"], &["y"]), b);
        marks.carries_variable("Tenant");
        sets(&mut marks, &variables(&[], &["tenant"]), b);
        assert_eq!(node_for(&marks, &asks(&["x", "tenant"])), Ok(Some(a)));
        assert_eq!(node_for(&marks, &asks(&["y", "other"])), Ok(Some(b)));
        assert_eq!(node_for(&marks, &asks(&["tenant"])), Ok(None));
        let elsewhere = NoAnswerReason::Elsewhere { on: Alias::new("b"), goes_to: Alias::new("a") };
        assert_eq!(node_for(&marks, &asks(&["x", "y"])), Err(elsewhere));
        marks.left(a);
        assert_eq!(node_for(&marks, &asks(&["x"])), Err(NoAnswerReason::Gone));
        assert_eq!(node_for(&marks, &asks(&["y", "tenant"])), Ok(Some(b)));
    }

    #[test]
    fn variables_beyond_all_measure_are_known_together() {
        let ([a, b], mut marks) = (two(), Marks::default());
        let name = |number: usize| format!("v{number}");
        for number in 0..=VariableMarks::MOST {
            sets(&mut marks, &variables(&[], &[&name(number)]), a);
        }
        let last = name(VariableMarks::MOST);
        assert_eq!(marks.variables.by_name.len(), VariableMarks::MOST);
        assert_eq!(node_for(&marks, &variables(&[&last], &[])), Ok(Some(a)));
        sets(&mut marks, &variables(&[], &["one more"]), b);
        assert_eq!(node_for(&marks, &variables(&[&last], &[])), Err(NoAnswerReason::Gone));
        assert_eq!(node_for(&marks, &variables(&["v0"], &[])), Ok(Some(a)));
    }
}
