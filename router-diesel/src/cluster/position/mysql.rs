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

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all transactions come from one server: `server`.
    pub(crate) fn are_only_of(&self, server: &str) -> bool {
        let server = uuid(server);
        self.0.keys().all(|source| Some(source.server) == server)
    }

    /// How many of the `needed` transactions are not here.
    pub(super) fn missing(&self, needed: &Self) -> u64 {
        needed.0.iter().fold(0, |missing, (source, needed)| {
            let ours = self.0.get(source).map_or(&[][..], Vec::as_slice);
            needed.iter().fold(missing, |missing: u64, needed| {
                let here = ours.iter().map(|ours| ours.shared_with(needed)).sum::<u64>();
                missing.saturating_add(needed.len() - here)
            })
        })
    }

    /// All of both.
    pub(super) fn join(mut self, other: &Self) -> Self {
        for (source, intervals) in &other.0 {
            let ours = self.0.entry(source.clone()).or_default();
            ours.extend(intervals);
            *ours = merged(std::mem::take(ours));
        }
        self
    }

    /// Whether it is written as [`parse`](Self::parse) would, which the counting relies on.
    pub(super) fn is_sound(&self) -> bool {
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
