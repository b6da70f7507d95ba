//! What is wrong with where migrations run, seen from the databases that the aliases lead to.

use std::path::PathBuf;

use router_core::{Alias, AppLabel, Hints, Model, Operation};
use rustc_hash::FxHashMap;

use super::lint::{LintCode, LintProblem};
use super::selection::Job;
use crate::config::Database;
use crate::engine::identity::{self, PhysicalDatabase, canonical};
use crate::engine::{Access, RoutedConnection, absence};
use crate::topology::Routing;

/// A database as such, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Physical {
    /// A file, which may not be there yet.
    File(PathBuf),
    Server(PhysicalDatabase),
    /// One that its server does not have. It is none of those that answer.
    Absent(Alias),
}

impl Physical {
    /// Whether what is read here are the tables of another one.
    fn finds_tables_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(this), Self::Server(other)) => this.finds_tables_of(other),
            _ => self == other,
        }
    }
}

/// Whether servers are asked which database an alias leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    Ask,
    Leave,
}

/// Two aliases of one database that both migrate an app, and apps that are read where their tables are not.
///
/// A server is connected to only where there is something to compare. Of one that does not answer, or is not to be
/// asked, nothing is said.
pub(crate) fn problems<C: RoutedConnection>(
    routing: &Routing,
    jobs: &[Job<'_, C::Backend>],
    servers: Servers,
) -> Vec<LintProblem> {
    let mut known = Known { routing, servers, by_alias: FxHashMap::default() };
    let mut problems = Vec::new();
    for app in &routing.config().apps {
        let app = &app.label;
        let databases: Vec<&Database> =
            jobs.iter().filter(|job| job.has_app(app)).map(|job| job.database).collect();
        let has_migrations =
            jobs.iter().any(|job| job.migrations.iter().any(|migration| migration.id.app == *app));
        if databases.is_empty() || !has_migrations {
            continue;
        }
        if databases.len() > 1 {
            problems.extend(known.twice::<C>(app, &databases));
        }
        problems.extend(known.read_elsewhere::<C>(app, &databases));
    }
    problems
}

/// What is known of the aliases so far; nothing of those that did not answer.
struct Known<'a> {
    routing: &'a Routing,
    servers: Servers,
    by_alias: FxHashMap<Alias, Option<Physical>>,
}

impl Known<'_> {
    fn of<C: RoutedConnection>(&mut self, database: &Database) -> Option<Physical> {
        if let Some(known) = self.by_alias.get(&database.alias) {
            return known.clone();
        }
        let is_asked = !has_servers(database) || self.servers == Servers::Ask;
        let physical = if is_asked { ask::<C>(database) } else { None };
        self.by_alias.insert(database.alias.clone(), physical.clone());
        physical
    }

    fn twice<C: RoutedConnection>(&mut self, app: &AppLabel, databases: &[&Database]) -> Vec<LintProblem> {
        let mut first: FxHashMap<Physical, &Database> = FxHashMap::default();
        let mut problems = Vec::new();
        for database in databases {
            let Some(physical) = self.of::<C>(database) else { continue };
            let Some(other) = first.get(&physical) else {
                first.insert(physical, database);
                continue;
            };
            let message = format!(
                "`{}` and `{}` are one database, and app `{app}` would be migrated by both names",
                other.alias, database.alias
            );
            problems.push(
                LintProblem::new(LintCode::OnePhysicalDatabase, app, message)
                    .database(&other.alias)
                    .database(&database.alias)
                    .help("allow the app's migrations by one of them: `migrate: false` on the other, or `migrate_to`"),
            );
        }
        problems
    }

    fn read_elsewhere<C: RoutedConnection>(
        &mut self,
        app: &AppLabel,
        databases: &[&Database],
    ) -> Option<LintProblem> {
        let config = self.routing.config();
        let model = Model::of(app, None);
        let decision = self.routing.chain().route(Operation::Read, &model, &Hints::default());
        // Where a router reads by a hint, it is not known before a session gives one.
        if decision.missing_hint().is_some() {
            return None;
        }
        let read = config.database(decision.alias().as_str())?;
        // A replica has what its primary has.
        let read = match &read.replica_of {
            Some(primary) => config.database(primary.as_str())?,
            None => read,
        };
        if databases.iter().any(|database| database.alias == read.alias) {
            return None;
        }
        // What differs in its engine need not be asked.
        let alike = databases.iter().filter(|database| database.url.engine() == read.url.engine());
        for database in alike {
            let there = self.of::<C>(read)?;
            let here = self.of::<C>(database)?;
            // Of two that are not there, nobody knows.
            let is_unknown = matches!((&here, &there), (Physical::Absent(_), Physical::Absent(_)));
            if is_unknown || there.finds_tables_of(&here) {
                return None;
            }
        }
        let migrated: Vec<_> = databases.iter().map(|database| format!("`{}`", database.alias)).collect();
        let message = format!(
            "app `{app}` is migrated on {}, and read from `{}`, which is another database",
            migrated.join(", "),
            read.alias
        );
        let mut problem = LintProblem::new(LintCode::ReadElsewhere, app, message).help(
            "let it be migrated where it is read; to keep only the records elsewhere, write `migration_history`",
        );
        for database in databases {
            problem = problem.database(&database.alias);
        }
        Some(problem)
    }
}

fn has_servers(database: &Database) -> bool {
    database.url.engine().spec().has_servers()
}

fn ask<C: RoutedConnection>(database: &Database) -> Option<Physical> {
    if !has_servers(database) {
        return database.url.file().map(|file| Physical::File(canonical(&file)));
    }
    if !C::supports(database.url.engine()) {
        return None;
    }
    match absence::open::<C>(&database.opener(), &database.pool.connect(Access::ReadOnly)) {
        Ok(mut opened) => identity::of(&mut opened.conn, &database.url).ok().map(Physical::Server),
        Err(unopened) => unopened.absent.map(|_| Physical::Absent(database.alias.clone())),
    }
}

/// Whether two aliases lead to one database; not where one does not answer.
pub(crate) fn is_one<C: RoutedConnection>(a: &Database, b: &Database) -> bool {
    a.url.engine() == b.url.engine() && ask::<C>(a).is_some_and(|a| ask::<C>(b) == Some(a))
}
