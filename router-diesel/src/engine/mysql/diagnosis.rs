//! What errors of MySQL's and MariaDB's driver say.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};

use super::Mysql;
use crate::engine::diagnosis::{Diagnose, Diagnosis};

impl Diagnose for Mysql {
    /// Diesel keeps the number of an error to itself. It has a kind for some of those that a server sends, and
    /// `Unknown` for the rest: for a lost connection (CR 2006, CR 2013) and for a table that is not there.
    fn diagnose(&self, kind: &DatabaseErrorKind, _: &dyn DatabaseErrorInformation) -> Diagnosis {
        match kind {
            DatabaseErrorKind::ClosedConnection => Diagnosis::Lost,
            DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand => Diagnosis::PingNow,
            DatabaseErrorKind::SerializationFailure => Diagnosis::Cancelled,
            _ => Diagnosis::Answered,
        }
    }

    /// This reads a text: the number of the error (1290) is Diesel's secret, and to ask the server whether it is
    /// read-only now would not say that this statement failed for it. What is looked for is the same in every
    /// language, as the message names the option by which the server was told.
    fn takes_no_writes(&self, _: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> bool {
        let message = information.message();
        ["--read-only", "--super-read-only"].iter().any(|option| message.contains(option))
    }

    /// This reads a text, but no language: in every one of them, the messages 1044, 1045 and 1698 write `'user'@'host'`,
    /// and no other message of a failed attempt to connect does.
    fn refuses_user(&self, text: &str) -> bool {
        text.contains("'@'")
    }
}
