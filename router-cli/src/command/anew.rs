//! Which databases are begun anew: `reset` drops some, and all of their apps have to be migrated again.

use router_core::Operation;
use router_diesel::config::Database;
use router_diesel::{AnyConnection, Databases};

use super::migrate::owner;
use crate::args::migrate::Selection;

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
