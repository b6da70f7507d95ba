//! Says what is wrong with the claims of databases on apps.

use std::borrow::Borrow;

use router_core::{Alias, AppLabel, Operation, Operations, Unreachable};

use super::{Apps, Checker, element_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::node::Mark;

/// A claim: the database, and the position of the app among those that it claims.
type Claim<'a> = (&'a Alias, usize);

impl Checker<'_> {
    pub(super) fn claimed_twice(
        &self,
        app: &AppLabel,
        operations: Operations,
        first: Claim<'_>,
        again: Claim<'_>,
    ) -> Draft {
        let (at, before) = (self.claim(again), self.claim(first));
        if first.0 == again.0 {
            return Draft::new(Code::Repeated, format!("`{app}` stands twice in the list"))
                .at(at, "again here")
                .also(before, "first here");
        }
        let operations: Vec<&str> = operations.iter().map(Operation::as_str).collect();
        let (first, again) = (first.0, again.0);
        let message = format!("`{app}` is claimed for {} by both `{first}` and `{again}`", and(&operations));
        Draft::new(Code::ClaimedTwice, message)
            .at(at, format!("claimed by `{again}` here"))
            .also(before, format!("claimed by `{first}` here"))
            .help("let one of them claim it, or divide the `operations` between them")
    }

    pub(super) fn never_reached(
        &self,
        apps: &Apps,
        app: &AppLabel,
        claim: Claim<'_>,
        why: &Unreachable,
    ) -> Draft {
        let alias = claim.0;
        let message = format!("the claim of `{alias}` on `{app}` can never be reached");
        let alone = format!("`{alias}` claims it for migrations alone");
        let draft = Draft::new(Code::Unreachable, message).at(self.claim(claim), alone);
        match why {
            Unreachable::NoOperation => self.allows_nothing(alias),
            // One setting is wrong, however many apps are claimed.
            Unreachable::MayNotMigrate => {
                let message = format!("nothing that `{alias}` claims can come to it");
                Draft::new(Code::Unreachable, message)
                    .at(self.setting(alias, "operations"), "it claims its apps for migrations alone")
                    .also(self.setting(alias, "migrate"), "but none may run here")
                    .help("remove one of the two")
            }
            Unreachable::Shadowed { by, target, by_position, .. } => draft
                .also(self.claim((by, *by_position)), format!("by this claim they run on `{target}`"))
                .help("remove one of the two"),
            Unreachable::Unmanaged => {
                let managed = apps.unmanaged.get(app).copied().unwrap_or_default();
                draft.also(managed, "but no migration of the app runs").help("remove one of the two")
            }
        }
    }

    /// The place where a database claims an app.
    pub(super) fn claim(&self, (alias, position): Claim<'_>) -> Mark {
        let Some(entry) = self.entries.get(alias.as_str()) else { return Mark::default() };
        let elements = self.elements.get(alias.as_str());
        let element = elements.and_then(|elements| elements.get(position).copied());
        element_of(&entry.node, "apps", element.unwrap_or(position))
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
