//! What the rules of a file and routers in code leave open, told beside an answer.

use router_core::{Alias, AppLabel, MissingHint, Operation};
use router_diesel::config::Database;
use router_diesel::{AppRoute, Routing};

use crate::args::migrate::Selection;
use crate::output::Output;
use crate::program::Project;

/// Says of which apps a router needs a hint, so that where their rows are is not known here. Where they are migrated is.
pub(in crate::command) fn say_needs(routing: &Routing, selection: &Selection, output: &mut Output<'_>) {
    for AppRoute { app, read_needs, write_needs, .. } in routing.routes() {
        if !is_chosen(&selection.apps, app.as_str()) {
            continue;
        }
        let say = |sides: &str, missing: &MissingHint, output: &mut Output<'_>| {
            output.say(format_args!(
                "note: app `{app}` needs `{}` to be {sides}, as {missing}; where it is migrated does not depend on it",
                missing.hint()
            ));
        };
        match (&read_needs, &write_needs) {
            (Some(read), Some(write)) if read == write => say("read or written", read, output),
            (read, write) => {
                read.iter().for_each(|missing| say("read", missing, output));
                write.iter().for_each(|missing| say("written", missing, output));
            }
        }
    }
}

/// The databases that only a router in code may lead to, and the apps that it may send there.
#[derive(Default)]
pub(super) struct Unled {
    pub(super) databases: Vec<Alias>,
    apps: Vec<AppLabel>,
}

impl Unled {
    /// Nothing where the project has routers: then they say where its apps are. Nothing either where every app is claimed,
    /// since a router has nothing to send.
    pub(super) fn find(project: &Project<'_>, routing: &Routing, selection: &Selection) -> Self {
        let config = routing.config();
        let is_unclaimed = |app: &AppLabel| routing.rules().claims(app.as_str()).next().is_none();
        let apps = config.apps.iter().filter(|app| app.managed).map(|app| &app.label);
        let apps: Vec<_> =
            apps.filter(|app| is_chosen(&selection.apps, app.as_str()) && is_unclaimed(app)).collect();
        if project.has_routers() || apps.is_empty() {
            return Self::default();
        }
        let is_unled = |database: &&Database| {
            let is_named = config.databases.iter().any(|other| {
                [&other.migrate_to, &other.migration_history]
                    .into_iter()
                    .flatten()
                    .any(|to| *to == database.alias)
            });
            database.alias != config.default
                && database.apps.is_empty()
                && database.migrate
                && database.restriction(Operation::Migrate).is_none()
                && !database.is_replica()
                && !is_named
                && is_chosen(&selection.databases, database.alias.as_str())
        };
        let databases = config.databases.iter().filter(is_unled).map(|database| database.alias.clone());
        Self { databases: databases.collect(), apps: apps.into_iter().cloned().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// Says that nothing is known of these databases.
    pub(super) fn say(&self, output: &mut Output<'_>) {
        if self.is_empty() {
            return;
        }
        let (databases, apps) = (list(&self.databases), list(&self.apps));
        output.say(format_args!(
            "note: no rule leads to {databases}, and no database claims {apps}: only a router in code may lead here, and \
             this program has none; ask the program that has your routers, or claim the apps in the file"
        ));
    }
}

/// Whether a name is among those that were chosen, or none was.
fn is_chosen(chosen: &[String], name: &str) -> bool {
    chosen.is_empty() || chosen.iter().any(|one| one == name)
}

/// Names in backticks.
fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}
