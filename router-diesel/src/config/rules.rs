//! The rules of a configuration, as the judge of rules takes them.

use router_core::{DatabaseRule, RuleError, RuleRouter};

use super::model::{Config, Database};

impl Config {
    /// Compiles the rules. When a file is loaded, the same judge sees the rules of the file. The model only writes down
    /// the defaults that the judge assumes, so this fails only if a program has changed the model.
    pub(crate) fn rules(&self) -> Result<RuleRouter, Vec<RuleError>> {
        let rules = self.databases.iter().map(rule);
        let unmanaged = self.apps.iter().filter(|app| !app.managed).map(|app| app.label.clone());
        RuleRouter::compile(self.default.clone(), rules, unmanaged)
    }
}

fn rule(database: &Database) -> DatabaseRule {
    let mut rule = DatabaseRule::new(database.alias.clone())
        .apps(database.apps.iter().cloned())
        .operations(database.operations)
        .place(database.place.clone());
    rule.migrate_to.clone_from(&database.migrate_to);
    rule.migration_history.clone_from(&database.migration_history);
    rule.replica_of.clone_from(&database.replica_of);
    rule.migrate = Some(database.migrate);
    rule
}
