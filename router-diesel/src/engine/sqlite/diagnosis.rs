//! What errors of SQLite say.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};

use super::Sqlite;
use crate::engine::diagnosis::{Diagnose, Diagnosis};

impl Diagnose for Sqlite {
    /// There is no connection that could be lost.
    fn diagnose(&self, kind: &DatabaseErrorKind, _: &dyn DatabaseErrorInformation) -> Diagnosis {
        match kind {
            DatabaseErrorKind::ClosedConnection => Diagnosis::Lost,
            DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand => Diagnosis::PingLater,
            _ => Diagnosis::Answered,
        }
    }

    fn takes_no_writes(&self, _: &DatabaseErrorKind, _: &dyn DatabaseErrorInformation) -> bool {
        false
    }

    /// A file has no users.
    fn refuses_user(&self, _: &str) -> bool {
        false
    }
}
