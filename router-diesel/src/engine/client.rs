//! The client programs of a database: the one with which people speak to it, and how those that the tasks need are run.
//!
//! Passwords travel in the environment alone, as the arguments of a process are everybody's to read.

use std::fmt;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::url::server::Sections;
use super::{Access, DatabaseUrl};
use crate::text::secrets::is_secret_key;

/// How an engine tells its client programs about a database.
pub(crate) trait Clients {
    /// The program with which people speak to a database.
    ///
    /// # Errors
    /// The URL holds a secret that the program cannot be told unseen.
    fn client(&self, url: &DatabaseUrl, access: Access) -> Result<ClientProgram, UnsafeSecret>;
}

/// A database's own client program, such as `psql`, and what it must be told to open the database.
///
/// No secret is among its arguments: they are in its environment, which its user alone can read.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientProgram {
    pub(super) programs: &'static [&'static str],
    pub(super) package: &'static str,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) ignored: Vec<String>,
}

impl ClientProgram {
    /// The client of the database that a URL names. With [`Access::ReadOnly`] it is told to refuse writes.
    ///
    /// # Errors
    /// The URL holds a secret that the program takes only as an argument.
    pub fn new(url: &DatabaseUrl, access: Access) -> Result<Self, UnsafeSecret> {
        url.engine().spec().client(url, access)
    }

    /// The names that the program may have, the likeliest first.
    #[must_use]
    pub fn programs(&self) -> &'static [&'static str] {
        self.programs
    }

    /// The Debian and Ubuntu package that brings it.
    #[must_use]
    pub fn package(&self) -> &'static str {
        self.package
    }

    /// The parameters of the URL that the program cannot be told.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The command that runs the program under one of its [names](Self::programs).
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Shows no variable, as one may hold the password.
impl fmt::Debug for ClientProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProgram")
            .field("programs", &self.programs)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

/// A secret of a URL that a client program takes on its command line only, where every user could read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsafeSecret {
    pub(super) program: &'static str,
    /// What it is: `` `sslpassword` `` or `a key`.
    pub(super) what: String,
}

impl fmt::Display for UnsafeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, what } = self;
        write!(
            f,
            "the URL holds {what}, which `{program}` takes on its command line only, where every user can read it; \
             start `{program}` by hand"
        )
    }
}

impl std::error::Error for UnsafeSecret {}

/// A parameter of a URL that holds a secret, but for the password itself, which has a variable.
pub(super) fn secret_parameter<'u>(url: &Sections<'u>) -> Option<&'u str> {
    url.parameters().map(|(key, _)| key).find(|key| *key != "password" && is_secret_key(key))
}

/// Refuses a URL with secrets that a program takes on its command line only.
pub(super) fn refuse_secrets(url: &Sections<'_>, program: &'static str) -> Result<(), UnsafeSecret> {
    match secret_parameter(url) {
        Some(key) => Err(UnsafeSecret { program, what: format!("`{key}`") }),
        None => Ok(()),
    }
}

/// Why a client program has not done what it was run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientError {
    /// The URL names no database.
    Nameless,
    /// A parameter of the URL cannot be told to a program without everybody seeing it.
    Secret(String),
    /// The program is not installed, but would be with this package.
    Missing { program: String, package: &'static str },
    /// It failed, and wrote this.
    Failed { program: String, output: String },
}

/// A program that speaks English and reads nothing.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Runs a program of a package to its end and gives what it wrote.
pub(crate) fn run(mut command: Command, package: &'static str) -> Result<String, ClientError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |output: String| ClientError::Failed { program: program.clone(), output };
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => ClientError::Missing { program: program.clone(), package },
        _ => failed(error.to_string()),
    })?;
    if !output.status.success() {
        let written = String::from_utf8_lossy(&output.stderr).into_owned();
        let written = if written.trim().is_empty() { output.status.to_string() } else { written };
        return Err(failed(written));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("it wrote what is no UTF-8".to_owned()))
}

/// The arguments of a command, for tests.
#[cfg(test)]
pub(super) fn arguments(command: &Command) -> String {
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_string_lossy).collect();
    arguments.join(" ")
}

/// A variable of a command, for tests.
#[cfg(test)]
pub(super) fn variable(command: &Command, name: &str) -> Option<String> {
    let (_, value) = command.get_envs().find(|(key, _)| *key == name)?;
    Some(value?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<ClientProgram, UnsafeSecret> {
        ClientProgram::new(&url.parse().unwrap(), Access::ReadWrite)
    }

    #[test]
    fn no_password_is_an_argument() {
        for (url, arguments, variables) in [
            (
                "postgres://blog:p@ss@db:5433/blog?sslmode=require",
                vec!["--dbname=postgres://blog@db:5433/blog?sslmode=require"],
                vec![("PGPASSWORD", "p@ss")],
            ),
            ("postgres:///blog?host=/run", vec!["--dbname=postgres:///blog?host=/run"], vec![]),
            (
                "mysql://shop:a%2Fb@db:3307/shop?ssl_mode=REQUIRED&ssl_ca=/ca.pem",
                vec![
                    "--ssl",
                    "--ssl-ca=/ca.pem",
                    "--host=db",
                    "--port=3307",
                    "--user=shop",
                    "--database=shop",
                    // What a connection without TLS fails at.
                    "--init-command=SET @dbrouter_tls = (SELECT (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 2) AS no_tls \
                     WHERE VARIABLE_VALUE = '') FROM /*M! information_schema */ /*!50700 performance_schema */ \
                     .session_status WHERE VARIABLE_NAME = 'Ssl_cipher')",
                ],
                vec![("MYSQL_PWD", "a/b")],
            ),
            (
                "mysql://shop@localhost/shop?unix_socket=%2Frun%2Fmysqld.sock",
                vec!["--socket=/run/mysqld.sock", "--user=shop", "--database=shop"],
                vec![],
            ),
            ("sqlite://db/blog.sqlite3", vec!["db/blog.sqlite3"], vec![]),
            ("sqlite:-readonly", vec!["./-readonly"], vec![]),
        ] {
            let expected_variables: Vec<_> =
                variables.into_iter().map(|(name, value): (_, &str)| (name, value.to_owned())).collect();
            let client = client(url).unwrap();
            assert_eq!(client.arguments, arguments, "{url}");
            assert_eq!(client.variables, expected_variables, "{url}");
        }
    }

    #[test]
    fn options_in_the_url_are_added_to_as_psql_reads_no_others_then() {
        let url = "postgres://h/db?options=-c%20a%3Db&sslmode=require".parse().unwrap();
        let client = ClientProgram::new(&url, Access::ReadOnly).unwrap();
        assert_eq!(
            client.arguments,
            ["--dbname=postgres://h/db?options=-c%20a%3Db%20-c%20default_transaction_read_only%3Don\
                 &sslmode=require"]
        );
        assert_eq!(client.variables, []);
    }

    #[test]
    fn a_secret_without_a_safe_way_is_refused() {
        for url in [
            "postgres://u@h/db?sslpassword=hunter2",
            "postgres://u@h/db?scram_client_key=hunter2",
            "sqlite://db/x?vfs=crypt&key=hunter2",
        ] {
            let error = client(url).unwrap_err().to_string();
            assert!(error.contains("on its command line only") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let client = client("postgres://blog:hunter2@db/blog").unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
