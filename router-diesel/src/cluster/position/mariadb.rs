//! MariaDB's positions: the last transaction of each domain, `0-1-42,1-1-7`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Coverage, Distance, Why};

/// The last transaction of each domain, which are few and mostly one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MariaDbGtids(BTreeMap<u32, Gtid>);

/// A transaction within its domain, where numbers only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Gtid {
    /// The `server_id` of the server that ran it first.
    server: u32,
    sequence: u64,
}

impl MariaDbGtids {
    /// Reads `@@gtid_binlog_pos` and its kin. Empty text is a position: the beginning.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut gtids = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let mut numbers = part.split('-');
            let domain = number(numbers.next()?)?.try_into().ok()?;
            let server = number(numbers.next()?)?.try_into().ok()?;
            let sequence = number(numbers.next()?)?;
            let is_new = gtids.insert(domain, Gtid { server, sequence }).is_none();
            if numbers.next().is_some() || !is_new {
                return None;
            }
        }
        Some(Self(gtids))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each domain of `needed` is as far here. A domain that is not here is not behind by a known number.
    ///
    /// The `server_id`s may differ where the primary has changed; but one number has one transaction, so two
    /// servers of one number are two histories.
    pub(super) fn cover(&self, needed: &Self) -> Coverage {
        let mut missing = 0_u64;
        let mut is_known = true;
        for (domain, needed) in &needed.0 {
            let Some(gtid) = self.0.get(domain) else {
                is_known = false;
                continue;
            };
            if gtid.sequence == needed.sequence && gtid.server != needed.server {
                let why = Why::Diverged { domain: *domain, sequence: needed.sequence };
                return Coverage::Incomparable(why);
            }
            missing = missing.saturating_add(needed.sequence.saturating_sub(gtid.sequence));
        }
        match missing {
            _ if !is_known => Coverage::Behind(Distance::Unknown),
            0 => Coverage::Covered,
            missing => Coverage::Behind(Distance::Transactions(missing)),
        }
    }

    /// The further of the two in each domain; nothing where they are two histories.
    pub(super) fn join(mut self, other: &Self) -> Option<Self> {
        for (&domain, &gtid) in &other.0 {
            let ours = self.0.entry(domain).or_insert(gtid);
            if ours.sequence == gtid.sequence && ours.server != gtid.server {
                return None;
            }
            if gtid.sequence > ours.sequence {
                *ours = gtid;
            }
        }
        Some(self)
    }
}

/// Digits alone: `parse` would take a `+` as well.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()))
}

impl fmt::Display for MariaDbGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the beginning");
        }
        for (index, (domain, Gtid { server, sequence })) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{domain}-{server}-{sequence}")?;
        }
        Ok(())
    }
}
