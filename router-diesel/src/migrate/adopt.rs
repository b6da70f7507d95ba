//! Takes over what Diesel's own harness recorded, in `__diesel_schema_migrations`, and what the database itself did
//! under another alias.

use diesel::QueryResult;
use diesel::backend::Backend;
use router_core::{Alias, AppLabel};

use super::catalogue::Tables;
use super::error::{Failure, MigrateError};
use super::home::OwnTable;
use super::record::Stray;
use super::report::Report;
use super::run::Work;
use super::selection::Job;
use super::site::{look_only, open_existing};
use super::state::{Mending, mending};
use super::{MigrationId, Migrator, Version};
use crate::engine::records::SEPARATOR;
use crate::engine::{Opened, RoutedConnection};

/// The table of Diesel's harness.
pub(crate) const TABLE: &str = "__diesel_schema_migrations";

/// What would be taken over. Nothing is written before [`apply`](Self::apply).
#[must_use = "nothing is taken over before `apply`"]
#[derive(Debug)]
pub struct AdoptPlan<'a, C: RoutedConnection> {
    migrator: &'a Migrator<C>,
    /// The databases that have Diesel's table, or records that are not where they belong, in file order.
    pub databases: Vec<DatabaseAdoption>,
    /// The databases of which nothing is known.
    pub failures: Vec<Failure>,
}

/// What would be taken over on one database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatabaseAdoption {
    /// The database.
    pub database: Alias,
    /// The name under which they were recorded, its own where they are kept in another place now; nothing where Diesel's own harness did.
    pub from: Option<Alias>,
    /// What would be recorded, in version order.
    pub adopted: Vec<Adopted>,
    /// What is recorded already.
    pub known: Vec<MigrationId>,
    /// Versions that no app's migrations on this database have. They stay in Diesel's table alone.
    pub unknown: Vec<Version>,
    /// Versions that several apps have: Diesel cannot have run more than one of them. Narrow to an app to decide.
    pub ambiguous: Vec<(Version, Vec<AppLabel>)>,
}

/// A migration that was applied before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adopted {
    /// The migration.
    pub migration: MigrationId,
    /// When that was recorded.
    pub run_on: String,
}

impl<C: RoutedConnection> AdoptPlan<'_, C> {
    /// Whether there is nothing to take over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.databases.iter().all(|database| database.adopted.is_empty())
    }

    /// Records what the plan shows. Diesel's table stays as it is, until one of its migrations is reverted.
    ///
    /// # Errors
    /// A database could not be read or written, or a version belongs to several apps; nothing is recorded then
    /// where that was seen first.
    pub fn apply(self) -> Result<Report, MigrateError> {
        if let Some((database, (version, apps))) = self
            .databases
            .iter()
            .find_map(|database| database.ambiguous.first().map(|first| (&database.database, first)))
        {
            let apps: Vec<_> = apps.iter().map(|app| format!("`{app}`")).collect();
            return Err(MigrateError::usage(format!(
                "version {version} on `{database}` may be that of {}; narrow to one app at a time",
                apps.join(" or ")
            )));
        }
        if let Some(failure) = self.failures.into_iter().next() {
            return Err(failure.into());
        }
        let rows: Vec<(Alias, Vec<(MigrationId, String)>)> = self
            .databases
            .into_iter()
            .map(|database| {
                let rows = database.adopted.into_iter().map(|row| (row.migration, row.run_on));
                (database.database, rows.collect())
            })
            .collect();
        self.migrator.run_each(|job| {
            let (_, rows) = rows.iter().find(|(alias, _)| *alias == job.database.alias)?;
            (!rows.is_empty()).then(|| Work::Adopt(rows.clone()))
        })
    }
}

pub(crate) fn plan<'a, C: RoutedConnection>(
    migrator: &'a Migrator<C>,
    jobs: &[Job<'_, C::Backend>],
) -> AdoptPlan<'a, C> {
    let mut plan = AdoptPlan { migrator, databases: Vec::new(), failures: Vec::new() };
    for job in jobs {
        match database::<C>(job) {
            Ok(Some(adoption)) => plan.databases.push(adoption),
            Ok(None) => {}
            Err(failure) => plan.failures.push(failure),
        }
    }
    plan
}

