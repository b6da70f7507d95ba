//! What is known of one connection, and what its errors say of it.

use std::sync::Arc;
use std::time::Instant;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use router_core::Alias;

use super::plans::Plans;
use super::vitals::{InUse, Vitals};
use crate::engine::diagnosis::{Diagnosis, diagnose};
use crate::engine::{Access, RoutedConnection, Server, Verdict, verdict};

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct State {
    /// What the server is, as it said when the connection was opened.
    pub(super) server: Server,
    pub(super) access: Access,
    /// Whether the open transaction was begun to read only.
    pub(super) reads_only: bool,
    pub(super) verdict: Verdict,
    pub(super) last_known_good: Instant,
    pub(super) handed_out: Instant,
    /// Whether it is closed when it comes back, because of what was done on it.
    pub(super) retired: bool,
    /// Whether somebody had it before.
    pub(super) came_back: bool,
    pub(super) plans: Plans,
    /// Whether its instrumentation was taken away.
    pub(super) silenced: bool,
    pub(super) opened: Instant,
    /// The pool's losses when the connection was last known to work.
    pub(super) losses_then: u64,
    /// The pool's generation when the connection was opened.
    pub(super) generation: u64,
    pub(super) vitals: Arc<Vitals>,
    /// Counts the connection as in use, while it is.
    pub(super) in_use: Option<InUse>,
}

impl State {
    /// Takes in an error of a connection that can be asked.
    #[cold]
    pub(super) fn observe<C: RoutedConnection>(
        &mut self,
        alias: &Alias,
        conn: &mut C,
        error: DieselError,
    ) -> DieselError {
        let verdict = verdict(conn, &error);
        self.take_in(alias, verdict, error)
    }

    /// Takes in an error that came while rows are read, so that nobody can ask the connection. Where the error does not
    /// tell by itself, the connection is asked before it is next handed out.
    #[cold]
    pub(super) fn observe_unasked(&mut self, alias: &Alias, error: DieselError) -> DieselError {
        let verdict = match diagnose(self.server.product.engine(), &error) {
            Diagnosis::Answered | Diagnosis::Cancelled => Verdict::Fine,
            Diagnosis::PingLater | Diagnosis::PingNow => Verdict::Suspect,
            Diagnosis::Lost => Verdict::Lost,
        };
        self.take_in(alias, verdict, error)
    }

    /// Remembers what an error says of the connection, and names the database where the connection is gone, or where
    /// the server takes no writes though it should.
    fn take_in(&mut self, alias: &Alias, verdict: Verdict, error: DieselError) -> DieselError {
        match verdict {
            Verdict::Fine => self.name_server(alias, error),
            Verdict::Suspect => {
                if self.verdict == Verdict::Fine {
                    self.verdict = Verdict::Suspect;
                }
                self.name_server(alias, error)
            }
            Verdict::Lost => {
                self.verdict = Verdict::Lost;
                self.vitals.note_loss();
                tracing::warn!(%alias, cause = %error, "lost a connection");
                let kind = DatabaseErrorKind::ClosedConnection;
                name_database(error, kind, |cause| {
                    format!("the connection to database `{alias}` was lost: {cause}")
                })
            }
        }
    }

    /// Names the database where its server refuses every write, and not this connection or its transaction alone.
    /// Gives a read that the server cancelled its kind, where Diesel has none for it.
    fn name_server(&self, alias: &Alias, error: DieselError) -> DieselError {
        let engine = self.server.product.engine();
        if matches!(&error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _))
            && diagnose(engine, &error) == Diagnosis::Cancelled
        {
            return name_database(error, DatabaseErrorKind::SerializationFailure, ToOwned::to_owned);
        }
        let may_write = self.access == Access::ReadWrite && !self.reads_only;
        let kind = match &error {
            DieselError::DatabaseError(kind, information)
                if may_write && engine.spec().takes_no_writes(kind, &**information) =>
            {
                *kind
            }
            _ => return error,
        };
        name_database(error, kind, |cause| {
            format!(
                "a write was sent to database `{alias}`, but it takes no writes: is it a standby? The server says: \
                 {cause}"
            )
        })
    }
}

/// The same error of a kind, with a message that names the database.
fn name_database(
    error: DieselError,
    kind: DatabaseErrorKind,
    message: impl FnOnce(&str) -> String,
) -> DieselError {
    match error {
        DieselError::DatabaseError(_, information) => {
            let message = message(information.message().trim_end());
            DieselError::DatabaseError(kind, Box::new(Named { message, information }))
        }
        other => other,
    }
}

/// What a server said, with a message of ours.
struct Named {
    message: String,
    information: Box<dyn DatabaseErrorInformation + Send + Sync>,
}

impl DatabaseErrorInformation for Named {
    fn message(&self) -> &str {
        &self.message
    }
    fn details(&self) -> Option<&str> {
        self.information.details()
    }
    fn hint(&self) -> Option<&str> {
        self.information.hint()
    }
    fn table_name(&self) -> Option<&str> {
        self.information.table_name()
    }
    fn column_name(&self) -> Option<&str> {
        self.information.column_name()
    }
    fn constraint_name(&self) -> Option<&str> {
        self.information.constraint_name()
    }
    fn statement_position(&self) -> Option<i32> {
        self.information.statement_position()
    }
}
