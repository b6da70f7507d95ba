//! The options of PostgreSQL's URLs, of which libpq is the judge.

use super::Postgres;
use crate::engine::Words as _;
use crate::engine::url::options::{OptionProblem, UrlOption, judge};
use crate::engine::url::server::Sections;

/// The keywords of libpq up to version 18, as the section "Parameter Key Words" of its documentation lists them, with those
/// that it once had and still accepts, and `ssl`, which it reads in URIs for the sake of JDBC.
const KEYWORDS: [&str; 55] = [
    "application_name",
    "authtype",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "tty",
    "user",
];

/// The options that no libpq we know of has. A newer one may, and all others refuse to connect.
pub(super) fn unknown(url: &str) -> Vec<OptionProblem> {
    let known: Vec<UrlOption> = KEYWORDS.iter().map(|name| UrlOption::any(name)).collect();
    judge(Postgres.title(), &known, Sections::of(url).parameters(), |name, _| {
        let is_like = crate::text::nearest(name, KEYWORDS).is_some();
        (!is_like)
            .then(|| "libpq refuses what it does not know; leave it out, unless yours is newer".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_data() {
        for (query, expected) in [
            ("sslmode=require&connect_timeout=5&application_name=x&options=-c%20a%3Db", vec![]),
            ("ssl_mode=require", vec!["unknown option `ssl_mode` for PostgreSQL; did you mean `sslmode`?"]),
            (
                "nonsense=1",
                vec![
                    "unknown option `nonsense` for PostgreSQL; libpq refuses what it does not know; leave it out, unless \
                 yours is newer",
                ],
            ),
        ] {
            let problems = unknown(&format!("postgres://u@h/db?{query}"));
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{query}");
        }
    }
}
