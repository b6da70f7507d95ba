//! MariaDB's positions: the last transaction of each domain, `0-1-42,1-1-7`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::position::{Coverage, Distance, Why};

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

    /// Whether each domain of `needed` is as far here. A domain that is not here is not behind by a known number.
    ///
    /// The `server_id`s may differ where the primary has changed; but one number has one transaction, so two
    /// servers of one number are two histories.
    pub(in crate::engine) fn cover(&self, needed: &Self) -> Coverage {
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
    pub(in crate::engine) fn join(mut self, other: &Self) -> Option<Self> {
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

#[cfg(test)]
pub(in crate::engine) mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    pub(in crate::engine) fn any_gtids() -> impl Strategy<Value = MariaDbGtids> {
        let gtid = (0..4_u32, any::<u64>()).prop_map(|(server, sequence)| Gtid { server, sequence });
        btree_map(0..5_u32, gtid, 0..4).prop_map(MariaDbGtids)
    }

    fn gtids(text: &str) -> MariaDbGtids {
        MariaDbGtids::parse(text).unwrap()
    }

    #[test]
    fn texts_as_data() {
        for (text, written) in [
            ("0-1-42", Some("0-1-42")),
            ("1-1-7,0-1-42", Some("0-1-42,1-1-7")),
            (" 0-1-42 , 1-1-7\n", Some("0-1-42,1-1-7")),
            ("", Some("the beginning")),
            (
                "4294967295-4294967295-18446744073709551615",
                Some("4294967295-4294967295-18446744073709551615"),
            ),
            ("4294967296-1-1", None),
            ("0-1-18446744073709551616", None),
            ("0-1", None),
            ("0-1-2-3", None),
            ("0-1-+2", None),
            ("0--1-2", None),
            ("0-1-2,", None),
            (",", None),
            ("0-1-2,0-2-3", None),
            ("0-1-½", None),
        ] {
            let said = MariaDbGtids::parse(text).map(|gtids| gtids.to_string());
            assert_eq!(said.as_deref(), written, "{text}");
        }
    }

    #[test]
    fn coverage_as_data() {
        let behind = |transactions| Coverage::Behind(Distance::Transactions(transactions));
        for (ours, needed, coverage) in [
            ("0-1-42", "0-1-42", Coverage::Covered),
            ("0-1-43", "0-1-42", Coverage::Covered),
            ("0-1-41", "0-1-42", behind(1)),
            ("0-1-41,1-1-5", "0-1-42,1-1-7", behind(3)),
            ("0-1-50,1-1-5", "0-1-42,1-1-7", behind(2)),
            ("0-1-42", "0-1-42,1-1-7", Coverage::Behind(Distance::Unknown)),
            ("0-1-42,1-1-7", "0-1-42", Coverage::Covered),
            ("", "0-1-1", Coverage::Behind(Distance::Unknown)),
            ("", "", Coverage::Covered),
            ("0-1-1", "", Coverage::Covered),
            // After a failover the numbers go on under another server's id.
            ("0-2-43", "0-1-42", Coverage::Covered),
            ("0-2-42", "0-1-42", Coverage::Incomparable(Why::Diverged { domain: 0, sequence: 42 })),
        ] {
            assert_eq!(gtids(ours).cover(&gtids(needed)), coverage, "{ours} for {needed}");
        }
    }

    #[test]
    fn joins_as_data() {
        for (one, other, joined) in [
            ("0-1-42,1-1-7", "0-1-40,1-1-9,2-1-1", Some("0-1-42,1-1-9,2-1-1")),
            ("0-1-42", "0-2-43", Some("0-2-43")),
            ("0-1-42", "0-2-42", None),
        ] {
            assert_eq!(gtids(one).join(&gtids(other)), joined.map(gtids), "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(gtids in any_gtids()) {
            let text = if gtids.0.is_empty() { String::new() } else { gtids.to_string() };
            prop_assert_eq!(MariaDbGtids::parse(&text), Some(gtids));
        }

        #[test]
        fn no_text_panics(text: String, numbers in "[0-9,+-]{0,40}") {
            let _ = MariaDbGtids::parse(&text);
            let _ = MariaDbGtids::parse(&numbers);
        }
    }
}
