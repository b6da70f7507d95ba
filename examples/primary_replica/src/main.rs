//! A primary and two replicas: what is read where, before and after a write, with and without a token.
//!
//! ```text
//! cargo run -p primary_replica
//! cargo run -p primary_replica --features postgres -- --postgres
//! cargo run -p primary_replica --features mysql -- --mariadb
//! ```
//!
//! The first runs anywhere: three SQLite files, of which two are copies that are refreshed on demand. The others start
//! a private cluster of real servers, whose replicas replay with a delay.

mod report;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod servers;
mod sqlite;
mod stage;
#[cfg(test)]
mod tests;
mod tour;

use std::error::Error;
use std::process::ExitCode;

use stage::Stage;

const USAGE: &str = "primary_replica [--postgres | --mariadb]";

#[expect(clippy::print_stdout, reason = "to print is what the program is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run = || -> Result<report::Report, Box<dyn Error>> { tour::tour(&mut *stage(&arguments)?) };
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed to show the cluster: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// The cluster that the arguments ask for, ready to be used.
fn stage(arguments: &[String]) -> Result<Box<dyn Stage>, Box<dyn Error>> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => Ok(Box::new(sqlite::Files::new()?)),
        #[cfg(feature = "postgres")]
        ["--postgres"] => Ok(Box::new(servers::Postgres::start()?)),
        #[cfg(feature = "mysql")]
        ["--mariadb"] => Ok(Box::new(servers::MariaDb::start()?)),
        #[cfg(not(feature = "postgres"))]
        ["--postgres"] => Err(unavailable("postgres", "--postgres")),
        #[cfg(not(feature = "mysql"))]
        ["--mariadb"] => Err(unavailable("mysql", "--mariadb")),
        _ => Err(format!("`{}` is not understood; usage: {USAGE}", arguments.join(" ")).into()),
    }
}

#[cfg(not(all(feature = "postgres", feature = "mysql")))]
fn unavailable(feature: &str, argument: &str) -> Box<dyn Error> {
    format!(
        "`{argument}` needs the feature `{feature}`; \
         try `cargo run -p primary_replica --features {feature} -- {argument}`"
    )
    .into()
}
