//! The configuration file: which app lives where, and how to reach the databases.
//!
//! ```
//! use router_diesel::config::Config;
//!
//! let config = Config::from_yaml("
//! databases:
//!   default: { url: 'sqlite://db/default.sqlite3' }
//!   blog_db: { url: 'sqlite://db/blog.sqlite3', apps: [blog] }
//! ")?;
//! assert_eq!(config.default, "default");
//! assert_eq!(config.database("blog_db").unwrap().apps, ["blog"]);
//! # Ok::<(), router_diesel::config::ConfigError>(())
//! ```
//!
//! A file that is not sound is refused with all of its problems at once, each with a stable [`Code`],
//! a place, the lines it is about, and mostly with help. Secrets are masked in everything that is
//! shown.

// From text to configuration:
//   parse     YAML into a tree of nodes with places
//   assemble  includes, the chosen environment, URLs from variables (env, merge)
//   read      the tree into the file model (file, values), going on after what is wrong
//   check     the file model into the checked model (model, tables); rules are judged by router-core (rules)
//   names     which databases have a name on their server
//   snippet   problems as they are told (code, draft, problem), with secrets hidden (mask)
// The loader goes through it twice where there is something to tell: first fast, then with all places.
mod assemble;
mod check;
mod code;
mod draft;
mod duration;
mod env;
mod file;
mod loader;
mod mask;
mod merge;
mod model;
mod names;
mod node;
mod parse;
mod problem;
mod read;
mod rules;
mod schema;
mod snippet;
mod tables;
mod values;

pub use crate::engine::{DatabaseUrl, Engine, OptionProblem, UrlError};
pub use crate::text::names::split_name;
pub use crate::text::secrets::{Secrets, without_secrets};
pub use code::Code;
pub(crate) use loader::DEFAULT_ENVIRONMENT;
pub use loader::Loader;
pub use model::{
    App, Config, Database, HealthSettings, Offline, Policy, PoolSettings, PrimaryReads, Restriction, Unrouted,
};
pub use problem::{ConfigError, Problem, Severity};
pub(crate) use tables::NameCase;
pub use tables::{TableMap, TablePattern};
