//! What is wrong with each database's own rule, and with what the databases say of each other.

use std::collections::hash_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{DatabaseRule, NoMigration, RuleError, RuleKey};
use crate::{Alias, Operations};

/// Looks at one database after the other, in file order.
pub(super) struct Check<'a> {
    databases: &'a [DatabaseRule],
    by_alias: &'a FxHashMap<Alias, usize>,
    /// The first database of each spelling, in lower case.
    spelt: FxHashMap<String, usize>,
    /// The circles of `replica_of` by the database that they begin with, and all databases in them.
    replicas: Circles,
    /// The circles of `migrate_to`.
    targets: Circles,
    pub(super) errors: Vec<RuleError>,
}

impl<'a> Check<'a> {
    pub(super) fn new(databases: &'a [DatabaseRule], by_alias: &'a FxHashMap<Alias, usize>) -> Self {
        let next = |alias: Option<&Alias>| by_alias.get(alias?).copied();
        Self {
            databases,
            by_alias,
            spelt: FxHashMap::with_capacity_and_hasher(databases.len(), Default::default()),
            replicas: Circles::new(databases.len(), |index| next(databases[index].replica_of.as_ref())),
            targets: Circles::new(databases.len(), |index| {
                let rule = &databases[index];
                next(rule.migrate_to.as_ref()).filter(|_| rule.replica_of.is_none())
            }),
            errors: Vec::new(),
        }
    }

    /// The default database exists and can be written.
    pub(super) fn default(&mut self, default: &Alias) {
        let alias = default.clone();
        match self.find(default) {
            None => self.errors.push(RuleError::UnknownDefault { alias }),
            Some(rule) if rule.replica_of.is_some() => {
                self.errors.push(RuleError::DefaultIsReplica { alias, place: rule.place.clone() });
            }
            Some(_) => {}
        }
    }

    /// Everything about one database but its claims.
    pub(super) fn database(&mut self, index: usize) {
        let rule = &self.databases[index];
        self.alias(rule, index);
        self.primary(rule, index);
        self.replica(rule);
        self.operations(rule);
        if let Some(migrate_to) = &rule.migrate_to {
            self.target(rule, migrate_to, index);
        }
        if let Some(history) = &rule.migration_history {
            self.history(rule, history);
        }
    }

