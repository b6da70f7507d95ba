//! `shell`: the database's own client, with the password kept off its command line, and without writes where a
//! session could make none.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Command;

use router_core::Operation;
use router_diesel::backend::{Access, ClientProgram};
use router_diesel::config::{Database, Restriction};

use crate::args::ShellArguments;
use crate::exit::Exit;
use crate::failure::{Failure, find_database};
use crate::output::Output;
use crate::program::Project;

pub(super) fn run(
    arguments: &ShellArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let config = project.config()?;
    let database = find_database(&config, &arguments.alias)?;
    let read_only = read_only(database);
    let access = if read_only.is_some() { Access::ReadOnly } else { Access::ReadWrite };
    let url = database.current_url().map_err(|error| {
        Failure::Usage(format!("the client of `{}` cannot be started: {error}", database.alias))
    })?;
    let client = ClientProgram::new(&url, access).map_err(|error| Failure::Usage(error.to_string()))?;
    for key in client.ignored() {
        output.say(format_args!("note: the client is not told `{key}` of the URL"));
    }
    if let Some(reason) = read_only {
        output.say(format_args!("note: `{}` is opened read-only: {reason}", database.alias));
    }
    output.flush()?;
    start(&client, &arguments.arguments)
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

/// Starts the client in the place of this process; returns only where it could not, or where a system does not know
/// such a thing.
fn start(client: &ClientProgram, more: &[OsString]) -> Result<Exit, Failure> {
    for program in client.programs() {
        let mut command = client.command(program);
        command.args(more);
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
        client.programs().join("` or `"),
        client.package()
    )))
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
