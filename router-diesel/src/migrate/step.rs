//! One migration, run one way, with its record. This is where a crash must never leave a wrong record.
//!
//! | | record beside the tables | record elsewhere |
//! |---|---|---|
//! | in a transaction | record and migration are one transaction | `applying`, then migration and marker as one transaction, then `applied` |
//! | without one | `running`, then the migration, then `applied` | the same |
//!
//! The record is written before the migration in each case: in a transaction it keeps a second process, or what is
//! left of a killed one, from doing the same until the first has ended.

use std::time::{Duration, Instant};

use diesel::backend::Backend;
use diesel::connection::BoxableConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use router_core::Alias;

use super::MigrationId;
use super::adopt;
use super::error::{Failure, FailureKind};
use super::guard::{Strayed, guarded};
use super::journal::Direction;
use super::migration::{AppMigration, Body, SqlFile};
use super::record::RecordState;
use super::site::Site;
use super::state::{Mending, mending, resolve_command};
use crate::config::Engine;
use crate::engine::{Product, RoutedConnection};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a step failed with, and what it left behind.
struct Broken {
    cause: BoxError,
    left: Left,
}

/// What a failed step left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing: all is as it was before.
    Nothing,
    /// Perhaps a part of it.
    Dirty,
    /// Nobody knows now; the next run will.
    Unsure,
    /// Nothing, and another has written the same record or marker: perhaps it did what was to be done.
    Taken,
}

/// How a step ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was run now.
    Done(Duration),
    /// What was left of a killed process had done it in the meantime.
    ByAnother,
}

/// Runs a migration one way and records it.
pub(crate) fn run<C: RoutedConnection>(
    site: &mut Site<C>,
    migration: &AppMigration<C::Backend>,
    direction: Direction,
) -> Result<Ended, Failure> {
    let (engine, product) = (site.engine(), site.product);
    check_file(&site.database, product, migration, direction)?;
    site.renew()?;
    let start = Instant::now();
    let in_transaction = migration.in_transaction && site.is_transactional();
    let is_beside = in_transaction && site.remote.is_none();
    // On a server, what is left of a killed process may be making the table: that is no failure of a migration.
    if !is_beside || !engine.spec().makes_table_with_first_record() {
        site.prepare()?;
    }
    let outcome = match (in_transaction, site.remote.is_some()) {
        (true, false) => beside(site, migration, direction, start),
        (true, true) => elsewhere(site, migration, direction, start),
        (false, _) => without_transaction(site, migration, direction, start),
    };
    let Err(broken) = outcome else { return Ok(Ended::Done(start.elapsed())) };
    if broken.left == Left::Taken && is_done(site, &migration.id)? {
        return Ok(Ended::ByAnother);
    }
    Err(failure(site, &migration.id, direction, migration.side(product, direction), &broken))
}

/// Whether a migration turned out to be applied.
fn is_done<C: RoutedConnection>(site: &mut Site<C>, id: &MigrationId) -> Result<bool, Failure> {
    site.renew()?;
    let known = site.look()?;
    site.mend(&known, |_, _| {})?;
    Ok(known.records.iter().any(|record| {
        record.id.app == id.app
            && record.id.version == id.version
            && match mending(record, &known.markers) {
                Mending::None => record.state == RecordState::Applied,
                Mending::Applied => true,
                Mending::NotApplied => false,
            }
    }))
}

