//! Checks what databases say of each other.

use std::path::PathBuf;

use router_core::Alias;
use rustc_hash::FxHashMap;

use super::Checker;
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::model::Database;
use crate::engine::DatabaseUrl;

type Index = FxHashMap<Alias, usize>;

impl Checker<'_> {
    /// What two databases say of each other in their URLs. The rules are [judged](Self::judge) elsewhere.
    pub(super) fn links(&mut self, databases: &[Database], index: &Index) {
        let find = |alias: Option<&Alias>| index.get(alias?).map(|index| &databases[*index]);
        for database in databases {
            if let Some(primary) = find(database.replica_of.as_ref()) {
                self.same_engine(database, primary);
            } else if let Some(target) = find(database.migrate_to.as_ref()) {
                self.same_place(database, target);
            }
        }
    }

    fn same_engine(&mut self, replica: &Database, primary: &Database) {
        let (engine, other) = (replica.url.engine(), primary.url.engine());
        if engine == other {
            return;
        }
        let message =
            format!("`{}` is of {engine} and cannot follow `{}` of {other}", replica.alias, primary.alias);
        self.tell(
            Draft::new(Code::EngineMismatch, message)
                .at(
                    self.setting(&replica.alias, "replica_of"),
                    format!("a replica of {engine} follows one of {other}"),
                )
                .also(self.declared(&primary.alias), "this is the primary"),
        );
    }

    fn same_place(&mut self, database: &Database, target: &Database) {
        // Where no migrations can be sent, it does not matter how far.
        if self.nowhere.contains(&database.alias) || !elsewhere(database, target) {
            return;
        }
        let message = format!("`{}` reads from where its tables are not", database.alias);
        self.tell(
            Draft::new(Code::MigratesElsewhere, message)
                .at(
                    self.setting(&database.alias, "migrate_to"),
                    format!("the tables are made in {}", target.url),
                )
                .also(self.declared(&database.alias), format!("and are looked for in {}", database.url))
                .help(
                    "`migrate_to` is for one database under two aliases; to keep only the records elsewhere, \
                     write `migration_history`",
                )
                .note(),
        );
    }
}

/// Whether two databases are provably not one: of two engines, or in two files.
fn elsewhere(one: &Database, other: &Database) -> bool {
    one.url.engine() != other.url.engine() || file(&one.url) != file(&other.url)
}

/// The full path of a database's file, on an engine that keeps a database in one.
fn file(url: &DatabaseUrl) -> Option<PathBuf> {
    let path = url.file()?;
    Some(std::path::absolute(&path).unwrap_or(path))
}
