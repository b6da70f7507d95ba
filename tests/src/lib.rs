//! The harness: private database servers for tests.
//!
//! A test that needs PostgreSQL or MariaDB starts its own, on a free port of 127.0.0.1 and in a throw-away folder,
//! and never talks to a server that happens to be running. The server ends with the test, whichever way the test
//! ends: returning, panicking, or killed with SIGKILL.
//!
//! ```no_run
//! use diesel::prelude::*;
//! use router_tests::{postgres::Postgres, require};
//!
//! let Some(server) = require(Postgres::start()) else { return };
//! let blog = server.database("blog").unwrap();
//! let shop = server.database("shop").unwrap();
//! let mut conn = PgConnection::establish(blog.url()).unwrap();
//!
//! let mark = server.mark().unwrap();
//! diesel::sql_query("SELECT 1").execute(&mut conn).unwrap();
//! assert_eq!(server.statements_since(mark).unwrap()[0].sql, "SELECT 1");
//! ```
//!
//! [`sqlite`], [`postgres`] and [`mariadb`] offer the same verbs, so that one suite can run on all three.
//!
//! A test of replicas starts a [`PostgresCluster`](postgres::PostgresCluster) or a
//! [`MariaDbCluster`](mariadb::MariaDbCluster), whose verbs delay a replica, pause it and promote it. A
//! [`Proxy`](proxy::Proxy) cuts off, stalls or slows down any server, and a [`PgBouncer`](pgbouncer::PgBouncer) shares
//! out its connections.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use router_tests::{postgres::PostgresCluster, proxy::Proxy, require};
//!
//! let Some(cluster) = require(PostgresCluster::start(2)) else { return };
//! let blog = cluster.database("blog").unwrap();
//! cluster.set_apply_delay(0, Duration::from_millis(500)).unwrap();
//! let proxy = Proxy::to(cluster.replica(1).port()).unwrap();
//! let urls = [blog.url(), blog.replica_url(0), &proxy.url_through(blog.replica_url(1))];
//! proxy.cut();
//! ```

mod account;
mod database;
mod error;
mod guardian;
mod program;
mod server;
mod statement_log;
mod template;
mod wait;

pub mod mariadb;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod sqlite;

pub use account::with_language;
pub use database::{ClusterDatabase, TestDatabase};
pub use error::{HarnessError, require};
pub use server::{Stop, free_port};
pub use statement_log::{LoggedStatement, Mark};

/// The password of every server's user, so that the URLs of tests carry a secret that nothing may show.
pub const PASSWORD: &str = "s3cret-of-the-tests";
