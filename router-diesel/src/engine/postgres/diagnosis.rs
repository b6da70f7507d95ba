//! What errors of PostgreSQL's driver say.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};

use super::Postgres;
use crate::engine::diagnosis::{Diagnose, Diagnosis};

impl Diagnose for Postgres {
    /// "Cached plan must not change result type", for as long as the connection lives.
    fn plans_go_stale(&self) -> bool {
        true
    }

    /// Diesel asks libpq after every error that a server sent: where the server closed the connection behind it, as it
    /// does when it shuts down, the kind is `ClosedConnection`, whatever the server's SQLSTATE.
    ///
    /// `UnableToSendCommand` is libpq's own, of a connection that is gone as well as of a statement with too many
    /// parameters.
    fn diagnose(&self, kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> Diagnosis {
        match kind {
            DatabaseErrorKind::ClosedConnection => Diagnosis::Lost,
            DatabaseErrorKind::UnableToSendCommand => Diagnosis::PingNow,
            DatabaseErrorKind::SerializationFailure => Diagnosis::Cancelled,
            DatabaseErrorKind::Unknown if is_cancelled_by_deadlock(information) => Diagnosis::Cancelled,
            DatabaseErrorKind::Unknown => Diagnosis::PingLater,
            _ => Diagnosis::Answered,
        }
    }

    /// SQLSTATE 25006.
    fn takes_no_writes(&self, kind: &DatabaseErrorKind, _: &dyn DatabaseErrorInformation) -> bool {
        matches!(kind, DatabaseErrorKind::ReadOnlyTransaction)
    }

    /// This reads a text: of a failed attempt to connect, Diesel keeps no SQLSTATE. The words below are those of all
    /// languages that PostgreSQL speaks. In any other one, the server seems to be out of reach for now.
    fn refuses_user(&self, text: &str) -> bool {
        REFUSALS.iter().any(|words| text.contains(words))
    }
}

/// What a server says to a user whom it does not let in: whatever the method of authentication, then to a role that may
/// not log in, and the words of no language.
///
/// A server whose locale is `C` writes `?` for every letter that is not ASCII. So these are parts of sentences without
/// such letters, as far as the language has any.
const REFUSALS: [&str; 27] = [
    "authentication failed",
    "uthentifizierung f",
    "la autentificaci",
    "pour l'utilisateur",
    "fallita per l'utente",
    "認証に失敗しました",
    "ავთენტიფიკაცია მომხმარებლისთვის",
    "인증을 실패했습니다",
    "не прошёл проверку подлинности",
    "autentisering misslyckades",
    "не пройшов автентифікацію",
    "认证失败",
    "认证 PAM 失败",
    "is not permitted to log in",
    "hat keine Berechtigung zum Einloggen",
    "no se le permite conectarse",
    "n'est pas autoris",
    "consentito effettuare il login",
    "ログインが許可されません",
    "შესვლის უფლება არ აქვს",
    "롤은 접속을 허용하지 않음",
    "вход запрещён",
    "ts inte logga in",
    "вхід не дозволений",
    "不允许角色",
    "pg_hba.conf",
    "fe_sendauth",
];

/// Whether a standby cancelled a read that held a page which it must replay, and waited for a lock of its own.
///
/// This reads a text: of all that a standby cancels, this case alone has SQLSTATE 40P01 instead of 40001, for which
/// Diesel has no kind, and nothing about it is left that the connection could be asked. A server that speaks another
/// language than English gives the caller the error, instead of another node's answer.
fn is_cancelled_by_deadlock(information: &dyn DatabaseErrorInformation) -> bool {
    information.message().contains("conflict with recovery")
}
