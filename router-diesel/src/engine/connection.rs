//! What a connection must offer so that it can be routed.

use std::borrow::Cow;
use std::time::Duration;

use diesel::connection::CacheSize;
use diesel::connection::LoadConnection;
use diesel::query_builder::QueryFragment;
use diesel::r2d2::R2D2Connection;
use diesel::{ConnectionError, ConnectionResult, QueryResult};

use super::{Ask, Binds, DatabaseUrl, Engine, Product, WrongProduct};

/// A connection that can be routed: one of Diesel's, or [`AnyConnection`](super::AnyConnection).
///
/// Each implementation knows how to open a connection from a checked URL, and how to render a query of its backend.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no connection that can be routed",
    label = "not a routed connection",
    note = "use `SqliteConnection`, `PgConnection`, `MysqlConnection` or `AnyConnection`, and enable the \
            feature `sqlite`, `postgres` or `mysql` of router-diesel"
)]
pub trait RoutedConnection: Ask + Binds + LoadConnection + R2D2Connection + Send + Sized + 'static {
    /// Whether every connection of this type is to one engine.
    const ONE_DIALECT: bool = true;

    /// Whether connections to this engine can be opened.
    fn supports(engine: Engine) -> bool;

    /// The engine in whose dialect queries are written where no database says which.
    fn renders_for() -> Engine;

    /// Establishes a connection to an engine that this type [`supports`](Self::supports), as Diesel's own
    /// `establish` does. Call [`open`](Self::open) instead: it also applies settings.
    ///
    /// # Errors
    /// What Diesel says when the server refuses or cannot be reached, or that the engine is not supported.
    fn connect(engine: Engine, address: &str) -> ConnectionResult<Self>;

    /// Opens a connection, applies the settings that live in it (time limits and the read-only state), and learns
    /// which product the server is.
    ///
    /// # Errors
    /// What Diesel says when the server refuses or cannot be reached, that the engine is not supported, or that the
    /// server is not the product that the URL asks for.
    fn open(url: &DatabaseUrl, settings: &ConnectSettings) -> ConnectionResult<Opened<Self>> {
        let engine = url.engine();
        let address = engine.spec().address(url, settings)?;
        let mut conn = Self::connect(engine, &address).map_err(|error| silent(error, url))?;
        engine.spec().admit(&mut conn, url)?;
        if !settings.prepared_statements {
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        let server = engine.spec().set_up(&mut conn, settings)?;
        if let Some(wanted) = url.product().filter(|wanted| *wanted != server.product) {
            return Err(WrongProduct { wanted, found: server.product }.into());
        }
        Ok(Opened { conn, server })
    }

    /// Writes the SQL of a query for an engine that this type [`supports`](Self::supports), with placeholders where its
    /// values go.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    fn render<T>(engine: Engine, query: &T) -> QueryResult<String>
    where
        T: QueryFragment<Self::Backend>;

    /// The engine of this very connection.
    fn engine(&self) -> Engine;
}

/// What a driver says when it cannot connect, without the secrets of the URL that it may repeat.
fn silent(error: ConnectionError, url: &DatabaseUrl) -> ConnectionError {
    match error {
        ConnectionError::BadConnection(text) => ConnectionError::BadConnection(url.without_secrets(&text)),
        ConnectionError::InvalidConnectionUrl(text) => {
            ConnectionError::InvalidConnectionUrl(url.without_secrets(&text))
        }
        error => error,
    }
}

/// How a connection is opened, and what is set on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectSettings {
    /// How long the server may take to accept the connection. SQLite has no server, and lets a writer wait that long
    /// for a file that another connection has locked.
    pub connect_timeout: Duration,
    /// How long a statement may run. `None` leaves that to the server.
    pub statement_timeout: Option<Duration>,
    /// Whether the connection is this program's alone. Behind a pooler that shares connections between transactions
    /// it is not: nothing is prepared or set on it, because the next user would have it too.
    pub prepared_statements: bool,
    /// What the server lets the connection do.
    pub access: Access,
}

/// What the server lets a connection do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything that the user may do.
    ReadWrite,
    /// Reading only: the server itself refuses writes.
    ReadOnly,
}

/// A new connection, and what its server is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened<C> {
    /// The connection.
    pub conn: C,
    /// What was learnt from it.
    pub server: Server,
}

/// What a server is, by its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// The product.
    pub product: Product,
    /// The version as the server writes it, where it was asked.
    pub version: Option<String>,
}

impl Server {
    /// A server of which only the product is known.
    pub(super) fn of(product: Product) -> Self {
        Self { product, version: None }
    }
}

/// How an engine opens its connections.
pub(crate) trait Connect {
    /// What Diesel's `establish` takes for this URL: the URL, with those settings that belong in it.
    ///
    /// # Errors
    /// That the engine can tell without a connection that it will not get one.
    fn address<'u>(&self, url: &'u DatabaseUrl, settings: &ConnectSettings)
    -> ConnectionResult<Cow<'u, str>>;

    /// Whether Diesel's connection has methods that change it past all statements: functions, collations, another
    /// database in its place.
    fn has_methods_past_sql(&self) -> bool {
        false
    }

    /// Looks at a new connection before anything else is sent on it.
    ///
    /// # Errors
    /// That it is not encrypted as its URL asks. It is then closed.
    fn admit(&self, conn: &mut dyn Ask, url: &DatabaseUrl) -> ConnectionResult<()> {
        let _ = (conn, url);
        Ok(())
    }

    /// Applies the settings that live in a connection, and learns which product the server is.
    ///
    /// # Errors
    /// What Diesel says of the statements.
    fn set_up(&self, conn: &mut dyn Ask, settings: &ConnectSettings) -> ConnectionResult<Server>;

    /// How to bound statements where nothing can be set on a connection, because a pooler shares it. `None` where the
    /// settings are made all the same.
    fn timeout_behind_pooler(&self) -> Option<&'static str> {
        None
    }

    /// Whether another connection by the same URL leads to the same database, so that one may take the other's place.
    fn is_found_again(&self, url: &DatabaseUrl) -> bool {
        let _ = url;
        true
    }

    /// The server's version, as it writes it.
    ///
    /// # Errors
    /// What Diesel says of the query.
    fn version(&self, conn: &mut dyn Ask) -> QueryResult<String>;
}

/// A duration in whole milliseconds, at least one.
pub(super) fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}
