//! Records that are not where they belong: the alias was renamed, or `migrate_to` or `migration_history` changed.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use router_core::{Alias, AppLabel};
use rustc_hash::FxHashMap;

use super::catalogue::Tables;
use super::home::Owner;
use super::physical::is_one;
use super::record::{Moved, Records, Stray};
use super::selection::Job;
use super::site::open_existing;
use super::state::Known;
use crate::config::{Config, Database};
use crate::engine::{Opened, RoutedConnection};

/// Where records are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the records belong.
    Right,
    /// On the database that is migrated, though its records belong elsewhere.
    Own,
    /// On a database that the file does not name as theirs any more.
    Former,
}

/// Looks for records of the apps of which nothing is recorded where it belongs: to run all of it again would be
/// wrong. All that are found are of one name and place.
pub(crate) fn find<C: RoutedConnection>(
    job: &Job<'_, C::Backend>,
    known: &Known,
    conn: &mut C,
    remote: Option<&mut C>,
) -> QueryResult<Vec<Stray>> {
    let apps = job.unrecorded(known);
    if apps.is_empty() {
        return Ok(Vec::new());
    }
    let has_tables = known.tables.has_others();
    let right = if remote.is_some() { Place::Own } else { Place::Right };
    if let Some(remote) = remote {
        let strays = look_in(job, &apps, remote, job.history, Place::Right, has_tables)?;
        if !strays.is_empty() {
            return Ok(strays);
        }
    }
    let strays = look_in(job, &apps, conn, job.database, right, has_tables)?;
    if !strays.is_empty() {
        return Ok(strays);
    }
    // The file does not say where its records were: the journal tells that they were elsewhere.
    let was_elsewhere = known.has_journal;
    if !has_tables || !known.records.is_empty() || !was_elsewhere {
        return Ok(Vec::new());
    }
    for place in &job.config.databases {
        let is_looked_at = place.alias == job.database.alias || place.alias == job.history.alias;
        if is_looked_at || place.replica_of.is_some() {
            continue;
        }
        // One that is not reached tells nothing.
        let Ok(Some(Opened { mut conn, .. })) = open_existing::<C>(place) else { continue };
        let strays = look_in(job, &apps, &mut conn, place, Place::Former, has_tables)?;
        if !strays.is_empty() {
            return Ok(strays);
        }
    }
    Ok(Vec::new())
}

/// The same for a file that is not there, where the records of it belong.
pub(crate) fn find_on_history<C: RoutedConnection>(
    job: &Job<'_, C::Backend>,
    known: &Known,
    history: &mut C,
) -> QueryResult<Vec<Stray>> {
    let apps = job.unrecorded(known);
    if apps.is_empty() {
        return Ok(Vec::new());
    }
    look_in(job, &apps, history, job.history, Place::Right, false)
}

/// What is recorded for the aliases of the file, by the database that keeps it. Each is read once in a run: what a
/// run itself records is not what [`moved`] looks for.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    by_place: Mutex<FxHashMap<Alias, Arc<RecordCounts>>>,
}

/// How many migrations of an app are recorded for an alias.
type RecordCounts = FxHashMap<(Alias, AppLabel), usize>;

impl Recorded {
    fn on<C: RoutedConnection>(&self, config: &Config, place: &Database) -> Arc<RecordCounts> {
        let known = |by_place: &FxHashMap<Alias, _>| by_place.get(&place.alias).map(Arc::clone);
        if let Some(counts) = known(&self.by_place.lock().unwrap_or_else(PoisonError::into_inner)) {
            return counts;
        }
        let read = |mut conn: C| {
            let tables = Tables::read(&mut conn)?;
            let owner = Owner { config, database: place };
            let records = Records::find(&mut conn, &tables, &place.alias, &owner)?;
            if records.are_in(&tables) {
                records.counts(&mut conn)
            } else {
                QueryResult::Ok(RecordCounts::default())
            }
        };
        // One that is not reached tells nothing.
        let conn = open_existing::<C>(place).ok().flatten().map(|opened| opened.conn);
        let counts = Arc::new(conn.and_then(|conn| read(conn).ok()).unwrap_or_default());
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_place.entry(place.alias.clone()).or_insert(counts))
    }
}

/// Looks for databases of the file that have records of an app which would begin from nothing here, and that do not
/// migrate it any more: a wrong name under `apps` sends an app to where nothing of it is.
pub(crate) fn moved<C: RoutedConnection>(job: &Job<'_, C::Backend>, known: &Known) -> Vec<Moved> {
    let mut moved = Vec::new();
    if !known.others.is_empty() {
        return moved;
    }
    for app in job.unrecorded(known).into_iter().filter(|app| !job.anew.contains(app)) {
        let is_former = |other: &&Database| {
            other.alias != job.database.alias && other.replica_of.is_none() && !job.migrates(other, app)
        };
        let former: Vec<&Database> = job.config.databases.iter().filter(is_former).collect();
        if former.is_empty() {
            continue;
        }
        let places = job.config.databases.iter().filter(|place| place.replica_of.is_none());
        let all: Vec<_> = places.map(|place| job.recorded.on::<C>(job.config, place)).collect();
        for other in former {
            let key = (other.alias.clone(), app.clone());
            let count: usize = all.iter().filter_map(|counts| counts.get(&key)).sum();
            if count > 0 && !is_same::<C>(job, other) {
                moved.push(Moved { app: app.clone(), from: other.alias.clone(), count });
            }
        }
    }
    moved
}

fn look_in<C: RoutedConnection>(
    job: &Job<'_, C::Backend>,
    apps: &[&AppLabel],
    conn: &mut C,
    database: &Database,
    place: Place,
    has_tables: bool,
) -> QueryResult<Vec<Stray>> {
    let tables = Tables::read(conn)?;
    let owner = Owner { config: job.config, database };
    let all = Records::find(conn, &tables, &database.alias, &owner)?;
    if !all.are_in(&tables) {
        return Ok(Vec::new());
    }
    let is_shared = database.alias != job.database.alias;
    let mut names = all.names(conn, apps)?;
    // What an alias of the file has recorded is surely of this database or surely not; so it comes first.
    names.sort_by_key(|name| job.config.database(name.as_str()).is_none());
    for name in names {
        let apps: Vec<&AppLabel> = apps
            .iter()
            .copied()
            .filter(|app| match job.config.database(name.as_str()) {
                Some(other) if other.alias == job.database.alias => place != Place::Right,
                Some(other) => !job.migrates(other, app) && is_same::<C>(job, other),
                // Of a database that is gone, perhaps: a new one has no tables yet.
                None => !is_shared || has_tables,
            })
            .collect();
        let records = all.of(&name);
        let strays: Vec<Stray> = records
            .read(conn)?
            .into_iter()
            .filter(|record| apps.contains(&&record.id.app))
            .map(|record| Stray { database: name.clone(), place: database.alias.clone(), record })
            .collect();
        if !strays.is_empty() {
            return Ok(strays);
        }
    }
    Ok(Vec::new())
}

fn is_same<C: RoutedConnection>(job: &Job<'_, C::Backend>, other: &Database) -> bool {
    let is_sent = |from: &Database, to: &Database| from.migrate_to.as_ref() == Some(&to.alias);
    is_sent(other, job.database) || is_sent(job.database, other) || is_one::<C>(job.database, other)
}
