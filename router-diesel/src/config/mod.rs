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
mod node;
mod parse;
mod percent;
mod problem;
mod read;
mod schema;
mod snippet;
mod tables;
mod url;
mod values;

pub use code::Code;
pub use loader::Loader;
pub use model::{App, Config, Database, Engine, Offline, Policy, PoolSettings, PrimaryReads, Unrouted};
pub use problem::{ConfigError, Problem, Severity};
pub use tables::{TableMap, TablePattern};
pub use url::{DatabaseUrl, UrlError};
