//! `diff`: what another configuration file changes about routes.

use std::collections::BTreeSet;

use router_core::AppLabel;
use router_diesel::config::{App, Config, TablePattern, Unrouted};
use router_diesel::{AppRoute, Routing};
use serde::Serialize;

use super::routes::Sides;
use crate::args::DiffArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program::Project;

/// Everything that changes. Fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Difference<'a> {
    same: bool,
    default: Option<Change<&'a str>>,
    unrouted: Option<Change<&'static str>>,
    databases: AddedAndRemoved<'a>,
    apps: AddedAndRemoved<'a>,
    routes: Vec<RouteChange<'a>>,
    tables: Vec<TableChange<'a>>,
}

#[derive(PartialEq, Eq, Serialize)]
struct Change<T> {
    before: T,
    after: T,
}

#[derive(Serialize)]
struct AddedAndRemoved<'a> {
    added: Vec<&'a str>,
    removed: Vec<&'a str>,
}

/// An app that one of the files sends elsewhere, or does not name.
#[derive(Serialize)]
struct RouteChange<'a> {
    app: &'a str,
    before: Option<Sides<'a>>,
    after: Option<Sides<'a>>,
}

/// A table, or a pattern of tables, that goes to another app.
#[derive(Serialize)]
struct TableChange<'a> {
    table: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

pub(super) fn run(
    arguments: &DiffArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let old = project.routing(project.config_of(&arguments.old)?)?;
    let new = project.routing(project.config_of(&arguments.new)?)?;
    let (old_routes, new_routes) = (old.routes(), new.routes());
    let difference = Difference::new((&old, &old_routes), (&new, &new_routes));
    if output.is_json() {
        output.json(&difference)?;
    } else if difference.same {
        output.say("no route differs");
    } else {
        difference.write(output)?;
    }
    Ok(if difference.same { Exit::Fine } else { Exit::Found })
}

impl<'a> Difference<'a> {
    fn new(
        (old, old_routes): (&'a Routing, &'a [AppRoute]),
        (new, new_routes): (&'a Routing, &'a [AppRoute]),
    ) -> Self {
        let (old, new) = (old.config(), new.config());
        let mut difference = Self {
            same: false,
            default: Change::between(old.default.as_str(), new.default.as_str()),
            unrouted: Change::between(unrouted(old), unrouted(new)),
            databases: AddedAndRemoved::between(
                old.databases.iter().map(|database| database.alias.as_str()),
                new.databases.iter().map(|database| database.alias.as_str()),
            ),
            apps: AddedAndRemoved::between(
                old.apps.iter().map(|app| app.label.as_str()),
                new.apps.iter().map(|app| app.label.as_str()),
            ),
            routes: route_changes(old_routes, new_routes),
            tables: table_changes(old, new),
        };
        difference.same = difference.default.is_none()
            && difference.unrouted.is_none()
            && difference.databases.is_empty()
            && difference.apps.is_empty()
            && difference.routes.is_empty()
            && difference.tables.is_empty();
        difference
    }

    fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if let Some(Change { before, after }) = &self.default {
            output.line(format_args!("default: {before} -> {after}"))?;
        }
        if let Some(Change { before, after }) = &self.unrouted {
            output.line(format_args!("unrouted: {before} -> {after}"))?;
        }
        if !self.databases.is_empty() {
            output.line("databases:")?;
            self.databases.write(output)?;
        }
        if !self.routes.is_empty() {
            output.line("routes:")?;
            output.columns(self.routes.iter().flat_map(RouteChange::in_words))?;
        }
        if !self.tables.is_empty() {
            output.line("tables:")?;
            output.columns(self.tables.iter().map(TableChange::in_words))?;
        }
        Ok(())
    }
}

fn unrouted(config: &Config) -> &'static str {
    if config.unrouted == Unrouted::Error { "error" } else { "default" }
}

impl<T: PartialEq> Change<T> {
    fn between(before: T, after: T) -> Option<Self> {
        (before != after).then_some(Self { before, after })
    }
}

