//! What is wrong with a set of rules.

use crate::{Alias, AppLabel, Operations, Place};

/// One thing that is wrong with a set of rules.
///
/// The enum is exhaustive on purpose: a program that words these errors itself then learns of a new kind when it
/// compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleError {
    /// The default alias names no database.
    UnknownDefault {
        /// The alias.
        alias: Alias,
    },
    /// The default database is a replica, which nobody can write to.
    DefaultIsReplica {
        /// The default database.
        alias: Alias,
        /// Where it is declared.
        place: Option<Place>,
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
    /// Replicas follow each other in a circle.
    ReplicaCycle {
        /// The first of them.
        alias: Alias,
        /// The others, each the primary of the one before it.
        others: Vec<Alias>,
        /// Where the first is declared.
        place: Option<Place>,
        /// Where the second is declared.
        next_place: Option<Place>,
    },
    /// A replica claims apps for more than reading, or says that more may be done on it.
    ReplicaClaims {
        /// The replica.
        alias: Alias,
        /// What it claims them for beyond reading.
        operations: Operations,
        /// The setting that says so: its operations, or its apps where nothing is said of operations.
        key: RuleKey,
        /// Where it is declared.
        place: Option<Place>,
    },
    /// A replica says something of migrations, which it gets from its primary.
    ReplicaMigrates {
        /// The replica.
        alias: Alias,
        /// The setting that says so.
        key: RuleKey,
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
        /// Why no migration may run there.
        why: NoMigration,
    },
    /// Databases send their migrations to each other in a circle.
    MigrateCycle {
        /// The first of them.
        alias: Alias,
        /// The others, each the target of the one before it; none if the first names itself.
        others: Vec<Alias>,
        /// Where the first is declared.
        place: Option<Place>,
        /// Where the second is declared.
        next_place: Option<Place>,
    },
    /// A database has a `migrate_to` and claims no app whose migrations it could send there.
    NothingToSend {
        /// The database.
        alias: Alias,
        /// What `migrate_to` says.
        migrate_to: Alias,
        /// Where the database is declared.
        place: Option<Place>,
    },
    /// `migration_history` names no database.
    UnknownHistory {
        /// The database that says so.
        alias: Alias,
        /// What `migration_history` says.
        migration_history: Alias,
        /// Where the database is declared.
        place: Option<Place>,
    },
    /// `migration_history` names a replica, which cannot be written.
    HistoryOnReplica {
        /// The database that says so.
        alias: Alias,
        /// What `migration_history` says.
        migration_history: Alias,
        /// Where the database is declared.
        place: Option<Place>,
        /// Where the replica is declared.
        other_place: Option<Place>,
    },
    /// A database has a `migration_history`, and there is no migration that it could record.
    NothingToRecord {
        /// The database.
        alias: Alias,
        /// What `migration_history` says.
        migration_history: Alias,
        /// Where the database is declared.
        place: Option<Place>,
        /// Why no migration may run on it.
        why: NoMigration,
    },
    /// A database allows no operation.
    AllowsNothing {
        /// The database.
        alias: Alias,
        /// Where it is declared.
        place: Option<Place>,
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
        /// The position of the app in the list of the database that claims it first.
        first_position: usize,
        /// The database that claims it again; the same one where its list has the app twice.
        alias: Alias,
        /// Where the second claim is.
        place: Option<Place>,
        /// The position of the app in the list of the database that claims it again.
        position: usize,
    },
    /// A claim can never decide anything.
    NeverReached {
        /// The app.
        app: AppLabel,
        /// The database that claims it.
        alias: Alias,
        /// Where the claim is.
        place: Option<Place>,
        /// The position of the app in the database's list.
        position: usize,
        /// Why it is never reached.
        why: Unreachable,
    },
}

