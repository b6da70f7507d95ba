//! Checks one database at a time.

use std::time::Duration;

use router_core::{Alias, AppLabel, DatabaseRule, Operation, Operations, RuleKey};
use rustc_hash::FxHashMap;

use super::pool::Least;
use super::{Apps, Checker, element_of, is_name, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::env::Variables;
use crate::config::file::DatabaseSection;
use crate::config::model::{Database, HealthSettings, Offline, Policy, PoolSettings, PrimaryReads};
use crate::config::node::{Entry, Mark, Node};
use crate::config::read::list;
use crate::config::values::{OneOrMany, Setting};
use crate::engine::{Calls, Hooks};

/// A schedule of weighted turns has as many as the weights add up to, so they are no larger than per cents.
const LARGEST_WEIGHT: u32 = 100;

/// Lag is measured four times within its limit, and no node is asked more often than every 50 ms.
const SHORTEST_LAG: Duration = Duration::from_millis(200);

/// How long Rails keeps a user's reads on the primary after a write.
const PRIMARY_WINDOW: Duration = Duration::from_secs(2);

/// What is said of a cluster as a whole, on its primary.
pub(super) const CLUSTER_KEYS: [&str; 6] =
    ["policy", "primary_reads", "wait_for_replica", "primary_window", "health", "offline"];

const PRIMARY_READS: [(&str, PrimaryReads); 3] =
    [("never", PrimaryReads::Never), ("fallback", PrimaryReads::Fallback), ("always", PrimaryReads::Always)];

const OFFLINE: [(&str, Offline); 2] = [("primary", Offline::Primary), ("replicas", Offline::Replicas)];

impl<'a> Checker<'a> {
    /// What a database says of rules, and the database itself. Returns no database if it has no URL or is no map, and
    /// reports that. The judge of rules needs no URL, so it sees the rules either way.
    pub(super) fn database(
        &mut self,
        apps: &mut Apps,
        entry: &'a Entry,
        section: Setting<DatabaseSection>,
    ) -> (DatabaseRule, Option<Database>) {
        if !is_name(&entry.key) {
            self.tell(
                Draft::new(Code::BadName, format!("`{}` cannot be the alias of a database", entry.key))
                    .at(entry.mark, "aliases have letters, digits, `_`, `-` and dots between them"),
            );
        }
        let section = match section {
            Setting::Wrong => return (DatabaseRule::new(entry.key.as_str()), None),
            section => section.take().unwrap_or_default(),
        };
        let rule = self.rule(apps, entry, &section);
        let database = self.model(entry, section, &rule);
        (rule, database)
    }

    /// What a database says of rules.
    fn rule(&mut self, apps: &mut Apps, entry: &'a Entry, section: &DatabaseSection) -> DatabaseRule {
        let mut rule = DatabaseRule::new(entry.key.as_str());
        rule.apps =
            self.claimed_apps(apps, entry, &section.apps).into_iter().map(|app| (app, None)).collect();
        rule.operations = self.operations(entry, &section.operations);
        if matches!(section.migrate_to, Setting::Wrong) {
            self.doubts.insert((&entry.key, RuleKey::MigrateTo));
        }
        rule.migrate_to = section.migrate_to.get().map(|alias| Alias::from(alias.as_str()));
        rule.migration_history = section.migration_history.get().map(|alias| Alias::from(alias.as_str()));
        rule.replica_of = section.replica_of.get().map(|alias| Alias::from(alias.as_str()));
        rule.migrate = section.migrate.get().copied();
        rule
    }

    /// The database as the checked model has it.
    fn model(&mut self, entry: &Entry, section: DatabaseSection, rule: &DatabaseRule) -> Option<Database> {
        let node = &entry.node;
        let url = self.url(entry, &section);
        let password_file = self.password_file(entry, &section, url.as_ref());
        let is_replica = !section.replica_of.is_absent();
        if is_replica {
            for key in CLUSTER_KEYS.into_iter().filter(|key| node.entry(key).is_some()) {
                self.misplaced(node, key, "this is for the whole cluster", "put it on the primary");
            }
        } else if section.max_lag.get().is_some() {
            self.misplaced(node, "max_lag", "only a replica lags behind", "put it on the replicas");
        }
        let usual = if is_replica { Operations::none().with(Operation::Read) } else { Operations::all() };
        let policy = self.word(node, "policy", &section.policy, Policy::WORDS).unwrap_or_default();
        let primary_reads =
            self.word(node, "primary_reads", &section.primary_reads, &PRIMARY_READS).unwrap_or_default();
        let offline = self.word(node, "offline", &section.offline, &OFFLINE);
        let pool = match section.pool.get() {
            Some(pool) => self.pool(node.entry("pool"), pool),
            None => PoolSettings::default(),
        };
        let weight = self.weight(node, &section.weight);
        let max_lag = self.length(node, "max_lag", &section.max_lag, Least::Of(SHORTEST_LAG));
        let primary_window = self.length(node, "primary_window", &section.primary_window, Least::Zero);
        let health = match section.health.get() {
            Some(health) => self.health(node.entry("health"), health),
            None => HealthSettings::default(),
        };
        let wait_for_replica = self.length(node, "wait_for_replica", &section.wait_for_replica, Least::Zero);
        Some(Database {
            alias: rule.alias.clone(),
            url: url?,
            password_file,
            apps: rule.apps.iter().map(|(app, _)| app.clone()).collect(),
            operations: rule.operations.unwrap_or(usual),
            migrate_to: rule.migrate_to.clone(),
            migration_history: rule.migration_history.clone(),
            migrate: rule.migrate.unwrap_or(!is_replica),
            replica_of: rule.replica_of.clone(),
            weight,
            policy,
            primary_reads,
            max_lag,
            wait_for_replica,
            primary_window: primary_window.unwrap_or(PRIMARY_WINDOW),
            health,
            read_only: section.read_only.take().unwrap_or(false),
            offline,
            seeds: section.seeds.take().map(Into::into),
            pool,
            place: self.place(entry.mark),
            hooks: Hooks::default(),
            calls: Calls::default(),
        })
    }

    /// The apps that a database claims, in the order of its list.
    fn claimed_apps(
        &mut self,
        apps: &mut Apps,
        entry: &'a Entry,
        names: &Setting<OneOrMany>,
    ) -> Vec<AppLabel> {
        let listed = names.get().map_or(0, OneOrMany::len);
        let mut claimed = Vec::with_capacity(listed);
        let mut elements = Vec::with_capacity(listed);
        for (index, name) in names.get().into_iter().flat_map(OneOrMany::iter) {
            let mark = element_of(&entry.node, "apps", index);
            let Some(app) = self.claimed(apps, name, mark) else { continue };
            claimed.push(apps.list[app].label.clone());
            elements.push(index);
        }
        if matches!(names, Setting::Wrong) || claimed.len() < listed {
            self.doubts.insert((&entry.key, RuleKey::Apps));
            self.elements.insert(&entry.key, elements);
        }
        claimed
    }

    /// The operations that are listed; nothing where the file says nothing of them.
    fn operations(&mut self, entry: &'a Entry, names: &Setting<OneOrMany>) -> Option<Operations> {
        let node = &entry.node;
        let mut operations = Operations::none();
        let mut is_doubtful = matches!(names, Setting::Wrong);
        for (index, name) in names.get().into_iter().flat_map(OneOrMany::iter) {
            let mark = element_of(node, "operations", index);
            match name.parse::<Operation>() {
                Ok(operation) if operations.contains(operation) => self.tell(
                    Draft::new(Code::Repeated, format!("`{name}` stands twice in the list"))
                        .at(mark, "again here"),
                ),
                Ok(operation) => operations = operations.with(operation),
                Err(_) => {
                    is_doubtful = true;
                    let all: Vec<&str> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
                    self.tell(
                        Draft::new(Code::UnknownOperation, format!("unknown operation `{name}`"))
                            .at(mark, "not an operation")
                            .help(format!("the operations are {}", list(&all)))
                            .did_you_mean(name, all.iter().copied()),
                    );
                }
            }
        }
        is_doubtful |= names.get().is_some_and(|names| names.iter().count() < names.len());
        if is_doubtful {
            self.doubts.insert((&entry.key, RuleKey::Operations));
        }
        (!names.is_absent()).then_some(operations)
    }

    fn weight(&mut self, node: &Node, weight: &Setting<u32>) -> u32 {
        let weight = self.at_least_one(node, "weight", weight).unwrap_or(1);
        if weight > LARGEST_WEIGHT {
            self.tell(
                Draft::new(Code::BadNumber, "`weight` is too large")
                    .at(mark_of(node, "weight"), format!("at most {LARGEST_WEIGHT}"))
                    .help("weights are shares: 3 and 1 say the same as 3000 and 1000"),
            );
        }
        weight
    }

    fn misplaced(&mut self, node: &Node, key: &str, label: &str, help: &str) {
        let mark = node.entry(key).map(|entry| entry.mark).unwrap_or_default();
        self.tell(
            Draft::new(Code::Misplaced, format!("`{key}` means nothing here")).at(mark, label).help(help),
        );
    }

    /// No two aliases share the variable of their URLs. The judge of rules has found those that differ only in case.
    pub(super) fn alike(&mut self, entries: &[Entry]) {
        let mut seen: FxHashMap<String, &Entry> = FxHashMap::default();
        for entry in entries.iter().filter(|entry| is_name(&entry.key)) {
            let variable = Variables::url_name(None, &entry.key);
            let Some(first) = seen.get(&variable) else {
                seen.insert(variable, entry);
                continue;
            };
            let (one, other) = (&first.key, &entry.key);
            if self.same_but_case.contains(other.as_str()) || !one.is_ascii() || !other.is_ascii() {
                continue;
            }
            let variable = Variables::url_name(self.env_prefix.as_deref(), other);
            let message = format!("`{other}` and `{one}` share the variable `{variable}`");
            let draft = self.alike_aliases(message, other, one);
            self.tell(draft);
        }
    }

    /// Two aliases that could be mistaken for each other.
    pub(super) fn alike_aliases(&self, message: String, later: &str, earlier: &str) -> Draft {
        let mark = |alias: &str| self.entries.get(alias).map_or(Mark::default(), |entry| entry.mark);
        Draft::new(Code::SameButCase, message)
            .at(mark(later), format!("`{later}` here"))
            .also(mark(earlier), format!("`{earlier}` here"))
            .help("give them names that differ in more")
    }
}
