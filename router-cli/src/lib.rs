//! The `dbrouter` program, and the same commands for a binary of your own.
//!
//! `dbrouter` knows the rules of a file. A project with routers written in Rust embeds its commands, so that they
//! speak of the chain that the service really asks:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use router_cli::Program;
//! use router_core::{Alias, Hints, Model, Router};
//!
//! /// Events are read and written apart.
//! #[derive(Debug)]
//! struct EventsRouter;
//!
//! impl Router for EventsRouter {
//!     fn db_for_read(&self, model: &Model<'_>, _: &Hints<'_>) -> Option<Alias> {
//!         (model.app == "events").then(|| "analytics".into())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     Program::new().router(EventsRouter).main()
//! }
//! ```
//!
//! Data goes to stdout and talk to stderr, so that a pipe carries nothing but the answer. [`Exit`] lists the exit
//! statuses. No command shows a password.

mod args;
mod command;
mod exit;
mod failure;
mod output;
mod probe;
mod program;

use std::process::ExitCode;

pub use exit::Exit;
pub use program::Program;

/// Runs `dbrouter` with the arguments of the process, by the rules of the file alone.
#[must_use]
pub fn main() -> ExitCode {
    Program::new().main()
}
