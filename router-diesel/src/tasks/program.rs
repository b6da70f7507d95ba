//! Running the programs of the databases' clients.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::TaskError;
use super::server::ServerUrl;
use crate::config::Database;

/// The client of one server: who it connects as, and how its programs are told. Passwords travel in the environment
/// alone, as the arguments of a process are everybody's to read.
pub(super) struct Client<'a> {
    database: &'a Database,
    server: ServerUrl,
    package: &'static str,
}

impl<'a> Client<'a> {
    pub(super) fn new(database: &'a Database, package: &'static str) -> Result<Self, TaskError> {
        let server = ServerUrl::read(&database.url);
        match server.options.iter().find(|(key, _)| is_secret(key)) {
            Some((option, _)) => {
                Err(TaskError::SecretOption { alias: database.alias.clone(), option: option.clone() })
            }
            None => Ok(Self { database, server, package }),
        }
    }

    pub(super) fn name(&self) -> Result<String, TaskError> {
        self.server.name_of(self.database)
    }

    /// A program of PostgreSQL's client.
    pub(super) fn postgres(&self, program: &str) -> Command {
        let mut command = command(program);
        command.arg(format!("--dbname={}", self.server.without_password()));
        if let Some(password) = &self.server.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// A program of MariaDB's or MySQL's client, of which the first that is installed is taken.
    pub(super) fn mysql(&self, programs: [&str; 2]) -> Result<(Command, Maker), TaskError> {
        let found = programs.into_iter().find_map(|program| {
            let version = command(program).arg("--version").output().ok()?;
            let is_mariadb = String::from_utf8_lossy(&version.stdout).contains("MariaDB");
            Some((program, if is_mariadb { Maker::MariaDb } else { Maker::Mysql }))
        });
        let (program, maker) = found.ok_or_else(|| self.missing(programs[0]))?;
        let mut command = command(program);
        // What is in the user's own files of options would be true of the program, and not of the service.
        command.arg("--no-defaults").arg("--default-character-set=utf8mb4");
        let option = |name: &str| {
            self.server.options.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let hosts = self.server.hosts();
        let (host, port) = match hosts.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (hosts, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match option("unix_socket") {
            Some(socket) if host.is_empty() || host == "localhost" => {
                command.arg(format!("--socket={socket}"));
            }
            _ if host.is_empty() => {}
            _ => {
                command.arg(format!("--host={host}"));
            }
        }
        if let Some(port) = port {
            command.arg(format!("--port={port}"));
        }
        if let Some(user) = &self.server.user {
            command.arg(format!("--user={user}"));
        }
        for name in ["ssl_ca", "ssl_cert", "ssl_key"] {
            if let Some(file) = option(name) {
                command.arg(format!("--{}={file}", name.replace('_', "-")));
            }
        }
        match (option("ssl_mode").map(str::to_lowercase).as_deref(), maker) {
            (None, _) => {}
            (Some(mode), Maker::Mysql) => {
                command.arg(format!("--ssl-mode={}", mode.to_uppercase()));
            }
            (Some("disabled"), Maker::MariaDb) => {
                command.arg("--skip-ssl");
            }
            (Some("required"), Maker::MariaDb) => {
                command.arg("--ssl");
            }
            (Some("verify_ca" | "verify_identity"), Maker::MariaDb) => {
                command.args(["--ssl", "--ssl-verify-server-cert"]);
            }
            (Some(_), Maker::MariaDb) => {}
        }
        // Empty where there is none, so that the program asks nobody.
        command.env("MYSQL_PWD", self.server.password.as_deref().unwrap_or_default());
        Ok((command, maker))
    }

    /// Runs a program to its end and gives what it wrote.
    pub(super) fn run(&self, mut command: Command) -> Result<String, TaskError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |output: String| TaskError::Program {
            alias: self.database.alias.clone(),
            program: program.clone(),
            output,
        };
        let output = command.output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.missing(&program),
            _ => failed(error.to_string()),
        })?;
        if !output.status.success() {
            let written = String::from_utf8_lossy(&output.stderr).into_owned();
            let written = if written.trim().is_empty() { output.status.to_string() } else { written };
            return Err(failed(written));
        }
        String::from_utf8(output.stdout).map_err(|_| failed("it wrote what is no UTF-8".to_owned()))
    }

    fn missing(&self, program: &str) -> TaskError {
        TaskError::MissingProgram {
            alias: self.database.alias.clone(),
            program: program.to_owned(),
            package: self.package,
        }
    }
}

/// Whose client a program belongs to: their options differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    MariaDb,
    Mysql,
}

/// The parameters of libpq and of MySQL's client that hold a secret, but for the password itself.
fn is_secret(option: &str) -> bool {
    matches!(
        option,
        "sslpassword" | "passwd" | "oauth_client_secret" | "scram_client_key" | "scram_server_key"
    )
}

/// A program that speaks English and reads nothing.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn arguments(command: &Command) -> String {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        arguments.join(" ")
    }

    #[test]
    fn a_password_is_in_the_environment_alone() {
        let config = Config::from_yaml(
            "databases:
  default: { url: 'postgres://u:hunter2@h:5433/blog?sslmode=require&password=hunter3' }
  maria: { url: 'mysql://u:hunter2@[::1]:3307/blog?ssl_mode=required' }
  socket: { url: 'mysql://u@localhost/blog?unix_socket=%2Frun%2Fdb.sock' }
  secret: { url: 'postgres://u@h/blog?sslpassword=hunter2' }
",
        )
        .unwrap();
        let client = |alias| Client::new(config.database(alias).unwrap(), "the-package");
        let command = client("default").unwrap().postgres("pg_dump");
        assert_eq!(arguments(&command), "--dbname=postgres://u@h:5433/blog?sslmode=require");
        assert!(
            command.get_envs().any(|pair| pair == (OsStr::new("PGPASSWORD"), Some(OsStr::new("hunter3"))))
        );

        // Any program will do: one that is not MariaDB's is taken for MySQL's.
        let (command, _) = client("maria").unwrap().mysql(["true", "true"]).unwrap();
        assert_eq!(
            arguments(&command),
            "--no-defaults --default-character-set=utf8mb4 --host=::1 --port=3307 --user=u --ssl-mode=REQUIRED"
        );
        assert!(
            command.get_envs().any(|pair| pair == (OsStr::new("MYSQL_PWD"), Some(OsStr::new("hunter2"))))
        );
        let (command, _) = client("socket").unwrap().mysql(["true", "true"]).unwrap();
        assert!(arguments(&command).ends_with("--socket=/run/db.sock --user=u"), "{}", arguments(&command));

        let error = client("secret").err().unwrap().to_string();
        assert!(error.contains("`sslpassword`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let config = Config::from_yaml("databases: { default: { url: 'postgres://u@h/blog' } }").unwrap();
        let client = Client::new(config.database("default").unwrap(), "postgresql-client").unwrap();
        let error = client.run(client.postgres("no-such-program")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`no-such-program`, which database `default` needs for this, was not found; install the package \
             `postgresql-client`"
        );
    }
}