fn database<C: RoutedConnection>(job: &Job<'_, C::Backend>) -> Result<Option<DatabaseAdoption>, Failure> {
    let Some(Opened { mut conn, .. }) = open_existing::<C>(job.database)? else { return Ok(None) };
    let unreadable =
        |error| Failure::unreadable(&job.database.alias, &format!("cannot read the table `{TABLE}`"), &error);
    let known = look_only::<C>(job)?;
    if let Some(first) = known.others.first() {
        return Ok(Some(DatabaseAdoption::renamed(job, &first.database, &known.others)));
    }
    let tables = Tables::read(&mut conn).map_err(unreadable)?;
    let Some(table) = OwnTable::visible(conn.engine(), &tables, TABLE) else { return Ok(None) };
    let rows = read(&mut conn, &table).map_err(unreadable)?;
    let is_recorded = |id: &MigrationId| {
        known.records.iter().any(|record| {
            record.id.app == id.app
                && record.id.version == id.version
                && mending(record, &known.markers) != Mending::NotApplied
        })
    };
    Ok(Some(match_up(job, rows, is_recorded)))
}

impl DatabaseAdoption {
    /// The records of the same database by another name.
    fn renamed<DB: Backend>(job: &Job<'_, DB>, from: &Alias, strays: &[Stray]) -> Self {
        Self {
            database: job.database.alias.clone(),
            from: Some(from.clone()),
            adopted: strays
                .iter()
                .map(|stray| Adopted {
                    migration: stray.record.id.clone(),
                    run_on: stray.record.applied_at.clone(),
                })
                .collect(),
            known: Vec::new(),
            unknown: Vec::new(),
            ambiguous: Vec::new(),
        }
    }
}

/// Finds the migration of each row.
fn match_up<DB: Backend>(
    job: &Job<'_, DB>,
    rows: Vec<(Version, String)>,
    is_recorded: impl Fn(&MigrationId) -> bool,
) -> DatabaseAdoption {
    let mut adoption = DatabaseAdoption {
        database: job.database.alias.clone(),
        from: None,
        adopted: Vec::new(),
        known: Vec::new(),
        unknown: Vec::new(),
        ambiguous: Vec::new(),
    };
    for (version, run_on) in rows {
        let ids: Vec<&MigrationId> =
            job.migrations.iter().map(|migration| &migration.id).filter(|id| id.version == version).collect();
        match ids[..] {
            [] => adoption.unknown.push(version),
            [id] if is_recorded(id) => adoption.known.push(id.clone()),
            [id] => adoption.adopted.push(Adopted { migration: id.clone(), run_on }),
            _ if ids.iter().all(|id| is_recorded(id)) => adoption.known.extend(ids.into_iter().cloned()),
            _ => adoption.ambiguous.push((version, ids.iter().map(|id| id.app.clone()).collect())),
        }
    }
    adoption
}

/// Takes Diesel's record of a version away.
pub(crate) fn forget<C: RoutedConnection>(
    conn: &mut C,
    table: &OwnTable,
    version: &Version,
) -> QueryResult<()> {
    let version = conn.engine().spec().quoted(version.as_str());
    conn.batch_execute(&format!("DELETE FROM {table} WHERE version = {version}"))
}

/// Reads the versions that Diesel recorded, and when each was run.
pub(crate) fn read<C: RoutedConnection>(
    conn: &mut C,
    table: &OwnTable,
) -> QueryResult<Vec<(Version, String)>> {
    let spec = conn.engine().spec();
    let columns = spec.joined(&["version", &spec.moment_as_text("run_on")]);
    let rows = conn.texts(&format!("SELECT {columns} AS value FROM {table} ORDER BY version"))?;
    Ok(rows
        .into_iter()
        .flatten()
        .filter_map(|row| {
            let (version, run_on) = row.split_once(SEPARATOR)?;
            Some((Version::new(version), run_on.to_owned()))
        })
        .collect())
}
