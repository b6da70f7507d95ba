//! Routing without databases: what a program can ask of a file and its routers.

use router_core::{Alias, Operation, RouterChain};

use crate::config::Config;
use crate::decision::{Circumstances, Explanation, NodeRoute, OnPrimary, Reach, by_file};
use crate::error::Error;
use crate::statement::Dialect;
use crate::time::Now;
use crate::topology::{PRIMARY, Routing};

impl Routing {
    /// Routes by the rules of a file alone.
    ///
    /// # Errors
    /// What [`with_routers`](Self::with_routers) says.
    pub fn new(config: Config) -> Result<Self, Error> {
        let routers = RouterChain::new(config.default.clone());
        Self::with_routers(config, routers)
    }

    /// Asks the project's own routers first, in their order, then the rules of the file.
    ///
    /// Where nobody decides, the file's default database counts, whatever the chain's own default is.
    ///
    /// # Errors
    /// The rules contradict each other: the error lists every problem. This cannot happen with a [`Config`] that was
    /// loaded and left as it is, since loading asks the same judge of rules.
    pub fn with_routers(config: Config, routers: RouterChain) -> Result<Self, Error> {
        Ok(Self::compile(config, routers)?)
    }

    /// Says where a statement would go and why, and connects to nothing.
    #[must_use]
    pub fn explain_sql(&self, sql: &str, dialect: Dialect) -> Explanation {
        let prepared = self.prepare(self.classifier(dialect).classify(sql).into());
        let (explanation, route) = Explanation::new(self, &prepared, Circumstances::default());
        match route.map(|route| by_file(self, &prepared, route, Now::read())) {
            Some(Ok(nodes)) => explanation.with_nodes(nodes),
            Some(Err(refusal)) => explanation.refused(refusal),
            None => explanation,
        }
    }

    /// The nodes of a database's cluster, the primary first, and whether each would serve a plain read, or a
    /// statement that needs the primary. The file alone is asked, which knows of no standing.
    ///
    /// Empty where the database has no replica.
    #[must_use]
    pub fn nodes(&self, alias: &Alias, operation: Operation) -> Vec<NodeRoute> {
        let reach = match operation {
            Operation::Read => Reach::Replicas(None),
            Operation::Write | Operation::Migrate => Reach::Only(PRIMARY, OnPrimary::Writes),
        };
        let Some(primary) = self.id(alias.as_str()) else { return Vec::new() };
        if self.declared(primary).is_replica() {
            Vec::new()
        } else {
            self.nodes_by_file(primary, reach, Now::read())
        }
    }
}
