//! Notes on what is said of clusters and has no effect.

use router_core::Alias;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::databases::CLUSTER_KEYS;
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::model::{Database, Offline, Policy, PrimaryReads};

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
            } else if matches!(primary.policy, Policy::RoundRobin | Policy::Random) {
                let label = format!("the policy of `{}` treats all replicas alike", primary.alias);
                let help = format!("write `policy: weighted` on `{}`", primary.alias);
                self.no_effect(database, "weight", &label, Some(&help));
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
