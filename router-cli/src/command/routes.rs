//! `routes`: where each app is read, written and migrated.

use router_core::{Alias, MissingHint, Operation};
use router_diesel::config::{Database, Unrouted};
use router_diesel::{AppRoute, Routing, Serves};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program::Project;

/// The whole answer. Scripts read it: fields may be added at the end, and nothing else.
#[derive(Serialize)]
struct Answer<'a> {
    default: &'a str,
    routes: Vec<Route<'a>>,
}

#[derive(Serialize)]
struct Route<'a> {
    app: &'a str,
    #[serde(flatten)]
    sides: Sides<'a>,
}

/// Where one app is read, written and migrated.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sides<'a> {
    pub(super) read: Option<&'a str>,
    pub(super) write: Option<&'a str>,
    pub(super) migrate: Vec<&'a str>,
    #[serde(skip_serializing_if = "Needs::is_nothing")]
    needs: Needs,
}

/// The hints that routers need to say where an app is read and written. Then these sides are null.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Needs {
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write: Option<&'static str>,
}

impl Needs {
    fn is_nothing(&self) -> bool {
        self.read.is_none() && self.write.is_none()
    }
}

impl<'a> From<&'a AppRoute> for Sides<'a> {
    fn from(route: &'a AppRoute) -> Self {
        Self {
            read: route.read.as_ref().map(Alias::as_str),
            write: route.write.as_ref().map(Alias::as_str),
            migrate: route.migrate.iter().map(Alias::as_str).collect(),
            needs: Needs {
                read: route.read_needs.as_ref().map(MissingHint::hint),
                write: route.write_needs.as_ref().map(MissingHint::hint),
            },
        }
    }
}

pub(super) fn run(project: &Project<'_>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let routing = project.routing(project.config()?)?;
    let routes = routing.routes();
    let default = routing.config().default.as_str();
    let routes: Vec<Route<'_>> =
        routes.iter().map(|route| Route { app: route.app.as_str(), sides: route.into() }).collect();
    if output.is_json() {
        output.json(&Answer { default, routes })?;
        return Ok(Exit::Fine);
    }
    if !routes.is_empty() {
        let head = ["app", "read", "write", "migrate"].map(str::to_owned);
        let rows = routes.iter().map(|route| {
            let [read, write, migrate] = route.sides.in_words();
            [route.app.to_owned(), read, write, migrate]
        });
        output.columns(std::iter::once(head).chain(rows))?;
    }
    for (primary, nodes) in read_from_replicas(&routing) {
        output.say(format_args!("a read of {primary} is served by {nodes}"));
    }
    match routing.config().unrouted {
        Unrouted::Error => output.say("a table of no app is refused"),
        _ => output.say(format_args!("a table of no app goes to {default}")),
    }
    Ok(Exit::Fine)
}

/// The databases with replicas, in file order, each with the nodes of which one serves a read.
fn read_from_replicas(routing: &Routing) -> impl Iterator<Item = (&Alias, String)> {
    routing.config().databases.iter().filter_map(|Database { alias, .. }| {
        let nodes = routing.nodes(alias, Operation::Read);
        let serving: Vec<&str> =
            nodes.iter().filter(|node| node.serves != Serves::No).map(|node| node.alias.as_str()).collect();
        (!serving.is_empty()).then(|| (alias, serving.join(" or ")))
    })
}

impl Sides<'_> {
    /// The three sides as people read them.
    pub(super) fn in_words(&self) -> [String; 3] {
        let side = |alias: Option<&str>, needs: Option<&str>| match needs {
            Some(hint) => format!("needs `{hint}`"),
            None => alias.unwrap_or("-").to_owned(),
        };
        let migrate = if self.migrate.is_empty() { "-".to_owned() } else { self.migrate.join(", ") };
        [side(self.read, self.needs.read), side(self.write, self.needs.write), migrate]
    }
}
