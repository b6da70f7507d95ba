//! Checks that every operation on an app has one database.

use std::borrow::Borrow;

use router_core::{AppLabel, Operation, Operations};

use super::{Apps, Checker, element_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::model::Database;
use crate::config::node::Mark;

impl Checker<'_> {
    /// No app is claimed twice for one operation.
    pub(super) fn claims(&mut self, databases: &[Database], apps: &mut Apps) {
        for (number, database) in (0..).zip(databases) {
            for label in &database.apps {
                let Some(app) = apps.index.get(label) else { continue };
                let claims = &mut apps.claims[*app].databases;
                let mut twice = Operations::none();
                let mut first = number;
                for operation in database.operations.iter() {
                    match &mut claims[operation as usize] {
                        Some(claimed) => {
                            twice = twice.with(operation);
                            first = first.min(*claimed);
                        }
                        none => *none = Some(number),
                    }
                }
                if twice != Operations::none() {
                    self.claimed_twice(label, twice, database, &databases[first as usize]);
                }
            }
        }
    }

    fn claimed_twice(&mut self, label: &AppLabel, twice: Operations, again: &Database, first: &Database) {
        let twice: Vec<&str> = twice.iter().map(Operation::as_str).collect();
        let message = format!(
            "`{label}` is claimed for {} by both `{}` and `{}`",
            and(&twice),
            first.alias,
            again.alias
        );
        self.tell(
            Draft::new(Code::ClaimedTwice, message)
                .at(self.claim_of(again, label), format!("claimed by `{}` here", again.alias))
                .also(self.claim_of(first, label), format!("claimed by `{}` here", first.alias))
                .help("let one of them claim it, or divide the `operations` between them"),
        );
    }

    /// The place where a database claims an app.
    pub(super) fn claim_of(&self, database: &Database, label: &AppLabel) -> Mark {
        let Some(entry) = self.entries.get(database.alias.as_str()) else { return Mark::default() };
        let names = entry.node.entry("apps").map_or(&[][..], |apps| apps.node.items());
        let index = names
            .iter()
            .position(|name| name.text().is_some_and(|name| AppLabel::last_segment(name) == label.as_str()));
        element_of(&entry.node, "apps", index.unwrap_or_default())
    }
}

/// Words as they are said: `read, write and migrate`.
pub(super) fn and<T: Borrow<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [word] => word.borrow().to_owned(),
        [words @ .., last] => format!("{} and {}", words.join(", "), last.borrow()),
    }
}
