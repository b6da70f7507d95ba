//! The records of what was applied: one table, `__dbrouter_migrations`.

use std::time::Duration;

use diesel::QueryResult;
use router_core::{Alias, AppLabel};
use rustc_hash::FxHashMap;

use super::catalogue::Tables;
use super::home::{OwnTable, Owner};
use super::{MigrationId, Version};
use crate::config::Engine;
use crate::engine::RoutedConnection;
use crate::engine::records::SEPARATOR;

/// The table of records.
pub(crate) const TABLE: &str = "__dbrouter_migrations";

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// It was applied.
    Applied,
    /// It runs, or was interrupted, where nothing could be rolled back.
    Running,
    /// It is being reverted, or that was interrupted, where nothing could be rolled back.
    Undoing,
    /// It runs in a transaction on another database than this record, whose journal knows how it ended.
    Applying,
    /// It is reverted in a transaction on another database than this record.
    Reverting,
    /// It failed where nothing could be rolled back.
    Dirty,
}

impl RecordState {
    const ALL: [Self; 6] =
        [Self::Applied, Self::Running, Self::Undoing, Self::Applying, Self::Reverting, Self::Dirty];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Applying => "applying",
            Self::Reverting => "reverting",
            Self::Dirty => "dirty",
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: MigrationId,
    pub(crate) checksum: Option<String>,
    pub(crate) state: RecordState,
    /// In UTC, as the engine writes it.
    pub(crate) applied_at: String,
    pub(crate) duration: Option<Duration>,
}

/// What was recorded of a database under another name, or in another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray {
    /// The database that it was recorded for.
    pub(crate) database: Alias,
    /// The database that keeps it.
    pub(crate) place: Alias,
    pub(crate) record: Record,
}

/// An app that was migrated on another database of the file, and is not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) app: AppLabel,
    /// The database that it was migrated on.
    pub(crate) from: Alias,
    /// How many of its migrations are recorded there.
    pub(crate) count: usize,
}

/// The records of one database, wherever they are kept.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// The database that they are about.
    pub(crate) database: Alias,
    /// The engine that keeps them.
    pub(crate) engine: Engine,
    /// The table that keeps them.
    pub(crate) table: OwnTable,
}

impl Records {
    /// Finds where the records of a database are, or would be, on the one that keeps them. Ask before any migration has
    /// run on the connection.
    pub(crate) fn find<C: RoutedConnection>(
        conn: &mut C,
        tables: &Tables,
        database: &Alias,
        owner: &Owner<'_>,
    ) -> QueryResult<Self> {
        let table = OwnTable::of(conn, tables, TABLE, owner)?;
        Ok(Self { database: database.clone(), engine: conn.engine(), table })
    }

    /// The same table's records of another database.
    pub(crate) fn of(&self, database: &Alias) -> Self {
        Self { database: database.clone(), ..self.clone() }
    }

    /// Whether there is a table of records.
    pub(crate) fn are_in(&self, tables: &Tables) -> bool {
        self.table.is_in(tables)
    }

