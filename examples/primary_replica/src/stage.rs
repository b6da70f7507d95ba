//! What the tour asks of a cluster, whatever it is made of.

use std::error::Error;

use router_diesel::config::Config;
use router_diesel::{AnyConnection, Databases};

/// A cluster to show: a primary `default` with the replicas `replica_1` and `replica_2`.
pub(crate) trait Stage {
    /// What the cluster is made of, in one line.
    fn title(&self) -> &'static str;

    /// The variables with which the file is read.
    fn variables(&self) -> Vec<(String, String)>;

    /// SQL that a server answers with what only this one says of itself, as text.
    fn who(&self) -> &'static str;

    /// The alias of the node that gave this answer.
    fn alias(&self, answer: &str) -> String;

    /// Has the replicas be late from now on, until they are to catch up.
    fn delay_replicas(&mut self) -> Result<(), Box<dyn Error>>;

    /// Waits until the replicas have all that the primary has, and it may be known.
    fn catch_up(&mut self) -> Result<(), Box<dyn Error>>;

    /// Kills a replica as a power cut would, and says whether there is anything to kill.
    fn kill(&mut self, replica: usize) -> Result<bool, Box<dyn Error>>;
}

/// Opens the databases of the example's file. Nothing is connected yet.
///
/// A service would say `Databases::from_file("config/databases.yml")`, and name its engine's own connection in place of
/// `AnyConnection`: the tour takes any, so that it is one and the same for all three engines.
pub(crate) fn open(stage: &dyn Stage) -> Result<Databases<AnyConnection>, router_diesel::Error> {
    let config = Config::loader()
        .yaml(include_str!("../databases.yml"), "databases.yml")
        .variables(stage.variables())
        .load()?;
    Databases::builder(config).build()
}
