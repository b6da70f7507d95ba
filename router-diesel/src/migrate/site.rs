//! The connections to one database and to where its records are kept.

use diesel::QueryResult;
use router_core::Alias;

use super::catalogue::Tables;
use super::error::Failure;
use super::home::{OwnTable, Owner};
use super::journal::{self, Journal};
use super::record::{self, Record, RecordState, Records, Stray};
use super::selection::Job;
use super::state::{Known, Mending, mending};
use super::{MigrationId, Version};
use super::{adopt, stray};
use crate::config::{Config, Database, Engine};
use crate::engine::absence::{self, Unopened};
use crate::engine::{Access, Opened, Product, RoutedConnection};

/// One database, open.
pub(crate) struct Site<C> {
    pub(crate) database: Alias,
    pub(crate) history: Alias,
    pub(crate) conn: C,
    /// Which product the server of the migrated database is.
    pub(crate) product: Product,
    /// Where the records are, if not beside the tables.
    pub(crate) remote: Option<C>,
    pub(crate) records: Records,
    pub(crate) journal: Journal,
    pub(crate) has_records: bool,
    pub(crate) has_journal: bool,
    /// The names of this database for which the journal says that something is recorded elsewhere.
    pub(crate) kept_for: Vec<Alias>,
    /// The versions that Diesel's own harness recorded.
    pub(crate) diesel: Vec<Version>,
    /// The table of Diesel's own harness, where there is one.
    diesel_table: Option<OwnTable>,
    /// How to open the migrated database once more.
    place: Database,
    /// Whether a migration has run on the connection.
    is_used: bool,
}

/// The database that keeps the records of what runs on another: its `migration_history`, else that of the
/// database whose migrations are sent to it by `migrate_to`, else itself.
pub(crate) fn history_of<'a>(config: &'a Config, database: &'a Database) -> &'a Database {
    let own = database.migration_history.as_ref();
    let senders = || {
        config
            .databases
            .iter()
            .filter(|sender| sender.migrate_to.as_ref() == Some(&database.alias))
            .find_map(|sender| sender.migration_history.as_ref())
    };
    own.or_else(senders).and_then(|alias| config.database(alias.as_str())).unwrap_or(database)
}

impl<C: RoutedConnection> Site<C> {
    /// Opens connections of its own, past the pools: a migration may take as long as it takes.
    pub(crate) fn open(config: &Config, database: &Database, history: &Database) -> Result<Self, Failure> {
        let Opened { mut conn, server, .. } = open::<C>(database, Access::ReadWrite)?;
        let mut remote = match history.alias == database.alias {
            true => None,
            false => {
                let of_records = |failure: Failure| failure.keeping_records_of(&database.alias);
                Some(open::<C>(history, Access::ReadWrite).map_err(of_records)?.conn)
            }
        };
        let (records, journal) = books(config, database, history, &mut conn, remote.as_mut())
            .map_err(|error| Failure::unreadable(&database.alias, "cannot read the state", &error))?;
        Ok(Self {
            database: database.alias.clone(),
            history: history.alias.clone(),
            conn,
            product: server.product,
            remote,
            records,
            journal,
            has_records: false,
            has_journal: false,
            kept_for: Vec::new(),
            diesel: Vec::new(),
            diesel_table: None,
            place: database.clone(),
            is_used: false,
        })
    }

    /// Says that a migration runs on the connection, which may leave settings, a role, a transaction or temporary
    /// tables there.
    pub(crate) fn use_up(&mut self) {
        self.is_used = true;
    }

    /// Puts a new connection in the place of one on which a migration has run, so that nothing but the schema passes
    /// from one migration to the next. Nothing is reset: a reset would miss what it does not know, and would take away
    /// what the URL and the server's role have set.
    pub(crate) fn renew(&mut self) -> Result<(), Failure> {
        if self.is_used && self.engine().spec().is_found_again(&self.place.url) {
            self.conn = open(&self.place, Access::ReadWrite)?.conn;
            self.is_used = false;
        }
        Ok(())
    }

