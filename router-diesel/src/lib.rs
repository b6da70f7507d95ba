//! Routes ordinary Diesel statements to several databases.

pub mod backend;
pub mod config;
mod databases;
mod error;
pub mod pool;
mod routing;
mod session;
pub mod statement;

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use backend::AnyConnection;
pub use backend::RoutedConnection;
pub use databases::{Databases, DatabasesBuilder, dialect_of};
pub use error::{Error, ErrorKind};
pub use routing::{AppRoute, Explanation, RouteError, Routing, TableRoute};
pub use session::{
    ReadQuery, ReadSession, Scope, Session, SessionTransactionManager, Using, UsingTransactionManager,
};