fn is_taken(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Why a migration cannot be run one way on a database: the file for it is missing, or has nothing to run.
pub(crate) fn check_file<DB: Backend>(
    database: &Alias,
    product: Product,
    migration: &AppMigration<DB>,
    direction: Direction,
) -> Result<(), Failure> {
    let Body::Files(files) = &migration.body else { return Ok(()) };
    let (name, run) = match direction {
        Direction::Up => ("up", "run"),
        Direction::Down => ("down", "reverted"),
    };
    let what = match migration.side(product, direction) {
        None => "is missing",
        Some(file) => match file.lack() {
            Some(lack) if direction == Direction::Down => lack,
            _ => return Ok(()),
        },
    };
    let message = format!(
        "migration `{}` of app `{}` cannot be {run} on `{database}`: its `{name}.sql` {what}; nothing of it was \
         changed",
        migration.id.name, migration.id.app
    );
    Err(Failure::new(FailureKind::Failed, message)
        .on(database)
        .of(&migration.id)
        .file(Some(&files.folder))
        .help(format!("write `{name}.sql`, or `{name}.{}.sql` for this engine alone", product.engine())))
}

/// Record and migration as one transaction.
fn beside<C: RoutedConnection>(
    site: &mut Site<C>,
    migration: &AppMigration<C::Backend>,
    direction: Direction,
    start: Instant,
) -> Result<(), Broken> {
    site.use_up();
    let (product, records, id) = (site.product, &site.records, &migration.id);
    let (has_records, diesels) = (site.has_records, site.diesels(id).cloned());
    // Where the records were moved back here, the journal may say still that they are elsewhere.
    let (journal, kept_for) = (&site.journal, &site.kept_for);
    let mut left = Left::Nothing;
    let mut strayed = None;
    let done = site.conn.transaction(|conn| -> Result<(), BoxError> {
        if !has_records {
            records.create(conn)?;
        }
        match direction {
            Direction::Up => {
                let inserted = records.insert(conn, id, migration.checksum(product), RecordState::Running);
                if inserted.as_ref().is_err_and(is_taken) {
                    left = Left::Taken;
                }
                inserted?;
            }
            Direction::Down => records.set_state(conn, id, RecordState::Undoing)?,
        }
        strayed = guarded(conn, |conn| body(conn, migration, direction, product))?;
        if let Some(strayed) = strayed {
            return Err(strayed.into());
        }
        match direction {
            Direction::Up => records.finish(conn, id, Some(start.elapsed()))?,
            Direction::Down => {
                if !kept_for.is_empty() && records.count(conn)? <= 1 {
                    journal.let_go(conn, kept_for)?;
                }
                records.delete(conn, id)?;
                if let Some(table) = &diesels {
                    adopt::forget(conn, table, &id.version)?;
                }
            }
        }
        Ok(())
    });
    match done {
        Ok(()) => {
            site.has_records = true;
            Ok(())
        }
        Err(cause) if left == Left::Taken => Err(Broken { cause, left }),
        Err(cause) => {
            // To roll back what is not open any more may be an error of its own.
            let cause = strayed.map_or(cause, BoxError::from);
            if strayed.is_some() || is_half_recorded(site, id) {
                return Err(doubtful(site, migration, cause));
            }
            Err(Broken { cause, left })
        }
    }
}

/// Whether the record of a migration that failed says that it runs: then somebody ended its transaction, and some of it
/// is there.
fn is_half_recorded<C: RoutedConnection>(site: &mut Site<C>, id: &MigrationId) -> bool {
    let Ok(known) = site.renew().and_then(|()| site.look()) else { return false };
    known.records.iter().any(|record| {
        record.id.app == id.app
            && record.id.version == id.version
            && matches!(record.state, RecordState::Running | RecordState::Undoing)
    })
}

/// Records that a migration may be there in part.
fn doubtful<C: RoutedConnection>(
    site: &mut Site<C>,
    migration: &AppMigration<C::Backend>,
    cause: BoxError,
) -> Broken {
    let checksum = migration.checksum(site.product);
    // What cannot be recorded now is told, at least.
    if site.renew().is_ok() {
        let (records, conn) = site.books();
        let _ = records.doubt(conn, &migration.id, checksum);
    }
    Broken { cause, left: Left::Dirty }
}

/// Migration and marker as one transaction, between two changes of the record.
fn elsewhere<C: RoutedConnection>(
    site: &mut Site<C>,
    migration: &AppMigration<C::Backend>,
    direction: Direction,
    start: Instant,
) -> Result<(), Broken> {
    let (product, id) = (site.product, &migration.id);
    let nothing = |cause: DieselError| Broken { cause: cause.into(), left: Left::Nothing };
    let unsure = |cause: DieselError| Broken { cause: cause.into(), left: Left::Unsure };
    // What earlier steps left is told of already.
    site.journal.clear(&mut site.conn).map_err(nothing)?;
    let is_last = direction == Direction::Down && site.is_last_kept().map_err(nothing)?;
    let (records, conn) = site.books();
    match direction {
        Direction::Up => records.insert(conn, id, migration.checksum(product), RecordState::Applying),
        Direction::Down => records.set_state(conn, id, RecordState::Reverting),
    }
    .map_err(nothing)?;

    site.use_up();
    let mut is_rolled_back = false;
    let mut left = Left::Unsure;
    let mut strayed = None;
    let (journal, kept_for, is_kept) = (&site.journal, &site.kept_for, site.is_kept());
    let diesels = site.diesels(id).filter(|_| direction == Direction::Down).cloned();
    let outcome = site.conn.transaction(|conn| -> Result<(), BoxError> {
        if let Err(error) = journal.mark(conn, id, direction) {
            // The record stays as it is, since the marker that is there speaks for it.
            left = if is_taken(&error) { Left::Taken } else { Left::Unsure };
            return Err(error.into());
        }
        let done = guarded(conn, |conn| body(conn, migration, direction, product))
            .and_then(|found| {
                strayed = found;
                found.map_or(Ok(()), |strayed| Err(strayed.into()))
            })
            .and_then(|()| match (is_last, is_kept) {
                (true, _) => Ok(journal.let_go(conn, kept_for)?),
                (false, true) => Ok(()),
                (false, false) => Ok(journal.keep(conn)?),
            })
            .and_then(|()| match &diesels {
                Some(table) => Ok(adopt::forget(conn, table, &id.version)?),
                None => Ok(()),
            });
        is_rolled_back = done.is_err();
        done
    });
    if outcome.is_ok() && is_last {
        site.kept_for.clear();
    } else if outcome.is_ok() && !is_kept {
        site.kept_for.push(site.database.clone());
    }
    match outcome {
        Ok(()) => record_end(site, id, direction, start.elapsed()).map_err(unsure),
        Err(cause) if strayed.is_some() || (is_rolled_back && is_half_marked(site, id)) => {
            Err(doubtful(site, migration, strayed.map_or(cause, BoxError::from)))
        }
        // It failed before the commit was asked for, so it did not happen.
        Err(cause) if is_rolled_back => {
            let (records, conn) = site.books();
            let undone = match direction {
                Direction::Up => records.delete(conn, id),
                Direction::Down => records.set_state(conn, id, RecordState::Applied),
            };
            let left = if undone.is_ok() { Left::Nothing } else { Left::Unsure };
            Err(Broken { cause, left })
        }
        Err(cause) => Err(Broken { cause, left }),
    }
}

/// Whether there is the marker of a migration that failed: then somebody ended its transaction, and some of it is there.
fn is_half_marked<C: RoutedConnection>(site: &mut Site<C>, id: &MigrationId) -> bool {
    let Ok(known) = site.renew().and_then(|()| site.look()) else { return false };
    known.markers.iter().any(|marker| marker.app == id.app && marker.version == id.version)
}

/// Records that a migration was run one way.
fn record_end<C: RoutedConnection>(
    site: &mut Site<C>,
    id: &MigrationId,
    direction: Direction,
    duration: Duration,
) -> Result<(), DieselError> {
    let (records, conn) = site.books();
    match direction {
        Direction::Up => records.finish(conn, id, Some(duration)),
        Direction::Down => records.delete(conn, id),
    }
}

/// The migration by itself, between two changes of the record: what a crash leaves is dirty.
fn without_transaction<C: RoutedConnection>(
    site: &mut Site<C>,
    migration: &AppMigration<C::Backend>,
    direction: Direction,
    start: Instant,
) -> Result<(), Broken> {
    let (product, id) = (site.product, &migration.id);
    let (records, conn) = site.books();
    match direction {
        Direction::Up => records.insert(conn, id, migration.checksum(product), RecordState::Running),
        Direction::Down => records.set_state(conn, id, RecordState::Undoing),
    }
    .map_err(|cause| Broken { cause: cause.into(), left: Left::Nothing })?;

    site.use_up();
    let spec = site.engine().spec();
    let file = migration.side(product, direction);
    // Where the engine commits each definition by itself, rows at least are changed as one.
    let ran = if migration.in_transaction {
        site.conn.transaction(|conn| body(conn, migration, direction, product))
    } else {
        body(&mut site.conn, migration, direction, product)
            .and_then(|()| if spec.is_open(&mut site.conn) { Err(Strayed::LeftOpen.into()) } else { Ok(()) })
    };
    let is_refused = ran.as_ref().err().is_some_and(|cause| is_refusal(&mut site.conn, cause));
    let renewed = site.renew().map_err(|failure| BoxError::from(failure.message));
    let outcome = ran.and(renewed).and_then(|()| match direction {
        Direction::Up => site.keep().map_err(BoxError::from),
        Direction::Down => {
            if site.is_last_kept()? {
                site.let_go()?;
            }
            Ok(site.forget_diesels(id)?)
        }
    });
    match outcome {
        Ok(()) => record_end(site, id, direction, start.elapsed())
            .map_err(|cause| Broken { cause: cause.into(), left: Left::Dirty }),
        Err(cause) => {
            let (records, conn) = site.books();
            // One statement that the server refused did nothing.
            let is_clean = is_refused
                && file.is_some_and(|file| file.script(product.engine()).fails_as_a_whole(&file.text));
            let told = match (is_clean, direction) {
                (true, Direction::Up) => records.delete(conn, id),
                (true, Direction::Down) => records.set_state(conn, id, RecordState::Applied),
                (false, _) => records.set_state(conn, id, RecordState::Dirty),
            };
            let left = if is_clean && told.is_ok() { Left::Nothing } else { Left::Dirty };
            Err(Broken { cause, left })
        }
    }
}

/// Whether the server answered with an error, so that what failed is known to have failed.
fn is_refusal<C: RoutedConnection>(conn: &mut C, cause: &BoxError) -> bool {
    use crate::engine::{Verdict, verdict};
    match cause.downcast_ref::<DieselError>() {
        Some(DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)) | None => false,
        Some(error) => verdict(conn, error) != Verdict::Lost,
    }
}

