//! MySQL's positions: the set of all transactions that were run, `uuid:1-5:7-9,uuid:tag:1`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of transactions: by source, intervals that are in order and apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MysqlGtids(BTreeMap<Source, Vec<Interval>>);

/// Who numbers the transactions: a server, and since MySQL 8.3 a tag on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Source {
    server: [u8; 16],
    /// Empty where there is none.
    tag: String,
}

/// The numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Interval {
    first: u64,
    last: u64,
}

impl MysqlGtids {
    /// Reads `@@gtid_executed`: sources between commas, with any white space and in either case. Empty text is a
    /// position: the beginning.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut sources = BTreeMap::<Source, Vec<Interval>>::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut fields = part.split(':').map(str::trim);
            let mut source = Source { server: uuid(fields.next()?)?, tag: String::new() };
            let mut has_numbers = false;
            for field in fields {
                // A tag stands before its numbers, and one server may have several.
                if field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
                    source.tag = Some(field.to_ascii_lowercase()).filter(|tag| is_tag(tag))?;
                    has_numbers = false;
                    continue;
                }
                sources.entry(source.clone()).or_default().push(interval(field)?);
                has_numbers = true;
            }
            if !has_numbers {
                return None;
            }
        }
        Some(Self(sources.into_iter().map(|(source, intervals)| (source, merged(intervals))).collect()))
    }

    /// Whether all transactions come from one server: `server`.
    pub(crate) fn are_only_of(&self, server: &str) -> bool {
        let server = uuid(server);
        self.0.keys().all(|source| Some(source.server) == server)
    }

    /// How many of the `needed` transactions are not here.
    pub(in crate::engine) fn missing(&self, needed: &Self) -> u64 {
        needed.0.iter().fold(0, |missing, (source, needed)| {
            let ours = self.0.get(source).map_or(&[][..], Vec::as_slice);
            needed.iter().fold(missing, |missing: u64, needed| {
                let here = ours.iter().map(|ours| ours.shared_with(needed)).sum::<u64>();
                missing.saturating_add(needed.len() - here)
            })
        })
    }

    /// All of both.
    pub(in crate::engine) fn join(mut self, other: &Self) -> Self {
        for (source, intervals) in &other.0 {
            let ours = self.0.entry(source.clone()).or_default();
            ours.extend(intervals);
            *ours = merged(std::mem::take(ours));
        }
        self
    }

    /// Whether it is written as [`parse`](Self::parse) would, which the counting relies on.
    pub(in crate::engine) fn is_sound(&self) -> bool {
        self.0.iter().all(|(source, intervals)| {
            (source.tag.is_empty() || is_tag(&source.tag))
                && !intervals.is_empty()
                && intervals.iter().all(|interval| interval.is_sound())
                && intervals.windows(2).all(|pair| pair[0].last + 1 < pair[1].first)
        })
    }
}

impl Interval {
    /// Numbers are signed on the server, and begin at 1.
    fn is_sound(self) -> bool {
        1 <= self.first && self.first <= self.last && self.last < i64::MAX as u64
    }

    fn len(self) -> u64 {
        self.last - self.first + 1
    }

    fn shared_with(self, other: &Self) -> u64 {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        if first <= last { last - first + 1 } else { 0 }
    }
}

/// Puts intervals in order, and makes one of those that overlap or touch.
fn merged(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, before| {
        let touches = next.first <= before.last + 1;
        if touches {
            before.last = before.last.max(next.last);
        }
        touches
    });
    intervals
}

/// Reads `5` or `1-5`.
fn interval(text: &str) -> Option<Interval> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let interval = Interval { first: number(first)?, last: number(last)? };
    interval.is_sound().then_some(interval)
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Reads 32 hexadecimal digits, with the usual four hyphens or without.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|_| is_uuid).map(u128::to_be_bytes)
}