    /// The engine of the database that is migrated.
    pub(crate) fn engine(&self) -> Engine {
        self.conn.engine()
    }

    /// Whether a migration and what tells of it can be one transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.engine().spec().are_transactional()
    }

    /// The connection to the records.
    pub(crate) fn books(&mut self) -> (&Records, &mut C) {
        (&self.records, self.remote.as_mut().unwrap_or(&mut self.conn))
    }

    /// Reads what is recorded and which tables there are. Nothing is written.
    pub(crate) fn look(&mut self) -> Result<Known, Failure> {
        let known = look(&mut self.conn, self.remote.as_mut(), &self.records, &self.journal)
            .map_err(|error| Failure::unreadable(&self.database, "cannot read the state", &error))?;
        self.has_records = known.has_records;
        self.has_journal = known.known.has_journal;
        self.diesel_table = known.diesel_table;
        let own = known.known.kept_for.iter().filter(|name| **name == self.database);
        self.kept_for = own.cloned().collect();
        self.diesel.clone_from(&known.known.diesel);
        Ok(Known { product: Some(self.product), ..known.known })
    }

    /// The same, with what is recorded where it does not belong.
    pub(crate) fn look_about(&mut self, job: &Job<'_, C::Backend>) -> Result<Known, Failure> {
        let mut known = self.look()?;
        self.kept_for = job.kept_for(&known);
        known.others = stray::find(job, &known, &mut self.conn, self.remote.as_mut())
            .map_err(|error| Failure::unreadable(&self.database, "cannot read the state", &error))?;
        known.moved = stray::moved::<C>(job, &known);
        Ok(known)
    }

    /// Takes away what was recorded where it did not belong.
    pub(crate) fn forget(&mut self, job: &Job<'_, C::Backend>, stray: &Stray) -> Result<(), Failure> {
        let Some(place) = job.config.database(stray.place.as_str()) else { return Ok(()) };
        let owner = Owner { config: job.config, database: place };
        let delete = |conn: &mut C| {
            let tables = Tables::read(conn)?;
            Records::find(conn, &tables, &stray.database, &owner)?.delete(conn, &stray.record.id)
        };
        let deleted = if stray.place == self.database {
            delete(&mut self.conn)
        } else if stray.place == self.history {
            delete(self.books().1)
        } else {
            delete(&mut open::<C>(place, Access::ReadWrite)?.conn)
        };
        deleted.map_err(|error| Failure::unreadable(&stray.place, "cannot take a record away", &error))
    }

    /// Makes the tables that records need, unless they are there. It runs under the lock.
    pub(crate) fn prepare(&mut self) -> Result<(), Failure> {
        if !self.has_records {
            let (records, conn) = self.books();
            let made = records.create(conn);
            made.map_err(|error| {
                Failure::unreadable(
                    &self.history,
                    &format!("cannot make the table `{}`", record::TABLE),
                    &error,
                )
            })?;
            self.has_records = true;
        }
        if self.remote.is_some() && !self.has_journal {
            self.journal.create(&mut self.conn).map_err(|error| {
                Failure::unreadable(
                    &self.database,
                    &format!("cannot make the table `{}`", journal::TABLE),
                    &error,
                )
            })?;
            self.has_journal = true;
        }
        Ok(())
    }

    /// Takes Diesel's own record of a migration away, if there is one: it is not applied any more.
    pub(crate) fn forget_diesels(&mut self, id: &MigrationId) -> QueryResult<()> {
        match self.diesels(id).cloned() {
            Some(table) => adopt::forget(&mut self.conn, &table, &id.version),
            None => Ok(()),
        }
    }

    /// The table of Diesel's own harness, where that has a record of a migration.
    pub(crate) fn diesels(&self, id: &MigrationId) -> Option<&OwnTable> {
        self.diesel_table.as_ref().filter(|_| self.diesel.contains(&id.version))
    }

    /// Whether the journal says by this name that something is recorded elsewhere.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept_for.contains(&self.database)
    }

    /// Leaves word on the migrated database that its records are elsewhere, unless it is there.
    pub(crate) fn keep(&mut self) -> Result<(), Failure> {
        if self.remote.is_none() || !self.has_journal || self.is_kept() {
            return Ok(());
        }
        self.journal
            .keep(&mut self.conn)
            .map_err(|error| Failure::unreadable(&self.database, "cannot write the journal", &error))?;
        self.kept_for.push(self.database.clone());
        Ok(())
    }

    /// Takes that word back. It belongs before the last record goes: a crash in between must not look like records
    /// that were lost.
    pub(crate) fn let_go(&mut self) -> QueryResult<()> {
        if self.kept_for.is_empty() {
            return Ok(());
        }
        self.journal.let_go(&mut self.conn, &self.kept_for)?;
        self.kept_for.clear();
        Ok(())
    }

    /// Whether a record that is about to go is the last one, and the journal says that there are some.
    pub(crate) fn is_last_kept(&mut self) -> QueryResult<bool> {
        if self.kept_for.is_empty() {
            return Ok(false);
        }
        let (records, conn) = self.books();
        Ok(records.count(conn)? <= 1)
    }

    /// Puts the records of interrupted transactions right, tells of each, and says whether there were any. It runs
    /// under the lock.
    pub(crate) fn mend(
        &mut self,
        known: &Known,
        mut tell: impl FnMut(&MigrationId, bool),
    ) -> Result<bool, Failure> {
        let mut has_mended = false;
        for record in &known.records {
            let mending = mending(record, &known.markers);
            let (records, conn) = self.books();
            let mended = match mending {
                Mending::None => continue,
                Mending::Applied if record.state == RecordState::Applying => {
                    records.finish(conn, &record.id, None)
                }
                Mending::Applied => records.set_state(conn, &record.id, RecordState::Applied),
                Mending::NotApplied => records.delete(conn, &record.id),
            };
            mended.map_err(|error| Failure::unreadable(&self.history, "cannot mend a record", &error))?;
            tell(&record.id, mending == Mending::Applied);
            has_mended = true;
        }
        if !known.markers.is_empty() {
            self.journal
                .clear(&mut self.conn)
                .map_err(|error| Failure::unreadable(&self.database, "cannot clear the journal", &error))?;
        }
        Ok(has_mended)
    }
}

