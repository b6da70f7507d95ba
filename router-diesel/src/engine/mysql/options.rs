//! The options of URLs of MySQL and MariaDB, and the wish for TLS among them.
//!
//! Diesel reads these five and ignores all others, so all others are errors.

use diesel::{ConnectionError, ConnectionResult};

use super::Mysql;
use crate::engine::encryption::NotEncrypted;
use crate::engine::url::options::{OptionProblem, UrlOption, judge};
use crate::engine::url::server::Sections;
use crate::engine::{Ask, DatabaseUrl, Words as _};

const MODES: &[&str] = &["disabled", "preferred", "required", "verify_ca", "verify_identity"];

/// What Diesel's connection reads of a URL.
const OPTIONS: [UrlOption; 5] = [
    UrlOption { name: "ssl_mode", values: MODES },
    UrlOption::any("ssl_ca"),
    UrlOption::any("ssl_cert"),
    UrlOption::any("ssl_key"),
    UrlOption::any("unix_socket"),
];

/// The question for the cipher of this connection, empty where there is none. MariaDB reads `/*M! */`, and MySQL the other
/// comment, which MariaDB does not.
const CIPHER: &str = "SELECT VARIABLE_VALUE AS value FROM /*M! information_schema */ /*!50700 performance_schema */ \
                      .session_status WHERE VARIABLE_NAME = 'Ssl_cipher'";

/// A statement that fails on a connection without TLS, whichever product the server is. MariaDB's client goes on in plain
/// text where a server has no TLS, unless it is to verify it.
///
/// It asks for one value and finds two, as the two products have no other error in common that a query can raise.
pub(super) const FAILS_WITHOUT_TLS: &str = "SET @dbrouter_tls = (SELECT (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 2) \
    AS no_tls WHERE VARIABLE_VALUE = '') FROM /*M! information_schema */ /*!50700 performance_schema */ \
    .session_status WHERE VARIABLE_NAME = 'Ssl_cipher')";

/// What is wrong with the options of a URL.
pub(super) fn wrong(url: &str) -> Vec<OptionProblem> {
    judge(Mysql.title(), &OPTIONS, Sections::of(url).parameters(), advise)
}

/// What to write instead of an option or a value that other clients have.
fn advise(name: &str, value: &str) -> Option<String> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let instead = match &*name {
        "sslmode" | "ssl_mode" | "tls_mode" | "tlsmode" | "sslmod" => {
            return mode_of(value).map(|mode| format!("write `ssl_mode` with the value `{mode}`"));
        }
        "ssl" | "tls" | "usessl" | "use_ssl" | "require_ssl" | "requiressl" | "use_tls" => {
            "write `ssl_mode` with the value `required`"
        }
        "sslrootcert" | "sslca" | "tls_ca" => "write `ssl_ca`",
        "sslcert" => "write `ssl_cert`",
        "sslkey" => "write `ssl_key`",
        "socket" => "write `unix_socket`",
        "connect_timeout" | "connection_timeout" | "connecttimeout" => {
            "the client has no such option; `connection_timeout` under `pool` says how long a check-out waits"
        }
        "init_command" | "initcommand" => {
            "no statement of a URL is run; set it at the server, for all or with `ALTER USER`"
        }
        "charset" | "character_set" | "default_charset" => "leave it out: connections speak utf8mb4",
        "user" | "username" | "password" | "passwd" | "pwd" => {
            "write it before the host, or as a part of its own"
        }
        "host" | "port" | "database" | "dbname" | "db" | "schema" => {
            "write it in its place in the URL, or as a part of its own"
        }
        _ => return None,
    };
    Some(instead.to_owned())
}

/// The mode that a value of PostgreSQL's or of another client's means.
fn mode_of(value: &str) -> Option<&'static str> {
    Some(match &*value.to_ascii_lowercase().replace('-', "_") {
        "disable" | "disabled" | "off" | "false" | "0" | "no" => "disabled",
        "allow" | "prefer" | "preferred" => "preferred",
        "require" | "required" | "on" | "true" | "1" | "yes" => "required",
        "verify_ca" => "verify_ca",
        "verify_full" | "verify_identity" => "verify_identity",
        _ => return None,
    })
}

