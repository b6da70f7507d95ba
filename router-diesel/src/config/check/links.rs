//! Checks what databases say of each other.

use std::path::PathBuf;

use router_core::{Alias, Operation};
use rustc_hash::FxHashMap;

use super::{Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::model::Database;
use crate::config::node::Mark;
use crate::engine::DatabaseUrl;

type Index = FxHashMap<Alias, usize>;

impl Checker<'_> {
    /// Every alias that a database names exists, and is of use there.
    pub(super) fn links(&mut self, databases: &[Database], index: &Index) {
        let find = |alias: &Alias| index.get(alias).map(|index| &databases[*index]);
        for database in databases {
            for (key, alias) in [
                ("replica_of", &database.replica_of),
                ("migrate_to", &database.migrate_to),
                ("migration_history", &database.migration_history),
            ] {
                let Some(alias) = alias else { continue };
                let mark = self.mark(database, key);
                if !self.entries.contains_key(alias.as_str()) {
                    self.unknown_alias(key, alias.as_str(), mark);
                }
                // A database that is there but wrong has been told of.
                let Some(target) = find(alias) else { continue };
                match key {
                    "replica_of" => self.replica_of(database, target, mark),
                    "migrate_to" => self.migrate_to(database, target, mark),
                    _ => self.migration_history(target, mark),
                }
            }
        }
        self.cycles(databases, index, "replica_of", Code::ReplicaCycle, |database| {
            database.replica_of.as_ref()
        });
        self.cycles(databases, index, "migrate_to", Code::MigrateCycle, |database| {
            database.migrate_to.as_ref()
        });
    }

    fn mark(&self, database: &Database, key: &str) -> Mark {
        self.entries.get(database.alias.as_str()).map_or(Mark::default(), |entry| mark_of(&entry.node, key))
    }

    fn declared(&self, database: &Database) -> Mark {
        self.entries.get(database.alias.as_str()).map_or(Mark::default(), |entry| entry.mark)
    }

    fn replica_of(&mut self, replica: &Database, primary: &Database, mark: Mark) {
        // A replica of itself is a circle, which is told of elsewhere; so is one of two.
        let back = primary.replica_of.as_ref().is_some_and(|alias| *alias == replica.alias);
        if primary.is_replica() && replica.alias != primary.alias && !back {
            let message =
                format!("`{}` follows `{}`, which is a replica itself", replica.alias, primary.alias);
            self.tell(
                Draft::new(Code::ReplicaOfReplica, message)
                    .at(mark, "this is no primary")
                    .also(self.mark(primary, "replica_of"), "here it is made a replica")
                    .help("name the primary that both follow"),
            );
        }
        if primary.url.engine() != replica.url.engine() {
            let (engine, other) = (replica.url.engine(), primary.url.engine());
            let message = format!(
                "`{}` is of {engine} and cannot follow `{}` of {other}",
                replica.alias, primary.alias
            );
            self.tell(
                Draft::new(Code::EngineMismatch, message)
                    .at(mark, format!("a replica of {engine} follows one of {other}"))
                    .also(self.declared(primary), "this is the primary"),
            );
        }
    }

    fn migrate_to(&mut self, database: &Database, target: &Database, mark: Mark) {
        let reason = if target.is_replica() {
            Some(("replica_of", "it is a replica"))
        } else if !target.migrate {
            Some(("migrate", "no migration may run there"))
        } else if !target.operations.contains(Operation::Migrate) {
            Some(("operations", "its operations lack `migrate`"))
        } else {
            None
        };
        if let Some((key, reason)) = reason {
            self.tell(
                Draft::new(
                    Code::MigrateToForbidden,
                    format!("no migrations can be sent to `{}`", target.alias),
                )
                .at(mark, reason)
                .also(self.mark(target, key), "because of this")
                .help("send them to a database that may migrate"),
            );
        } else if elsewhere(database, target) {
            let message = format!("`{}` reads from where its tables are not", database.alias);
            self.tell(
                Draft::new(Code::MigratesElsewhere, message)
                    .at(mark, format!("the tables are made in {}", target.url))
                    .also(self.declared(database), format!("and are looked for in {}", database.url))
                    .help(
                        "`migrate_to` is for one database under two aliases; to keep only the records elsewhere, \
                         write `migration_history`",
                    )
                    .note(),
            );
        }
    }

    fn migration_history(&mut self, target: &Database, mark: Mark) {
        if target.is_replica() {
            self.tell(
                Draft::new(
                    Code::Misplaced,
                    format!("no records can be kept on the replica `{}`", target.alias),
                )
                .at(mark, "a replica cannot be written")
                .also(self.mark(target, "replica_of"), "here it is made a replica"),
            );
        }
    }

    /// Tells once of every circle. Each database names at most one other, so that walks which stop
    /// where one has been before visit each of them once.
    fn cycles(
        &mut self,
        databases: &[Database],
        index: &Index,
        key: &str,
        code: Code,
        next: impl Fn(&Database) -> Option<&Alias>,
    ) {
        let mut walks = vec![None; databases.len()];
        for start in 0..databases.len() {
            let mut path = Vec::new();
            let mut at = start;
            let back = loop {
                if let Some(walk) = walks[at] {
                    break (walk == start).then_some(at);
                }
                walks[at] = Some(start);
                path.push(at);
                match next(&databases[at]).and_then(|alias| index.get(alias)) {
                    Some(following) => at = *following,
                    None => break None,
                }
            };
            let Some(first) = back.and_then(|back| path.iter().position(|at| *at == back)) else { continue };
            let circle = &path[first..];
            let mut names: Vec<&str> = circle.iter().map(|at| databases[*at].alias.as_str()).collect();
            names.push(names[0]);
            let mark = self.mark(&databases[circle[0]], key);
            let draft = Draft::new(code, format!("`{key}` leads in a circle: `{}`", names.join("` → `")));
            let draft = match circle.get(1) {
                Some(second) => {
                    draft.at(mark, "from here").also(self.mark(&databases[*second], key), "and on from here")
                }
                None => draft.at(mark, "this is the database itself"),
            };
            self.tell(draft);
        }
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
