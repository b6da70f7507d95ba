//! Which migrations made a schema: at the head of a dump, a line for each, and recorded again by a load.
//!
//! A line is `-- applied <app> <version> <name> <checksum>`, with `-` for a checksum that is not known and `%20` for a
//! space. They are in the order of apps and versions, so that one more is one more line.

use std::path::Path;

use diesel::QueryResult;
use router_core::{Alias, AppLabel};

use crate::config::Database;
use crate::engine::RoutedConnection;
use crate::engine::url::percent::{decoded, encode};
use crate::migrate::{
    MigrationId, Owner, RecordState, Records, Site, Tables, Version, history_of, is_migrated_by,
};
use crate::tasks::aliases::Aliases;
use crate::tasks::{TaskError, must_be_there, open};
use crate::topology::Routing;

/// What stands before each of them.
const PREFIX: &str = "-- applied ";
/// What stands before all of them.
const TITLE: &str = "-- The migrations that made it, which `dbrouter schema load` records:\n";
/// A checksum that is not known.
const NONE: &str = "-";

/// One migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) id: MigrationId,
    checksum: Option<String>,
}

/// The lines for the head of a dump.
pub(super) fn write(applied: &[Applied]) -> String {
    let lines = applied.iter().map(|Applied { id, checksum }| {
        let fields =
            [id.app.as_str(), id.version.as_str(), &id.name].map(|field| encode(field, b"")).join(" ");
        format!("{PREFIX}{fields} {}\n", checksum.as_deref().unwrap_or(NONE))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("{TITLE}{lines}") }
}

/// The migrations at the head of a dump, which ends with the first line that is no comment.
pub(super) fn read(alias: &Alias, path: &Path, dump: &str) -> Result<Vec<Applied>, TaskError> {
    let head = dump.lines().take_while(|line| line.starts_with("--"));
    let lines = head.enumerate().filter_map(|(index, line)| Some((index + 1, line.strip_prefix(PREFIX)?)));
    let migration = |(number, line): (usize, &str)| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [app, version, name, checksum] = fields[..] else {
            return Err(TaskError::File {
                alias: Some(alias.clone()),
                doing: "read the migrations of",
                path: path.to_owned(),
                cause: format!(
                    "line {number} is no `{PREFIX}APP VERSION NAME CHECKSUM`; dump the schema anew, or take the line out"
                ),
            });
        };
        let id =
            MigrationId::new(AppLabel::new(&decoded(app)), Version::new(&decoded(version)), decoded(name));
        Ok(Applied { id, checksum: (checksum != NONE).then(|| checksum.to_owned()) })
    };
    lines.map(migration).collect()
}

/// What is recorded of a database, under whichever of its names and wherever that is kept.
pub(super) fn recorded<C: RoutedConnection>(
    routing: &Routing,
    database: &Database,
    aliases: &mut Aliases,
) -> Result<Vec<Applied>, TaskError> {
    let config = routing.config();
    let mut applied = Vec::new();
    for name in names::<C>(routing, database, aliases) {
        let history = history_of(config, name);
        let refused = || TaskError::refused(&history.alias, "read the records of migrations");
        let mut conn: C = match open(history) {
            Ok(conn) => conn,
            Err(TaskError::Absent { .. }) => continue,
            Err(error) => return Err(error),
        };
        let tables = Tables::read(&mut conn).map_err(refused())?;
        let owner = Owner { config, database: history };
        let records = Records::find(&mut conn, &tables, &name.alias, &owner).map_err(refused())?;
        if !records.are_in(&tables) {
            continue;
        }
        let rows = records.read(&mut conn).map_err(refused())?;
        let rows = rows.into_iter().filter(|record| record.state == RecordState::Applied);
        applied.extend(rows.map(|record| Applied { id: record.id, checksum: record.checksum }));
    }
    applied.sort_by(|a, b| (&a.id.app, &a.id.version).cmp(&(&b.id.app, &b.id.version)));
    applied.dedup_by(|a, b| a.id == b.id);
    Ok(applied)
}

/// The names of one database under which migrations run, with the given one, which comes first.
fn names<'a, C: RoutedConnection>(
    routing: &'a Routing,
    database: &'a Database,
    aliases: &mut Aliases,
) -> Vec<&'a Database> {
    let config = routing.config();
    let is_migrated = |other: &Database| {
        config.apps.iter().any(|app| app.managed && is_migrated_by(routing, other, &app.label))
    };
    let others = config.databases.iter().filter(|other| {
        other.alias != database.alias && is_migrated(other) && aliases.is_one::<C>(database, other)
    });
    std::iter::once(database).chain(others).collect()
}