/// What a URL asks of the encryption of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Nothing,
    Encrypted,
    /// The server's certificate is checked, too.
    Verified,
}

fn wish(url: &str) -> Wish {
    let sections = Sections::of(url);
    let has = |name: &str| sections.parameter(name).is_some_and(|value| !value.is_empty());
    match sections.parameter("ssl_mode").map(|mode| mode.to_ascii_lowercase()).as_deref() {
        Some("required") => Wish::Encrypted,
        Some("verify_ca" | "verify_identity") => Wish::Verified,
        Some(_) => Wish::Nothing,
        None if has("ssl_ca") || has("ssl_cert") || has("ssl_key") => Wish::Encrypted,
        None => Wish::Nothing,
    }
}

/// Whether a URL asks for TLS.
pub(super) fn asks_for_tls(url: &str) -> bool {
    wish(url) > Wish::Nothing
}

/// Whether the client library that was built in obeys `ssl_mode`. MariaDB's takes it for another option.
pub(super) const fn obeys_mode() -> bool {
    #[cfg(feature = "mysql")]
    return mysqlclient_sys::SUPPORTS_MYSQL_SSL_MODE;
    #[cfg(not(feature = "mysql"))]
    return true;
}

/// Refuses before anything is sent what the client library cannot do: it would connect, and check no certificate.
///
/// # Errors
/// That the certificate cannot be checked.
pub(super) fn may_connect(url: &str, obeys_mode: bool) -> ConnectionResult<()> {
    if wish(url) == Wish::Verified && !obeys_mode {
        return Err(NotEncrypted::unverifiable().into());
    }
    Ok(())
}

/// The URL as the client library may have it.
pub(super) fn for_client(url: &str, obeys_mode: bool) -> Option<String> {
    let is_mode = |pair: &&str| pair.split_once('=').is_some_and(|(key, _)| key == "ssl_mode");
    let (before, query) = url.split_once('?')?;
    if obeys_mode || !query.split('&').any(|pair| is_mode(&pair)) {
        return None;
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_mode(pair)).collect();
    Some(if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) })
}

