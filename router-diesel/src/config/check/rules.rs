//! Asks the one judge of rules, and turns each of its answers into a problem of the file.
//!
//! Only `router_core` knows what a rule means. This file gives its answers their codes, places and words.

use router_core::{Alias, DatabaseRule, NoMigration, RuleError, RuleKey, RuleRouter};

use super::{Apps, Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::node::{Mark, Node, Value};
use crate::config::problem::Severity;
use crate::config::values::Setting;

impl Checker<'_> {
    /// Asks the judge about the rules, and reports everything that is wrong. Returns the rules if they are valid.
    pub(super) fn judge(
        &mut self,
        root: &Node,
        named: &Setting<String>,
        default: &Alias,
        rules: Vec<DatabaseRule>,
        apps: &Apps,
    ) -> Option<RuleRouter> {
        let unmanaged = apps.list.iter().filter(|app| !app.managed).map(|app| app.label.clone());
        let errors = match RuleRouter::compile(default.clone(), rules, unmanaged) {
            Ok(rules) => return Some(rules),
            Err(errors) => errors,
        };
        // The checker has already reported the mistake from which these errors follow.
        let (follows, own): (Vec<RuleError>, Vec<RuleError>) =
            errors.into_iter().partition(|error| self.follows(error, root, named));
        for error in &own {
            let draft = self.draft(error, root, apps);
            self.tell(draft);
        }
        // If it has reported none, a file with wrong rules still must not load.
        if self.problems.iter().all(|problem| problem.severity != Severity::Error) {
            for error in &follows {
                let draft = self.draft(error, root, apps);
                self.tell(draft);
            }
        }
        None
    }

    /// Whether an answer says that something is missing which the file only writes wrongly.
    fn follows(&self, error: &RuleError, root: &Node, named: &Setting<String>) -> bool {
        let is_doubtful = |alias: &Alias, keys: &[RuleKey]| {
            keys.iter().any(|key| self.doubts.contains(&(alias.as_str(), *key)))
        };
        match error {
            RuleError::UnknownDefault { .. } => {
                let is_map = |node: &Node| matches!(node.value, Value::Map(_) | Value::Null);
                named.get().is_none() || root.entry("databases").is_some_and(|entry| !is_map(&entry.node))
            }
            RuleError::DefaultIsReplica { .. } => matches!(named, Setting::Wrong),
            RuleError::TargetMayNotMigrate { migrate_to, why: NoMigration::Operations, .. } => {
                is_doubtful(migrate_to, &[RuleKey::Operations])
            }
            RuleError::NothingToSend { alias, .. } => is_doubtful(alias, &[RuleKey::Apps]),
            RuleError::NothingToRecord { alias, why, .. } => {
                is_doubtful(alias, &[RuleKey::MigrateTo])
                    || *why == NoMigration::Operations && is_doubtful(alias, &[RuleKey::Operations])
            }
            RuleError::AllowsNothing { alias, .. } => is_doubtful(alias, &[RuleKey::Operations]),
            RuleError::NeverReached { alias, .. } => {
                is_doubtful(alias, &[RuleKey::Operations, RuleKey::MigrateTo])
            }
            RuleError::DuplicateAlias { .. }
            | RuleError::SameButForCase { .. }
            | RuleError::UnknownPrimary { .. }
            | RuleError::ReplicaOfItself { .. }
            | RuleError::ReplicaOfReplica { .. }
            | RuleError::ReplicaCycle { .. }
            | RuleError::ReplicaClaims { .. }
            | RuleError::ReplicaMigrates { .. }
            | RuleError::UnknownTarget { .. }
            | RuleError::TargetMayNotMigrate { .. }
            | RuleError::MigrateCycle { .. }
            | RuleError::UnknownHistory { .. }
            | RuleError::HistoryOnReplica { .. }
            | RuleError::ClaimedTwice { .. } => false,
        }
    }

    /// An answer of the judge with its code, its places and its words.
    fn draft(&mut self, error: &RuleError, root: &Node, apps: &Apps) -> Draft {
        match error {
            RuleError::UnknownDefault { alias } => {
                self.unknown_alias("default", alias.as_str(), mark_of(root, "default"))
            }
            RuleError::DefaultIsReplica { alias, .. } => self.default_is_replica(alias, root),
            RuleError::DuplicateAlias { alias, .. } => {
                Draft::new(Code::DuplicateKey, format!("`{alias}` stands twice"))
                    .at(self.declared(alias), "again here")
                    .help("remove one of the two")
            }
            RuleError::SameButForCase { alias, other, .. } => {
                self.same_but_case.insert(alias.clone());
                let message = format!("`{alias}` and `{other}` differ only in case");
                self.alike_aliases(message, alias.as_str(), other.as_str())
            }
            RuleError::AllowsNothing { alias, .. } => self.allows_nothing(alias),
            RuleError::UnknownPrimary { alias, replica_of, .. } => {
                self.unknown(alias, "replica_of", replica_of)
            }
            RuleError::ReplicaOfItself { alias, .. } => {
                self.circle(Code::ReplicaCycle, "replica_of", alias, &[])
            }
            RuleError::ReplicaCycle { alias, others, .. } => {
                self.circle(Code::ReplicaCycle, "replica_of", alias, others)
            }
            RuleError::ReplicaOfReplica { alias, replica_of, .. } => {
                self.replica_of_replica(alias, replica_of)
            }
            RuleError::ReplicaClaims { alias, key, .. } | RuleError::ReplicaMigrates { alias, key, .. } => {
                self.more_than_reading(alias, *key)
            }
            RuleError::UnknownTarget { alias, migrate_to, .. } => {
                self.unknown(alias, "migrate_to", migrate_to)
            }
            RuleError::TargetMayNotMigrate { alias, migrate_to, why, .. } => {
                self.nowhere.insert(alias.clone());
                self.may_not_migrate(alias, migrate_to, *why)
            }
            RuleError::MigrateCycle { alias, others, .. } => {
                self.circle(Code::MigrateCycle, "migrate_to", alias, others)
            }
            RuleError::NothingToSend { alias, .. } => self.nothing_to_send(alias),
            RuleError::UnknownHistory { alias, migration_history, .. } => {
                self.unknown(alias, "migration_history", migration_history)
            }
            RuleError::HistoryOnReplica { alias, migration_history, .. } => {
                self.history_on_replica(alias, migration_history)
            }
            RuleError::NothingToRecord { alias, why, .. } => self.nothing_to_record(alias, *why),
            RuleError::ClaimedTwice { app, operations, first, first_position, alias, position, .. } => {
                let (first, again) = ((first, *first_position), (alias, *position));
                self.claimed_twice(app, *operations, first, again)
            }
            RuleError::NeverReached { app, alias, position, why, .. } => {
                self.never_reached(apps, app, (alias, *position), why)
            }
        }
    }

    /// The place of a setting of a database, or nothing where it is not there.
    pub(super) fn setting(&self, alias: &Alias, key: &str) -> Mark {
        self.entries.get(alias.as_str()).map_or(Mark::default(), |entry| mark_of(&entry.node, key))
    }

    /// The place where a database is declared.
    pub(super) fn declared(&self, alias: &Alias) -> Mark {
        self.entries.get(alias.as_str()).map_or(Mark::default(), |entry| entry.mark)
    }

    fn unknown(&mut self, alias: &Alias, key: &str, named: &Alias) -> Draft {
        let mark = self.setting(alias, key);
        self.unknown_alias(key, named.as_str(), mark)
    }

    fn default_is_replica(&self, alias: &Alias, root: &Node) -> Draft {
        let replica_of = self.setting(alias, "replica_of");
        let draft =
            Draft::new(Code::DefaultIsReplica, format!("the default database `{alias}` is a replica"));
        let named = mark_of(root, "default");
        if named == Mark::default() {
            draft
                .at(replica_of, "what no rule claims would be written here")
                .help("name its primary as the `default` of the file")
        } else {
            draft
                .at(named, "what no rule claims would be written here")
                .also(replica_of, "here it is made a replica")
                .help("name the primary")
        }
    }

    pub(super) fn allows_nothing(&self, alias: &Alias) -> Draft {
        Draft::new(Code::NoOperations, "`operations` allows nothing")
            .at(self.setting(alias, "operations"), "this list is empty")
            .help("list `read`, `write` or `migrate`, or leave `operations` out for all three")
    }

    fn circle(&self, code: Code, key: &str, first: &Alias, others: &[Alias]) -> Draft {
        let circle = [first].into_iter().chain(others).chain([first]);
        let names: Vec<&str> = circle.map(Alias::as_str).collect();
        let mark = self.setting(first, key);
        let draft = Draft::new(code, format!("`{key}` leads in a circle: `{}`", names.join("` → `")));
        match others.first() {
            Some(second) => draft.at(mark, "from here").also(self.setting(second, key), "and on from here"),
            None => draft.at(mark, "this is the database itself"),
        }
    }

    fn replica_of_replica(&self, replica: &Alias, primary: &Alias) -> Draft {
        let message = format!("`{replica}` follows `{primary}`, which is a replica itself");
        Draft::new(Code::ReplicaOfReplica, message)
            .at(self.setting(replica, "replica_of"), "this is no primary")
            .also(self.setting(primary, "replica_of"), "here it is made a replica")
            .help("name the primary that both follow")
    }

    fn more_than_reading(&self, replica: &Alias, key: RuleKey) -> Draft {
        let help = match key {
            RuleKey::Migrate | RuleKey::MigrateTo | RuleKey::MigrationHistory => {
                format!("put `{}` on the primary", key.as_str())
            }
            RuleKey::Apps | RuleKey::Operations => {
                "write `operations: [read]`, or let the primary claim the apps".to_owned()
            }
        };
        Draft::new(Code::ReplicaClaims, format!("the replica `{replica}` can only be read"))
            .at(self.setting(replica, key.as_str()), "this is more than reading")
            .also(self.setting(replica, "replica_of"), "here it is made a replica")
            .help(help)
    }

    fn may_not_migrate(&self, alias: &Alias, target: &Alias, why: NoMigration) -> Draft {
        let (key, reason) = match why {
            NoMigration::Replica => ("replica_of", "it is a replica"),
            NoMigration::Forbidden => ("migrate", "no migration may run there"),
            NoMigration::Operations => ("operations", "its operations lack `migrate`"),
        };
        Draft::new(Code::MigrateToForbidden, format!("no migrations can be sent to `{target}`"))
            .at(self.setting(alias, "migrate_to"), reason)
            .also(self.setting(target, key), "because of this")
            .help("send them to a database that may migrate")
    }

    fn nothing_to_send(&self, alias: &Alias) -> Draft {
        Draft::new(Code::Unreachable, format!("`{alias}` has no migrations to send elsewhere"))
            .at(self.setting(alias, "migrate_to"), "this moves the migrations of the claimed apps")
            .also(self.declared(alias), "this database claims no app")
            .help("list the apps under `apps`")
    }

    fn history_on_replica(&self, alias: &Alias, replica: &Alias) -> Draft {
        Draft::new(Code::Misplaced, format!("no records can be kept on the replica `{replica}`"))
            .at(self.setting(alias, "migration_history"), "a replica cannot be written")
            .also(self.setting(replica, "replica_of"), "here it is made a replica")
    }

    fn nothing_to_record(&self, alias: &Alias, why: NoMigration) -> Draft {
        let (key, reason) = match why {
            NoMigration::Replica => ("replica_of", "but it is a replica"),
            NoMigration::Forbidden => ("migrate", "but none may run here"),
            NoMigration::Operations => ("operations", "but these lack `migrate`"),
        };
        Draft::new(Code::Unreachable, format!("no migration that `{alias}` could record runs there"))
            .at(self.setting(alias, "migration_history"), "says where the records of its migrations go")
            .also(self.setting(alias, key), reason)
            .help("remove one of the two")
    }
}