/// Where the migrations of a dump are to be recorded.
pub(super) struct Books<'a, C> {
    /// On the database itself, by the names under which its apps are migrated.
    here: Vec<(Records, Vec<&'a Applied>)>,
    /// On another.
    elsewhere: Vec<(Site<C>, Vec<&'a Applied>)>,
}

impl<'a, C: RoutedConnection> Books<'a, C> {
    /// Opens them, as it must be known that they can be written before anything is loaded.
    pub(super) fn open(
        conn: &mut C,
        routing: &Routing,
        database: &Database,
        aliases: &mut Aliases,
        applied: &'a [Applied],
    ) -> Result<Self, TaskError> {
        let mut books = Self { here: Vec::new(), elsewhere: Vec::new() };
        if applied.is_empty() {
            return Ok(books);
        }
        let names = names::<C>(routing, database, aliases);
        let name_of = |migration: &Applied| {
            let is_its = |name: &&&Database| is_migrated_by(routing, name, &migration.id.app);
            names.iter().find(is_its).copied().unwrap_or(database)
        };
        for name in &names {
            let its: Vec<&Applied> =
                applied.iter().filter(|migration| name_of(migration).alias == name.alias).collect();
            if its.is_empty() {
                continue;
            }
            let history = history_of(routing.config(), name);
            if names.iter().any(|name| name.alias == history.alias) {
                let owner = Owner { config: routing.config(), database: history };
                let records = Tables::read(conn)
                    .and_then(|tables| Records::find(conn, &tables, &name.alias, &owner))
                    .map_err(TaskError::refused(&name.alias, "read the records of migrations"))?;
                books.here.push((records, its));
                continue;
            }
            // An engine may make the file of the one that is to keep them.
            must_be_there(history)?;
            let site = Site::open(routing.config(), name, history).map_err(|failure| {
                let alias = failure.database.as_ref().unwrap_or(&history.alias);
                TaskError::not_connected(alias, failure.kind.fault(), failure.message.clone())
            })?;
            books.elsewhere.push((site, its));
        }
        Ok(books)
    }

    /// Records what is recorded on the database itself, perhaps in the transaction that loads it.
    pub(super) fn record_here(&self, conn: &mut C) -> QueryResult<usize> {
        let mut number = 0;
        for (records, applied) in &self.here {
            records.create(conn)?;
            number += insert(records, conn, applied)?;
        }
        Ok(number)
    }

    /// Records what is recorded elsewhere, once all is loaded.
    pub(super) fn record_elsewhere(self) -> Result<usize, String> {
        let mut number = 0;
        for (mut site, applied) in self.elsewhere {
            site.look().and_then(|_| site.prepare()).map_err(|failure| failure.to_string())?;
            let (records, conn) = site.books();
            let inserted = conn.transaction(|conn| insert(records, conn, &applied));
            number += inserted.map_err(|error| error.to_string())?;
            site.keep().map_err(|failure| failure.to_string())?;
        }
        Ok(number)
    }
}

/// Records what is not recorded yet.
fn insert<C: RoutedConnection>(records: &Records, conn: &mut C, applied: &[&Applied]) -> QueryResult<usize> {
    let known = records.read(conn)?;
    let is_known = |id: &MigrationId| {
        known.iter().any(|record| record.id.app == id.app && record.id.version == id.version)
    };
    let mut number = 0;
    for Applied { id, checksum } in applied.iter().filter(|migration| !is_known(&migration.id)) {
        records.insert(conn, id, checksum.as_deref(), RecordState::Applied)?;
        number += 1;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(app: &str, version: &str, name: &str, checksum: Option<&str>) -> Applied {
        Applied {
            id: MigrationId::new(app.into(), version.into(), name),
            checksum: checksum.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(write(&[]), "");
        let all = [applied("blog", "1", "1_posts", Some("abc")), applied("blog", "2 b", "2 b_täxt\n%", None)];
        let text = write(&all);
        assert_eq!(
            text,
            "-- The migrations that made it, which `dbrouter schema load` records:
-- applied blog 1 1_posts abc
-- applied blog 2%20b 2%20b_t%C3%A4xt%0A%25 -
"
        );
        let alias = Alias::new("blog_db");
        let path = Path::new("schema/blog_db.sql");
        let dump = format!("-- Written by.\n{text}\n-- applied by nobody, as it is not at the head\n");
        assert_eq!(read(&alias, path, &dump).unwrap(), all);
        let error = read(&alias, path, "-- Written by.\n-- applied blog 1\n").unwrap_err().to_string();
        assert!(error.starts_with("failed to read the migrations of `schema/blog_db.sql`"), "{error}");
        assert!(error.contains(": line 2 is no `-- applied APP VERSION NAME CHECKSUM`"), "{error}");
    }
}
