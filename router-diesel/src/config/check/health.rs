//! Checks how the nodes of a cluster are watched.

use std::time::Duration;

use super::pool::Least;
use super::{Checker, mark_of};
use crate::config::code::Code;
use crate::config::draft::Draft;
use crate::config::file::HealthSection;
use crate::config::model::HealthSettings;
use crate::config::node::Entry;

/// Every node of every process is asked so often; more would be a load of its own.
const SHORTEST: Duration = Duration::from_millis(50);

impl Checker<'_> {
    pub(super) fn health(&mut self, entry: Option<&Entry>, section: &HealthSection) -> HealthSettings {
        let default = HealthSettings::default();
        let Some(Entry { node, .. }) = entry else { return default };
        let interval = self.length(node, "interval", &section.interval, Least::Of(SHORTEST));
        let timeout = self.length(node, "timeout", &section.timeout, Least::Positive);
        let ban = self.length(node, "ban", &section.ban, Least::Positive);
        let interval = interval.unwrap_or(default.interval);
        if let Some(timeout) = timeout
            && timeout > interval
        {
            self.tell(
                Draft::new(Code::BadDuration, "`timeout` is longer than `interval`")
                    .at(mark_of(node, "timeout"), "a node would be asked again before it need have answered")
                    .help(format!("`interval` is {interval:?} here; its default is {:?}", default.interval)),
            );
        }
        HealthSettings {
            interval,
            timeout: timeout.unwrap_or(default.timeout.min(interval)),
            ban: ban.unwrap_or(default.ban),
        }
    }
}
