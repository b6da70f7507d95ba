//! From rules in file order to a look-up table, with everything that is wrong on the way.

use std::collections::hash_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};

use super::router::App;
use super::table::Table;
use super::{DatabaseRule, RuleError, RuleRouter, Unreachable};
use crate::{Alias, AppLabel, Operation, Operations, Place};

/// Linear in databases and apps.
pub(super) fn compile(
    default: Alias,
    databases: Vec<DatabaseRule>,
    unmanaged: impl IntoIterator<Item = AppLabel>,
) -> Result<RuleRouter, Vec<RuleError>> {
    let mut errors = Vec::new();
    let by_alias = index(&databases);
    if !by_alias.contains_key(&default) {
        errors.push(RuleError::UnknownDefault { alias: default.clone() });
    }

    let mut claims = Claims::new(&databases, &by_alias, unmanaged);
    let mut spelt = FxHashMap::with_capacity_and_hasher(databases.len(), Default::default());
    for (index, rule) in databases.iter().enumerate() {
        check_alias(rule, index, &databases, &by_alias, &mut spelt, &mut errors);
        check_primary(rule, &databases, &by_alias, &mut errors);
        check_target(rule, &databases, &by_alias, &mut errors);
        for app in 0..rule.apps.len() {
            claims.add(index, app, &mut errors);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }

    let (apps, by_label, table) = claims.finish(&default);
    Ok(RuleRouter { default, databases, by_alias, apps, by_label, table })
}

/// The first database of each alias.
fn index(databases: &[DatabaseRule]) -> FxHashMap<Alias, usize> {
    let mut by_alias = FxHashMap::with_capacity_and_hasher(databases.len(), Default::default());
    for (index, rule) in databases.iter().enumerate() {
        by_alias.entry(rule.alias.clone()).or_insert(index);
    }
    by_alias
}

fn check_alias(
    rule: &DatabaseRule,
    index: usize,
    databases: &[DatabaseRule],
    by_alias: &FxHashMap<Alias, usize>,
    spelt: &mut FxHashMap<String, usize>,
    errors: &mut Vec<RuleError>,
) {
    let first = by_alias.get(&rule.alias).copied().unwrap_or(index);
    if first != index {
        errors.push(RuleError::DuplicateAlias {
            alias: rule.alias.clone(),
            place: rule.place.clone(),
            first_place: databases[first].place.clone(),
        });
        return;
    }
    match spelt.entry(rule.alias.as_str().to_lowercase()) {
        Entry::Vacant(entry) => {
            entry.insert(index);
        }
        Entry::Occupied(entry) => {
            let other = &databases[*entry.get()];
            errors.push(RuleError::SameButForCase {
                alias: rule.alias.clone(),
                place: rule.place.clone(),
                other: other.alias.clone(),
                other_place: other.place.clone(),
            });
        }
    }
}

fn check_primary(
    rule: &DatabaseRule,
    databases: &[DatabaseRule],
    by_alias: &FxHashMap<Alias, usize>,
    errors: &mut Vec<RuleError>,
) {
    let Some(replica_of) = &rule.replica_of else { return };
    let (alias, place) = (rule.alias.clone(), rule.place.clone());
    if *replica_of == rule.alias {
        errors.push(RuleError::ReplicaOfItself { alias, place });
    } else {
        match by_alias.get(replica_of).map(|index| &databases[*index]) {
            None => {
                errors.push(RuleError::UnknownPrimary { alias, replica_of: replica_of.clone(), place });
            }
            Some(primary) if primary.replica_of.is_some() => errors.push(RuleError::ReplicaOfReplica {
                alias,
                replica_of: replica_of.clone(),
                place,
                other_place: primary.place.clone(),
            }),
            Some(_) => {}
        }
    }
    let operations: Operations =
        rule.operations.iter().filter(|operation| *operation != Operation::Read).collect();
    if !rule.apps.is_empty() && operations != Operations::none() {
        errors.push(RuleError::ReplicaClaims {
            alias: rule.alias.clone(),
            operations,
            place: rule.place.clone(),
        });
    }
}

fn check_target(
    rule: &DatabaseRule,
    databases: &[DatabaseRule],
    by_alias: &FxHashMap<Alias, usize>,
    errors: &mut Vec<RuleError>,
) {
    let Some(migrate_to) = &rule.migrate_to else { return };
    let (alias, place) = (rule.alias.clone(), rule.place.clone());
    match by_alias.get(migrate_to).map(|index| &databases[*index]) {
        None => errors.push(RuleError::UnknownTarget { alias, migrate_to: migrate_to.clone(), place }),
        Some(target) if !target.may_migrate() => errors.push(RuleError::TargetMayNotMigrate {
            alias,
            migrate_to: migrate_to.clone(),
            place,
            target_place: target.place.clone(),
        }),
        Some(_) => {}
    }
}

/// The apps and who claims them, gathered in file order.
struct Claims<'a> {
    databases: &'a [DatabaseRule],
    by_alias: &'a FxHashMap<Alias, usize>,
    unmanaged: Vec<AppLabel>,
    unmanaged_labels: FxHashSet<AppLabel>,
    by_label: FxHashMap<AppLabel, usize>,
    apps: Vec<App>,
    /// For each app the first claim for each operation: the indices of the database and of the app in its list.
    first: Vec<[Option<(usize, usize)>; Operation::ALL.len()]>,
}

