//! What is wrong with a set of rules.

use std::fmt;

use crate::{Alias, AppLabel, Operations, Place};

/// One thing that is wrong with a set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The default alias names no database.
    UnknownDefault {
        /// The alias.
        alias: Alias,
    },
    /// Two databases have one alias.
    DuplicateAlias {
        /// The alias.
        alias: Alias,
        /// Where it is declared again.
        place: Option<Place>,
        /// Where it was declared first.
        first_place: Option<Place>,
    },
    /// An alias is spelt like another but for case.
    SameButForCase {
        /// The later alias.
        alias: Alias,
        /// Where the later one is declared.
        place: Option<Place>,
        /// The earlier alias.
        other: Alias,
        /// Where the earlier one is declared.
        other_place: Option<Place>,
    },
    /// `replica_of` names no database.
    UnknownPrimary {
        /// The replica.
        alias: Alias,
        /// What `replica_of` says.
        replica_of: Alias,
        /// Where the replica is declared.
        place: Option<Place>,
    },
    /// A database is a replica of itself.
    ReplicaOfItself {
        /// The database.
        alias: Alias,
        /// Where it is declared.
        place: Option<Place>,
    },
    /// A replica's primary is a replica as well.
    ReplicaOfReplica {
        /// The replica.
        alias: Alias,
        /// What `replica_of` says.
        replica_of: Alias,
        /// Where the replica is declared.
        place: Option<Place>,
        /// Where the other replica is declared.
        other_place: Option<Place>,
    },
    /// A replica claims apps for more than reading.
    ReplicaClaims {
        /// The replica.
        alias: Alias,
        /// What it claims them for beyond reading.
        operations: Operations,
        /// Where it is declared.
        place: Option<Place>,
    },
    /// `migrate_to` names no database.
    UnknownTarget {
        /// The database that says so.
        alias: Alias,
        /// What `migrate_to` says.
        migrate_to: Alias,
        /// Where the database is declared.
        place: Option<Place>,
    },
    /// `migrate_to` names a database on which no migration may run.
    TargetMayNotMigrate {
        /// The database that says so.
        alias: Alias,
        /// What `migrate_to` says.
        migrate_to: Alias,
        /// Where the database is declared.
        place: Option<Place>,
        /// Where the target is declared.
        target_place: Option<Place>,
    },
    /// An app is claimed twice for one operation.
    ClaimedTwice {
        /// The app.
        app: AppLabel,
        /// The operations for which both claim it.
        operations: Operations,
        /// The database that claims it first.
        first: Alias,
        /// Where the first claim is.
        first_place: Option<Place>,
        /// The database that claims it again.
        alias: Alias,
        /// Where the second claim is.
        place: Option<Place>,
    },
    /// A claim can never decide anything.
    NeverReached {
        /// The app.
        app: AppLabel,
        /// The database that claims it.
        alias: Alias,
        /// Where the claim is.
        place: Option<Place>,
        /// Why it is never reached.
        why: Unreachable,
    },
}

/// Why a claim can never decide anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreachable {
    /// It claims the app for no operation and sends its migrations nowhere.
    NoOperation,
    /// It is about migrations alone, and an earlier claim says where they run.
    Shadowed {
        /// The database with the earlier claim.
        by: Alias,
        /// The database on which that claim runs the migrations.
        target: Alias,
        /// Where the earlier claim is.
        by_place: Option<Place>,
    },
    /// It is about migrations alone, and the app is `managed: false`.
    Unmanaged,
}

impl RuleError {
    /// The database that is at fault; of two, the later one.
    #[must_use]
    pub const fn alias(&self) -> &Alias {
        match self {
            Self::UnknownDefault { alias }
            | Self::DuplicateAlias { alias, .. }
            | Self::SameButForCase { alias, .. }
            | Self::UnknownPrimary { alias, .. }
            | Self::ReplicaOfItself { alias, .. }
            | Self::ReplicaOfReplica { alias, .. }
            | Self::ReplicaClaims { alias, .. }
            | Self::UnknownTarget { alias, .. }
            | Self::TargetMayNotMigrate { alias, .. }
            | Self::ClaimedTwice { alias, .. }
            | Self::NeverReached { alias, .. } => alias,
        }
    }

    /// Where the mistake is; of two places, the later one.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::UnknownDefault { .. } => None,
            Self::DuplicateAlias { place, .. }
            | Self::SameButForCase { place, .. }
            | Self::UnknownPrimary { place, .. }
            | Self::ReplicaOfItself { place, .. }
            | Self::ReplicaOfReplica { place, .. }
            | Self::ReplicaClaims { place, .. }
            | Self::UnknownTarget { place, .. }
            | Self::TargetMayNotMigrate { place, .. }
            | Self::ClaimedTwice { place, .. }
            | Self::NeverReached { place, .. } => place.as_ref(),
        }
    }

    /// The place that the mistake conflicts with, where there is a second one.
    #[must_use]
    pub const fn other_place(&self) -> Option<&Place> {
        match self {
            Self::DuplicateAlias { first_place: place, .. }
            | Self::SameButForCase { other_place: place, .. }
            | Self::ReplicaOfReplica { other_place: place, .. }
            | Self::TargetMayNotMigrate { target_place: place, .. }
            | Self::ClaimedTwice { first_place: place, .. }
            | Self::NeverReached { why: Unreachable::Shadowed { by_place: place, .. }, .. } => place.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        match self {
            Self::UnknownDefault { alias } => {
                write!(f, "the default `{alias}` names no database; declare it under `databases`")
            }
            Self::DuplicateAlias { alias, .. } => {
                write!(f, "`{alias}` is declared twice; give one of the two another name")
            }
            Self::SameButForCase { alias, other, .. } => {
                write!(f, "`{alias}` is spelt like `{other}` but for case; give one of the two another name")
            }
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
            Self::ReplicaClaims { alias, operations, .. } => write!(
                f,
                "replica `{alias}` claims apps for {operations}; a replica is only read: \
                 set `operations: [read]` or claim the apps on its primary"
            ),
            Self::UnknownTarget { alias, migrate_to, .. } => {
                write!(f, "`{alias}` has `migrate_to` unknown database `{migrate_to}`; declare that one too")
            }
            Self::TargetMayNotMigrate { alias, migrate_to, .. } => write!(
                f,
                "`{alias}` has `migrate_to: {migrate_to}`, on which no migration may run; \
                 allow `migrate` there or name another database"
            ),
            Self::ClaimedTwice { app, operations, first, alias, .. } if first == alias => {
                write!(f, "`{alias}` claims `{app}` twice for {operations}; remove one of the two")
            }
            Self::ClaimedTwice { app, operations, first, alias, .. } => write!(
                f,
                "`{alias}` claims `{app}` for {operations}, as `{first}` does already; \
                 remove the app from one of the two"
            ),
            Self::NeverReached { app, alias, why, .. } => {
                write!(f, "the claim of `{alias}` on `{app}` can never be reached: {why}")
            }
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOperation => f.write_str("its `operations` are empty; name some or remove the app"),
            Self::Shadowed { by, target, .. } => {
                write!(f, "by `{by}` the app's migrations run on `{target}`; remove one of the two")
            }
            Self::Unmanaged => f.write_str("the app is `managed: false`; remove one of the two"),
        }
    }
}

impl std::error::Error for RuleError {}
