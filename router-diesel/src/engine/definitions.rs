//! How statements that change definitions go together with transactions.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};

/// What an engine does with definitions in a transaction.
pub(crate) trait Definitions {
    /// Whether a transaction holds definitions, so that to roll it back undoes them.
    fn are_transactional(&self) -> bool;

    /// Whether the server runs statements that are sent at once in one transaction, also where none was begun. What
    /// must run without a transaction is then sent statement by statement.
    fn joins_what_is_sent_at_once(&self) -> bool {
        false
    }

    /// Whether an error says that its statement may not be part of a transaction. It decides about a hint alone.
    fn refuses_transaction(
        &self,
        kind: &DatabaseErrorKind,
        information: &dyn DatabaseErrorInformation,
    ) -> bool {
        let _ = (kind, information);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn refusals_are_told_in_every_language() {
        for (engine, message, expected) in [
            (Engine::Postgres, "CREATE INDEX CONCURRENTLY cannot run inside a transaction block", true),
            (Engine::Postgres, "VACUUM kann nicht in einem Transaktionsblock laufen", true),
            (Engine::Postgres, "CREATE DATABASEはトランザクションブロックの内部では実行できません", true),
            (Engine::Postgres, "DISCARD ALL cannot run inside a transaction block", true),
            (Engine::Postgres, "relation \"x\" does not exist", false),
            (Engine::Sqlite, "cannot VACUUM from within a transaction", true),
            (Engine::Sqlite, "no such table: x", false),
            (Engine::Mysql, "CREATE DATABASE cannot run inside a transaction block", false),
        ] {
            let refuses = |kind| engine.spec().refuses_transaction(&kind, &message.to_owned());
            assert_eq!(refuses(DatabaseErrorKind::Unknown), expected, "{message}");
            assert!(!refuses(DatabaseErrorKind::UniqueViolation), "{message}");
        }
    }
}
