//! Starts servers, says where they are, and holds them until stdin ends: `hold_server postgres`, or `mariadb`, or the
//! same with `_cluster` for a primary with one replica, or `pgbouncer`.
//!
//! One line names a server's folder, the next a URL there; an empty line ends the list. For a look at a server by hand,
//! and for the tests that kill this program.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    path::Path,
};

use router_tests::{
    mariadb::{MariaDb, MariaDbCluster},
    pgbouncer::PgBouncer,
    postgres::{Postgres, PostgresCluster},
};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("postgres") => {
            let server = Postgres::start()?;
            let database = server.database("held")?;
            hold(&[(server.folder(), database.url())])
        }
        Some("mariadb") => {
            let server = MariaDb::start()?;
            let database = server.database("held")?;
            hold(&[(server.folder(), database.url())])
        }
        Some("postgres_cluster") => {
            let cluster = PostgresCluster::start(1)?;
            let database = cluster.database("held")?;
            hold(&[
                (cluster.primary().folder(), database.url()),
                (cluster.replica(0).folder(), database.replica_url(0)),
            ])
        }
        Some("mariadb_cluster") => {
            let cluster = MariaDbCluster::start(1)?;
            let database = cluster.database("held")?;
            hold(&[
                (cluster.primary().folder(), database.url()),
                (cluster.replica(0).folder(), database.replica_url(0)),
            ])
        }
        Some("pgbouncer") => {
            let server = Postgres::start()?;
            let database = server.database("held")?;
            let bouncer = PgBouncer::start(&server)?;
            hold(&[
                (server.folder(), database.url()),
                (bouncer.folder(), &bouncer.url_through(database.url())),
            ])
        }
        _ => Err("usage: hold_server postgres|mariadb|postgres_cluster|mariadb_cluster|pgbouncer".into()),
    }
}

fn hold(servers: &[(&Path, &str)]) -> Result<(), Box<dyn Error>> {
    for (folder, url) in servers {
        writeln!(io::stdout(), "{}\n{url}", folder.display())?;
    }
    writeln!(io::stdout())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
