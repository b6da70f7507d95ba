//! Clusters of real servers, started by the tests' harness and gone with the program.

use std::error::Error;
use std::time::Duration;

use router_tests::{ClusterDatabase, HarnessError, Stop};

use crate::stage::Stage;

const REPLICAS: usize = 2;

/// A session that found no replica fresh enough reads from the primary for 100 ms before it asks them again.
const ASKED_AGAIN: Duration = Duration::from_millis(110);

/// Variables that overrule the URLs of the file.
fn variables(database: &ClusterDatabase) -> Vec<(String, String)> {
    let primary = ("DEFAULT_DATABASE_URL".to_owned(), database.url().to_owned());
    let replica = |number: usize| {
        (format!("REPLICA_{}_DATABASE_URL", number + 1), database.replica_url(number).to_owned())
    };
    std::iter::once(primary).chain((0..REPLICAS).map(replica)).collect()
}

/// One engine's cluster. Both have the same verbs, so one text serves for both.
macro_rules! stage {
    ($(#[$attribute:meta])* $name:ident, $cluster:ty, $title:literal, $who:literal) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub(crate) struct $name {
            // The database is dropped while its servers still run.
            database: ClusterDatabase,
            cluster: $cluster,
        }

        impl $name {
            pub(crate) fn start() -> Result<Self, HarnessError> {
                let cluster = <$cluster>::start(REPLICAS)?;
                let database = cluster.database("blog")?;
                Ok(Self { database, cluster })
            }
        }

        impl Stage for $name {
            fn title(&self) -> &'static str {
                $title
            }

            fn variables(&self) -> Vec<(String, String)> {
                variables(&self.database)
            }

            fn who(&self) -> &'static str {
                $who
            }

            fn alias(&self, answer: &str) -> String {
                let replica =
                    (0..REPLICAS).find(|number| self.cluster.replica(*number).port().to_string() == answer);
                replica.map_or_else(|| "default".to_owned(), |number| format!("replica_{}", number + 1))
            }

            /// They receive what the primary writes and replay none of it, however slow the machine is.
            fn delay_replicas(&mut self) -> Result<(), Box<dyn Error>> {
                for number in 0..REPLICAS {
                    self.cluster.pause_replay(number)?;
                }
                Ok(())
            }

            fn catch_up(&mut self) -> Result<(), Box<dyn Error>> {
                for number in 0..REPLICAS {
                    self.cluster.resume_replay(number)?;
                }
                self.cluster.wait_until_caught_up()?;
                std::thread::sleep(ASKED_AGAIN);
                Ok(())
            }

            fn kill(&mut self, replica: usize) -> Result<bool, Box<dyn Error>> {
                self.cluster.replica_mut(replica).stop(Stop::Kill)?;
                Ok(true)
            }
        }
    };
}

#[cfg(feature = "postgres")]
stage!(
    /// A PostgreSQL primary with two streaming standbys.
    Postgres,
    router_tests::postgres::PostgresCluster,
    "PostgreSQL, a primary and two streaming standbys that replay when they are told to",
    "CAST(inet_server_port() AS VARCHAR)"
);

#[cfg(feature = "mysql")]
stage!(
    /// A MariaDB primary with two GTID replicas.
    MariaDb,
    router_tests::mariadb::MariaDbCluster,
    "MariaDB, a primary and two GTID replicas that replay when they are told to",
    "CAST(@@port AS CHAR)"
);
