//! Which aliases lead to one database, and which to schemas of one.

use std::collections::HashMap;

use router_core::Alias;

use super::open;
use super::target::{Purpose, is_usual};
use crate::config::{Config, Database};
use crate::engine::RoutedConnection;
use crate::engine::create::Place;
use crate::engine::identity::{self, PhysicalDatabase};

/// Which aliases lead to one database, each asked once; nothing of one that does not answer.
#[derive(Default)]
pub(super) struct Aliases {
    known: HashMap<Alias, Option<PhysicalDatabase>>,
}

impl Aliases {
    pub(super) fn is_one<C: RoutedConnection>(&mut self, one: &Database, other: &Database) -> bool {
        one.url.engine() == other.url.engine()
            && self.of::<C>(one).is_some_and(|one| self.of::<C>(other) == Some(one))
    }

    /// The aliases that are migrated in another schema of the same database, each with that. What their URLs already
    /// tell apart is not asked.
    pub(super) fn in_other_schemas<C: RoutedConnection>(
        &mut self,
        config: &Config,
        database: &Database,
    ) -> Vec<(Alias, String)> {
        let is_sent = |from: &Database, to: &Database| from.migrate_to.as_ref() == Some(&to.alias);
        let is_like = |other: &&Database| {
            other.alias != database.alias
                && is_usual(other, Purpose::Change)
                && !is_sent(database, other)
                && other.url.engine() == database.url.engine()
                && other.url.expose() != database.url.expose()
                && name(other).is_some_and(|name_of_other| name(database) == Some(name_of_other))
        };
        let others: Vec<&Database> = config.databases.iter().filter(is_like).collect();
        let Some(own) = (!others.is_empty()).then(|| self.of::<C>(database)).flatten() else {
            return Vec::new();
        };
        let schema = |other: &Database| {
            let physical = self.of::<C>(other)?;
            let is_other = physical.shares_database_with(&own) && physical != own;
            Some((other.alias.clone(), physical.schema().filter(|_| is_other)?.to_owned()))
        };
        others.into_iter().filter_map(schema).collect()
    }

    fn of<C: RoutedConnection>(&mut self, database: &Database) -> Option<PhysicalDatabase> {
        let ask = || {
            let mut conn: C = open(database).ok()?;
            identity::of(&mut conn, &database.url).ok()
        };
        self.known.entry(database.alias.clone()).or_insert_with(ask).clone()
    }
}

/// The name of a database on its server.
fn name(database: &Database) -> Option<String> {
    match database.url.engine().spec().place(&database.url) {
        Place::Server(server) => server.name,
        Place::File(..) | Place::Memory => None,
    }
}
