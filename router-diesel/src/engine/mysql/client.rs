//! The client programs of MySQL and MariaDB.

use std::process::Command;

use super::{Mysql, options};
use crate::engine::client::{
    ClientError, ClientProgram, Clients, UnsafeSecret, command, refuse_secrets, secret_parameter,
};
use crate::engine::url::percent::decoded;
use crate::engine::url::server::Sections;
use crate::engine::{Access, DatabaseUrl, mariadb};

/// The package that has them.
pub(super) const PACKAGE: &str = "mariadb-client";
/// The variable from which they take the password.
const PASSWORD: &str = "MYSQL_PWD";

impl Clients for Mysql {
    fn client(&self, url: &DatabaseUrl, access: Access) -> Result<ClientProgram, UnsafeSecret> {
        let sections = Sections::of(url.expose());
        refuse_secrets(&sections, "mariadb")?;
        let mut arguments = Vec::new();
        let mut ignored = Vec::new();
        let mut socket = None;
        for (key, value) in sections.parameters().filter(|(key, _)| *key != "password") {
            let value = decoded(value);
            match (key, value.to_ascii_lowercase().as_str()) {
                ("unix_socket", _) => socket = Some(value),
                ("ssl_ca" | "ssl_cert" | "ssl_key", _) => {
                    arguments.push(format!("--{}={value}", key.replace('_', "-")));
                }
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
        match (socket, sections.host_and_port()) {
            (Some(socket), _) => arguments.push(format!("--socket={socket}")),
            (None, (host, port)) => {
                arguments.extend(host.map(|host| format!("--host={host}")));
                arguments.extend(port.map(|port| format!("--port={port}")));
            }
        }
        arguments.extend(user(&sections).map(|user| format!("--user={user}")));
        if !sections.name.is_empty() {
            arguments.push(format!("--database={}", sections.name));
        }
        let read_only = (access == Access::ReadOnly).then_some("SET SESSION TRANSACTION READ ONLY");
        let encrypted = options::asks_for_tls(url.expose()).then_some(options::FAILS_WITHOUT_TLS);
        // The program knows one such option.
        let first: Vec<&str> = encrypted.into_iter().chain(read_only).collect();
        if !first.is_empty() {
            arguments.push(format!("--init-command={}", first.join("; ")));
        }
        let password = sections.parameter("password").or_else(|| sections.password());
        Ok(ClientProgram {
            programs: &["mariadb", "mysql"],
            package: PACKAGE,
            arguments,
            variables: password.map(|password| (PASSWORD, password)).into_iter().collect(),
            ignored,
        })
    }
}

/// Whose client a program belongs to: their options differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    MariaDb,
    Mysql,
}

/// A program that connects to a server, of which the first that is installed is taken.
pub(super) fn tool(programs: [&str; 2], url: &DatabaseUrl) -> Result<(Command, Maker), ClientError> {
    let sections = Sections::of(url.expose());
    if let Some(key) = secret_parameter(&sections) {
        return Err(ClientError::Secret(key.to_owned()));
    }
    let found = programs.into_iter().find_map(|program| {
        let version = command(program).arg("--version").output().ok()?;
        let is_mariadb = mariadb::wrote(&String::from_utf8_lossy(&version.stdout));
        Some((program, if is_mariadb { Maker::MariaDb } else { Maker::Mysql }))
    });
    let missing = || ClientError::Missing { program: programs[0].to_owned(), package: PACKAGE };
    let (program, maker) = found.ok_or_else(missing)?;
    let mut command = command(program);
    // What is in the user's own files of options would be true of the program, and not of the service.
    command.arg("--no-defaults").arg("--default-character-set=utf8mb4").args(address(&sections));
    for name in ["ssl_ca", "ssl_cert", "ssl_key"] {
        if let Some(file) = sections.parameter(name) {
            command.arg(format!("--{}={file}", name.replace('_', "-")));
        }
    }
    if let Some(mode) = sections.parameter("ssl_mode") {
        command.args(encryption(maker, &mode));
    }
    // Empty where there is none, so that the program asks nobody.
    command.env(PASSWORD, sections.password().unwrap_or_default());
    Ok((command, maker))
}

/// Where a program connects to, and as whom.
fn address(sections: &Sections<'_>) -> Vec<String> {
    let mut arguments = Vec::new();
    let (host, port) = sections.host_and_port();
    match (sections.parameter("unix_socket"), host) {
        (Some(socket), None | Some("localhost")) => arguments.push(format!("--socket={socket}")),
        (_, Some(host)) => arguments.push(format!("--host={host}")),
        (None, None) => {}
    }
    arguments.extend(port.map(|port| format!("--port={port}")));
    arguments.extend(user(sections).map(|user| format!("--user={user}")));
    arguments
}

/// How a connection is to be encrypted.
fn encryption(maker: Maker, mode: &str) -> Vec<String> {
    let arguments: &[&str] = match (maker, mode.to_lowercase().as_str()) {
        (Maker::Mysql, mode) => return vec![format!("--ssl-mode={}", mode.to_uppercase())],
        (Maker::MariaDb, "disabled") => &["--skip-ssl"],
        (Maker::MariaDb, "required") => &["--ssl"],
        (Maker::MariaDb, "verify_ca" | "verify_identity") => &["--ssl", "--ssl-verify-server-cert"],
        (Maker::MariaDb, _) => &[],
    };
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn user(sections: &Sections<'_>) -> Option<String> {
    sections.user().filter(|user| !user.is_empty()).map(decoded)
}

#[cfg(test)]
mod tests {
    use crate::engine::client::{arguments, variable};

    #[test]
    fn a_password_is_in_the_environment_alone() {
        // Any program will do: one that is not MariaDB's is taken for MySQL's.
        let tool = |url: &str| super::tool(["true", "true"], &url.parse().unwrap()).map(|(tool, _)| tool);
        let command = tool("mysql://u:hunter2@[::1]:3307/blog?ssl_mode=required").unwrap();
        assert_eq!(
            arguments(&command),
            "--no-defaults --default-character-set=utf8mb4 --host=::1 --port=3307 --user=u --ssl-mode=REQUIRED"
        );
        assert_eq!(variable(&command, "MYSQL_PWD").as_deref(), Some("hunter2"));
        let command = tool("mysql://u@localhost/blog?unix_socket=%2Frun%2Fdb.sock").unwrap();
        assert!(arguments(&command).ends_with("--socket=/run/db.sock --user=u"), "{}", arguments(&command));
    }
}
