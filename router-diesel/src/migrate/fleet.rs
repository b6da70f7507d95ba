//! Runs over several databases: one after the other or several at once, a canary first.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use router_core::Alias;

use super::report::{DatabaseReport, Outcome};

/// What happens to the other databases when one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnError {
    /// No further database is begun. Those that are being migrated are finished.
    #[default]
    Stop,
    /// The others are migrated all the same.
    Continue,
}

/// Does the work on each database, and gives the reports in the order of the databases.
///
/// A canary goes first and alone, and if it fails nothing else is begun.
pub(crate) fn each(
    databases: &[&Alias],
    canary: Option<usize>,
    jobs: usize,
    on_error: OnError,
    work: impl Fn(usize) -> DatabaseReport + Sync,
) -> Vec<DatabaseReport> {
    let slots: Vec<Mutex<Option<DatabaseReport>>> = databases.iter().map(|_| Mutex::new(None)).collect();
    let keep = |index: usize, report: DatabaseReport| {
        *slots[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    };
    let has_failed = |report: &DatabaseReport| report.outcome == Outcome::Failed;
    let mut may_go_on = true;
    if let Some(index) = canary {
        let report = work(index);
        may_go_on = !has_failed(&report);
        keep(index, report);
    }
    if may_go_on {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let worker = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= databases.len() {
                    return;
                }
                if canary == Some(index) {
                    continue;
                }
                let report = work(index);
                if has_failed(&report) && on_error == OnError::Stop {
                    stop.store(true, Ordering::Relaxed);
                }
                keep(index, report);
            }
        };
        let jobs = jobs.clamp(1, databases.len().max(1));
        if jobs == 1 {
            worker();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..jobs {
                    scope.spawn(worker);
                }
            });
        }
    }
    let not_started =
        |alias: &Alias| DatabaseReport { outcome: Outcome::NotStarted, ..DatabaseReport::new(alias) };
    slots
        .into_iter()
        .zip(databases)
        .map(|(slot, alias)| {
            slot.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(|| not_started(alias))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::error::{Failure, FailureKind};

    #[test]
    fn orders_as_data() {
        use OnError::{Continue, Stop};
        let names = ["a", "b", "c", "d"].map(Alias::new);
        let databases: Vec<&Alias> = names.iter().collect();
        for (canary, on_error, fails, expected) in [
            (None, Stop, "", "up up up up"),
            (None, Stop, "b", "up failed not not"),
            (None, Continue, "b", "up failed up up"),
            (Some(2), Stop, "c", "not not failed not"),
            (Some(2), Continue, "c", "not not failed not"),
            (Some(2), Stop, "a", "failed not up not"),
        ] {
            let reports = each(&databases, canary, 1, on_error, |index| {
                let mut report = DatabaseReport::new(databases[index]);
                if *databases[index] == *fails {
                    report.failures.push(Failure::new(FailureKind::Failed, "x"));
                }
                report.settle();
                report
            });
            let found: Vec<_> =
                reports.iter().map(|report| report.outcome.as_str().split(' ').next().unwrap()).collect();
            assert_eq!(found.join(" "), expected);
        }
    }

    #[test]
    fn several_jobs_do_each_once() {
        let names: Vec<Alias> = (0..50).map(|index| Alias::new(format!("db{index}"))).collect();
        let databases: Vec<&Alias> = names.iter().collect();
        let count = AtomicUsize::new(0);
        let reports = each(&databases, Some(7), 4, OnError::Stop, |index| {
            count.fetch_add(1, Ordering::Relaxed);
            DatabaseReport::new(databases[index])
        });
        assert_eq!(count.into_inner(), 50);
        assert!(reports.iter().zip(&names).all(|(report, name)| report.database == *name));
    }
}
