//! Settings of MySQL and MariaDB: variables of the session, and variables of the user's own.

use diesel::QueryResult;

use super::Mysql;
use crate::engine::Ask;
use crate::engine::records::RecordTables as _;
use crate::engine::settings::{Risk, Settings, is_plain};

impl Settings for Mysql {
    fn has_settings(&self) -> bool {
        true
    }

    fn is_setting(&self, name: &str) -> bool {
        is_plain(name.strip_prefix('@').unwrap_or(name))
    }

    fn risk(&self, name: &str) -> Risk {
        match name {
            "transaction_read_only" | "tx_read_only" | "read_only" => Risk::Guard,
            "completion_type" => Risk::Transactions,
            "sql_mode" | "autocommit" | "sql_auto_is_null" => Risk::Meaning,
            _ => Risk::None,
        }
    }

    fn apply(&self, conn: &mut dyn Ask, settings: &[(&str, &str)]) -> QueryResult<Vec<Option<String>>> {
        let of_server: Vec<_> = settings.iter().filter(|(name, _)| has_earlier_value(name)).collect();
        let mut earlier = match of_server.as_slice() {
            [] => Vec::new(),
            some => {
                let one =
                    |(name, _): &&(&str, &str)| format!("SELECT CAST(@@SESSION.{name} AS CHAR) AS value");
                conn.texts(&some.iter().map(one).collect::<Vec<_>>().join(" UNION ALL "))?
            }
        }
        .into_iter();
        let one = |(name, value): &(&str, &str)| self.assignment(name, value);
        conn.run(&format!("SET {}", settings.iter().map(one).collect::<Vec<_>>().join(", ")))?;
        // A connection on which a session left a variable is closed, so none was set before.
        let was =
            |(name, _): &(&str, &str)| if has_earlier_value(name) { earlier.next().flatten() } else { None };
        Ok(settings.iter().map(was).collect())
    }

    fn forget_last_id(&self) -> Option<&'static str> {
        Some("DO LAST_INSERT_ID(0)")
    }

    fn restore(&self, conn: &mut dyn Ask, settings: &[(&str, Option<&str>)]) -> QueryResult<()> {
        let one = |(name, value): &(&str, Option<&str>)| match value {
            Some(value) => self.assignment(name, value),
            None if name.starts_with('@') => format!("{} = NULL", variable(name)),
            None => format!("SESSION {name} = DEFAULT"),
        };
        conn.run(&format!("SET {}", settings.iter().map(one).collect::<Vec<_>>().join(", ")))
    }
}

impl Mysql {
    /// The server takes a number for a variable that is one, and no text.
    fn assignment(&self, name: &str, value: &str) -> String {
        match name.starts_with('@') {
            true => format!("{} = {}", variable(name), self.quoted(value)),
            false if is_number(value) => format!("SESSION {name} = {value}"),
            false => format!("SESSION {name} = {}", self.quoted(value)),
        }
    }
}

/// `-1`, `2`, `1.5`, as SQL writes numbers.
fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_all(whole) && is_all(fraction)
}

/// Whether what is read of a setting is what was set. A variable of the user's own is on no connection of the pool, and
/// `@@timestamp` reads as the present moment where it was not set.
fn has_earlier_value(name: &str) -> bool {
    !name.starts_with('@') && !matches!(name, "timestamp" | "insert_id" | "last_insert_id" | "identity")
}

/// A user's variable with its name in quotes, as a dot may stand in it.
fn variable(name: &str) -> String {
    format!("@`{}`", &name[1..])
}
