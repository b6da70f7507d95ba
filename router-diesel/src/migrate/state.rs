//! Where each migration of a database stands. Nothing here connects.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use diesel::backend::Backend;
use rustc_hash::FxHashMap;

use super::catalogue::Tables;
use super::journal::{Direction, Marker};
use super::migration::AppMigration;
use super::record::{Moved, Record, RecordState, Stray};
use super::{MigrationId, Version};
use crate::config::Engine;
use crate::engine::Product;
use crate::statement::TableName;
use router_core::{Alias, AppLabel};

/// Where a migration stands on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It was applied, and nothing has changed since.
    Applied,
    /// It has yet to run.
    Pending,
    /// It has yet to run, and a later one of its app was applied already.
    OutOfOrder,
    /// It was applied, and its file has been edited since.
    Changed,
    /// It was applied, and is not among the migrations any more.
    Missing,
    /// It failed or was interrupted where nothing can be rolled back: it may be there in part.
    Dirty,
    /// It was applied, and a table that it creates is not there.
    Drift,
}

impl State {
    /// The state's name: `applied`, `pending`, `out of order`, `changed`, `missing`, `dirty` or `drift`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::OutOfOrder => "out of order",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Dirty => "dirty",
            Self::Drift => "drift",
        }
    }

    /// Whether it has yet to run.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Pending | Self::OutOfOrder)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One migration on one database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The migration.
    pub migration: MigrationId,
    /// Where it stands.
    pub state: State,
    /// When it was applied, in UTC, as `2024-03-01 12:00:00`.
    pub applied_at: Option<String>,
    /// How long it took, where that was recorded.
    pub duration: Option<Duration>,
    /// Its file, where it has one.
    pub file: Option<PathBuf>,
    /// What there is to know beyond the state.
    pub detail: Option<String>,
    /// Whether it is among the migrations, not only among the records.
    pub is_known: bool,
}

impl MigrationStatus {
    /// What to do about it on this database, where it is neither applied nor pending.
    #[must_use]
    pub fn help(&self, database: &Alias) -> Option<String> {
        let applied = resolve_command(&self.migration, "applied", database);
        let reverted = resolve_command(&self.migration, "reverted", database);
        Some(match self.state {
            State::Applied | State::Pending | State::OutOfOrder => return None,
            State::Changed => {
                format!("put the file back and write a new migration, or accept it as it stands by {applied}")
            }
            State::Missing => format!(
                "run the version of the program that has it; if it was removed for good, {reverted} takes the record \
                 away"
            ),
            State::Drift => {
                format!("put the table back; to have the migration run again, {reverted} makes it pending")
            }
            State::Dirty => {
                format!(
                    "look at what is there; finish it by hand and say {applied}, or undo what it did and say {reverted}"
                )
            }
        })
    }
}

/// The command that says of a migration what a person found out.
pub(crate) fn resolve_command(id: &MigrationId, finding: &str, database: &Alias) -> String {
    format!("`dbrouter resolve {} {} --{finding} --database {database}`", id.app, id.version)
}

/// What is known of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Which product its server is, where a connection was opened.
    pub(crate) product: Option<Product>,
    pub(crate) records: Vec<Record>,
    pub(crate) markers: Vec<Marker>,
    /// The names for which the journal says that something was recorded elsewhere.
    pub(crate) kept_for: Vec<Alias>,
    pub(crate) tables: Tables,
    /// Whether there is a journal.
    pub(crate) has_journal: bool,
    /// What is recorded under other names or in other places of apps of which nothing is recorded where it belongs.
    pub(crate) others: Vec<Stray>,
    /// What is recorded of apps of which nothing is recorded here, by databases that do not migrate them any more.
    pub(crate) moved: Vec<Moved>,
    /// The versions that Diesel's own harness recorded.
    pub(crate) diesel: Vec<Version>,
}

/// What a record of an interrupted transaction comes to, by the journal of the database that it ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mending {
    /// The record is right as it stands.
    None,
    /// It is applied: the record is to say so.
    Applied,
    /// It is not applied: the record is to go.
    NotApplied,
}

/// What is to become of a record, if anything.
pub(crate) fn mending(record: &Record, markers: &[Marker]) -> Mending {
    let committed = |direction| {
        markers.iter().any(|marker| {
            marker.direction == direction
                && marker.app == record.id.app
                && marker.version == record.id.version
        })
    };
    match record.state {
        RecordState::Applying if committed(Direction::Up) => Mending::Applied,
        RecordState::Applying => Mending::NotApplied,
        RecordState::Reverting if committed(Direction::Down) => Mending::NotApplied,
        RecordState::Reverting => Mending::Applied,
        RecordState::Applied | RecordState::Running | RecordState::Undoing | RecordState::Dirty => {
            Mending::None
        }
    }
}

