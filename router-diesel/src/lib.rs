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

pub mod config;
mod databases;
mod decision;
mod engine;
mod error;
mod lock;
pub mod migrate;
mod session;
pub mod statement;
pub mod tasks;
mod text;
mod time;
mod topology;

pub use databases::{Databases, DatabasesBuilder};
pub use decision::{
    Condition, Explanation, NoAnswerReason, NodeReason, NodeRoute, OnPrimary, Passed, RouteError,
    RouteReason, Serves, SettingError, Shortfall, TableRoute,
};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use engine::AnyConnection;
pub use engine::RoutedConnection;
pub use error::{Error, ErrorKind};
pub use migrate::Migrator;
pub use router_core::{
    self, Alias, AppLabel, Hints, MissingHint, Model, Operation, Reason, Role, Router, RouterChain, hint_fn,
    migrate_fn, read_fn, relation_fn, write_fn,
};
pub use session::{
    ReadQuery, ReadSession, Scope, Session, SessionTransactionManager, TransactionBuilder, Using,
    UsingTransactionManager,
};
pub use topology::routing::{AppRoute, Routing};

/// What an engine must offer so that its connections can be routed.
///
/// [`RoutedConnection`] is implemented for Diesel's three connections and for
/// [`AnyConnection`], which holds whichever of them the URL asks for.
pub mod backend {
    pub use crate::engine::{
        Access, Ask, Binds, Bound, ClientProgram, ConnectFault, ConnectSettings, Credentials, Hooks, Opened,
        Product, RoutedConnection, Server, SetupError, UnsafeSecret,
    };
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub use crate::engine::{AnyConnection, MultiBackend, MultiField, MultiRawValue, MultiRow};
}

/// Clusters: a primary and its replicas. What a service needs beside its sessions.
///
/// - [`Balance`](cluster::Balance) chooses among replicas. The file's `policy` names one of four, and a service can bring
///   its own.
/// - [`Token`](cluster::Token) is what [`Session::token`] writes; [`TokenKeys`](cluster::TokenKeys) sign it.
/// - [`ClusterStatus`](cluster::ClusterStatus) shows how the nodes stand: see [`Databases::cluster`].
/// - [`ClusterError`](cluster::ClusterError) says why no node can do what you ask.
///
/// The guide is `docs/replicas.md` in the repository.
pub mod cluster {
    pub use crate::decision::ClusterError;
    pub use crate::decision::token::{Token, TokenError, TokenKey, TokenKeys};
    pub use crate::topology::balance::policies::*;
    pub use crate::topology::balance::{Balance, Candidate};
    pub use crate::topology::health::Standing;
    pub use crate::topology::status::{ClusterStatus, NodeStatus};
}

/// The connections of one database: Diesel's r2d2 pool over a manager that knows the database's alias.
pub mod pool {
    pub use crate::topology::pool::{Checkout, Manager, NodeConnection, Pool, PoolError, Rows};
}

/// The repository's guides, whose code is compiled with the documentation tests.
#[cfg(all(doctest, feature = "sqlite"))]
mod guides {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../docs/configuration.md")]
    struct Configuration;
    #[doc = include_str!("../../docs/sessions.md")]
    struct Sessions;
    #[doc = include_str!("../../docs/routers.md")]
    struct Routers;
    #[doc = include_str!("../../docs/migrations.md")]
    struct Migrations;
    #[doc = include_str!("../../docs/replicas.md")]
    struct Replicas;
}