impl<'a> Claims<'a> {
    fn new(
        databases: &'a [DatabaseRule],
        by_alias: &'a FxHashMap<Alias, usize>,
        unmanaged: impl IntoIterator<Item = AppLabel>,
    ) -> Self {
        let unmanaged: Vec<_> = unmanaged.into_iter().collect();
        let claims = databases.iter().map(|rule| rule.apps.len()).sum();
        Self {
            databases,
            by_alias,
            unmanaged_labels: unmanaged.iter().cloned().collect(),
            unmanaged,
            by_label: FxHashMap::with_capacity_and_hasher(claims, Default::default()),
            apps: Vec::with_capacity(claims),
            first: Vec::with_capacity(claims),
        }
    }

    /// Takes note of one claim, and of what is wrong with it.
    fn add(&mut self, database: usize, position: usize, errors: &mut Vec<RuleError>) {
        let rule = &self.databases[database];
        let index = self.index_of(&rule.apps[position].0);
        self.apps[index].claims.push((database, position));

        let mut is_reached = false;
        let mut claimed_before: Vec<((usize, usize), Operations)> = Vec::new();
        for operation in rule.operations.iter() {
            let first = &mut self.first[index][operation as usize];
            match *first {
                None => {
                    *first = Some((database, position));
                    is_reached |= operation != Operation::Migrate;
                }
                Some(first) => match claimed_before.iter_mut().find(|(other, _)| *other == first) {
                    Some((_, operations)) => *operations = operations.with(operation),
                    None => claimed_before.push((first, Operations::none().with(operation))),
                },
            }
        }
        is_reached |= self.aim(index, database);

        for (first, operations) in &claimed_before {
            errors.push(self.claimed_twice(*first, (database, position), *operations));
        }
        if !is_reached && claimed_before.is_empty() {
            errors.push(self.never_reached(index, (database, position)));
        }
    }

    /// Lets a claim say where the app's migrations run, and whether it is the first to do so.
    fn aim(&mut self, index: usize, database: usize) -> bool {
        let rule = &self.databases[database];
        let target = match &rule.migrate_to {
            Some(alias) => self.by_alias.get(alias).copied().unwrap_or(database),
            None if rule.operations.contains(Operation::Migrate) => database,
            None => return false,
        };
        let app = &mut self.apps[index];
        if !app.is_managed || app.target.is_some() {
            return false;
        }
        app.target = Some((target, Some(database)));
        true
    }

    fn index_of(&mut self, label: &AppLabel) -> usize {
        match self.by_label.entry(label.clone()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let is_managed = !self.unmanaged_labels.contains(label);
                self.apps.push(App {
                    label: label.clone(),
                    is_managed,
                    claims: Vec::with_capacity(1),
                    target: None,
                });
                self.first.push(Default::default());
                *entry.insert(self.apps.len() - 1)
            }
        }
    }

    fn place(&self, (database, position): (usize, usize)) -> Option<Place> {
        self.databases[database].place_of(position).cloned()
    }

    fn claimed_twice(
        &self,
        first: (usize, usize),
        second: (usize, usize),
        operations: Operations,
    ) -> RuleError {
        let rule = &self.databases[second.0];
        RuleError::ClaimedTwice {
            app: rule.apps[second.1].0.clone(),
            operations,
            first: self.databases[first.0].alias.clone(),
            first_place: self.place(first),
            alias: rule.alias.clone(),
            place: self.place(second),
        }
    }

    fn never_reached(&self, index: usize, claim: (usize, usize)) -> RuleError {
        let rule = &self.databases[claim.0];
        let app = &self.apps[index];
        let why = match app.target {
            _ if rule.operations == Operations::none() && rule.migrate_to.is_none() => {
                Unreachable::NoOperation
            }
            Some((target, Some(by))) => Unreachable::Shadowed {
                by: self.databases[by].alias.clone(),
                target: self.databases[target].alias.clone(),
                by_place: app
                    .claims
                    .iter()
                    .find(|(database, _)| *database == by)
                    .and_then(|by| self.place(*by)),
            },
            _ => Unreachable::Unmanaged,
        };
        RuleError::NeverReached {
            app: app.label.clone(),
            alias: rule.alias.clone(),
            place: self.place(claim),
            why,
        }
    }

    /// What the router keeps, once nothing is wrong.
    fn finish(mut self, default: &Alias) -> (Vec<App>, FxHashMap<AppLabel, usize>, Table) {
        let default = self.by_alias.get(default).map(|index| (*index, None));
        for app in self.apps.iter_mut().filter(|app| app.is_managed) {
            app.target = app.target.or(default);
        }
        for label in std::mem::take(&mut self.unmanaged) {
            self.index_of(&label);
        }

        let aliases = self.databases.iter().map(|rule| rule.alias.clone()).collect();
        let mut table = Table::new(aliases, self.apps.len());
        for (app, first) in self.apps.iter().zip(&self.first) {
            let database = |operation: Operation| first[operation as usize].map(|(database, _)| database);
            table.insert(app.label.as_str(), database(Operation::Read), database(Operation::Write));
        }
        (self.apps, self.by_label, table)
    }
}
