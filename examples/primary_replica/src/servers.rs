//! Clusters of real servers, started by the tests' harness and gone with the program.

use std::error::Error;
use std::time::Duration;

use router_tests::{ClusterDatabase, HarnessError, Stop};

use crate::stage::Stage;

/// How late the replicas replay what they receive.
const DELAY: Duration = Duration::from_secs(2);

const REPLICAS: usize = 2;

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

            fn delay_replicas(&mut self) -> Result<(), Box<dyn Error>> {
                for number in 0..REPLICAS {
                    self.cluster.set_apply_delay(number, DELAY)?;
                }
                Ok(())
            }

            fn catch_up(&mut self) -> Result<(), Box<dyn Error>> {
                Ok(self.cluster.wait_until_caught_up()?)
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
    "PostgreSQL, a primary and two streaming standbys that replay two seconds late",
    "CAST(inet_server_port() AS VARCHAR)"
);

#[cfg(feature = "mysql")]
stage!(
    /// A MariaDB primary with two GTID replicas.
    MariaDb,
    router_tests::mariadb::MariaDbCluster,
    "MariaDB, a primary and two GTID replicas that replay a few seconds late",
    "CAST(@@port AS CHAR)"
);
