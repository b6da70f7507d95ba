//! What a driver's error says of the connection and the server that it came from.
//!
//! Servers and client libraries write their messages in many languages, so no decision hangs on the text of one. What
//! the kind of an error does not tell, the connection itself is asked: see [`verdict`].

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::{Engine, RoutedConnection};

/// How an engine reads the errors of its driver.
pub(crate) trait Diagnose {
    /// What an error of this kind says by itself.
    fn diagnose(&self, kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> Diagnosis;

    /// Whether a statement that was prepared fails for good once a table that it names has changed.
    fn plans_go_stale(&self) -> bool {
        false
    }

    /// Whether the error says that the server refuses every write, and not this connection or transaction alone.
    fn takes_no_writes(&self, kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> bool;

    /// Whether a failed attempt to connect says that the server refused the user or the password. Diesel gives the text of
    /// such an attempt and nothing else, and there is no connection that could be asked.
    fn refuses_user(&self, text: &str) -> bool;
}

/// What an error says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// The server answered. The statement failed, and the connection works.
    Answered,
    /// The server cancelled a read, because the read stood in the way of what the server replays.
    Cancelled,
    /// The error does not tell, and probably the server answered. The connection is pinged before its next user
    /// gets it.
    PingLater,
    /// The error does not tell. The connection is pinged on the spot.
    PingNow,
    /// The connection is gone.
    Lost,
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection works.
    Fine,
    /// Nobody knows. The connection is pinged before its next user gets it.
    Suspect,
    /// The connection is gone.
    Lost,
}

/// What an error says by itself, on an engine.
pub(crate) fn diagnose(engine: Engine, error: &DieselError) -> Diagnosis {
    match error {
        DieselError::BrokenTransactionManager => Diagnosis::Lost,
        DieselError::DatabaseError(kind, information) => engine.spec().diagnose(kind, &**information),
        _ => Diagnosis::Answered,
    }
}

/// Judges a connection by an error that came from it, and pings it where the error does not tell.
///
/// The ping costs a round trip, and only after an error. A client library that knows its connection to be gone
/// fails at once, without one.
pub(crate) fn verdict<C: RoutedConnection>(conn: &mut C, error: &DieselError) -> Verdict {
    match diagnose(conn.engine(), error) {
        Diagnosis::Answered | Diagnosis::Cancelled => Verdict::Fine,
        Diagnosis::PingLater => Verdict::Suspect,
        Diagnosis::PingNow if answers(conn) => Verdict::Fine,
        Diagnosis::PingNow | Diagnosis::Lost => Verdict::Lost,
    }
}

/// Whether the server answers on this connection. To refuse, as PostgreSQL does in a failed transaction, is an answer.
fn answers<C: RoutedConnection>(conn: &mut C) -> bool {
    let engine = conn.engine();
    match conn.ping() {
        Ok(()) => true,
        Err(error) => {
            matches!(diagnose(engine, &error), Diagnosis::Answered | Diagnosis::PingLater)
        }
    }
}

/// Whether an error that passed a pool's connection says that the connection is lost. The pool has given every such
/// error the kind `ClosedConnection`.
pub(crate) fn is_lost(error: &DieselError) -> bool {
    matches!(
        error,
        DieselError::BrokenTransactionManager
            | DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
    )
}

/// Whether an error that passed a pool's connection to a replica says that the replica cancelled the read, because it
/// stood in the way of what the replica replays. Another node may serve the read.
///
/// PostgreSQL says so by SQLSTATE 40001, and MySQL and MariaDB by a deadlock (1213) with the thread that replays: nobody
/// else writes on a replica. On a primary the same kind is of two transactions of the service's own.
pub(crate) fn was_cancelled_by_replica(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind, message: &str) -> DieselError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned()))
    }

    /// The same error of each kind in several languages says the same.
    #[test]
    fn an_error_means_the_same_in_every_language() {
        use DatabaseErrorKind::{ClosedConnection, SerializationFailure, UnableToSendCommand, Unknown};
        use Diagnosis::{Answered, Cancelled, Lost, PingLater, PingNow};
        const CANCELLED: [&str; 3] = [
            "canceling statement due to conflict with recovery",
            "storniere Anfrage wegen Konflikt mit der Wiederherstellung",
            "リカバリで競合が発生したためステートメントをキャンセルしています",
        ];
        const CLOSED: [&str; 3] = [
            "terminating connection due to administrator command",
            "Abbruch der Verbindung aufgrund von Anweisung des Administrators",
            "管理者コマンドにより接続を終了します",
        ];
        const GONE: [&str; 3] = [
            "Lost connection to MySQL server during query",
            "Verbindung zum Server während der Abfrage verloren",
            "Connexion perdue lors de la requête",
        ];
        let all = [CANCELLED, CLOSED, GONE].concat();
        for (engine, kind, messages, diagnosis) in [
            (Engine::Postgres, ClosedConnection, &CLOSED[..], Lost),
            (Engine::Postgres, UnableToSendCommand, &all, PingNow),
            (Engine::Postgres, SerializationFailure, &CANCELLED, Cancelled),
            (Engine::Postgres, Unknown, &CLOSED, PingLater),
            (Engine::Postgres, DatabaseErrorKind::UniqueViolation, &all, Answered),
            (Engine::Mysql, Unknown, &all, PingNow),
            (Engine::Mysql, SerializationFailure, &all, Cancelled),
            (Engine::Mysql, DatabaseErrorKind::UniqueViolation, &all, Answered),
            (Engine::Sqlite, Unknown, &all, PingLater),
        ] {
            for message in messages {
                // `DatabaseErrorKind` is not `Copy`, and its variants are few.
                let kind = match kind {
                    ClosedConnection => ClosedConnection,
                    UnableToSendCommand => UnableToSendCommand,
                    SerializationFailure => SerializationFailure,
                    Unknown => Unknown,
                    _ => DatabaseErrorKind::UniqueViolation,
                };
                assert_eq!(diagnose(engine, &error(kind, message)), diagnosis, "{engine}: {message}");
            }
        }
        for engine in Engine::ALL {
            assert_eq!(diagnose(*engine, &DieselError::BrokenTransactionManager), Lost);
            assert_eq!(diagnose(*engine, &DieselError::NotFound), Answered);
        }
    }

    #[test]
    fn a_server_that_refuses_a_user_is_understood_in_every_language() {
        let refuses = |engine: Engine, text: &str| engine.spec().refuses_user(text);
        for text in [
            "FATAL:  password authentication failed for user \"blog\"",
            "FATAL:  PAM authentication failed for user \"blog\"",
            "FATAL:  SASL authentication failed",
            "FATAL:  Passwort-Authentifizierung für Benutzer »blog« fehlgeschlagen",
            "FATAL:  Passwort-Authentifizierung f?r Benutzer >>blog<< fehlgeschlagen",
            "FATAL:  authentification par mot de passe ?chou?e pour l'utilisateur  << blog >>",
            "FATAL:  Zertifikatauthentifizierung für Benutzer »blog« fehlgeschlagen",
            "FATAL:  la autentificación password falló para el usuario «blog»",
            "FATAL:  authentification par mot de passe échouée pour l'utilisateur  « blog »",
            "FATALE:  autenticazione con password fallita per l'utente \"blog\"",
            "FATAL:  ユーザー\"blog\"のパスワード認証に失敗しました",
            "FATAL:  사용자 \"blog\"의 password 인증을 실패했습니다",
            "ВАЖНО:  пользователь \"blog\" не прошёл проверку подлинности (по паролю)",
            "FATAL:  Lösenordsautentisering misslyckades för användare \"blog\"",
            "FATAL:  користувач \"blog\" не пройшов автентифікацію за допомогою пароля",
            "FATAL:  用户 \"blog\" Password 认证失败",
            "FATAL:  Rolle »blog« hat keine Berechtigung zum Einloggen",
            "FATAL:  kein pg_hba.conf-Eintrag für Host »10.0.0.7«, Benutzer »blog«, Datenbank »blog«, keine Verschlüsselung",
            "fe_sendauth: no password supplied",
        ] {
            assert!(refuses(Engine::Postgres, text), "{text}");
            assert!(!refuses(Engine::Mysql, text), "{text}");
        }
        for text in [
            "FATAL:  sorry, too many clients already",
            "FATAL:  too many connections for role \"blog\"",
            "FATAL:  zu viele Verbindungen von Rolle »blog«",
            "FATAL:  the database system is starting up",
            "FATAL:  database \"blog\" does not exist",
            "FATAL:  Datenbank »blog« existiert nicht",
            "connection refused",
        ] {
            assert!(!refuses(Engine::Postgres, text), "{text}");
        }
        for text in [
            "Access denied for user 'blog'@'localhost' (using password: YES)",
            "Access denied for user 'blog'@'localhost' to database 'shop'",
            "Benutzer 'blog'@'%' hat keine Zugriffsberechtigung (verwendetes Passwort: JA)",
            "Accès refusé pour l'utilisateur: 'blog'@'localhost' (mot de passe: OUI)",
            "Доступ закрыт для пользователя 'blog'@'localhost' (был использован пароль: ДА)",
            "'blog'@'localhost' 用户无权访问 (使用密码: YES)",
        ] {
            assert!(refuses(Engine::Mysql, text), "{text}");
        }
        for text in [
            "Too many connections",
            "User blog already has more than 'max_user_connections' active connections",
            "Unknown database 'blog'",
            "Host '10.0.0.7' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'",
            "Can't connect to server on '127.0.0.1' (111)",
        ] {
            assert!(!refuses(Engine::Mysql, text), "{text}");
        }
    }

    #[test]
    fn a_server_that_takes_no_writes_says_so_in_every_language() {
        let refuses =
            |engine: Engine, kind, message: &str| engine.spec().takes_no_writes(&kind, &message.to_owned());
        for message in [
            "The MariaDB server is running with the --read-only option so it cannot execute this statement",
            "Der MariaDB-Server läuft mit der Option --read-only und kann diese Anweisung deshalb nicht ausführen",
            "Le serveur MariaDB est démarré avec l'option --super-read-only. Il ne peut pas exécuter cette commande",
        ] {
            assert!(refuses(Engine::Mysql, DatabaseErrorKind::Unknown, message), "{message}");
            assert!(!refuses(Engine::Postgres, DatabaseErrorKind::Unknown, message), "{message}");
        }
        assert!(refuses(Engine::Postgres, DatabaseErrorKind::ReadOnlyTransaction, "nicht schreiben"));
        assert!(!refuses(Engine::Mysql, DatabaseErrorKind::Unknown, "The table is read only"));
    }
}
