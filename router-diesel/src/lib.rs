//! Routes ordinary Diesel statements to several databases.
//!
//! One YAML file says which app lives on which database, [`Router`]s of your own can overrule it, and every
//! statement made through a [`Session`] goes to the right database by itself.
//!
//! ```
//! use diesel::connection::SimpleConnection;
//! use diesel::prelude::*;
//! use router_diesel::{Databases, config::Config};
//!
//! diesel::table! { posts { id -> Integer, title -> Text } }
//! diesel::table! { products { id -> Integer, name -> Text } }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::loader()
//!     .yaml("
//! apps:
//!   blog: { tables: [posts] }
//!   shop: { tables: [products] }
//! databases:
//!   default: { url: 'sqlite://:memory:' , apps: [blog], pool: { max_size: 1 } }
//!   shop_db: { url: 'sqlite://:memory:', apps: [shop], pool: { max_size: 1 } }
//! ", "databases.yml")
//!     .load()?;
//! let databases = Databases::<SqliteConnection>::builder(config).build()?;
//! let mut conn = databases.session();
//! conn.batch_execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")?;
//! conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")?;
//!
//! diesel::insert_into(posts::table).values(posts::title.eq("hello")).execute(&mut conn)?;
//! let titles = posts::table.select(posts::title).load::<String>(&mut conn)?;
//! assert_eq!(titles, ["hello"]);
//! let where_to = conn.explain(&products::table.select(products::name))?;
//! assert_eq!(where_to.alias().unwrap(), "shop_db");
//! # Ok(()) }
//! ```
//!
//! There are three levels, each useful alone:
//! 1. [`Databases::pool`] is a plain pool of one database, configured from the file.
//! 2. [`Databases::read`] and [`Databases::write`] are routed check-outs of an ordinary pooled connection.
//! 3. [`Databases::session`] is a connection that routes each statement by itself.
//!
//! The guides are in the repository: `docs/getting-started.md`, `docs/configuration.md`, `docs/sessions.md`,
//! `docs/replicas.md`, `docs/migrations.md` and `docs/routers.md`.

pub mod backend;
pub mod cluster;
pub mod config;
mod databases;
mod error;
mod identity;
mod lock;
pub mod migrate;
mod near;
pub mod pool;
mod routing;
mod session;
pub mod statement;
pub mod tasks;

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use backend::AnyConnection;
pub use backend::RoutedConnection;
pub use databases::{Databases, DatabasesBuilder};
pub use error::{Error, ErrorKind};
pub use migrate::Migrator;
pub use router_core::{
    self, Alias, AppLabel, Hints, Model, Operation, Reason, Role, Router, RouterChain, migrate_fn, read_fn,
    relation_fn, write_fn,
};
pub use routing::{AppRoute, Explanation, NodeRoute, RouteError, Routing, Serves, TableRoute};
pub use session::{
    ReadQuery, ReadSession, Scope, Session, SessionTransactionManager, Using, UsingTransactionManager,
};

/// The repository's guides, whose code is compiled with the documentation tests.
#[cfg(all(doctest, feature = "sqlite"))]
mod guides {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../docs/sessions.md")]
    struct Sessions;
    #[doc = include_str!("../../docs/routers.md")]
    struct Routers;
    #[doc = include_str!("../../docs/migrations.md")]
    struct Migrations;
    #[doc = include_str!("../../docs/replicas.md")]
    struct Replicas;
}
