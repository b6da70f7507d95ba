//! The records of a database's migrations that another database keeps, by `migration_history`: what becomes of them when
//! one of the two is dropped or made.

use std::fmt;
use std::path::PathBuf;

use router_core::{Alias, AppLabel};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::target::{Purpose, is_usual};
use super::{TaskError, open};
use crate::config::{Config, Database, Engine};
use crate::engine::RoutedConnection;
use crate::engine::create::{self, ServerPlace};
use crate::engine::identity::canonical;
use crate::migrate::leftover::Presence;
use crate::migrate::{Owner, Record, Records, Tables, history_of, is_migrated_by};
use crate::topology::Routing;

/// Records of migrations that were taken away from the database that kept them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TakenRecords {
    /// The database that kept them.
    pub from: String,
    /// How many there were.
    pub number: usize,
}

impl fmt::Display for TakenRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, number } = self;
        let records = if *number == 1 { "record" } else { "records" };
        write!(f, "took {number} {records} of its migrations away from `{from}`")
    }
}

/// Records that may be those of a database under a name that it had before, and that were left where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FormerRecords {
    /// The database that keeps them.
    pub on: String,
    /// The name, which the file does not have.
    pub name: String,
    /// How many there are.
    pub number: usize,
    /// The statement that takes them away.
    pub clearing: String,
}

impl fmt::Display for FormerRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { on, name, number, clearing } = self;
        let (records, them) = if *number == 1 { ("record", "it") } else { ("records", "them") };
        write!(
            f,
            "`{on}` also has {number} {records} of its apps for `{name}`, which is not in the file: if that was its name \
             before, take {them} away there by `{clearing}`"
        )
    }
}

/// A database that keeps records of another.
pub(super) struct Kept<'a, C> {
    history: &'a Database,
    /// The names of the other: a name that it had before `migrate_to` was written has records, too.
    names: Vec<&'a Database>,
    /// A connection where there is a table of records, with that, or why there is none.
    conn: Result<Option<(C, Records)>, TaskError>,
}

impl<C: RoutedConnection> Kept<'_, C> {
    /// Why the records could not be taken away, if that is known beforehand.
    pub(super) fn unreachable(&self, database: &Database) -> Option<TaskError> {
        self.conn.as_ref().err().map(|error| match error {
            TaskError::NotConnected { .. } => error.clone(),
            _ => TaskError::RecordsUnreachable {
                alias: database.alias.clone(),
                history: self.history.alias.clone(),
                cause: error.to_string(),
            },
        })
    }

    /// How many records there are; nothing of a database that does not answer.
    fn count(&mut self) -> Option<usize> {
        let (conn, records) = self.conn.as_mut().ok()?.as_mut()?;
        let counts = self.names.iter().map(|name| records.of(&name.alias).count(conn));
        counts.sum::<diesel::QueryResult<usize>>().ok()
    }

    /// Records of the database's apps under names that the file does not have, where none are under its own: those of
    /// a name that it had before, perhaps. Ask before they are taken away.
    pub(super) fn former(&mut self, routing: &Routing) -> Vec<FormerRecords> {
        let config = routing.config();
        let Ok(Some((conn, records))) = &mut self.conn else { return Vec::new() };
        let mut recorded: Vec<Record> = Vec::new();
        for name in &self.names {
            recorded.extend(records.of(&name.alias).read(conn).unwrap_or_default());
        }
        let is_its = |app: &AppLabel| self.names.iter().any(|name| is_migrated_by(routing, name, app));
        let is_recorded = |app: &AppLabel| recorded.iter().any(|record| record.id.app == *app);
        let apps = config.apps.iter().map(|app| &app.label);
        let apps: Vec<&AppLabel> = apps.filter(|app| is_its(app) && !is_recorded(app)).collect();
        if apps.is_empty() {
            return Vec::new();
        }
        let mut names = records.names(conn, &apps).unwrap_or_default();
        names.retain(|name| config.database(name.as_str()).is_none());
        let former = names.into_iter().filter_map(|name| {
            let records = records.of(&name);
            let number = records.count(conn).ok().filter(|number| *number > 0)?;
            Some(FormerRecords {
                on: self.history.alias.to_string(),
                name: name.to_string(),
                number,
                clearing: records.clearing(),
            })
        });
        former.collect()
    }

    /// Takes the records away, now that the database is gone; nothing where there are none.
    pub(super) fn take_away(self, database: &Database) -> Result<Option<TakenRecords>, TaskError> {
        let Self { history, names, conn } = self;
        let stay = |cause: String| TaskError::RecordsStay {
            alias: database.alias.clone(),
            history: history.alias.clone(),
            cause,
        };
        let conn = conn.map_err(|error| stay(error.to_string()))?;
        let Some((mut conn, records)) = conn else { return Ok(None) };
        let taken = conn.transaction(|conn| {
            let mut number = 0;
            for name in names {
                let records = records.of(&name.alias);
                number += records.count(conn)?;
                records.clear(conn)?;
            }
            Ok(number)
        });
        let number = taken.map_err(|error: diesel::result::Error| stay(error.to_string()))?;
        Ok((number > 0).then(|| TakenRecords { from: history.alias.to_string(), number }))
    }
}

/// Which database keeps whose records, and which aliases are one database.
pub(super) struct Bookkeeping<'a> {
    config: &'a Config,
    /// The databases whose records are on another, with that.
    elsewhere: Vec<(&'a Database, &'a Database)>,
    places: FxHashMap<&'a Alias, Place>,
}

