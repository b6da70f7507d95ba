//! Who claims which app, gathered in file order, with what is wrong with the claims.

use std::collections::hash_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};

use super::router::App;
use super::table::Table;
use super::{DatabaseRule, RuleError, Unreachable};
use crate::{Alias, AppLabel, Operation, Operations, Place};

/// The apps and who claims them, gathered in file order.
pub(super) struct Claims<'a> {
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
    pub(super) fn new(
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
    pub(super) fn add(&mut self, database: usize, position: usize, errors: &mut Vec<RuleError>) {
        let rule = &self.databases[database];
        let claim = (database, position);
        let index = self.index_of(&rule.apps[position].0);
        let own = self.apps[index].claims.last().filter(|(claiming, _)| *claiming == database);
        if let Some(own) = own {
            errors.push(self.claimed_twice(*own, claim, rule.claimed()));
            return;
        }
        self.apps[index].claims.push(claim);

        let mut is_reached = false;
        let mut claimed_before: Vec<((usize, usize), Operations)> = Vec::new();
        for operation in rule.decides().iter() {
            let first = &mut self.first[index][operation as usize];
            match *first {
                None => {
                    *first = Some(claim);
                    is_reached |= operation != Operation::Migrate;
                }
                Some(first) => match claimed_before.iter_mut().find(|(other, _)| *other == first) {
                    Some((_, operations)) => *operations = operations.with(operation),
                    None => claimed_before.push((first, Operations::none().with(operation))),
                },
            }
        }
        is_reached |= self.aim(index, database) && !migrates_nowhere(rule);

        for (first, operations) in &claimed_before {
            errors.push(self.claimed_twice(*first, claim, *operations));
        }
        // What a replica claims beyond reading is wrong already.
        let is_wrong = rule.claimed() != rule.decides();
        if !is_reached && claimed_before.is_empty() && !is_wrong {
            errors.push(self.never_reached(index, claim));
        }
    }

    /// Lets a claim say where the app's migrations run, and whether it is the first to do so.
    fn aim(&mut self, index: usize, database: usize) -> bool {
        let rule = &self.databases[database];
        let target = match &rule.migrate_to {
            _ if rule.replica_of.is_some() => return false,
            Some(alias) => self.by_alias.get(alias).copied().unwrap_or(database),
            None if rule.claimed().contains(Operation::Migrate) => database,
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
            position: second.1,
            first_position: first.1,
        }
    }

    fn never_reached(&self, index: usize, claim: (usize, usize)) -> RuleError {
        let rule = &self.databases[claim.0];
        let app = &self.apps[index];
        let sends = rule.migrate_to.is_some() && rule.replica_of.is_none();
        let why = match app.target {
            _ if rule.decides() == Operations::none() && !sends => Unreachable::NoOperation,
            _ if migrates_nowhere(rule) => Unreachable::MayNotMigrate,
            Some((target, Some(by))) => {
                let first = app.claims.iter().find(|(database, _)| *database == by);
                Unreachable::Shadowed {
                    by: self.databases[by].alias.clone(),
                    target: self.databases[target].alias.clone(),
                    by_place: first.and_then(|first| self.place(*first)),
                    by_position: first.map_or(0, |(_, position)| *position),
                }
            }
            _ => Unreachable::Unmanaged,
        };
        RuleError::NeverReached {
            app: app.label.clone(),
            alias: rule.alias.clone(),
            place: self.place(claim),
            position: claim.1,
            why,
        }
    }

    /// What the router keeps, once nothing is wrong.
    pub(super) fn finish(mut self, default: &Alias) -> (Vec<App>, FxHashMap<AppLabel, usize>, Table) {
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

/// Whether a database would run the migrations of its apps itself, and may run none.
fn migrates_nowhere(rule: &DatabaseRule) -> bool {
    rule.migrate == Some(false) && rule.migrate_to.is_none()
}
