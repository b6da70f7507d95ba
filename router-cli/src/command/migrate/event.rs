//! Progress, a line each.

use router_diesel::migrate::{Direction, Event, Outcome};

use crate::output::{count, took};

/// What happened, as people read it; nothing where there is no more to say.
pub(super) fn in_words(event: &Event<'_>) -> Option<String> {
    let verbs = |direction: &Direction| match direction {
        Direction::Up => ("applying", "applied"),
        Direction::Down => ("reverting", "reverted"),
    };
    Some(match event {
        Event::DatabaseStarted { database, pending, direction } => {
            let what = match direction {
                Direction::Up => "to run",
                Direction::Down => "to revert",
            };
            format!("{database}: {} {what}", count(*pending, "migration"))
        }
        Event::LockWaiting { database, holder } => {
            // Who it is comes first, then advice for whoever does not wait.
            let holder = holder.split("; ").next().unwrap_or(holder);
            format!("{database}: waiting for {holder}")
        }
        Event::Mended { database, migration, applied } => {
            let state = if *applied { "applied" } else { "not applied" };
            format!("{database}: put right the record of {migration}: it is {state}")
        }
        Event::Warning { database, message } => format!("{database}: warning: {message}"),
        Event::MigrationStarted { database, migration, direction } => {
            format!("{database}: {} {migration}", verbs(direction).0)
        }
        Event::MigrationFinished { database, migration, direction, duration } => {
            format!("{database}: {} {migration} in {}", verbs(direction).1, took(*duration))
        }
        Event::MigrationFailed { database, migration, .. } => format!("{database}: failed at {migration}"),
        // The table at the end says the rest.
        Event::DatabaseFinished { report } if report.later > 0 && report.outcome != Outcome::Failed => {
            let what = if report.outcome == Outcome::UpToDate { "nothing to run; " } else { "" };
            format!("{}: {what}{} pending", report.database, count(report.later, "later migration"))
        }
        _ => return None,
    })
}
