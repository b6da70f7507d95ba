//! `shell`: the database's own client, with the password kept off its command line, and without writes where a
//! session could make none.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Command;

use router_core::Operation;
use router_diesel::config::{Database, DatabaseUrl, Engine, Restriction};

use crate::args::ShellArguments;
use crate::exit::Exit;
use crate::failure::{Failure, find_database};
use crate::output::Output;
use crate::program::Project;
use crate::server_url::ServerUrl;

/// What makes a transaction of PostgreSQL one that only reads, unless somebody says otherwise in it.
const POSTGRES_READ_ONLY: &str = "-c default_transaction_read_only=on";
/// The variable from which psql takes such options, where the URL has none.
const POSTGRES_OPTIONS: &str = "PGOPTIONS";

/// What may be done with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
}

/// A client, and how it is told about a database.
struct Client {
    /// The names that the program may have, the first one first.
    programs: &'static [&'static str],
    /// The Debian package that has it.
    package: &'static str,
    arguments: Vec<String>,
    /// Where the password is. Everybody can read a command line; an environment, its user alone.
    variables: Vec<(&'static str, String)>,
    /// The parameters of the URL that the client cannot be told.
    ignored: Vec<String>,
}

pub(super) fn run(
    arguments: &ShellArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let config = project.config()?;
    let database = find_database(&config, &arguments.alias)?;
    let read_only = read_only(database);
    let access = if read_only.is_some() { Access::ReadOnly } else { Access::ReadWrite };
    let client = Client::new(&database.url, access).map_err(Failure::Usage)?;
    for key in &client.ignored {
        output.say(format_args!("note: the client is not told `{key}` of the URL"));
    }
    if let Some(reason) = read_only {
        output.say(format_args!("note: `{}` is opened read-only: {reason}", database.alias));
    }
    output.flush()?;
    client.start(&arguments.arguments)
}

/// Why a database is only read, as its pool has it too: one that may be migrated is written, if only by its owner.
fn read_only(database: &Database) -> Option<&'static str> {
    database.restriction(Operation::Write)?;
    Some(match database.restriction(Operation::Migrate)? {
        Restriction::Replica => "it is a replica",
        Restriction::ReadOnly => "it is `read_only: true`",
        Restriction::Offline => "it is `offline: primary`",
        _ => "its `operations` have neither `write` nor `migrate`",
    })
}

impl Client {
    fn new(url: &DatabaseUrl, access: Access) -> Result<Self, String> {
        match (url.engine(), ServerUrl::new(url)) {
            (Engine::Postgres, Some(parts)) => Self::postgres(parts, access),
            (Engine::Mysql, Some(parts)) => Self::mysql(&parts, access),
            _ => Self::sqlite(url, access),
        }
    }

    fn postgres(mut url: ServerUrl, access: Access) -> Result<Self, String> {
        refuse_secrets(&url, "psql")?;
        let mut variables: Vec<_> =
            url.password().map(|password| ("PGPASSWORD", password)).into_iter().collect();
        if access == Access::ReadOnly && !url.append_to("options", POSTGRES_READ_ONLY) {
            let before = std::env::var(POSTGRES_OPTIONS).unwrap_or_default();
            let options = format!("{before} {POSTGRES_READ_ONLY}");
            variables.push((POSTGRES_OPTIONS, options.trim_start().to_owned()));
        }
        Ok(Self {
            programs: &["psql"],
            package: "postgresql-client",
            arguments: vec![format!("--dbname={}", url.without_secrets())],
            variables,
            ignored: Vec::new(),
        })
    }

