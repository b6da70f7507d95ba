//! `new`: begins a migration.

use std::time::SystemTime;

use router_diesel::tasks::new_migration;

use crate::args::migrate::NewArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program::Project;

pub(super) fn run(
    arguments: &NewArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let routing = project.routing(project.config()?)?;
    let made = new_migration(&routing, &arguments.app, &arguments.name, SystemTime::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if output.is_json() {
        output.json(&made)?;
        return Ok(Exit::Fine);
    }
    output.line(made.to_string().trim_end())?;
    output.say(match made.databases.as_slice() {
        [] => "it runs nowhere: no database allows migrations of the app".to_owned(),
        databases => format!("it runs on {}", databases.join(", ")),
    });
    Ok(Exit::Fine)
}
