//! How statements that change definitions go together with transactions.

/// What an engine does with definitions in a transaction.
pub(crate) trait Definitions {
    /// Whether a transaction holds definitions, so that to roll it back undoes them.
    fn are_transactional(&self) -> bool;

    /// Whether the server runs statements that are sent at once in one transaction, also where none was begun. What
    /// must run without a transaction is then sent statement by statement.
    fn joins_what_is_sent_at_once(&self) -> bool {
        false
    }

    /// Whether the message of an error, for which Diesel has no kind of its own and which points at no place in its
    /// statement, says that the statement may not be part of a transaction. It decides about a hint alone.
    fn refuses_transaction(&self, message: &str) -> bool {
        let _ = message;
        false
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(engine.spec().refuses_transaction(message), expected, "{message}");
        }
    }
}
