//! Notes on what goes to the default database without anybody having said so.

use router_core::{Alias, AppLabel, Operation, RuleRouter};
use rustc_hash::FxHashMap;

use super::claims::and;
use super::{Apps, Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::{Draft, nearest};
use crate::config::model::{App, Database, Unrouted};
use crate::config::node::Mark;

/// Shorter labels are like too many others.
const SHORTEST_GUESS: usize = 3;

impl Checker<'_> {
    /// Tells of apps that no database claims, in whole or by half. A router of one's own may know better, so that
    /// these are notes.
    pub(super) fn unclaimed(
        &mut self,
        databases: &[Database],
        index: &FxHashMap<Alias, usize>,
        apps: &Apps,
        rules: &RuleRouter,
        unrouted: Unrouted,
    ) {
        let default = rules.default_alias();
        let claims: Vec<Claimers> = apps.list.iter().map(|app| claimers(rules, index, app)).collect();
        self.claimed_by_nobody(databases, apps, &claims, default, unrouted);
        for (operation, other) in [(Operation::Read, Operation::Write), (Operation::Write, Operation::Read)] {
            self.claimed_by_half(databases, apps, &claims, default, operation, other);
        }
    }

    /// Declared apps that no database claims: because the claim is misspelt, or, where everything is to be declared,
    /// at all.
    fn claimed_by_nobody(
        &mut self,
        databases: &[Database],
        apps: &Apps,
        claims: &[Claimers],
        default: &Alias,
        unrouted: Unrouted,
    ) {
        let mut undeclared: Vec<&AppLabel> =
            apps.list.iter().filter(|app| app.place.is_none()).map(|app| &app.label).collect();
        // Where there is one database, nobody asks where an app lives.
        let is_choice = databases.iter().filter(|database| !database.is_replica()).count() > 1;
        for ((app, mark), claimers) in apps.list.iter().zip(&apps.marks).zip(claims) {
            if app.place.is_none() || claimers.iter().any(Option::is_some) {
                continue;
            }
            let label = app.label.as_str();
            let claimed = match self.guesses.checked_sub(1) {
                Some(left) if label.len() >= SHORTEST_GUESS && !undeclared.is_empty() => {
                    self.guesses = left;
                    nearest(label, undeclared.iter().map(|label| label.as_str()))
                }
                _ => None,
            };
            if let Some(claimed) = claimed.map(AppLabel::new) {
                undeclared.retain(|label| **label != claimed);
                let claimer =
                    apps.index.get(&claimed).and_then(|index| claims[*index].into_iter().flatten().min());
                if let Some(claimer) = claimer {
                    self.misspelt(&databases[claimer as usize], &claimed, app, *mark);
                }
            } else if unrouted == Unrouted::Error && app.managed && !app.tables.is_empty() && is_choice {
                self.tell(
                    Draft::new(Code::Unclaimed, format!("no database claims the app `{label}`"))
                        .at(*mark, format!("its tables are looked for in `{default}`"))
                        .help(format!(
                            "add `{label}` to the `apps` of a database, of `{default}` too, unless a router of your \
                             own sends it"
                        ))
                        .note(),
                );
            }
        }
    }

    fn misspelt(&mut self, claimer: &Database, claimed: &AppLabel, meant: &App, declared: Mark) {
        let position = claimer.apps.iter().position(|app| app == claimed).unwrap_or_default();
        let message = format!("`{}` claims `{claimed}`, which is not under `apps`", claimer.alias);
        self.tell(
            Draft::new(Code::Unclaimed, message)
                .at(self.claim((&claimer.alias, position)), format!("no app is declared as `{claimed}`"))
                .also(declared, "and no database claims this one")
                .help(format!("did you mean `{}`?", meant.label))
                .note(),
        );
    }

    /// Apps that are claimed for one operation only, so that the other falls to the default database: one note for
    /// each database that claims such apps.
    fn claimed_by_half(
        &mut self,
        databases: &[Database],
        apps: &Apps,
        claims: &[Claimers],
        default: &Alias,
        operation: Operation,
        other: Operation,
    ) {
        let mut halves: Vec<Vec<&str>> = vec![Vec::new(); databases.len()];
        for (app, claimers) in apps.list.iter().zip(claims) {
            if let (Some(claimer), None) = (claimers[operation as usize], claimers[other as usize]) {
                halves[claimer as usize].push(app.label.as_str());
            }
        }
        let default_url =
            databases.iter().find(|database| database.alias == *default).map(|database| &database.url);
        for (claimer, labels) in databases.iter().zip(halves) {
            // A replica of the default database serves the reads of what is written there.
            let home = claimer.replica_of.as_ref().unwrap_or(&claimer.alias);
            // Two aliases of one database are one place, too.
            if labels.is_empty() || home == default || default_url == Some(&claimer.url) {
                continue;
            }
            let Some(entry) = self.entries.get(claimer.alias.as_str()) else { continue };
            let mark = mark_of(&entry.node, "operations").or(mark_of(&entry.node, "apps"));
            let names: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let names = and(&names);
            let (one, their) = if labels.len() == 1 { ("is", "its") } else { ("are", "their") };
            let (done, rest) = match operation {
                Operation::Read => ("read from", "writes"),
                _ => ("written to", "reads"),
            };
            let message =
                format!("{names} {one} {done} `{}`, and {their} {rest} go to `{default}`", claimer.alias);
            let who = if claimer.is_replica() {
                format!("let `{home}` claim {names} for {other}")
            } else {
                format!(
                    "add `{other}` to these `operations`, or let another database claim {names} for {other}"
                )
            };
            self.tell(
                Draft::new(Code::HalfClaimed, message)
                    .at(mark, format!("nobody claims {names} for {other}"))
                    .help(format!("{who}, unless a router of your own sends {their} {rest}"))
                    .note(),
            );
        }
    }
}

/// The databases that claim an app for each operation.
type Claimers = [Option<u32>; Operation::ALL.len()];

fn claimers(rules: &RuleRouter, index: &FxHashMap<Alias, usize>, app: &App) -> Claimers {
    let mut claimers = Claimers::default();
    for claim in rules.claims(app.label.as_str()) {
        let database = index.get(claim.database).and_then(|database| u32::try_from(*database).ok());
        for operation in claim.operations.iter() {
            let claimer = &mut claimers[operation as usize];
            *claimer = claimer.or(database);
        }
    }
    claimers
}