/// Runs the statements of a migration.
fn body<C: RoutedConnection>(
    conn: &mut C,
    migration: &AppMigration<C::Backend>,
    direction: Direction,
    product: Product,
) -> Result<(), BoxError> {
    match &migration.body {
        Body::Files(_) => {
            let file = migration.side(product, direction).ok_or("it has no file for this engine")?;
            Ok(execute(conn, file, product.engine(), migration.in_transaction)?)
        }
        Body::Source(source) => {
            let conn: &mut dyn BoxableConnection<C::Backend> = conn;
            let found = source.migrations()?;
            let found = found
                .iter()
                .find(|found| is_the_same::<C::Backend>(&migration.id, found.as_ref()))
                .ok_or("its source does not give it any more")?;
            match direction {
                Direction::Up => found.run(conn),
                Direction::Down => found.revert(conn),
            }
        }
    }
}

fn is_the_same<DB: Backend>(id: &MigrationId, found: &dyn diesel::migration::Migration<DB>) -> bool {
    super::Version::new(&found.name().version().to_string()) == id.version
}

/// Sends a file to the server: at once, as Diesel does. Where the server runs what is sent at once in one transaction,
/// what must run without one is sent statement by statement.
fn execute<C: RoutedConnection>(
    conn: &mut C,
    file: &SqlFile,
    engine: Engine,
    in_transaction: bool,
) -> Result<(), DieselError> {
    let script = file.script(engine);
    if script.is_empty() {
        return Ok(());
    }
    let text = file.text_for(engine);
    if engine.spec().joins_what_is_sent_at_once() && !in_transaction && script.unreadable.is_none() {
        for piece in &script.statements {
            conn.batch_execute(text.get(piece.range.clone()).unwrap_or_default())?;
        }
        return Ok(());
    }
    conn.batch_execute(&text)
}