/// A tag is up to 32 letters, digits and `_`, and begins with no digit.
fn is_tag(tag: &str) -> bool {
    (1..=32).contains(&tag.len())
        && !tag.starts_with(|first: char| first.is_ascii_digit())
        && tag.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl fmt::Display for MysqlGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the beginning");
        }
        for (index, (source, intervals)) in self.0.iter().enumerate() {
            let digits = format!("{:032x}", u128::from_be_bytes(source.server));
            let separator = if index == 0 { "" } else { "," };
            f.write_str(separator)?;
            for (index, group) in [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().enumerate() {
                let hyphen = if index == 0 { "" } else { "-" };
                write!(f, "{hyphen}{}", &digits[group])?;
            }
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            for Interval { first, last } in intervals {
                if first == last {
                    write!(f, ":{first}")?;
                } else {
                    write!(f, ":{first}-{last}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::engine) mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const TWO: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    pub(in crate::engine) fn any_gtids() -> impl Strategy<Value = MysqlGtids> {
        let source = (0..3_u8, "([a-z_][a-z0-9_]{0,3})?")
            .prop_map(|(server, tag)| Source { server: [server; 16], tag });
        let interval = (1..60_u64, 0..9_u64).prop_map(|(first, more)| Interval { first, last: first + more });
        btree_map(source, vec(interval, 1..6).prop_map(merged), 0..4).prop_map(MysqlGtids)
    }

    /// The set, spelled out.
    fn spelled(gtids: &MysqlGtids) -> BTreeSet<(Source, u64)> {
        let pairs =
            gtids.0.iter().flat_map(|(source, intervals)| intervals.iter().map(move |one| (source, one)));
        pairs
            .flat_map(|(source, one)| (one.first..=one.last).map(|number| (source.clone(), number)))
            .collect()
    }

    #[test]
    fn texts_as_data() {
        for (text, written) in [
            (format!("{ONE}:1-5:7-9,\n{TWO}:1-3"), Some(format!("{ONE}:1-5:7-9,{TWO}:1-3"))),
            (ONE.to_uppercase() + ":1", Some(format!("{ONE}:1"))),
            (ONE.replace('-', "") + ":1", Some(format!("{ONE}:1"))),
            (format!(" {ONE} : 1 - 5 ,"), Some(format!("{ONE}:1-5"))),
            (format!("{ONE}:7-9:1-6:3"), Some(format!("{ONE}:1-9"))),
            (format!("{ONE}:1,{ONE}:2"), Some(format!("{ONE}:1-2"))),
            // Tags, as of MySQL 8.3.
            (format!("{ONE}:1-2:Tag_1:5:8:b:9"), Some(format!("{ONE}:1-2,{ONE}:b:9,{ONE}:tag_1:5:8"))),
            (format!("{ONE}:tag:1"), Some(format!("{ONE}:tag:1"))),
            (String::new(), Some("the beginning".to_owned())),
            (format!("{ONE}:tag"), None),
            (format!("{ONE}:tag:1:other"), None),
            (format!("{ONE}:{}:1", "a".repeat(33)), None),
            (format!("{ONE}:täg:1"), None),
            (ONE.to_owned(), None),
            (format!("{ONE}:"), None),
            (format!("{ONE}:0"), None),
            (format!("{ONE}:5-1"), None),
            (format!("{ONE}:-1"), None),
            (format!("{ONE}:+1"), None),
            (format!("{ONE}:1-9223372036854775807"), None),
            (format!("{ONE}:18446744073709551616"), None),
            ("3e11fa47:1".to_owned(), None),
            (format!("{}:1", "+".repeat(32)), None),
        ] {
            let said = MysqlGtids::parse(&text).map(|gtids| gtids.to_string());
            assert_eq!(said, written, "{text}");
        }
    }

    #[test]
    fn only_of_one_server() {
        let gtids = |text: &str| MysqlGtids::parse(text).unwrap();
        assert!(gtids("").are_only_of(ONE));
        assert!(gtids(&format!("{ONE}:1-5:tag:1")).are_only_of(&ONE.to_uppercase()));
        assert!(!gtids(&format!("{ONE}:1-5,{TWO}:1")).are_only_of(ONE));
        assert!(!gtids(&format!("{ONE}:1-5")).are_only_of("nonsense"));
    }

    #[test]
    fn what_no_server_writes_is_not_sound() {
        let with = |intervals: &[(u64, u64)], tag: &str| {
            let intervals = intervals.iter().map(|&(first, last)| Interval { first, last }).collect();
            MysqlGtids([(Source { server: [1; 16], tag: tag.to_owned() }, intervals)].into())
        };
        assert!(with(&[(1, 2), (4, 4)], "").is_sound());
        for intervals in
            [&[][..], &[(0, 1)], &[(2, 1)], &[(1, u64::MAX)], &[(1, 2), (3, 3)], &[(4, 4), (1, 1)]]
        {
            assert!(!with(intervals, "").is_sound(), "{intervals:?}");
        }
        assert!(!with(&[(1, 2)], "A").is_sound());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(gtids in any_gtids()) {
            prop_assert!(gtids.is_sound());
            let text = if gtids.0.is_empty() { String::new() } else { gtids.to_string() };
            prop_assert_eq!(MysqlGtids::parse(&text), Some(gtids));
        }

        #[test]
        fn sets_are_sets(one in any_gtids(), other in any_gtids()) {
            let (ones, others) = (spelled(&one), spelled(&other));
            prop_assert_eq!(one.missing(&other), others.difference(&ones).count() as u64);
            let joined = one.join(&other);
            prop_assert!(joined.is_sound());
            prop_assert_eq!(spelled(&joined), ones.union(&others).cloned().collect::<BTreeSet<_>>());
        }

        #[test]
        fn no_text_panics(text: String, numbers in "[0-9a-f:,_-]{0,60}") {
            let _ = MysqlGtids::parse(&text);
            let _ = MysqlGtids::parse(&format!("{ONE}:{numbers}"));
        }
    }
}