/// Reads what is recorded of a database and which tables it has, and writes nothing: a file that is not
/// there is not made.
pub(crate) fn look_only<C: RoutedConnection>(job: &Job<'_, C::Backend>) -> Result<Known, Failure> {
    let (database, history) = (job.database, job.history);
    let (mut conn, product) = match open_existing::<C>(database)? {
        Some(Opened { conn, server, .. }) => (Some(conn), Some(server.product)),
        None => (None, None),
    };
    let of_records = |failure: Failure| failure.keeping_records_of(&database.alias);
    let mut remote = match history.alias == database.alias {
        true => None,
        false => open_existing::<C>(history).map_err(of_records)?.map(|opened| opened.conn),
    };
    let unreadable = |error| Failure::unreadable(&database.alias, "cannot read the state", &error);
    let mut known = match &mut conn {
        Some(conn) if remote.is_some() || history.alias == database.alias => {
            let (records, journal) =
                books(job.config, database, history, conn, remote.as_mut()).map_err(unreadable)?;
            Ok(look(conn, remote.as_mut(), &records, &journal).map_err(unreadable)?.known)
        }
        // Nothing is recorded where the records' own database is not there.
        Some(conn) => {
            let tables = Tables::read(conn).map_err(unreadable)?;
            let (_, diesel) = diesel_versions(conn, &tables).map_err(unreadable)?;
            let owner = Owner { config: job.config, database };
            let journal = Journal::find(conn, &tables, &owner).map_err(unreadable)?;
            let has_journal = journal.is_in(&tables);
            let kept_for = if has_journal { journal.kept_for(conn).map_err(unreadable)? } else { Vec::new() };
            if history.url.file().is_some_and(|path| path.exists()) {
                // Another process has made it meanwhile.
                return look_only::<C>(job);
            }
            Ok(Known { tables, diesel, kept_for, has_journal, ..Known::default() })
        }
        // A file that was lost, perhaps: what is recorded elsewhere counts, and its tables are missing.
        None => match &mut remote {
            Some(remote) => {
                let tables = Tables::read(remote).map_err(unreadable)?;
                let owner = Owner { config: job.config, database: history };
                let records = Records::find(remote, &tables, &database.alias, &owner).map_err(unreadable)?;
                let recorded = if records.are_in(&tables) {
                    records.read(remote).map_err(unreadable)?
                } else {
                    Vec::new()
                };
                if !job.is_missing_file() {
                    // Another process has made it meanwhile, and what it recorded has its tables.
                    return look_only::<C>(job);
                }
                let mut known = Known { records: recorded, ..Known::default() };
                known.others = stray::find_on_history(job, &known, remote).map_err(unreadable)?;
                Ok(known)
            }
            None => Ok(Known::default()),
        },
    }?;
    known.product = product;
    if let Some(conn) = &mut conn {
        known.others = stray::find(job, &known, conn, remote.as_mut()).map_err(unreadable)?;
    }
    known.moved = stray::moved::<C>(job, &known);
    Ok(known)
}

