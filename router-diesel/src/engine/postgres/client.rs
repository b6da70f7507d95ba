//! The client programs of PostgreSQL.

use std::process::Command;

use super::Postgres;
use crate::engine::client::{
    ClientError, ClientProgram, Clients, UnsafeSecret, command, refuse_secrets, secret_parameter,
};
use crate::engine::url::percent::encode;
use crate::engine::url::server::Sections;
use crate::engine::{Access, DatabaseUrl};

/// The package that has them.
pub(super) const PACKAGE: &str = "postgresql-client";
/// The variable from which they take the password.
const PASSWORD: &str = "PGPASSWORD";
/// The variable from which they take options of the server, where the URL has none.
const OPTIONS: &str = "PGOPTIONS";
/// What makes a transaction one that only reads, unless somebody says otherwise in it.
const READ_ONLY: &str = "-c default_transaction_read_only=on";

impl Clients for Postgres {
    fn client(&self, url: &DatabaseUrl, access: Access) -> Result<ClientProgram, UnsafeSecret> {
        let sections = Sections::of(url.expose());
        refuse_secrets(&sections, "psql")?;
        let mut variables: Vec<_> =
            password(&sections).map(|password| (PASSWORD, password)).into_iter().collect();
        // Options of the URL go before those of the variable. Where they are given twice, the last ones count.
        let keys: Vec<&str> = sections.parameters().map(|(key, _)| key).collect();
        let options = keys.iter().rposition(|key| *key == "options").filter(|_| access == Access::ReadOnly);
        if access == Access::ReadOnly && options.is_none() {
            let before = std::env::var(OPTIONS).unwrap_or_default();
            variables.push((OPTIONS, format!("{before} {READ_ONLY}").trim_start().to_owned()));
        }
        let url = sections.without_secrets(|index, value| {
            let more =
                if options == Some(index) { encode(&format!(" {READ_ONLY}"), b"") } else { String::new() };
            format!("{value}{more}")
        });
        Ok(ClientProgram {
            programs: &["psql"],
            package: PACKAGE,
            arguments: vec![format!("--dbname={url}")],
            variables,
            ignored: Vec::new(),
        })
    }
}

/// A program that connects to a database.
pub(super) fn tool(program: &str, url: &DatabaseUrl) -> Result<Command, ClientError> {
    let sections = Sections::of(url.expose());
    if let Some(key) = secret_parameter(&sections) {
        return Err(ClientError::Secret(key.to_owned()));
    }
    let mut command = command(program);
    command.arg(format!("--dbname={}", sections.without_secrets(|_, value| value.to_owned())));
    if let Some(password) = password(&sections) {
        command.env(PASSWORD, password);
    }
    Ok(command)
}

/// libpq takes the parameter over what stands before the host.
fn password(sections: &Sections<'_>) -> Option<String> {
    sections.parameter("password").or_else(|| sections.password())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::client::{arguments, run, variable};

    #[test]
    fn a_password_is_in_the_environment_alone() {
        let url = "postgres://u:hunter2@h:5433/blog?sslmode=require&password=hunter3".parse().unwrap();
        let command = tool("pg_dump", &url).unwrap();
        assert_eq!(arguments(&command), "--dbname=postgres://u@h:5433/blog?sslmode=require");
        assert_eq!(variable(&command, "PGPASSWORD").as_deref(), Some("hunter3"));

        let url = "postgres://u@h/blog?sslpassword=hunter2".parse().unwrap();
        assert_eq!(tool("pg_dump", &url).unwrap_err(), ClientError::Secret("sslpassword".to_owned()));
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let command = tool("no-such-program", &"postgres://u@h/blog".parse().unwrap()).unwrap();
        assert_eq!(
            run(command, PACKAGE),
            Err(ClientError::Missing { program: "no-such-program".to_owned(), package: "postgresql-client" })
        );
    }
}