/// Where each migration stands, in the order in which they run. `wanted` says which records are looked at.
pub(crate) fn states<DB: Backend>(
    product: Product,
    migrations: &[&AppMigration<DB>],
    known: &Known,
    wanted: impl Fn(&AppLabel) -> bool,
) -> Vec<MigrationStatus> {
    let records: FxHashMap<(&AppLabel, &Version), &Record> = known
        .records
        .iter()
        .filter(|record| mending(record, &known.markers) != Mending::NotApplied)
        .map(|record| ((&record.id.app, &record.id.version), record))
        .collect();
    let mut latest: FxHashMap<&AppLabel, &Version> = FxHashMap::default();
    for (app, version) in records.keys().copied() {
        let newest = latest.entry(app).or_insert(version);
        *newest = version.max(*newest);
    }
    let gone = Gone::new(product, migrations, &records, &known.tables);
    let mut all = Vec::with_capacity(migrations.len());
    for (index, migration) in migrations.iter().enumerate() {
        let key = (&migration.id.app, &migration.id.version);
        let (state, detail) = match records.get(&key) {
            None => match latest.get(&migration.id.app) {
                Some(newest) if migration.id.version < **newest => {
                    (State::OutOfOrder, Some(format!("{newest} was applied already")))
                }
                _ => (State::Pending, None),
            },
            Some(record) => recorded(record, migration.checksum(product), gone.of(index)),
        };
        let record = records.get(&key);
        all.push(MigrationStatus {
            migration: migration.id.clone(),
            state,
            applied_at: record.map(|record| record.applied_at.clone()),
            duration: record.and_then(|record| record.duration),
            file: migration.file(product),
            detail,
            is_known: true,
        });
    }
    let found: FxHashMap<_, ()> =
        migrations.iter().map(|migration| ((&migration.id.app, &migration.id.version), ())).collect();
    for (key, record) in &records {
        if !found.contains_key(key) && wanted(key.0) {
            all.push(missing(record));
        }
    }
    all.sort_by(|a, b| a.migration.order().cmp(&b.migration.order()));
    all
}

/// Where a migration stands that is recorded and not among the migrations.
fn missing(record: &Record) -> MigrationStatus {
    let (state, detail) = match recorded(record, None, None) {
        (State::Dirty, detail) => (State::Dirty, detail),
        _ => (State::Missing, Some("it is recorded, but not among the migrations".to_owned())),
    };
    MigrationStatus {
        migration: record.id.clone(),
        state,
        applied_at: Some(record.applied_at.clone()),
        duration: record.duration,
        file: None,
        detail,
        is_known: false,
    }
}

fn recorded(record: &Record, checksum: Option<&str>, gone: Option<String>) -> (State, Option<String>) {
    match record.state {
        RecordState::Running => return (State::Dirty, Some("it is running, or was interrupted".to_owned())),
        RecordState::Undoing => {
            return (State::Dirty, Some("it is being reverted, or that was interrupted".to_owned()));
        }
        RecordState::Dirty => return (State::Dirty, Some("it failed half-way".to_owned())),
        RecordState::Applied | RecordState::Applying | RecordState::Reverting => {}
    }
    match (&record.checksum, checksum) {
        (Some(then), Some(now)) if then != now => {
            (State::Changed, Some("its file was edited after it was applied".to_owned()))
        }
        _ => match gone {
            Some(table) => (State::Drift, Some(format!("its table `{table}` is not there"))),
            None => (State::Applied, None),
        },
    }
}

/// The tables that applied migrations leave behind and that are not there.
struct Gone {
    by_migration: FxHashMap<usize, String>,
}

impl Gone {
    fn new<DB: Backend>(
        product: Product,
        migrations: &[&AppMigration<DB>],
        records: &FxHashMap<(&AppLabel, &Version), &Record>,
        tables: &Tables,
    ) -> Self {
        let engine = product.engine();
        let mut left: Vec<(usize, &TableName)> = Vec::new();
        for (index, migration) in migrations.iter().enumerate() {
            if !records.contains_key(&(&migration.id.app, &migration.id.version)) {
                continue;
            }
            let Some(file) = migration.up(product) else { continue };
            for piece in &file.script(engine).statements {
                if piece.drops_unnamed {
                    left.clear();
                }
                left.retain(|(_, table)| !piece.drops.iter().any(|dropped| is_same(engine, table, dropped)));
                left.extend(piece.creates.iter().map(|table| (index, table)));
            }
        }
        let mut by_migration = FxHashMap::default();
        for (index, table) in left {
            if !tables.may_have(table) {
                by_migration.entry(index).or_insert_with(|| table.to_string());
            }
        }
        Self { by_migration }
    }

