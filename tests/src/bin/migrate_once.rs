//! Migrates the databases of a file, tells of each step, and says by its status how it ended: `migrate_once FILE`.
//!
//! It begins when stdin ends, so that many can begin at once. `migrate_once FILE ALIAS N` reverts the last N
//! migrations of one database instead. The statuses are those of `dbrouter migrate`, but for 5: a database is in a
//! state in which nothing may run.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use router_diesel::{
    AnyConnection, Databases,
    migrate::{Event, FailureKind},
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().ok_or("usage: migrate_once FILE [ALIAS N]")?;
    let back = arguments.next().zip(arguments.next());
    let databases = Databases::<AnyConnection>::from_file(file)?;
    say("ready");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let migrator = databases.migrator().on_event(|event| match event {
        Event::MigrationStarted { migration, .. } => say(&format!("started {migration}")),
        Event::MigrationFinished { migration, .. } => say(&format!("finished {migration}")),
        _ => {}
    });
    let result = match back {
        Some((alias, steps)) => migrator.database(alias).rollback(steps.parse()?),
        None => migrator.migrate(),
    };
    let Err(error) = result else { return Ok(ExitCode::SUCCESS) };
    writeln!(io::stderr(), "{error}")?;
    Ok(ExitCode::from(match error.kind() {
        FailureKind::Unreachable | FailureKind::Locked => 3,
        FailureKind::Refused => 5,
        FailureKind::Failed => 4,
        _ => 2,
    }))
}

/// A line, at once. Whoever reads them may be gone.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
