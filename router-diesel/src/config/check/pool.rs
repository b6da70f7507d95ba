//! Checks the numbers of a pool, before r2d2 can panic on them.

use std::time::Duration;

use super::{Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::file::PoolSection;
use crate::config::model::PoolSettings;
use crate::config::node::{Entry, Node};
use crate::config::values::{Length, Setting};

/// No length of time is longer: later instants may not exist.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Checker<'_> {
    pub(super) fn pool(&mut self, entry: Option<&Entry>, section: &PoolSection) -> PoolSettings {
        let default = PoolSettings::default();
        let Some(Entry { node, .. }) = entry else { return default };
        let max_size = self.at_least_one(node, "max_size", &section.max_size).unwrap_or(default.max_size);
        let min_idle = section.min_idle.get().copied().unwrap_or(default.min_idle);
        if min_idle > max_size && max_size > 0 {
            let mut draft = Draft::new(Code::BadNumber, "`min_idle` is larger than `max_size`")
                .at(mark_of(node, "min_idle"), format!("more than {max_size}"));
            if !section.max_size.is_absent() {
                draft = draft.also(mark_of(node, "max_size"), "at most so many");
            }
            self.tell(
                draft.help(format!("`max_size` is {max_size} here; its default is {}", default.max_size)),
            );
        }
        let mut positive = |key, length| self.length(node, key, length, Least::Positive);
        PoolSettings {
            max_size,
            min_idle,
            connection_timeout: positive("connection_timeout", &section.connection_timeout)
                .unwrap_or(default.connection_timeout),
            idle_timeout: positive("idle_timeout", &section.idle_timeout).or(default.idle_timeout),
            max_lifetime: positive("max_lifetime", &section.max_lifetime).or(default.max_lifetime),
            statement_timeout: positive("statement_timeout", &section.statement_timeout),
            validate_after: self
                .length(node, "validate_after", &section.validate_after, Least::Zero)
                .unwrap_or(default.validate_after),
            prepared_statements: section.prepared_statements.get().copied().unwrap_or(true),
        }
    }

    /// A number that cannot be zero.
    pub(super) fn at_least_one(&mut self, node: &Node, key: &str, number: &Setting<u32>) -> Option<u32> {
        let number = *number.get()?;
        if number == 0 {
            self.tell(
                Draft::new(Code::BadNumber, format!("`{key}` is zero")).at(mark_of(node, key), "at least 1"),
            );
        }
        Some(number)
    }

    /// A length of time within what clocks can add.
    pub(super) fn length(
        &mut self,
        node: &Node,
        key: &str,
        length: &Setting<Length>,
        least: Least,
    ) -> Option<Duration> {
        let Length(length) = *length.get()?;
        let wrong = match least {
            _ if length > LONGEST => Some("longer than a year".to_owned()),
            Least::Positive | Least::Of(_) if length.is_zero() => Some("no time at all".to_owned()),
            Least::Of(least) if length < least => Some(format!("at least {} ms", least.as_millis())),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.tell(
                Draft::new(Code::BadDuration, format!("`{key}` cannot be used"))
                    .at(mark_of(node, key), wrong),
            );
        }
        Some(length)
    }
}

/// The shortest length of time that makes sense.
#[derive(Clone, Copy)]
pub(super) enum Least {
    Zero,
    Positive,
    Of(Duration),
}