/// Where a URL leads. A server is not asked, as a connection to a database would be in the way of its drop.
#[derive(PartialEq)]
enum Place {
    File(PathBuf),
    Server { engine: Engine, hosts: String, name: String },
}

impl<'a> Bookkeeping<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        let own = config.databases.iter().filter(|database| !database.is_replica());
        let elsewhere: Vec<_> = own
            .map(|database| (database, history_of(config, database)))
            .filter(|(database, history)| history.alias != database.alias)
            .collect();
        // Where every database keeps its own records, nothing is compared.
        let compared = if elsewhere.is_empty() { &[][..] } else { &config.databases };
        let places = compared.iter().filter_map(|database| Some((&database.alias, place(database)?)));
        Self { config, places: places.collect(), elsewhere }
    }

    /// Whether two aliases name one database: by `migrate_to`, or by their URLs.
    fn is_one(&self, one: &Database, other: &Database) -> bool {
        let is_sent = |from: &Database, to: &Database| from.migrate_to.as_ref() == Some(&to.alias);
        one.alias == other.alias
            || is_sent(one, other)
            || is_sent(other, one)
            || self.places.get(&one.alias).is_some_and(|place| self.places.get(&other.alias) == Some(place))
    }

    /// The databases that keep records of this one, open: before it is dropped, it must be known that they answer.
    pub(super) fn open<C: RoutedConnection>(&self, database: &Database) -> Vec<Kept<'a, C>> {
        let mut all: Vec<Kept<'a, C>> = Vec::new();
        for (name, history) in &self.elsewhere {
            if !self.is_one(name, database) || self.is_one(history, database) {
                continue;
            }
            match all.iter_mut().find(|kept| kept.history.alias == history.alias) {
                Some(kept) => kept.names.push(name),
                None => {
                    all.push(Kept { history, names: vec![name], conn: open_records(self.config, history) })
                }
            }
        }
        all
    }

    /// The databases that stay, and whose records go with a database: all of their migrations would count as pending,
    /// over tables that are there.
    pub(super) fn losers(
        &self,
        history: &Database,
        gone: &[&Database],
    ) -> impl Iterator<Item = &'a Database> {
        let lost = self.elsewhere.iter().filter(move |(kept, place)| {
            self.is_one(place, history)
                && !self.is_one(kept, history)
                && is_usual(kept, Purpose::Change)
                && !gone.iter().any(|gone| self.is_one(gone, kept))
        });
        lost.map(|(kept, _)| *kept)
    }

    /// Whether a database keeps the records of another.
    pub(super) fn keeps(&self, history: &Database, database: &Database) -> bool {
        let mut elsewhere = self.elsewhere.iter();
        elsewhere.any(|(kept, place)| {
            kept.alias == database.alias && self.is_one(place, history) && !self.is_one(kept, history)
        })
    }

    /// The databases, with those that keep records of others among them after these.
    pub(super) fn keepers_last<'b>(&self, databases: &[&'b Database]) -> Vec<&'b Database> {
        let is_keeper =
            |database: &&Database| self.elsewhere.iter().any(|(_, history)| self.is_one(history, database));
        let (mut keepers, mut ordered): (Vec<_>, Vec<_>) = databases.iter().copied().partition(is_keeper);
        while !keepers.is_empty() {
            let waits = |database: &&Database| keepers.iter().any(|other| self.keeps(database, other));
            // Of two that keep each other's, the first.
            let next = keepers.iter().position(|database| !waits(database)).unwrap_or(0);
            ordered.push(keepers.remove(next));
        }
        ordered
    }

    /// An error where a database is not there or is empty, and has records on another: its migrations would count as
    /// applied. Where a database does not answer, nothing is said.
    pub(super) fn refuse_leftovers<C: RoutedConnection>(
        &self,
        database: &Database,
        presence: Presence,
    ) -> Result<(), TaskError> {
        for mut kept in self.open::<C>(database) {
            let Some(number) = kept.count().filter(|number| *number > 0) else { continue };
            if presence == Presence::Absent || is_empty::<C>(database) {
                return Err(TaskError::LeftRecords {
                    alias: database.alias.clone(),
                    presence,
                    history: kept.history.alias.clone(),
                    number,
                });
            }
        }
        Ok(())
    }
}

fn place(database: &Database) -> Option<Place> {
    let engine = database.url.engine();
    match engine.spec().place(&database.url) {
        create::Place::File(file, _) => Some(Place::File(canonical(&file))),
        create::Place::Memory => None,
        create::Place::Server(ServerPlace { hosts, name, .. }) => {
            Some(Place::Server { engine, hosts, name: name? })
        }
    }
}

fn is_empty<C: RoutedConnection>(database: &Database) -> bool {
    let tables = open::<C>(database).ok().map(|mut conn| Tables::read(&mut conn));
    tables.is_some_and(|tables| tables.is_ok_and(|tables| tables.is_empty()))
}

/// A connection to a database that keeps records of another, if there is a table of them.
fn open_records<C: RoutedConnection>(
    config: &Config,
    history: &Database,
) -> Result<Option<(C, Records)>, TaskError> {
    let mut conn: C = match open(history) {
        Ok(conn) => conn,
        Err(TaskError::Absent { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let refused = || TaskError::refused(&history.alias, "read the records of migrations");
    let tables = Tables::read(&mut conn).map_err(refused())?;
    let records = Records::find(&mut conn, &tables, &history.alias, &Owner { config, database: history })
        .map_err(refused())?;
    Ok(records.are_in(&tables).then_some((conn, records)))
}
