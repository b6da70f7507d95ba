//! Locks a database, says so, and holds the lock until stdin ends: `hold_lock postgres://…`.
//!
//! For the tests that look at the holder of a lock, and that kill it.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    time::Duration,
};

use router_diesel::{AnyConnection, config::Config, tasks};

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: hold_lock URL")?;
    let config = Config::from_yaml(&format!("databases: {{ held: {{ url: '{url}' }} }}"))?;
    let database = config.database("held").expect("it is in the file");
    let _lock = tasks::lock::<AnyConnection>(database, Duration::from_secs(10))?;
    writeln!(io::stdout(), "locked")?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
