//! What would be done, and what keeps it from being done. Nothing here connects.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::backend::Backend;
use router_core::Alias;

use super::error::Failure;
use super::lint::LintProblem;
use super::migration::AppMigration;
use super::state::{MigrationStatus, State};
use super::{MigrationId, Target};
use crate::engine::Product;

/// What to do about something that is doubtful but not surely wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Treat {
    /// Run nothing on that database, and say why.
    Refuse,
    /// Say so, and go on.
    Warn,
}

/// What [`Migrator::migrate`](super::Migrator::migrate) would do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The databases, in file order.
    pub databases: Vec<DatabasePlan>,
    /// What would be refused before anything runs.
    pub lint: Vec<LintProblem>,
}

impl Plan {
    /// Whether there is nothing to do, and nothing wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lint.is_empty()
            && self.databases.iter().all(|database| database.steps.is_empty() && database.failures.is_empty())
    }
}

/// What would be done on one database.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatabasePlan {
    /// The database.
    pub database: Alias,
    /// Where its records are kept.
    pub history: Alias,
    /// The migrations that would run, in this order.
    pub steps: Vec<Step>,
    /// What keeps them from running: it cannot be reached, or a migration is dirty or changed.
    pub failures: Vec<Failure>,
    /// What is worth knowing first.
    pub warnings: Vec<String>,
    /// How many more are pending beyond the [`target`](super::Migrator::target).
    pub later: usize,
}

/// One migration that would run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// The migration.
    pub migration: MigrationId,
    /// Its file, where it has one.
    pub file: Option<PathBuf>,
    /// Its SQL, where it has a file.
    pub sql: Option<Arc<str>>,
    /// Whether it runs in one transaction with its record.
    pub in_transaction: bool,
}

impl Step {
    pub(crate) fn new<DB: Backend>(product: Product, migration: &AppMigration<DB>) -> Self {
        Self {
            migration: migration.id.clone(),
            file: migration.file(product),
            sql: migration.up(product).map(|file| file.text.as_str().into()),
            in_transaction: migration.in_transaction && product.engine().spec().are_transactional(),
        }
    }
}

/// How doubtful states are treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Treatment {
    pub(crate) changed: Treat,
    pub(crate) out_of_order: Treat,
}

/// Which of a database's migrations are to run, and what speaks against it.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) run: Vec<MigrationId>,
    pub(crate) refusals: Vec<Failure>,
    pub(crate) warnings: Vec<String>,
    /// How many are pending beyond the target.
    pub(crate) later: usize,
}

/// Chooses what to run by where each migration stands.
pub(crate) fn choose(
    database: &Alias,
    statuses: &[MigrationStatus],
    target: &Target,
    treatment: Treatment,
) -> Choice {
    let mut choice = Choice::default();
    for status in statuses {
        let MigrationStatus { migration, state, .. } = status;
        let named = format!("migration `{}` of app `{}`", migration.name, migration.app);
        let refuse = |message: String| {
            let failure = Failure::refused(database, migration, message).file(status.file.as_deref());
            match status.help(database) {
                Some(help) => failure.help(help),
                None => failure,
            }
        };
        match state {
            State::Applied => {}
            State::Pending if target.reaches(&migration.version) => choice.run.push(migration.clone()),
            State::OutOfOrder if target.reaches(&migration.version) => {
                let detail = status.detail.as_deref().unwrap_or("a later one was applied already");
                match treatment.out_of_order {
                    Treat::Refuse => choice.refusals.push(
                        refuse(format!("{named} is out of order on `{database}`: {detail}"))
                            .help("give it a version after that one, or allow migrations out of order"),
                    ),
                    Treat::Warn => {
                        choice.warnings.push(format!("{named} runs out of order on `{database}`: {detail}"));
                        choice.run.push(migration.clone());
                    }
                }
            }
            State::Pending | State::OutOfOrder => choice.later += 1,
            State::Changed => {
                let message = format!("{named} was edited after it was applied to `{database}`");
                match treatment.changed {
                    Treat::Refuse => choice.refusals.push(refuse(message)),
                    Treat::Warn => choice.warnings.push(message),
                }
            }
            State::Missing => choice.warnings.push(format!(
                "{named} is recorded on `{database}`, but not among the migrations: perhaps those of an older \
                 version of the program are being run"
            )),
            State::Drift => {
                let detail = status.detail.as_deref().unwrap_or("a table of it is not there");
                choice.warnings.push(format!("{named} is recorded on `{database}`, but {detail}"));
            }
            State::Dirty => {
                let detail = status.detail.as_deref().unwrap_or("it was interrupted");
                choice.refusals.push(refuse(format!(
                    "{named} is dirty on `{database}`: {detail}, and the engine could not roll it back"
                )));
            }
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::error::FailureKind;

    #[test]
    fn choices_as_data() {
        use State::{Applied, Changed, Dirty, Drift, Missing, OutOfOrder, Pending};
        let lenient = Treatment { changed: Treat::Warn, out_of_order: Treat::Warn };
        let strict = Treatment { changed: Treat::Refuse, out_of_order: Treat::Refuse };
        let until_2 = Target::Version("2".into());
        for (states, target, treatment, expected) in [
            (vec![Pending, Pending, Pending], &Target::Latest, strict, "1 2 3 / 0 refused, 0 warnings"),
            (vec![Pending, Pending, Pending], &until_2, strict, "1 2 / 0 refused, 0 warnings, 1 later"),
            (vec![OutOfOrder, Applied, Pending], &Target::Latest, lenient, "1 3 / 0 refused, 1 warnings"),
            (vec![OutOfOrder, Applied, Pending], &Target::Latest, strict, "3 / 1 refused, 0 warnings"),
            (vec![Changed, Pending], &Target::Latest, strict, "2 / 1 refused, 0 warnings"),
            (vec![Changed, Pending], &Target::Latest, lenient, "2 / 0 refused, 1 warnings"),
            (vec![Missing, Drift, Pending], &Target::Latest, strict, "3 / 0 refused, 2 warnings"),
            (vec![Dirty, Pending], &Target::Latest, lenient, "2 / 1 refused, 0 warnings"),
        ] {
            let statuses: Vec<_> = states
                .iter()
                .zip(["1", "2", "3"])
                .map(|(state, version)| MigrationStatus {
                    migration: MigrationId::new("blog".into(), version.into(), format!("{version}_x")),
                    state: *state,
                    applied_at: None,
                    duration: None,
                    file: None,
                    detail: None,
                    is_known: true,
                })
                .collect();
            let choice = choose(&"blog_db".into(), &statuses, target, treatment);
            let run: Vec<_> = choice.run.iter().map(|id| id.version.as_str()).collect();
            let later = if choice.later > 0 { format!(", {} later", choice.later) } else { String::new() };
            assert_eq!(
                format!(
                    "{} / {} refused, {} warnings{later}",
                    run.join(" "),
                    choice.refusals.len(),
                    choice.warnings.len()
                ),
                expected,
                "{states:?}"
            );
            assert!(choice.refusals.iter().all(|failure| failure.kind == FailureKind::Refused));
        }
    }
}