    fn of(&self, index: usize) -> Option<String> {
        self.by_migration.get(&index).cloned()
    }
}

/// Whether two names may mean one table: a missing schema may be any.
fn is_same(engine: Engine, a: &TableName, b: &TableName) -> bool {
    let folds_case = engine.spec().folds_case();
    let same = |a: &str, b: &str| if folds_case { a.eq_ignore_ascii_case(b) } else { a == b };
    same(a.name(), b.name())
        && match (a.schema(), b.schema()) {
            (Some(a), Some(b)) => same(a, b),
            _ => true,
        }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::migrate::migration::{Body, Files, Sides, SqlFile, checksum};

    type Migration = AppMigration<diesel::sqlite::Sqlite>;

    fn migration(app: &str, version: &str, sql: &str) -> Migration {
        AppMigration {
            id: MigrationId::new(app.into(), version.into(), format!("{version}_x")),
            in_transaction: true,
            body: Body::Files(Box::new(Files {
                up: Sides { any: Some(SqlFile::new("up.sql".into(), sql.to_owned())), special: Vec::new() },
                ..Files::default()
            })),
        }
    }

    fn record(app: &str, version: &str, sql: &str, state: RecordState) -> Record {
        Record {
            id: MigrationId::new(app.into(), version.into(), format!("{version}_x")),
            checksum: Some(checksum(sql)),
            state,
            applied_at: "2024-03-01 12:00:00".to_owned(),
            duration: None,
        }
    }

    #[test]
    fn states_as_data() {
        use RecordState::{Applied, Applying, Dirty, Reverting, Running, Undoing};
        let all = [
            migration("blog", "1", "CREATE TABLE a (id INT)"),
            migration("shop", "1", "CREATE TABLE s (id INT)"),
            migration("blog", "2", "ALTER TABLE a RENAME TO b"),
            migration("blog", "3", "CREATE TABLE c (id INT)"),
        ];
        let all: Vec<&Migration> = all.iter().collect();
        let (one, two, three) =
            ("CREATE TABLE a (id INT)", "ALTER TABLE a RENAME TO b", "CREATE TABLE c (id INT)");
        let up =
            |version: &str| Marker { app: "blog".into(), version: version.into(), direction: Direction::Up };
        let down = |version: &str| Marker { direction: Direction::Down, ..up(version) };
        for (records, markers, tables, expected) in [
            (vec![], vec![], "", "pending pending pending pending"),
            (vec![("1", one, Applied)], vec![], "a", "applied pending pending pending"),
            (vec![("1", one, Applied)], vec![], "", "drift pending pending pending"),
            (vec![("1", one, Applied), ("2", two, Applied)], vec![], "b", "applied pending applied pending"),
            (vec![("1", one, Applied), ("2", two, Applied)], vec![], "", "applied pending drift pending"),
            (vec![("1", "other", Applied)], vec![], "a", "changed pending pending pending"),
            (vec![("3", three, Applied)], vec![], "c", "out of order pending out of order applied"),
            (vec![("1", one, Running)], vec![], "", "dirty pending pending pending"),
            (vec![("1", one, Undoing)], vec![], "", "dirty pending pending pending"),
            (vec![("1", one, Dirty)], vec![], "", "dirty pending pending pending"),
            (vec![("1", one, Applying)], vec![], "", "pending pending pending pending"),
            (vec![("1", one, Applying)], vec![up("1")], "a", "applied pending pending pending"),
            (vec![("1", one, Applying)], vec![up("2")], "", "pending pending pending pending"),
            (vec![("1", one, Reverting)], vec![], "a", "applied pending pending pending"),
            (vec![("1", one, Reverting)], vec![down("1")], "", "pending pending pending pending"),
            (vec![("0", one, Applied)], vec![], "", "missing pending pending pending pending"),
        ] {
            let mut known = Known { markers, ..Known::default() };
            for (version, sql, state) in records {
                known.records.push(record("blog", version, sql, state));
            }
            for table in tables.split_whitespace() {
                known.tables.insert("main", table, true);
            }
            let found = states(Engine::Sqlite.spec().products()[0], &all, &known, |_| true);
            let found: Vec<_> = found.iter().map(|status| status.state.as_str()).collect();
            assert_eq!(found.join(" "), expected);
        }
    }
}
