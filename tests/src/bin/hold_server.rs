//! Starts a server, says where it is, and holds it until stdin ends: `hold_server postgres` or `hold_server mariadb`.
//!
//! For a look at a server by hand, and for the test that kills this program.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    path::Path,
};

use router_tests::{TestDatabase, mariadb::MariaDb, postgres::Postgres};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("postgres") => {
            let server = Postgres::start()?;
            hold(server.folder(), &server.database("held")?)
        }
        Some("mariadb") => {
            let server = MariaDb::start()?;
            hold(server.folder(), &server.database("held")?)
        }
        _ => Err("usage: hold_server postgres|mariadb".into()),
    }
}

fn hold(folder: &Path, database: &TestDatabase) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{}\n{}", folder.display(), database.url())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
