//! Checks one database at a time.

use std::time::Duration;

use router_core::{Alias, AppLabel, Operation, Operations};
use rustc_hash::FxHashMap;

use super::pool::Least;
use super::{Apps, Checker, element_of, is_name, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::env::Variables;
use crate::config::file::DatabaseSection;
use crate::config::model::{Database, HealthSettings, Offline, Policy, PoolSettings, PrimaryReads};
use crate::config::node::{Entry, Node};
use crate::config::read::list;
use crate::config::values::{OneOrMany, Setting};

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

impl Checker<'_> {
    /// A database; nothing where it has no URL or is no map, which is then told.
    pub(super) fn database(
        &mut self,
        apps: &mut Apps,
        number: u32,
        entry: &Entry,
        section: Setting<DatabaseSection>,
    ) -> Option<Database> {
        if !is_name(&entry.key) {
            self.tell(
                Draft::new(Code::BadName, format!("`{}` cannot be the alias of a database", entry.key))
                    .at(entry.mark, "aliases have letters, digits, `_`, `-` and dots between them"),
            );
        }
        let section = match section {
            Setting::Wrong => return None,
            section => section.take().unwrap_or_default(),
        };
        let node = &entry.node;
        let url = self.url(entry, &section);
        let claimed = self.claimed_apps(apps, number, node, &section.apps);
        let operations = self.operations(node, &section.operations);
        let is_replica = !section.replica_of.is_absent();
        if is_replica {
            self.replica(entry, &section, operations);
        } else if section.max_lag.get().is_some() {
            self.misplaced(node, "max_lag", "only a replica lags behind", "put it on the replicas");
        }
        self.unreachable(entry, &section, operations.unwrap_or_default());
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
            alias: Alias::from(entry.key.as_str()),
            url: url?,
            apps: claimed,
            operations: operations.unwrap_or(usual),
            migrate_to: section.migrate_to.take().map(Alias::from),
            migration_history: section.migration_history.take().map(Alias::from),
            migrate: section.migrate.take().unwrap_or(!is_replica),
            replica_of: section.replica_of.take().map(Alias::from),
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
        })
    }

    /// The apps that a database claims, each once. Databases are numbered from one.
    fn claimed_apps(
        &mut self,
        apps: &mut Apps,
        number: u32,
        node: &Node,
        names: &Setting<OneOrMany>,
    ) -> Vec<AppLabel> {
        let mut claimed = Vec::new();
        for (index, name) in names.get().into_iter().flat_map(OneOrMany::iter) {
            let mark = element_of(node, "apps", index);
            let Some(app) = self.claimed(apps, name, mark) else { continue };
            let label = apps.list[app].label.clone();
            let (last, first) = apps.claims[app].last;
            if last == number {
                self.tell(
                    Draft::new(Code::Repeated, format!("`{label}` stands twice in the list"))
                        .at(mark, "again here")
                        .also(element_of(node, "apps", first), "first here"),
                );
                continue;
            }
            apps.claims[app].last = (number, index);
            claimed.push(label);
        }
        claimed
    }

    /// The operations that are listed; nothing where none are, or where all of them are wrong.
    fn operations(&mut self, node: &Node, names: &Setting<OneOrMany>) -> Option<Operations> {
        let names = names.get()?;
        if names.is_empty() {
            self.tell(
                Draft::new(Code::NoOperations, "`operations` allows nothing")
                    .at(mark_of(node, "operations"), "this list is empty")
                    .help("list `read`, `write` or `migrate`, or leave `operations` out for all three"),
            );
            return None;
        }
        let mut operations = Operations::none();
        for (index, name) in names.iter() {
            let mark = element_of(node, "operations", index);
            match name.parse::<Operation>() {
                Ok(operation) if operations.contains(operation) => self.tell(
                    Draft::new(Code::Repeated, format!("`{name}` stands twice in the list"))
                        .at(mark, "again here"),
                ),
                Ok(operation) => operations = operations.with(operation),
                Err(_) => {
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
        Some(operations).filter(|operations| *operations != Operations::none())
    }

    /// A replica serves reads, and follows its primary in everything else.
    fn replica(&mut self, entry: &Entry, section: &DatabaseSection, operations: Option<Operations>) {
        let node = &entry.node;
        let changes = |operations: Operations| {
            operations.contains(Operation::Write) || operations.contains(Operation::Migrate)
        };
        let claims_all =
            section.operations.is_absent() && section.apps.get().is_some_and(|apps| !apps.is_empty());
        let wrong = if operations.is_some_and(changes) {
            Some("operations")
        } else if claims_all {
            Some("apps")
        } else {
            ["migrate", "migrate_to", "migration_history"].into_iter().find(|key| match *key {
                "migrate" => section.migrate.get() == Some(&true),
                key => node.entry(key).is_some(),
            })
        };
        if let Some(key) = wrong {
            let message = format!("the replica `{}` can only be read", entry.key);
            let help = match key {
                "migrate" | "migrate_to" | "migration_history" => format!("put `{key}` on the primary"),
                _ => "write `operations: [read]`, or let the primary claim the apps".to_owned(),
            };
            self.tell(
                Draft::new(Code::ReplicaClaims, message)
                    .at(mark_of(node, key), "this is more than reading")
                    .also(mark_of(node, "replica_of"), "here it is made a replica")
                    .help(help),
            );
        }
        for key in CLUSTER_KEYS {
            if node.entry(key).is_some() {
                self.misplaced(node, key, "this is for the whole cluster", "put it on the primary");
            }
        }
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

    /// Rules that nothing can ever come to.
    fn unreachable(&mut self, entry: &Entry, section: &DatabaseSection, operations: Operations) {
        let node = &entry.node;
        let claims_apps = section.apps.get().is_some_and(|apps| !apps.is_empty());
        let no_migrations = section.migrate.get() == Some(&false);
        if section.migrate_to.get().is_some() && !claims_apps && !matches!(section.apps, Setting::Wrong) {
            self.tell(
                Draft::new(Code::Unreachable, format!("`{}` has no migrations to send elsewhere", entry.key))
                    .at(mark_of(node, "migrate_to"), "this moves the migrations of the claimed apps")
                    .also(entry.mark, "this database claims no app")
                    .help("list the apps under `apps`"),
            );
        } else if no_migrations && section.migration_history.get().is_some() {
            self.tell(
                Draft::new(
                    Code::Unreachable,
                    format!("no migration that `{}` could record runs there", entry.key),
                )
                .at(mark_of(node, "migration_history"), "says where the records of its migrations go")
                .also(mark_of(node, "migrate"), "but none may run here"),
            );
        } else if no_migrations && claims_apps && operations == Operations::none().with(Operation::Migrate) {
            self.tell(
                Draft::new(Code::Unreachable, format!("nothing that `{}` claims can come to it", entry.key))
                    .at(mark_of(node, "operations"), "it claims its apps for migrations alone")
                    .also(mark_of(node, "migrate"), "but none may run here"),
            );
        }
    }

    /// No two aliases differ only in case, or share the variable of their URLs.
    pub(super) fn alike(&mut self, entries: &[Entry]) {
        let mut seen: FxHashMap<String, &Entry> = FxHashMap::default();
        for entry in entries {
            let variable = Variables::url_name(None, &entry.key);
            let Some(first) = seen.get(&variable) else {
                seen.insert(variable, entry);
                continue;
            };
            let (one, other) = (&first.key, &entry.key);
            let (message, help) = if one.to_lowercase() == other.to_lowercase() {
                (format!("`{other}` and `{one}` differ only in case"), "give them names that differ in more")
            } else if !one.is_ascii() || !other.is_ascii() {
                continue;
            } else {
                let variable = Variables::url_name(self.env_prefix.as_deref(), other);
                (
                    format!("`{other}` and `{one}` share the variable `{variable}`"),
                    "give them names that differ in more",
                )
            };
            self.tell(
                Draft::new(Code::SameButCase, message)
                    .at(entry.mark, format!("`{other}` here"))
                    .also(first.mark, format!("`{one}` here"))
                    .help(help),
            );
        }
    }
}
