//! Settings by name: for a transaction, and for every connection of a session.
//!
//! - `local` are those that end with the transaction. They wait with its BEGIN.
//! - `carried` are those that a session makes on each of its connections, and takes back.

pub(super) mod carried;
pub(super) mod local;

use super::Session;
use crate::decision::SettingError;
use crate::engine::RoutedConnection;
use crate::engine::settings::Risk;

impl<C: RoutedConnection> Session<C> {
    /// Whether a name and a value can be set on an engine of the file, and what that would change beyond itself.
    fn judge_setting(&self, name: &str, value: &str) -> Result<Risk, SettingError> {
        let engines = self.topology.routing().engines();
        let mut able =
            engines.iter().map(|engine| engine.spec()).filter(|spec| spec.has_settings()).peekable();
        if able.peek().is_none() {
            let engine = engines.first().copied().unwrap_or(C::renders_for());
            return Err(SettingError::Unsupported { engine });
        }
        let risks: Vec<_> = able.filter(|spec| spec.is_setting(name)).map(|spec| spec.risk(name)).collect();
        if risks.is_empty() {
            return Err(SettingError::BadName { name: name.to_owned() });
        }
        if value.contains('\0') {
            return Err(SettingError::BadValue { name: name.to_owned() });
        }
        if risks.contains(&Risk::Guard) {
            return Err(SettingError::Guard { name: name.to_owned() });
        }
        if risks.contains(&Risk::Transactions) {
            return Err(SettingError::OfTransactions { name: name.to_owned() });
        }
        Ok(if risks.contains(&Risk::Meaning) { Risk::Meaning } else { Risk::None })
    }
}

/// Whether a setting may be made without a word about what it changes beyond itself.
fn admit(risk: Risk, name: &str) -> Result<(), SettingError> {
    match risk {
        Risk::Meaning => Err(SettingError::Unchecked { name: name.to_owned() }),
        _ => Ok(()),
    }
}
