//! The commands, one file each.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod anew;
mod check;
mod diff;
mod health;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod migrate;
mod new;
mod route;
mod routes;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod setup;
mod shell;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod task;

use crate::args::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program::Project;

/// Runs one command.
pub(crate) fn run(
    command: &Command,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    if matches!(command, Command::Migrations(_) | Command::New(_) | Command::Tasks(_)) {
        output.outlive_reader();
    }
    match command {
        Command::Check(arguments) => check::run(arguments, project, output),
        Command::Routes => routes::run(project, output),
        Command::Route(arguments) => route::run(arguments, project, output),
        Command::Diff(arguments) => diff::run(arguments, project, output),
        Command::Health(arguments) => health::run(arguments, project, output),
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        Command::Migrations(command) => migrate::run(command, project, output),
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        Command::Tasks(command) => task::run(command, project, output),
        #[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
        Command::Migrations(_) | Command::Tasks(_) => {
            Err(Failure::Usage("this build connects to nothing".to_owned()))
        }
        Command::New(arguments) => new::run(arguments, project, output),
        Command::Shell(arguments) => shell::run(arguments, project, output),
    }
}
