//! What ties a migration to a record that is kept on another database.
//!
//! Two databases cannot commit as one. So the record is written first, as `applying`; the migration's own
//! transaction leaves a marker on the database that it changes; then the record becomes `applied` and the marker
//! goes. Whatever happens in between, the marker says whether the transaction was committed, and the next run puts
//! the record right. To revert is the same with `reverting`.
//!
//! One more row stays as long as anything is recorded elsewhere. Where it is there and the records are not, they were
//! lost: nothing else would tell a database that was migrated from one that is new.

use diesel::QueryResult;
use router_core::{Alias, AppLabel};

use super::catalogue::Tables;
use super::home::{OwnTable, Owner};
use super::{MigrationId, Version};
use crate::config::Engine;
use crate::engine::RoutedConnection;
use crate::engine::records::SEPARATOR;

/// The table of markers, on the database that is migrated.
pub(crate) const TABLE: &str = "__dbrouter_journal";

/// The direction of the row that stays.
const KEPT: &str = "kept";

/// Which way a migration is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It is applied.
    Up,
    /// It is reverted.
    Down,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A committed transaction whose record may not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) app: AppLabel,
    pub(crate) version: Version,
    pub(crate) direction: Direction,
}

/// The markers of one alias: two names of one database, each with apps of its own, do not clear each other's.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) database: Alias,
    pub(crate) engine: Engine,
    /// The table that has them.
    pub(crate) table: OwnTable,
}

impl Journal {
    /// Finds where the journal of a database is, or would be. Ask before any migration has run on the connection.
    pub(crate) fn find<C: RoutedConnection>(
        conn: &mut C,
        tables: &Tables,
        owner: &Owner<'_>,
    ) -> QueryResult<Self> {
        let table = OwnTable::of(conn, tables, TABLE, owner)?;
        Ok(Self { database: owner.database.alias.clone(), engine: conn.engine(), table })
    }

    /// Whether there is a journal.
    pub(crate) fn is_in(&self, tables: &Tables) -> bool {
        self.table.is_in(tables)
    }

    /// Makes the table. It runs under the lock of the database, so nobody else does.
    pub(crate) fn create<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<()> {
        let (database, table) = (self.engine.spec().database_column(), &self.table);
        let options = self.engine.spec().table_options();
        conn.batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS {table} ({database} VARCHAR(190) NOT NULL, app VARCHAR(190) NOT NULL, \
             version VARCHAR(190) NOT NULL, direction VARCHAR(8) NOT NULL, \
             PRIMARY KEY ({database}, app, version, direction)){options}"
        ))
    }

    /// The names for which migrations were committed here and recorded elsewhere.
    pub(crate) fn kept_for<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<Vec<Alias>> {
        let column = self.engine.spec().database_column();
        let table = &self.table;
        let sql = format!("SELECT {column} AS value FROM {table} WHERE direction = '{KEPT}' ORDER BY 1");
        Ok(conn.texts(&sql)?.into_iter().flatten().map(Alias::new).collect())
    }

    /// Says that something of this alias is recorded elsewhere. It must not be said yet.
    pub(crate) fn keep<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<()> {
        conn.batch_execute(&format!(
            "INSERT INTO {} ({}, app, version, direction) VALUES ({}, '', '', '{KEPT}')",
            self.table,
            self.engine.spec().database_column(),
            self.engine.spec().quoted(self.database.as_str()),
        ))
    }

    /// Takes that back, by whatever names it was said: nothing is recorded any more.
    pub(crate) fn let_go<C: RoutedConnection>(&self, conn: &mut C, names: &[Alias]) -> QueryResult<()> {
        let names: Vec<_> = names.iter().map(|name| self.engine.spec().quoted(name.as_str())).collect();
        conn.batch_execute(&format!(
            "DELETE FROM {} WHERE {} IN ({}) AND direction = '{KEPT}'",
            self.table,
            self.engine.spec().database_column(),
            names.join(", "),
        ))
    }

    /// Reads the markers.
    pub(crate) fn read<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<Vec<Marker>> {
        let columns = self.engine.spec().joined(&["app", "version", "direction"]);
        let (table, markers) = (&self.table, self.markers());
        let rows = conn.texts(&format!("SELECT {columns} AS value FROM {table} {markers}"))?;
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(|row| {
                let mut fields = row.split(SEPARATOR);
                Some(Marker {
                    app: AppLabel::new(fields.next()?),
                    version: Version::new(fields.next()?),
                    direction: if fields.next()? == "up" { Direction::Up } else { Direction::Down },
                })
            })
            .collect())
    }

    /// Leaves a marker, inside of the migration's transaction. Another process that does the same waits for this
    /// one.
    pub(crate) fn mark<C: RoutedConnection>(
        &self,
        conn: &mut C,
        id: &MigrationId,
        direction: Direction,
    ) -> QueryResult<()> {
        conn.batch_execute(&format!(
            "INSERT INTO {} ({}, app, version, direction) VALUES ({}, {}, {}, '{}')",
            self.table,
            self.engine.spec().database_column(),
            self.engine.spec().quoted(self.database.as_str()),
            self.engine.spec().quoted(id.app.as_str()),
            self.engine.spec().quoted(id.version.as_str()),
            direction.as_str(),
        ))
    }

    /// Takes the markers away, once every record is right.
    pub(crate) fn clear<C: RoutedConnection>(&self, conn: &mut C) -> QueryResult<()> {
        conn.batch_execute(&format!("DELETE FROM {} {}", self.table, self.markers()))
    }

    fn markers(&self) -> String {
        format!("{} AND direction <> '{KEPT}'", self.own())
    }

    fn own(&self) -> String {
        format!(
            "WHERE {} = {}",
            self.engine.spec().database_column(),
            self.engine.spec().quoted(self.database.as_str())
        )
    }
}