impl<'a> AddedAndRemoved<'a> {
    fn between(
        old: impl Iterator<Item = &'a str> + Clone,
        new: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let (olds, news): (BTreeSet<_>, BTreeSet<_>) = (old.clone().collect(), new.clone().collect());
        Self {
            added: new.filter(|name| !olds.contains(name)).collect(),
            removed: old.filter(|name| !news.contains(name)).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        for name in &self.removed {
            output.line(format_args!("- {name}"))?;
        }
        for name in &self.added {
            output.line(format_args!("+ {name}"))?;
        }
        Ok(())
    }
}

/// The apps of the new file in its order, then those that only the old one names.
fn route_changes<'a>(old: &'a [AppRoute], new: &'a [AppRoute]) -> Vec<RouteChange<'a>> {
    let find = |routes: &'a [AppRoute], app: &AppLabel| {
        routes.iter().find(|route| route.app == *app).map(Sides::from)
    };
    let kept = new.iter().map(|route| RouteChange {
        app: route.app.as_str(),
        before: find(old, &route.app),
        after: Some(route.into()),
    });
    let removed = old.iter().filter(|route| find(new, &route.app).is_none()).map(|route| RouteChange {
        app: route.app.as_str(),
        before: Some(route.into()),
        after: None,
    });
    kept.chain(removed).filter(|change| change.before != change.after).collect()
}

impl RouteChange<'_> {
    fn in_words(&self) -> Vec<[String; 4]> {
        let (mark, known) = match (&self.before, &self.after) {
            (None, _) => ("+", self.after.as_ref()),
            (_, None) => ("-", self.before.as_ref()),
            _ => (" ", None),
        };
        let sides = |sides: Option<&Sides<'_>>| sides.map(Sides::in_words).unwrap_or_default();
        let (before, after) = (sides(self.before.as_ref()), sides(self.after.as_ref()));
        let lines = ["read", "write", "migrate"].into_iter().zip(before.into_iter().zip(after));
        let mut name = Some(self.app);
        lines
            .filter(|(_, (before, after))| known.is_some() || before != after)
            .map(|(side, (before, after))| {
                let words = match known {
                    Some(_) => format!("{before}{after}"),
                    None => format!("{before} -> {after}"),
                };
                let mark = if name.is_some() { mark } else { " " };
                [mark.to_owned(), name.take().unwrap_or_default().to_owned(), side.to_owned(), words]
            })
            .collect()
    }
}

/// The tables that change hands. A pattern that comes or goes with its app is told by the app.
fn table_changes<'a>(old: &'a Config, new: &'a Config) -> Vec<TableChange<'a>> {
    let (old_map, new_map) = (old.table_map(), new.table_map());
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for pattern in new.apps.iter().chain(&old.apps).flat_map(|app| &app.tables) {
        if !seen.insert(pattern.as_str()) {
            continue;
        }
        let owner = |config: &'a Config, map: &router_diesel::config::TableMap| {
            // One table goes to whichever app its name leads to; a pattern, to the app that declares it.
            let app = match pattern.exact_table() {
                Some((schema, table)) => {
                    map.app_of(schema, table).and_then(|label| config.app(label.as_str()))
                }
                None => config.apps.iter().find(|app| declares(app, pattern)),
            };
            app.map(|app| app.label.as_str())
        };
        let (before, after) = (owner(old, &old_map), owner(new, &new_map));
        let told_by_its_app = match (before, after) {
            (None, Some(app)) => old.app(app).is_none(),
            (Some(app), None) => new.app(app).is_none(),
            (before, after) => before == after,
        };
        if !told_by_its_app {
            changes.push(TableChange { table: pattern.as_str(), before, after });
        }
    }
    changes
}

fn declares(app: &App, pattern: &TablePattern) -> bool {
    app.tables.iter().any(|table| table.means_same(pattern))
}

impl TableChange<'_> {
    fn in_words(&self) -> [String; 2] {
        let app = |app: Option<&str>| app.unwrap_or("no app").to_owned();
        [self.table.to_owned(), format!("{} -> {}", app(self.before), app(self.after))]
    }
}