    /// Makes the table if it is not there. Of several that try at once, one wins and the others see its table.
    pub(crate) fn create<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<()> {
        let (database, table) = (self.column(), &self.table);
        let spec = self.engine.spec();
        let (options, time) = (spec.table_options(), spec.moment_type());
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table} (\
             {database} VARCHAR(190) NOT NULL, app VARCHAR(190) NOT NULL, version VARCHAR(190) NOT NULL, \
             name VARCHAR(255) NOT NULL, checksum VARCHAR(64), state VARCHAR(16) NOT NULL, \
             applied_at {time} NOT NULL, duration_ms BIGINT, \
             PRIMARY KEY ({database}, app, version)){options}"
        );
        spec.create_table(conn, &sql, &table.to_string())
    }

    /// Reads the rows of this database, in version order. A row of a newer kind is an error.
    pub(crate) fn read<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<Vec<Record>> {
        let spec = self.engine.spec();
        let applied_at = spec.as_text("applied_at");
        let duration = format!("COALESCE({}, '')", spec.as_text("duration_ms"));
        let columns = ["app", "version", "name", "COALESCE(checksum, '')", "state", &applied_at, &duration];
        let sql = format!(
            "SELECT {} AS value FROM {} WHERE {} = {}",
            spec.joined(&columns),
            self.table,
            self.column(),
            self.engine.spec().quoted(self.database.as_str()),
        );
        let mut records = Vec::new();
        for row in conn.texts(&sql)?.into_iter().flatten() {
            let fields: Vec<&str> = row.split(SEPARATOR).collect();
            let [app, version, name, checksum, state, applied_at, duration] = fields[..] else {
                return Err(unknown(&row));
            };
            records.push(Record {
                id: MigrationId::new(AppLabel::new(app), Version::new(version), name),
                checksum: (!checksum.is_empty()).then(|| checksum.to_owned()),
                state: RecordState::ALL
                    .into_iter()
                    .find(|known| known.as_str() == state)
                    .ok_or_else(|| unknown(state))?,
                applied_at: applied_at.to_owned(),
                duration: duration.parse().ok().map(Duration::from_millis),
            });
        }
        records.sort_by(|a, b| a.id.order().cmp(&b.id.order()));
        Ok(records)
    }

    /// The names for which anything of these apps is recorded.
    pub(crate) fn names<C: RoutedConnection>(
        &self,
        conn: &mut C,
        apps: &[&AppLabel],
    ) -> QueryResult<Vec<Alias>> {
        let apps: Vec<_> = apps.iter().map(|app| self.engine.spec().quoted(app.as_str())).collect();
        let (column, table) = (self.column(), &self.table);
        let sql = format!(
            "SELECT DISTINCT {column} AS value FROM {table} WHERE app IN ({}) ORDER BY 1",
            apps.join(", ")
        );
        Ok(conn.texts(&sql)?.into_iter().flatten().map(Alias::new).collect())
    }

    /// How many migrations of each app are recorded for each name.
    pub(crate) fn counts<C: RoutedConnection>(
        &self,
        conn: &mut C,
    ) -> QueryResult<FxHashMap<(Alias, AppLabel), usize>> {
        let columns = self.engine.spec().joined(&[self.column(), "app"]);
        let sql = format!("SELECT {columns} AS value FROM {}", self.table);
        let mut counts = FxHashMap::default();
        for row in conn.texts(&sql)?.into_iter().flatten() {
            let (name, app) = row.split_once(SEPARATOR).ok_or_else(|| unknown(&row))?;
            *counts.entry((Alias::new(name), AppLabel::new(app))).or_default() += 1;
        }
        Ok(counts)
    }

    /// Writes a row that must not be there yet. Another process that writes the same waits for this one.
    pub(crate) fn insert<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        checksum: Option<&str>,
        state: RecordState,
    ) -> QueryResult<()> {
        self.insert_at(conn, id, checksum, state, None, None)
    }

    /// The same, with the time at which it was applied and how long it took, where that is known.
    pub(crate) fn insert_at<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        checksum: Option<&str>,
        state: RecordState,
        applied_at: Option<&str>,
        duration: Option<Duration>,
    ) -> QueryResult<()> {
        let text = |text: &str| self.engine.spec().quoted(text);
        let sql = format!(
            "INSERT INTO {} ({}, app, version, name, checksum, state, applied_at, duration_ms) \
             VALUES ({}, {}, {}, {}, {}, {}, {}, {})",
            self.table,
            self.column(),
            text(self.database.as_str()),
            text(id.app.as_str()),
            text(id.version.as_str()),
            text(&id.name),
            checksum.map_or_else(|| "NULL".to_owned(), text),
            text(state.as_str()),
            applied_at.map_or_else(|| self.engine.spec().now().to_owned(), text),
            duration_or_null(duration),
        );
        conn.batch_execute(&sql)
    }

    /// Says that a migration was applied, and how long it took.
    pub(crate) fn finish<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        duration: Option<Duration>,
    ) -> QueryResult<()> {
        let duration = duration_or_null(duration);
        let sql = format!(
            "UPDATE {} SET state = 'applied', applied_at = {}, duration_ms = {duration} {}",
            self.table,
            self.engine.spec().now(),
            self.only(id),
        );
        conn.batch_execute(&sql)
    }

    /// Says that a migration is in doubt, whether or not there is a row of it.
    pub(crate) fn doubt<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        checksum: Option<&str>,
    ) -> QueryResult<()> {
        self.create(conn)?;
        conn.transaction(|conn| {
            self.delete(conn, id)?;
            self.insert(conn, id, checksum, RecordState::Dirty)
        })
    }

    /// Changes the state of a row and nothing else.
    pub(crate) fn set_state<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        state: RecordState,
    ) -> QueryResult<()> {
        let (table, state) = (&self.table, state.as_str());
        conn.batch_execute(&format!("UPDATE {table} SET state = '{state}' {}", self.only(id)))
    }

    /// Says that a migration is applied as its file now stands.
    pub(crate) fn accept<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        checksum: Option<&str>,
    ) -> QueryResult<()> {
        let checksum =
            checksum.map_or_else(|| "NULL".to_owned(), |checksum| self.engine.spec().quoted(checksum));
        let (table, only) = (&self.table, self.only(id));
        let sql = format!("UPDATE {table} SET state = 'applied', checksum = {checksum} {only}");
        conn.batch_execute(&sql)
    }

    /// Takes a row away.
    pub(crate) fn delete<C: RoutedConnection>(&self, conn: &mut C, id: &MigrationId) -> QueryResult<()> {
        conn.batch_execute(&format!("DELETE FROM {} {}", self.table, self.only(id)))
    }

    /// How many rows this database has.
    pub(crate) fn count<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<usize> {
        let rows = conn.texts(&format!("SELECT version AS value FROM {} {}", self.table, self.own()))?;
        Ok(rows.len())
    }

    /// Takes all rows of this database away.
    pub(crate) fn clear<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<()> {
        conn.batch_execute(&self.clearing())
    }

    /// The statement that takes all rows of this database away.
    pub(crate) fn clearing(&self) -> String {
        format!("DELETE FROM {} {}", self.table, self.own())
    }

    fn own(&self) -> String {
        format!("WHERE {} = {}", self.column(), self.engine.spec().quoted(self.database.as_str()))
    }

    fn column(&self) -> &'static str {
        self.engine.spec().database_column()
    }

    fn only(&self, id: &MigrationId) -> String {
        format!(
            "WHERE {} = {} AND app = {} AND version = {}",
            self.column(),
            self.engine.spec().quoted(self.database.as_str()),
            self.engine.spec().quoted(id.app.as_str()),
            self.engine.spec().quoted(id.version.as_str()),
        )
    }
}

fn duration_or_null(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "NULL".to_owned(), |duration| duration.as_millis().to_string())
}

fn unknown(what: &str) -> diesel::result::Error {
    let message = format!("the table `{TABLE}` holds what this version does not know: {what:?}");
    diesel::result::Error::DeserializationError(message.into())
}