    fn find(&self, alias: &Alias) -> Option<&'a DatabaseRule> {
        self.by_alias.get(alias).map(|index| &self.databases[*index])
    }

    fn alias(&mut self, rule: &DatabaseRule, index: usize) {
        let (alias, place) = (rule.alias.clone(), rule.place.clone());
        let first = self.by_alias.get(&rule.alias).copied().unwrap_or(index);
        if first != index {
            let first_place = self.databases[first].place.clone();
            self.errors.push(RuleError::DuplicateAlias { alias, place, first_place });
            return;
        }
        match self.spelt.entry(rule.alias.as_str().to_lowercase()) {
            Entry::Vacant(entry) => {
                entry.insert(index);
            }
            Entry::Occupied(entry) => {
                let other = &self.databases[*entry.get()];
                self.errors.push(RuleError::SameButForCase {
                    alias,
                    place,
                    other: other.alias.clone(),
                    other_place: other.place.clone(),
                });
            }
        }
    }

    fn primary(&mut self, rule: &DatabaseRule, index: usize) {
        let Some(replica_of) = rule.replica_of.clone() else { return };
        let (alias, place) = (rule.alias.clone(), rule.place.clone());
        let error = match self.find(&replica_of) {
            _ if replica_of == alias => RuleError::ReplicaOfItself { alias, place },
            None => RuleError::UnknownPrimary { alias, replica_of, place },
            // A circle is one mistake, and its first database tells of it.
            Some(primary) if self.replicas.contains(index) => match self.replicas.others(index) {
                Some(others) => RuleError::ReplicaCycle {
                    alias,
                    others: self.aliases(others),
                    place,
                    next_place: primary.place.clone(),
                },
                None => return,
            },
            Some(primary) if primary.replica_of.is_some() => {
                RuleError::ReplicaOfReplica { alias, replica_of, place, other_place: primary.place.clone() }
            }
            Some(_) => return,
        };
        self.errors.push(error);
    }

    /// A replica serves reads, and follows its primary in everything else.
    fn replica(&mut self, rule: &DatabaseRule) {
        if rule.replica_of.is_none() {
            return;
        }
        let wrong: Operations =
            rule.claimed().iter().filter(|operation| !rule.decides().contains(*operation)).collect();
        // A replica that says nothing of operations and claims nothing is read alone.
        let claims = rule.operations.is_some() || !rule.apps.is_empty();
        if claims && wrong != Operations::none() {
            self.errors.push(RuleError::ReplicaClaims {
                alias: rule.alias.clone(),
                operations: wrong,
                key: if rule.operations.is_some() { RuleKey::Operations } else { RuleKey::Apps },
                place: rule.place.clone(),
            });
        }
        for (key, is_said) in [
            (RuleKey::Migrate, rule.migrate == Some(true)),
            (RuleKey::MigrateTo, rule.migrate_to.is_some()),
            (RuleKey::MigrationHistory, rule.migration_history.is_some()),
        ] {
            if is_said {
                let (alias, place) = (rule.alias.clone(), rule.place.clone());
                self.errors.push(RuleError::ReplicaMigrates { alias, key, place });
            }
        }
    }

    /// A database is there for something. Where it claims apps, its claims tell of it.
    fn operations(&mut self, rule: &DatabaseRule) {
        let sends = rule.migrate_to.is_some() && rule.replica_of.is_none();
        if rule.claimed() == Operations::none() && (rule.apps.is_empty() || sends) {
            let (alias, place) = (rule.alias.clone(), rule.place.clone());
            self.errors.push(RuleError::AllowsNothing { alias, place });
        }
    }

    fn target(&mut self, rule: &DatabaseRule, migrate_to: &Alias, index: usize) {
        let (alias, place, migrate_to) = (rule.alias.clone(), rule.place.clone(), migrate_to.clone());
        let Some(target) = self.find(&migrate_to) else {
            self.errors.push(RuleError::UnknownTarget { alias, migrate_to, place });
            return;
        };
        if rule.replica_of.is_some() {
            return;
        }
        let forbidden = target.no_migration();
        let to_itself = target.alias == rule.alias;
        if let Some(others) = self.targets.others(index)
            && !(to_itself && forbidden.is_some())
        {
            self.errors.push(RuleError::MigrateCycle {
                alias: alias.clone(),
                others: self.aliases(others),
                place: place.clone(),
                next_place: target.place.clone(),
            });
        }
        if let Some(why) = forbidden {
            let target_place = target.place.clone();
            self.errors.push(RuleError::TargetMayNotMigrate { alias, migrate_to, place, target_place, why });
        } else if rule.apps.is_empty() {
            self.errors.push(RuleError::NothingToSend { alias, migrate_to, place });
        }
    }

    fn history(&mut self, rule: &DatabaseRule, history: &Alias) {
        let (alias, place, migration_history) = (rule.alias.clone(), rule.place.clone(), history.clone());
        let error = match (self.find(history), rule.no_migration()) {
            (None, _) => RuleError::UnknownHistory { alias, migration_history, place },
            (_, Some(NoMigration::Replica)) => return,
            (Some(keeper), _) if keeper.replica_of.is_some() => RuleError::HistoryOnReplica {
                alias,
                migration_history,
                place,
                other_place: keeper.place.clone(),
            },
            // The target of its migrations keeps them where the sender says.
            (_, Some(why)) if rule.migrate_to.is_none() => {
                RuleError::NothingToRecord { alias, migration_history, place, why }
            }
            _ => return,
        };
        self.errors.push(error);
    }

    fn aliases(&self, databases: &[usize]) -> Vec<Alias> {
        databases.iter().map(|index| self.databases[*index].alias.clone()).collect()
    }
}

/// The circles among databases of which each names at most one other.
struct Circles {
    /// The rest of each circle, by the first of its databases in file order.
    others: FxHashMap<usize, Vec<usize>>,
    members: FxHashSet<usize>,
}

impl Circles {
    /// Walks that stop where one has been before visit each database once.
    fn new(databases: usize, next: impl Fn(usize) -> Option<usize>) -> Self {
        let mut circles = Self { others: FxHashMap::default(), members: FxHashSet::default() };
        let mut walks = vec![None; databases];
        for start in 0..databases {
            let mut path = Vec::new();
            let mut at = start;
            let back = loop {
                if let Some(walk) = walks[at] {
                    break (walk == start).then_some(at);
                }
                walks[at] = Some(start);
                path.push(at);
                match next(at) {
                    Some(following) => at = following,
                    None => break None,
                }
            };
            let Some(begin) = back.and_then(|back| path.iter().position(|at| *at == back)) else { continue };
            let mut circle = path.split_off(begin);
            let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
            circle.rotate_left(first);
            circles.members.extend(&circle);
            circles.others.insert(circle[0], circle.split_off(1));
        }
        circles
    }

    fn contains(&self, database: usize) -> bool {
        self.members.contains(&database)
    }

    /// The rest of the circle, of which this database is the first.
    fn others(&self, database: usize) -> Option<&[usize]> {
        self.others.get(&database).map(Vec::as_slice)
    }
}