/// Why a claim can never decide anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// It claims the app for no operation and sends its migrations nowhere.
    NoOperation,
    /// It is about migrations alone, and its database is `migrate: false`.
    MayNotMigrate,
    /// It is about migrations alone, and an earlier claim says where they run.
    Shadowed {
        /// The database with the earlier claim.
        by: Alias,
        /// The database on which that claim runs the migrations.
        target: Alias,
        /// Where the earlier claim is.
        by_place: Option<Place>,
        /// The position of the app in the list of the database with the earlier claim.
        by_position: usize,
    },
    /// It is about migrations alone, and the app is `managed: false`.
    Unmanaged,
}

/// Why no migration may run on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMigration {
    /// It is a replica.
    Replica,
    /// It is `migrate: false`.
    Forbidden,
    /// Its operations lack `migrate`.
    Operations,
}

/// A setting of a database by which it says something wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKey {
    /// `apps`.
    Apps,
    /// `operations`.
    Operations,
    /// `migrate`.
    Migrate,
    /// `migrate_to`.
    MigrateTo,
    /// `migration_history`.
    MigrationHistory,
}

impl RuleKey {
    /// The name that a configuration file uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Operations => "operations",
            Self::Migrate => "migrate",
            Self::MigrateTo => "migrate_to",
            Self::MigrationHistory => "migration_history",
        }
    }
}

impl RuleError {
    /// The database that is at fault; of two, the later one, and of a circle the first one.
    #[must_use]
    pub const fn alias(&self) -> &Alias {
        match self {
            Self::UnknownDefault { alias }
            | Self::DefaultIsReplica { alias, .. }
            | Self::DuplicateAlias { alias, .. }
            | Self::SameButForCase { alias, .. }
            | Self::UnknownPrimary { alias, .. }
            | Self::ReplicaOfItself { alias, .. }
            | Self::ReplicaOfReplica { alias, .. }
            | Self::ReplicaCycle { alias, .. }
            | Self::ReplicaClaims { alias, .. }
            | Self::ReplicaMigrates { alias, .. }
            | Self::UnknownTarget { alias, .. }
            | Self::TargetMayNotMigrate { alias, .. }
            | Self::MigrateCycle { alias, .. }
            | Self::NothingToSend { alias, .. }
            | Self::UnknownHistory { alias, .. }
            | Self::HistoryOnReplica { alias, .. }
            | Self::NothingToRecord { alias, .. }
            | Self::AllowsNothing { alias, .. }
            | Self::ClaimedTwice { alias, .. }
            | Self::NeverReached { alias, .. } => alias,
        }
    }

    /// Where the mistake is; of two places, the later one.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::UnknownDefault { .. } => None,
            Self::DefaultIsReplica { place, .. }
            | Self::DuplicateAlias { place, .. }
            | Self::SameButForCase { place, .. }
            | Self::UnknownPrimary { place, .. }
            | Self::ReplicaOfItself { place, .. }
            | Self::ReplicaOfReplica { place, .. }
            | Self::ReplicaCycle { place, .. }
            | Self::ReplicaClaims { place, .. }
            | Self::ReplicaMigrates { place, .. }
            | Self::UnknownTarget { place, .. }
            | Self::TargetMayNotMigrate { place, .. }
            | Self::MigrateCycle { place, .. }
            | Self::NothingToSend { place, .. }
            | Self::UnknownHistory { place, .. }
            | Self::HistoryOnReplica { place, .. }
            | Self::NothingToRecord { place, .. }
            | Self::AllowsNothing { place, .. }
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
            | Self::ReplicaCycle { next_place: place, .. }
            | Self::TargetMayNotMigrate { target_place: place, .. }
            | Self::MigrateCycle { next_place: place, .. }
            | Self::HistoryOnReplica { other_place: place, .. }
            | Self::ClaimedTwice { first_place: place, .. }
            | Self::NeverReached { why: Unreachable::Shadowed { by_place: place, .. }, .. } => place.as_ref(),
            _ => None,
        }
    }
}

impl std::error::Error for RuleError {}
