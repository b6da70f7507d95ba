//! From rules in file order to a look-up table, with everything that is wrong on the way.
//!
//! This is the one judge of rules. Whoever reads a file asks it, and says each answer in its own words.

use rustc_hash::FxHashMap;

use super::check::Check;
use super::claims::Claims;
use super::{DatabaseRule, RuleError, RuleRouter};
use crate::{Alias, AppLabel};

/// Linear in databases and apps.
pub(super) fn compile(
    default: Alias,
    databases: Vec<DatabaseRule>,
    unmanaged: impl IntoIterator<Item = AppLabel>,
) -> Result<RuleRouter, Vec<RuleError>> {
    let by_alias = index(&databases);
    let mut claims = Claims::new(&databases, &by_alias, unmanaged);
    let mut check = Check::new(&databases, &by_alias);
    check.default(&default);
    for (index, rule) in databases.iter().enumerate() {
        check.database(index);
        for app in 0..rule.apps.len() {
            claims.add(index, app, &mut check.errors);
        }
    }
    if !check.errors.is_empty() {
        return Err(check.errors);
    }

    let (apps, by_label, table) = claims.finish(&default);
    Ok(RuleRouter { default, databases, by_alias, apps, by_label, table })
}

/// The first database of each alias.
fn index(databases: &[DatabaseRule]) -> FxHashMap<Alias, usize> {
    let mut by_alias = FxHashMap::with_capacity_and_hasher(databases.len(), Default::default());
    for (index, rule) in databases.iter().enumerate() {
        by_alias.entry(rule.alias.clone()).or_insert(index);
    }
    by_alias
}