fn failure<C: RoutedConnection>(
    site: &Site<C>,
    id: &MigrationId,
    direction: Direction,
    file: Option<&SqlFile>,
    broken: &Broken,
) -> Failure {
    let verb = if direction == Direction::Up { "failed" } else { "could not be reverted" };
    let cause = broken.cause.to_string();
    let line = file.and_then(|file| line_of(&broken.cause, &file.text));
    let line = line.map_or_else(String::new, |line| format!(" at line {line}"));
    let left = match broken.left {
        Left::Nothing => "nothing of it was changed",
        Left::Dirty => "it may have run in part",
        Left::Unsure => "whether it was committed, the next run finds out",
        Left::Taken => "another process was at it; the next run finds out what it did",
    };
    let message = format!(
        "migration `{}` of app `{}` {verb} on `{}`{line}: {}; {left}",
        id.name,
        id.app,
        site.database,
        cause.trim_end()
    );
    let failure = Failure::new(FailureKind::Failed, message)
        .on(&site.database)
        .of(id)
        .file(file.map(|file| file.path.as_path()));
    let how = match broken.cause.downcast_ref::<Strayed>() {
        Some(Strayed::Ended) => {
            "what must run without a transaction has `run_in_transaction = false` in a `metadata.toml` beside the file; "
        }
        Some(Strayed::LeftOpen) | None => "",
    };
    match broken.left {
        Left::Dirty => failure.help(format!(
            "{how}look at what is there; finish it by hand and say {}, or undo what it did and say {}",
            resolve_command(id, "applied", &site.database),
            resolve_command(id, "reverted", &site.database),
        )),
        Left::Nothing if refuses_transaction(site.engine(), &broken.cause) => failure.help(
            "let it be the only statement of its migration, and write `run_in_transaction = false` in a \
             `metadata.toml` beside the file",
        ),
        Left::Nothing | Left::Unsure | Left::Taken => failure,
    }
}

/// Whether an engine says that a statement may not be part of a transaction.
fn refuses_transaction(engine: Engine, cause: &BoxError) -> bool {
    match cause.downcast_ref::<DieselError>() {
        Some(DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
            information.statement_position().is_none()
                && engine.spec().refuses_transaction(information.message())
        }
        Some(_) => false,
        // A source's own error, which hides Diesel's.
        None => engine.spec().refuses_transaction(&cause.to_string()),
    }
}

/// The line of the statement that the server points at, counted in characters from 1.
fn line_of(cause: &BoxError, text: &str) -> Option<usize> {
    match cause.downcast_ref::<DieselError>() {
        Some(DieselError::DatabaseError(_, information)) => {
            let position = usize::try_from(information.statement_position()?).ok()?;
            Some(text.chars().take(position.saturating_sub(1)).filter(|char| *char == '\n').count() + 1)
        }
        _ => None,
    }
}