/// Asks a new connection for its cipher where the URL asks for TLS.
///
/// # Errors
/// That the connection is not encrypted, or that the server does not say.
pub(super) fn admit(conn: &mut dyn Ask, url: &DatabaseUrl) -> ConnectionResult<()> {
    if wish(url.expose()) == Wish::Nothing {
        return Ok(());
    }
    match conn.text(CIPHER) {
        Ok(cipher) if !cipher.is_empty() => Ok(()),
        Ok(_) | Err(diesel::result::Error::NotFound) => Err(NotEncrypted::plain(obeys_mode()).into()),
        Err(error) => Err(ConnectionError::CouldntSetupConfiguration(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_data() {
        for (query, expected) in [
            ("ssl_mode=REQUIRED&ssl_ca=%2Fca.pem&ssl_cert=c&ssl_key=k&unix_socket=%2Fs", vec![]),
            (
                "sslmode=require",
                vec!["unknown option `sslmode` for MySQL; write `ssl_mode` with the value `required`"],
            ),
            (
                "sslmode=verify-full",
                vec!["unknown option `sslmode` for MySQL; write `ssl_mode` with the value `verify_identity`"],
            ),
            ("sslmode=x", vec!["unknown option `sslmode` for MySQL; did you mean `ssl_mode`?"]),
            (
                "ssl_mode=require",
                vec![
                    "the option `ssl_mode` for MySQL cannot have this value; write `ssl_mode` with the value `required`",
                ],
            ),
            (
                "ssl_mode=requird",
                vec!["the option `ssl_mode` for MySQL cannot have this value; did you mean `required`?"],
            ),
            (
                "useSSL=true",
                vec!["unknown option `useSSL` for MySQL; write `ssl_mode` with the value `required`"],
            ),
            ("ssl-ca=x", vec!["unknown option `ssl-ca` for MySQL; did you mean `ssl_ca`?"]),
            (
                "nonsense=1&sokcet=2",
                vec![
                    "unknown option `nonsense` for MySQL; there is `ssl_mode`, `ssl_ca`, `ssl_cert`, `ssl_key`, \
                     `unix_socket`",
                    "unknown option `sokcet` for MySQL; there is `ssl_mode`, `ssl_ca`, `ssl_cert`, `ssl_key`, \
                     `unix_socket`",
                ],
            ),
            (
                "init_command=x",
                vec![
                    "unknown option `init_command` for MySQL; no statement of a URL is run; set it at the server, for \
                     all or with `ALTER USER`",
                ],
            ),
        ] {
            let problems = wrong(&format!("mysql://u:p@h/db?{query}"));
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{query}");
        }
    }

    #[test]
    fn wishes_as_data() {
        for (query, expected) in [
            ("", Wish::Nothing),
            ("?ssl_mode=disabled", Wish::Nothing),
            ("?ssl_mode=preferred&ssl_ca=x", Wish::Nothing),
            ("?ssl_mode=Required", Wish::Encrypted),
            ("?ssl_ca=x", Wish::Encrypted),
            ("?ssl_cert=x", Wish::Encrypted),
            ("?ssl_mode=verify_ca", Wish::Verified),
            ("?ssl_mode=VERIFY_IDENTITY", Wish::Verified),
        ] {
            let url = format!("mysql://u@h/db{query}");
            assert_eq!(wish(&url), expected, "{query}");
            assert_eq!(may_connect(&url, false).is_err(), expected == Wish::Verified, "{query}");
            assert!(may_connect(&url, true).is_ok(), "{query}");
        }
    }

    #[test]
    fn a_client_that_does_not_obey_the_mode_is_not_told_it() {
        for (url, expected) in [
            ("mysql://u@h/db", None),
            ("mysql://u@h/db?ssl_ca=x", None),
            ("mysql://u@h/db?ssl_mode=required", Some("mysql://u@h/db")),
            ("mysql://u@h/db?ssl_mode=required&ssl_ca=x", Some("mysql://u@h/db?ssl_ca=x")),
        ] {
            assert_eq!(for_client(url, false).as_deref(), expected, "{url}");
            assert_eq!(for_client(url, true), None, "{url}");
        }
    }

    struct Answers(Result<Vec<Option<String>>, ()>);

    impl Ask for Answers {
        fn run(&mut self, sql: &str) -> diesel::QueryResult<()> {
            panic!("nothing else is sent: {sql}")
        }

        fn begin(&mut self, _: &str) -> diesel::QueryResult<()> {
            unreachable!("it is only asked")
        }

        fn texts(&mut self, sql: &str) -> diesel::QueryResult<Vec<Option<String>>> {
            assert_eq!(sql, CIPHER);
            self.0.clone().map_err(|()| diesel::result::Error::BrokenTransactionManager)
        }
    }

    #[test]
    fn only_a_cipher_lets_a_connection_in() {
        let url: DatabaseUrl = "mysql://u@h/db?ssl_mode=required".parse().unwrap();
        let cipher = |text: &str| Answers(Ok(vec![Some(text.to_owned())]));
        assert!(admit(&mut cipher("TLS_AES_256_GCM_SHA384"), &url).is_ok());
        for mut answers in [cipher(""), Answers(Ok(vec![])), Answers(Ok(vec![None]))] {
            let error = admit(&mut answers, &url).unwrap_err();
            assert!(NotEncrypted::in_error(&error).is_some(), "{error}");
        }
        assert!(admit(&mut Answers(Err(())), &url).is_err(), "a server that does not say");
        let url: DatabaseUrl = "mysql://u@h/db".parse().unwrap();
        assert!(admit(&mut Answers(Err(())), &url).is_ok(), "nothing is asked where nothing is wished");
    }
}
