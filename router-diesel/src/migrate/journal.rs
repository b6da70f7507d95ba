//! What ties a migration to a record that is kept on another database.
//!
//! Two databases cannot commit as one. So the record is written first, as `applying`; the migration's own
//! transaction leaves a marker on the database that it changes; then the record becomes `applied` and the marker
//! goes. Whatever happens in between, the marker says whether the transaction was committed, and the next run puts
//! the record right. To revert is the same with `reverting`.

use diesel::QueryResult;
use router_core::AppLabel;

use super::record::{SEPARATOR, joined, quoted};
use super::{MigrationId, Version};
use crate::backend::RoutedConnection;

/// The table of markers, on the database that is migrated.
pub(crate) const TABLE: &str = "__dbrouter_journal";

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

/// Makes the table. It runs under the lock of the database, so nobody else does.
pub(crate) fn create<C: RoutedConnection>(conn: &mut C) -> QueryResult<()> {
    conn.batch_execute(&format!(
        "CREATE TABLE IF NOT EXISTS {TABLE} (app VARCHAR(190) NOT NULL, version VARCHAR(190) NOT NULL, \
         direction VARCHAR(8) NOT NULL, PRIMARY KEY (app, version, direction))"
    ))
}

/// Reads all markers.
pub(crate) fn read<C: RoutedConnection>(conn: &mut C) -> QueryResult<Vec<Marker>> {
    let columns = joined(conn.engine(), &["app", "version", "direction"]);
    let rows = conn.texts(&format!("SELECT {columns} AS value FROM {TABLE}"))?;
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

/// Leaves a marker, inside of the migration's transaction. Another process that does the same waits for this one.
pub(crate) fn mark<C: RoutedConnection>(
    conn: &mut C,
    id: &MigrationId,
    direction: Direction,
) -> QueryResult<()> {
    let engine = conn.engine();
    conn.batch_execute(&format!(
        "INSERT INTO {TABLE} (app, version, direction) VALUES ({}, {}, '{}')",
        quoted(engine, id.app.as_str()),
        quoted(engine, id.version.as_str()),
        direction.as_str(),
    ))
}

/// Takes all markers away, once every record is right.
pub(crate) fn clear<C: RoutedConnection>(conn: &mut C) -> QueryResult<()> {
    conn.batch_execute(&format!("DELETE FROM {TABLE}"))
}