/// Finds the records of a database and its journal.
fn books<C: RoutedConnection>(
    config: &Config,
    database: &Database,
    history: &Database,
    conn: &mut C,
    remote: Option<&mut C>,
) -> QueryResult<(Records, Journal)> {
    let tables = Tables::read(conn)?;
    let journal = Journal::find(conn, &tables, &Owner { config, database })?;
    let owner = Owner { config, database: history };
    let records = match remote {
        Some(remote) => {
            let tables = Tables::read(remote)?;
            Records::find(remote, &tables, &database.alias, &owner)?
        }
        None => Records::find(conn, &tables, &database.alias, &owner)?,
    };
    Ok((records, journal))
}

struct Looked {
    known: Known,
    has_records: bool,
    diesel_table: Option<OwnTable>,
}

/// Reads the state of a database until no other process changed its records meanwhile. Each repeat means that
/// another process took a step.
fn look<C: RoutedConnection>(
    conn: &mut C,
    mut remote: Option<&mut C>,
    records: &Records,
    journal: &Journal,
) -> QueryResult<Looked> {
    let mut before = read_records(conn, remote.as_deref_mut(), records)?;
    loop {
        let mut tables = Tables::read(conn)?;
        let own_records = if remote.is_none() { records.table.schema() } else { None };
        let own: Vec<&str> = journal.table.schema().into_iter().chain(own_records).collect();
        tables.leave_out_others(&own, &[record::TABLE, journal::TABLE]);
        let has_journal = journal.is_in(&tables);
        let markers = if has_journal { journal.read(conn)? } else { Vec::new() };
        let kept_for = if has_journal { journal.kept_for(conn)? } else { Vec::new() };
        let (diesel_table, diesel) = diesel_versions(conn, &tables)?;
        let after = read_records(conn, remote.as_deref_mut(), records)?;
        if after == before {
            let (has_records, records) = (after.is_some(), after.unwrap_or_default());
            let known = Known { records, markers, kept_for, tables, has_journal, diesel, ..Known::default() };
            return Ok(Looked { known, has_records, diesel_table });
        }
        before = after;
    }
}

/// The records of a database, or `None` if their table is not there.
fn read_records<C: RoutedConnection>(
    conn: &mut C,
    remote: Option<&mut C>,
    records: &Records,
) -> QueryResult<Option<Vec<Record>>> {
    let conn = remote.unwrap_or(conn);
    if records.are_in(&Tables::read(conn)?) { records.read(conn).map(Some) } else { Ok(None) }
}

