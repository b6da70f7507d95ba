//! What is said of clusters and pools and has no effect, which only shows when all databases are known.

use router_core::Alias;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::databases::CLUSTER_KEYS;
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::model::{Database, Offline, PrimaryReads, Weights};

impl Checker<'_> {
    /// Tells of settings of clusters that change nothing where they stand. Another environment may have the replicas
    /// that they are for, so that these are notes.
    pub(super) fn clusters(&mut self, databases: &[Database], index: &FxHashMap<Alias, usize>) {
        let primaries: FxHashSet<&Alias> =
            databases.iter().filter_map(|database| database.replica_of.as_ref()).collect();
        for database in databases {
            let primary = match &database.replica_of {
                Some(alias) => index.get(alias).map(|index| &databases[*index]),
                None => Some(database),
            };
            let Some(primary) = primary else { continue };
            let alone = !primaries.contains(&primary.alias);
            if alone {
                let has_effect = |key: &str| key == "offline" && database.offline == Some(Offline::Primary);
                for key in CLUSTER_KEYS.into_iter().chain(["weight"]).filter(|key| !has_effect(key)) {
                    self.no_effect(database, key, "it has no replica", None);
                }
            } else if !database.is_replica() && database.primary_reads != PrimaryReads::Always {
                let help = "write `primary_reads: always` for reads that it shares with its replicas";
                self.no_effect(
                    database,
                    "weight",
                    "the primary is not among the targets of reads",
                    Some(help),
                );
            } else if primary.policy.weights() == Weights::DoNotCount {
                let label = format!("the policy of `{}` treats all replicas alike", primary.alias);
                let help = format!("write `policy: weighted` on `{}`", primary.alias);
                self.no_effect(database, "weight", &label, Some(&help));
            }
        }
    }

    /// Tells of settings that an engine, or what stands in front of it, makes nothing of.
    pub(super) fn by_engine(&mut self, databases: &[Database]) {
        for database in databases {
            let Some(entry) = self.entries.get(database.alias.as_str()) else { continue };
            let max_lag = entry.node.entry("max_lag").map(|setting| setting.mark);
            let pool = entry.node.entry("pool");
            let timeout =
                pool.and_then(|pool| pool.node.entry("statement_timeout")).map(|setting| setting.mark);
            let spec = database.url.engine().spec();
            if let Some(mark) = max_lag.filter(|_| database.is_replica() && !spec.has_positions()) {
                let message = format!("`max_lag` of `{}` keeps it from ever serving", database.alias);
                let title = spec.title();
                let label =
                    format!("{title} does not say how far a copy is, and what is not known is too much");
                let help = "remove it; `primary_window` on the primary keeps reads there after a write";
                self.tell(Draft::new(Code::NoEffect, message).at(mark, label).help(help).note());
            }
            let help = spec.timeout_behind_pooler().filter(|_| !database.pool.prepared_statements);
            if let (Some(mark), Some(help)) = (timeout, help) {
                let message = format!("`statement_timeout` of `{}` has no effect", database.alias);
                let label = "with `prepared_statements: false` nothing is set on a connection";
                self.tell(Draft::new(Code::NoEffect, message).at(mark, label).help(help).note());
            }
        }
    }

    fn no_effect(&mut self, database: &Database, key: &str, label: &str, help: Option<&str>) {
        let entry = self.entries.get(database.alias.as_str()).and_then(|entry| entry.node.entry(key));
        let Some(entry) = entry else { return };
        let message = format!("`{key}` of `{}` has no effect", database.alias);
        let mut draft = Draft::new(Code::NoEffect, message).at(entry.mark, label).note();
        if let Some(help) = help {
            draft = draft.help(help);
        }
        self.tell(draft);
    }
}
