//! All that is wrong before anything runs, from the files, the places and what is recorded.

use std::path::Path;

use super::lint::{LintProblem, Linter};
use super::migrator::Migrator;
use super::physical::{self, Servers};
use super::selection::{Found, Job, Narrowing};
use super::site::look_only;
use crate::engine::RoutedConnection;

impl<C: RoutedConnection> Migrator<C> {
    /// What is wrong with the migrations themselves.
    pub(super) fn problems_of_files(&self, jobs: &[Job<'_, C::Backend>]) -> Vec<LintProblem> {
        let mut linter = Linter::new(self.databases.routing());
        for job in jobs {
            for migration in &job.migrations {
                linter.migration(job.database, migration);
            }
        }
        linter.finish()
    }

    /// Every problem, but for what concerns migrations that a database has applied already.
    pub(super) fn problems(
        &self,
        found: &Found<C::Backend>,
        jobs: &[Job<'_, C::Backend>],
    ) -> Vec<LintProblem> {
        let mut problems = self.problems_of_files(jobs);
        // Databases are asked only where there is something to ask.
        for job in jobs {
            let alias = &job.database.alias;
            if !problems.iter().any(|problem| problem.databases.contains(alias)) {
                continue;
            }
            let Ok(known) = look_only::<C>(job) else { continue };
            for problem in &mut problems {
                let is_recorded = known.records.iter().any(|record| {
                    record.id.app == problem.app && Some(&record.id.version) == problem.version.as_ref()
                });
                // What its server is, is known only now.
                let is_for_others = |path: &Path| {
                    let product = job.product(&known);
                    job.migrations.iter().any(|migration| migration.is_for_others(product, path))
                };
                if is_recorded || problem.file.as_deref().is_some_and(is_for_others) {
                    problem.databases.retain(|database| database != alias);
                }
            }
        }
        problems.retain(|problem| !problem.databases.is_empty());
        let mut all = found.problems.clone();
        all.append(&mut problems);
        all.extend(self.problems_of_places(found, Servers::Ask));
        all
    }

    /// What is wrong with where migrations run. Aliases are compared whichever of them are narrowed to.
    pub(super) fn problems_of_places(&self, found: &Found<C::Backend>, servers: Servers) -> Vec<LintProblem> {
        let narrowing = Narrowing { databases: Vec::new(), ..self.narrowing.clone() };
        let everywhere = narrowing.jobs(self.databases.routing(), found);
        physical::problems::<C>(self.databases.routing(), &everywhere, servers)
    }
}