/// What Diesel's own harness recorded, and where.
fn diesel_versions<C: RoutedConnection>(
    conn: &mut C,
    tables: &Tables,
) -> QueryResult<(Option<OwnTable>, Vec<Version>)> {
    let Some(table) = OwnTable::visible(conn.engine(), tables, adopt::TABLE) else {
        return Ok((None, Vec::new()));
    };
    let versions = adopt::read(conn, &table)?.into_iter().map(|(version, _)| version).collect();
    Ok((Some(table), versions))
}

pub(crate) fn open<C: RoutedConnection>(database: &Database, access: Access) -> Result<Opened<C>, Failure> {
    let engine = database.url.engine();
    if !C::supports(engine) {
        let error =
            crate::topology::pool::PoolError::UnsupportedEngine { alias: database.alias.clone(), engine };
        return Err(Failure::new(super::FailureKind::Usage, error.to_string()).on(&database.alias));
    }
    let mut settings = database.pool.clone();
    settings.statement_timeout = None;
    absence::open(&database.opener(), &settings.connect(access)).map_err(|unopened| {
        let Unopened { error, fault, absent } = &unopened;
        match (absent, fault) {
            (Some(name), _) => Failure::unreachable(&database.alias, &format_args!("there is no `{name}`"))
                .help(format!("`dbrouter create --database {}` makes it", database.alias)),
            (None, Some(fault)) => Failure::not_connected(&database.alias, *fault, error),
            (None, None) => Failure::unreachable(&database.alias, error),
        }
    })
}

/// Opens a database for reading, unless it is a file that is not there.
pub(crate) fn open_existing<C: RoutedConnection>(database: &Database) -> Result<Option<Opened<C>>, Failure> {
    if database.url.file().is_some_and(|path| !path.exists()) {
        return Ok(None);
    }
    open(database, Access::ReadOnly).map(Some)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use diesel::connection::{Connection as _, InstrumentationEvent};
    use diesel::sqlite::SqliteConnection;

    use super::*;

    /// Between two questions of this process, another one ran the first migration, whose records are elsewhere.
    #[test]
    fn a_first_migration_of_another_process_does_not_look_like_lost_records() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let path = folder.path().join(name);
            SqliteConnection::establish(path.to_str().unwrap()).unwrap()
        };
        let (database, engine) = (Alias::new("blog_db"), Engine::Sqlite);
        let records = Records { database: database.clone(), engine, table: OwnTable::bare(record::TABLE) };
        let journal = Journal { database, engine, table: OwnTable::bare(journal::TABLE) };
        records.create(&mut open("books")).unwrap();
        journal.create(&mut open("tables")).unwrap();
        let (mut conn, mut remote) = (open("tables"), open("books"));

        let has_read_records = Arc::new(AtomicBool::new(false));
        let read = Arc::clone(&has_read_records);
        remote.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(&event, InstrumentationEvent::FinishQuery { query, .. } if query.to_string().contains(record::TABLE)) {
                read.store(true, Ordering::Relaxed);
            }
        });
        let mut other = Some((open("tables"), open("books")));
        let (theirs, their_journal) = (records.clone(), journal.clone());
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            let InstrumentationEvent::StartQuery { .. } = event else { return };
            if !has_read_records.load(Ordering::Relaxed) {
                return;
            }
            let Some((mut tables, mut books)) = other.take() else { return };
            let id = MigrationId { app: "blog".into(), version: "1".into(), name: "1_posts".into() };
            theirs.insert(&mut books, &id, None, RecordState::Applying).unwrap();
            their_journal.keep(&mut tables).unwrap();
            theirs.finish(&mut books, &id, None).unwrap();
        });
        let looked = look(&mut conn, Some(&mut remote), &records, &journal).unwrap();

        assert_eq!(looked.known.kept_for, [Alias::new("blog_db")]);
        assert_eq!(looked.known.records.len(), 1, "the records were read before the journal only");
    }
}
