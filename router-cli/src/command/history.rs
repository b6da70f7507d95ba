//! What becomes of records when a database is dropped that keeps another's, or whose own are on another.

use router_core::Operation;
use router_diesel::config::{Config, Database};
use router_diesel::migrate::{MigrateError, Resolution};
use router_diesel::tasks::{Dropped, Report};
use router_diesel::{AnyConnection, Databases, Migrator};

use super::migrate::owner;
use crate::args::migrate::Selection;
use crate::failure::Failure;
use crate::output::Output;

/// Refuses to drop a database with the records of another that stays: all of that one's migrations would run again,
/// over tables that are there.
pub(super) fn refuse_to_lose(
    databases: &Databases<AnyConnection>,
    selection: &Selection,
) -> Result<(), Failure> {
    let config = databases.config();
    let dropped = to_drop(databases, selection);
    let is_dropped = |database: &Database| dropped.iter().any(|other| other.alias == database.alias);
    for kept in config.databases.iter().filter(|database| is_own(database) && !is_dropped(database)) {
        let history = history(config, kept);
        if is_dropped(history) {
            return Err(Failure::Usage(format!(
                "`{}` keeps the records of the migrations of `{}`, which would all count as pending; drop both \
                 together, or pass `--force`",
                history.alias, kept.alias
            )));
        }
    }
    Ok(())
}

/// The same choice in databases alone: one that was dropped needs all of its apps' migrations again. Nothing where
/// the apps are on no database.
pub(super) fn in_databases(databases: &Databases<AnyConnection>, selection: &Selection) -> Option<Selection> {
    if selection.apps.is_empty() {
        return Some(selection.clone());
    }
    let config = databases.config();
    let dropped = to_drop(databases, selection);
    let is_owner_only = |database: &Database| {
        config.databases.iter().any(|other| other.migrate_to.as_ref() == Some(&database.alias))
    };
    let is_meant = |database: &&Database| {
        let owner = owner(config, database.alias.as_str());
        !database.is_replica()
            && !is_owner_only(database)
            && dropped.iter().any(|database| database.alias.as_str() == owner)
    };
    let aliases = config.databases.iter().filter(is_meant).map(|database| database.alias.to_string());
    let databases: Vec<String> = aliases.collect();
    (!databases.is_empty()).then_some(Selection { databases, apps: Vec::new() })
}

/// Takes the records away that databases left on others when they were dropped.
pub(super) fn forget(
    migrator: &Migrator<AnyConnection>,
    config: &Config,
    dropped: &Report<Dropped>,
) -> Result<(), MigrateError> {
    for database in kept_elsewhere(config, dropped) {
        let migrator = migrator.clone().database(database.alias.as_str());
        let status = migrator.status()?;
        let statuses = status.database(database.alias.as_str());
        for status in statuses.iter().flat_map(|status| &status.migrations) {
            if !status.state.is_pending() {
                let id = &status.migration;
                migrator.resolve(&id.app, id.version.clone(), Resolution::Reverted)?;
            }
        }
    }
    Ok(())
}

/// Says which records stay where they are.
pub(super) fn say_what_stays(config: &Config, dropped: &Report<Dropped>, output: &mut Output<'_>) {
    let is_dropped = |alias: &str| dropped.on(alias).is_some();
    for database in kept_elsewhere(config, dropped) {
        let history = history(config, database);
        if !is_dropped(history.alias.as_str()) {
            output.say(format_args!(
                "{0}: the records of its migrations stay on `{1}`; `reset` takes them away, and so does `resolve \
                 --reverted --database {0}` of each",
                database.alias, history.alias
            ));
        }
    }
}

/// The databases that are gone, and whose records are on another.
fn kept_elsewhere<'a>(
    config: &'a Config,
    dropped: &'a Report<Dropped>,
) -> impl Iterator<Item = &'a Database> {
    let gone = dropped
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome.result, Ok(Dropped::Dropped(_) | Dropped::NotThere(_))));
    gone.filter_map(|outcome| config.database(outcome.alias.as_str()))
        .filter(|database| history(config, database).alias != database.alias)
}

/// The databases that `drop` is for, as [`Tasks`](router_diesel::tasks::Tasks) chooses them.
fn to_drop<'a>(databases: &'a Databases<AnyConnection>, selection: &Selection) -> Vec<&'a Database> {
    let config = databases.config();
    let routes = databases.routing().routes();
    let is_chosen = |database: &&Database| match selection.databases.as_slice() {
        [] => is_own(database),
        aliases => aliases.iter().any(|alias| *owner(config, alias) == *database.alias.as_str()),
    };
    let has_app = |database: &&Database| {
        let is_asked = |app: &str| selection.apps.iter().any(|asked| asked == app);
        selection.apps.is_empty()
            || routes.iter().filter(|route| is_asked(route.app.as_str())).any(|route| {
                route.write.as_ref() == Some(&database.alias) || route.migrate.contains(&database.alias)
            })
    };
    config.databases.iter().filter(is_chosen).filter(has_app).collect()
}

/// Whether migrations run on a database under this alias.
fn is_own(database: &Database) -> bool {
    database.migrate
        && database.migrate_to.is_none()
        && !database.is_replica()
        && database.restriction(Operation::Migrate).is_none()
}

/// The database that keeps the records of what runs on another.
fn history<'a>(config: &'a Config, database: &'a Database) -> &'a Database {
    let senders = || {
        let all = config.databases.iter();
        all.filter(|sender| sender.migrate_to.as_ref() == Some(&database.alias))
            .find_map(|sender| sender.migration_history.as_ref())
    };
    let alias = database.migration_history.as_ref().or_else(senders);
    alias.and_then(|alias| config.database(alias.as_str())).unwrap_or(database)
}
