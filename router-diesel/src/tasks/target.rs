//! Which databases a task is for.

use router_core::{AppLabel, Operation};

use super::{Force, TaskError, Tasks};
use crate::config::{DEFAULT_ENVIRONMENT, Database};
use crate::engine::RoutedConnection;
use crate::text::nearest;

/// What a task does to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It makes, removes or fills the whole of it, as its owner.
    Change,
    /// It writes rows.
    Write,
    /// It reads.
    Read,
}

impl<C: RoutedConnection> Tasks<'_, C> {
    /// The databases that were named, else all that the task may be for.
    pub(super) fn targets(&self, purpose: Purpose) -> Result<Vec<&Database>, TaskError> {
        let mut databases = Vec::new();
        for alias in &self.databases {
            databases.extend(self.named(alias.as_str(), purpose)?);
        }
        if databases.is_empty() {
            let all = self.routing.config().databases.iter();
            databases = all.filter(|database| is_usual(database, purpose)).collect();
        }
        let mut targets: Vec<&Database> = Vec::new();
        for database in databases {
            if !targets.iter().any(|target| target.alias == database.alias) {
                targets.push(database);
            }
        }
        if self.apps.is_empty() {
            return Ok(targets);
        }
        for app in &self.apps {
            self.known_app(app)?;
        }
        let routes = self.routing.routes();
        targets.retain(|database| {
            routes.iter().filter(|route| self.apps.contains(&route.app)).any(|route| {
                route.write.as_ref() == Some(&database.alias) || route.migrate.contains(&database.alias)
            })
        });
        Ok(targets)
    }

    /// The databases that a name is for: rows of a database under its owner are written under the aliases that send
    /// their migrations there.
    fn named(&self, alias: &str, purpose: Purpose) -> Result<Vec<&Database>, TaskError> {
        let config = self.routing.config();
        let Some(mut database) = config.database(alias) else {
            return Err(TaskError::unknown_database(alias, config));
        };
        if let Some(primary) = &database.replica_of {
            return Err(TaskError::Replica { alias: database.alias.clone(), primary: primary.clone() });
        }
        if purpose == Purpose::Change {
            let owner = database.migrate_to.as_ref().and_then(|owner| config.database(owner.as_str()));
            database = owner.unwrap_or(database);
        }
        let restriction = |database: &Database| {
            let operation = operation(purpose)?;
            Some((operation, database.restriction(operation)?))
        };
        let senders = self.senders(database).filter(|_| purpose == Purpose::Write);
        let named = std::iter::once(database).chain(senders);
        let databases: Vec<&Database> = named.filter(|database| restriction(database).is_none()).collect();
        match restriction(database) {
            Some((operation, restriction)) if databases.is_empty() => {
                Err(TaskError::NotAllowed { alias: database.alias.clone(), operation, restriction })
            }
            _ => Ok(databases),
        }
    }

    /// The databases whose migrations are sent to this one.
    pub(super) fn senders(&self, owner: &Database) -> impl Iterator<Item = &Database> {
        let databases = self.routing.config().databases.iter();
        databases.filter(move |database| database.migrate_to.as_ref() == Some(&owner.alias))
    }

    /// The app of that name, or an error that says which there is.
    pub(super) fn known_app(&self, app: &AppLabel) -> Result<(), TaskError> {
        let config = self.routing.config();
        match config.app(app.as_str()) {
            Some(_) => Ok(()),
            None => Err(TaskError::unknown_app(app.as_str(), config)),
        }
    }

    /// Refuses what destroys data where this is production, or may be by a name that was mistyped, unless it is
    /// forced.
    pub(super) fn refuse_in_production(&self, task: &'static str) -> Result<(), TaskError> {
        const WELL_KNOWN: [&str; 2] = [DEFAULT_ENVIRONMENT, "test"];

        let config = self.routing.config();
        let environment = config.environment.as_str();
        let is_production = PRODUCTION.iter().any(|name| name.eq_ignore_ascii_case(environment));
        if self.force == Force::Yes {
            Ok(())
        } else if is_production {
            Err(TaskError::Production { task, environment: environment.to_owned() })
        } else if WELL_KNOWN.contains(&environment) || config.declares_environment {
            Ok(())
        } else {
            let names = PRODUCTION.into_iter().chain(WELL_KNOWN);
            Err(TaskError::UndeclaredEnvironment {
                task,
                environment: environment.to_owned(),
                suggestion: nearest(environment, names).map(str::to_owned),
            })
        }
    }
}

/// What production is called, in whatever case.
const PRODUCTION: [&str; 2] = ["production", "prod"];

fn operation(purpose: Purpose) -> Option<Operation> {
    match purpose {
        Purpose::Change => Some(Operation::Migrate),
        Purpose::Write => Some(Operation::Write),
        Purpose::Read => None,
    }
}

/// Whether a task is for a database that nobody named.
///
/// One that is `migrate: false` belongs to somebody else; one with `migrate_to` is there under another alias too.
pub(super) fn is_usual(database: &Database, purpose: Purpose) -> bool {
    let may = operation(purpose).is_none_or(|operation| database.restriction(operation).is_none());
    let is_own = match purpose {
        Purpose::Change => database.migrate && database.migrate_to.is_none(),
        Purpose::Read => database.migrate,
        Purpose::Write => true,
    };
    may && is_own && !database.is_replica()
}