    fn mysql(url: &ServerUrl, access: Access) -> Result<Self, String> {
        refuse_secrets(url, "mariadb")?;
        let mut arguments = Vec::new();
        let mut ignored = Vec::new();
        let mut socket = None;
        for parameter in url.parameters() {
            let value = parameter.value();
            match (parameter.key.as_str(), value.to_ascii_lowercase().as_str()) {
                ("unix_socket", _) => socket = Some(value),
                ("ssl_ca", _) => arguments.push(format!("--ssl-ca={value}")),
                ("ssl_cert", _) => arguments.push(format!("--ssl-cert={value}")),
                ("ssl_key", _) => arguments.push(format!("--ssl-key={value}")),
                // MariaDB's client knows these, and MySQL's still does.
                ("ssl_mode", "disabled") => arguments.push("--skip-ssl".to_owned()),
                ("ssl_mode", "required") => arguments.push("--ssl".to_owned()),
                ("ssl_mode", "verify_ca" | "verify_identity") => {
                    arguments.push("--ssl-verify-server-cert".to_owned());
                }
                ("ssl_mode", "preferred") => {}
                (key, _) => ignored.push(key.to_owned()),
            }
        }
        match (socket, url.host_and_port()) {
            (Some(socket), _) => arguments.push(format!("--socket={socket}")),
            (None, (host, port)) => {
                arguments.extend(host.map(|host| format!("--host={host}")));
                arguments.extend(port.map(|port| format!("--port={port}")));
            }
        }
        arguments.extend(url.user().map(|user| format!("--user={user}")));
        if !url.name.is_empty() {
            arguments.push(format!("--database={}", url.name));
        }
        if access == Access::ReadOnly {
            arguments.push("--init-command=SET SESSION TRANSACTION READ ONLY".to_owned());
        }
        Ok(Self {
            programs: &["mariadb", "mysql"],
            package: "mariadb-client",
            arguments,
            variables: url.password().map(|password| ("MYSQL_PWD", password)).into_iter().collect(),
            ignored,
        })
    }

    fn sqlite(url: &DatabaseUrl, access: Access) -> Result<Self, String> {
        let file = url.expose();
        if url.to_string() != file {
            return Err(unsafe_secret("sqlite3", "a key"));
        }
        // A file whose name begins with a dash is no option.
        let file = if file.starts_with('-') { format!("./{file}") } else { file.to_owned() };
        let mut arguments = vec![file];
        if access == Access::ReadOnly {
            arguments.insert(0, "-readonly".to_owned());
        }
        Ok(Self {
            programs: &["sqlite3"],
            package: "sqlite3",
            arguments,
            variables: Vec::new(),
            ignored: Vec::new(),
        })
    }

    /// Starts the client in the place of this process; returns only where it could not, or where a system does
    /// not know such a thing.
    fn start(&self, more: &[OsString]) -> Result<Exit, Failure> {
        for program in self.programs {
            let mut command = Command::new(program);
            command.args(&self.arguments).args(more);
            command.envs(self.variables.iter().map(|(name, value)| (name, value)));
            match replace_process(command) {
                Ok(exit) => return Ok(exit),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Failure::Usage(format!("failed to start `{program}`: {error}")));
                }
            }
        }
        Err(Failure::Usage(format!(
            "`{}` is not installed; on Debian: apt-get install {}",
            self.programs.join("` or `"),
            self.package
        )))
    }
}

#[cfg(unix)]
fn replace_process(mut command: Command) -> std::io::Result<Exit> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn replace_process(mut command: Command) -> std::io::Result<Exit> {
    Ok(if command.status()?.success() { Exit::Fine } else { Exit::Found })
}

/// Refuses a URL with secrets that the client takes on its command line only.
fn refuse_secrets(url: &ServerUrl, program: &str) -> Result<(), String> {
    match url.parameters().find(|parameter| parameter.is_secret) {
        Some(secret) => Err(unsafe_secret(program, &format!("`{}`", secret.key))),
        None => Ok(()),
    }
}

fn unsafe_secret(program: &str, what: &str) -> String {
    format!(
        "the URL holds {what}, which `{program}` takes on its command line only, where every user can read it; \
         start `{program}` by hand"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<Client, String> {
        Client::new(&url.parse().unwrap(), Access::ReadWrite)
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
        let client = Client::new(&url, Access::ReadOnly).unwrap();
        assert_eq!(
            client.arguments,
            ["--dbname=postgres://h/db?options=-c%20a%3Db%20-c%20default_transaction_read_only%3Don\
                 &sslmode=require"]
        );
        assert_eq!(client.variables, []);
    }

    #[test]
    fn a_secret_without_a_safe_way_is_refused() {
        for url in ["postgres://u@h/db?sslpassword=hunter2", "sqlite://db/x?key=hunter2"] {
            let error = client(url).err().unwrap();
            assert!(error.contains("on its command line only") && !error.contains("hunter2"), "{error}");
        }
    }
}
