//! Settings that belong to a session or to its transaction.

use diesel::QueryResult;

use super::Ask;

/// How an engine takes settings by name.
pub(crate) trait Settings {
    /// Whether a setting can be carried from connection to connection.
    fn has_settings(&self) -> bool {
        false
    }

    /// Whether a name is one of a setting, in the form in which the engine is told of it.
    fn is_setting(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// What a setting would change beyond itself.
    fn risk(&self, name: &str) -> Risk {
        let _ = name;
        Risk::None
    }

    /// The statement that makes a setting until the transaction ends. `None` where the engine has no such settings.
    fn local(&self, name: &str, value: &str) -> Option<String> {
        let _ = (name, value);
        None
    }

    /// Whether a setting says how the open transaction is, so that the engine takes it before the first query alone.
    fn shapes_transaction(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Makes settings on a connection, and says what each was before. `None` stands for one that was not set.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn apply(&self, conn: &mut dyn Ask, settings: &[(&str, &str)]) -> QueryResult<Vec<Option<String>>> {
        let _ = conn;
        Ok(vec![None; settings.len()])
    }

    /// The statement after which a connection knows no last id of an INSERT. `None` where the engine has none.
    fn forget_last_id(&self) -> Option<&'static str> {
        None
    }

    /// Sets back what was set before.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn restore(&self, conn: &mut dyn Ask, settings: &[(&str, Option<&str>)]) -> QueryResult<()> {
        let _ = (conn, settings);
        Ok(())
    }
}

/// What a setting would change beyond itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Risk {
    None,
    /// What names mean, or whose rights count.
    Meaning,
    /// Whether the connection may write.
    Guard,
    /// How transactions begin and end, which the session must know.
    Transactions,
}

/// `[a-z_][a-z0-9_.]*`
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte))
        && !name.ends_with('.')
        && !name.contains("..")
}
