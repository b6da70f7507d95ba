//! `health`: whether every database answers, and how the nodes of clusters stand.

use serde::Serialize;

use crate::args::HealthArguments;
use crate::exit::Exit;
use crate::failure::{Failure, choose_databases};
use crate::output::Output;
use crate::probe::{Probe, probe};
use crate::program::Project;

#[derive(Serialize)]
struct Answer<'a> {
    databases: &'a [Probe],
}

pub(super) fn run(
    arguments: &HealthArguments,
    project: &Project<'_>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let config = project.config()?;
    let probes = probe(&config, &choose_databases(&config, &arguments.databases)?)?;
    if output.is_json() {
        output.json(&Answer { databases: &probes })?;
    } else {
        output.columns(probes.iter().map(Probe::in_words))?;
    }
    Ok(if probes.iter().any(Probe::is_unreachable) {
        Exit::Unreachable
    } else if probes.iter().any(|probe| probe.node.is_unfit()) {
        Exit::Found
    } else {
        Exit::Fine
    })
}
