//! What is wrong with a set of rules, in words.

use std::fmt;

use super::{NoMigration, RuleError, Unreachable};
use crate::Alias;

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        match self {
            Self::UnknownDefault { alias } => {
                write!(f, "the default `{alias}` names no database; declare it under `databases`")
            }
            Self::DefaultIsReplica { alias, .. } => {
                write!(f, "the default `{alias}` is a replica; make its primary the default")
            }
            Self::DuplicateAlias { alias, .. } => {
                write!(f, "`{alias}` is declared twice; give one of the two another name")
            }
            Self::SameButForCase { alias, other, .. } => {
                write!(f, "`{alias}` is spelt like `{other}` but for case; give one of the two another name")
            }
            Self::AllowsNothing { alias, .. } => {
                write!(
                    f,
                    "the `operations` of `{alias}` are empty; name some, or leave them out for all three"
                )
            }
            Self::UnknownPrimary { .. }
            | Self::ReplicaOfItself { .. }
            | Self::ReplicaOfReplica { .. }
            | Self::ReplicaCycle { .. }
            | Self::ReplicaClaims { .. }
            | Self::ReplicaMigrates { .. } => self.about_a_replica(f),
            Self::UnknownTarget { .. }
            | Self::TargetMayNotMigrate { .. }
            | Self::MigrateCycle { .. }
            | Self::NothingToSend { .. }
            | Self::UnknownHistory { .. }
            | Self::HistoryOnReplica { .. }
            | Self::NothingToRecord { .. } => self.about_migrations(f),
            Self::ClaimedTwice { .. } | Self::NeverReached { .. } => self.about_a_claim(f),
        }
    }
}

impl RuleError {
    fn about_a_replica(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPrimary { alias, replica_of, .. } => {
                write!(f, "`{alias}` is a replica of unknown database `{replica_of}`; declare that one too")
            }
            Self::ReplicaOfItself { alias, .. } => {
                write!(f, "`{alias}` is a replica of itself; name its primary in `replica_of`")
            }
            Self::ReplicaOfReplica { alias, replica_of, .. } => write!(
                f,
                "`{alias}` is a replica of `{replica_of}`, which is a replica too; \
                 name their primary in `replica_of`"
            ),
            Self::ReplicaCycle { alias, others, .. } => {
                let circle = circle(alias, others);
                write!(f, "`replica_of` leads in a circle: {circle}; declare one of them as the primary")
            }
            Self::ReplicaClaims { alias, operations, .. } => write!(
                f,
                "replica `{alias}` claims apps for {operations}; a replica is only read: \
                 set `operations: [read]` or claim the apps on its primary"
            ),
            Self::ReplicaMigrates { alias, key, .. } => write!(
                f,
                "replica `{alias}` has `{0}`; a replica is only read: put `{0}` on its primary",
                key.as_str()
            ),
            _ => Ok(()),
        }
    }

    fn about_migrations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget { alias, migrate_to, .. } => {
                write!(f, "`{alias}` has `migrate_to` unknown database `{migrate_to}`; declare that one too")
            }
            Self::TargetMayNotMigrate { alias, migrate_to, .. } => write!(
                f,
                "`{alias}` has `migrate_to: {migrate_to}`, on which no migration may run; \
                 allow `migrate` there or name another database"
            ),
            Self::MigrateCycle { alias, others, .. } => {
                let circle = circle(alias, others);
                write!(f, "`migrate_to` leads in a circle: {circle}; remove it from one of them")
            }
            Self::NothingToSend { alias, .. } => {
                write!(f, "`{alias}` has `migrate_to` and claims no app; claim the apps or remove it")
            }
            Self::UnknownHistory { alias, migration_history, .. } => write!(
                f,
                "`{alias}` has `migration_history` on unknown database `{migration_history}`; \
                 declare that one too"
            ),
            Self::HistoryOnReplica { alias, migration_history, .. } => write!(
                f,
                "`{alias}` has `migration_history: {migration_history}`, which is a replica; \
                 name a database that can be written"
            ),
            Self::NothingToRecord { alias, why, .. } => write!(
                f,
                "`{alias}` has `migration_history` and no migration runs on it: {why}; remove one of the two"
            ),
            _ => Ok(()),
        }
    }

    fn about_a_claim(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClaimedTwice { app, operations, first, alias, .. } if first == alias => {
                let for_what = if operations.iter().next().is_some() { " for " } else { "" };
                write!(f, "`{alias}` claims `{app}` twice{for_what}{operations}; remove one of the two")
            }
            Self::ClaimedTwice { app, operations, first, alias, .. } => write!(
                f,
                "`{alias}` claims `{app}` for {operations}, as `{first}` does already; \
                 remove the app from one of the two"
            ),
            Self::NeverReached { app, alias, why, .. } => {
                write!(f, "the claim of `{alias}` on `{app}` can never be reached: {why}")
            }
            _ => Ok(()),
        }
    }
}

/// The databases of a circle, back to the first: `a` → `b` → `a`.
fn circle(first: &Alias, others: &[Alias]) -> String {
    let names: Vec<String> =
        [first].into_iter().chain(others).chain([first]).map(|alias| format!("`{alias}`")).collect();
    names.join(" → ")
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOperation => f.write_str("its `operations` are empty; name some or remove the app"),
            Self::MayNotMigrate => f.write_str(
                "it is about migrations alone, and its database is `migrate: false`; remove one of the two",
            ),
            Self::Shadowed { by, target, .. } => {
                write!(f, "by `{by}` the app's migrations run on `{target}`; remove one of the two")
            }
            Self::Unmanaged => f.write_str("the app is `managed: false`; remove one of the two"),
        }
    }
}

impl fmt::Display for NoMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replica => "it is a replica",
            Self::Forbidden => "it is `migrate: false`",
            Self::Operations => "its `operations` lack `migrate`",
        })
    }
}
