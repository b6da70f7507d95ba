//! Whichever engine the URL asks for.
#![allow(
    missing_docs,
    missing_debug_implementations,
    reason = "Diesel's derive writes public types without documentation"
)]

#[cfg(feature = "mysql")]
use diesel::mysql::MysqlConnection;
#[cfg(feature = "postgres")]
use diesel::pg::PgConnection;
use diesel::query_builder::{QueryBuilder, QueryFragment};
#[cfg(feature = "sqlite")]
use diesel::sqlite::SqliteConnection;
use diesel::{ConnectionError, ConnectionResult, QueryResult};

use super::binds::{Binds, Bound};
use super::{Ask, Engine, RoutedConnection};

/// A connection to any of the enabled engines, so that one service can use several.
///
/// The scheme of the URL chooses the engine. Queries must be built from what all enabled engines share, as
/// Diesel's `MultiConnection` asks; a service with one engine keeps the whole of it by naming that engine's
/// own connection instead.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// A connection to PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
    /// A connection to MySQL or MariaDB.
    #[cfg(feature = "mysql")]
    Mysql(MysqlConnection),
    /// A connection to SQLite.
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnection),
}

#[cfg(feature = "mysql")]
type Collector<'a> = <MultiBackend as diesel::backend::Backend>::BindCollector<'a>;
type Builder = <MultiBackend as diesel::backend::Backend>::QueryBuilder;

impl Binds for AnyConnection {
    /// By the backend whose values are bytes and whose types need no catalogue.
    #[cfg(feature = "mysql")]
    fn binds<T>(query: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<MultiBackend>,
    {
        let mut collector = Collector::Mysql(Default::default());
        let backend = MultiBackend::Mysql(Default::default());
        QueryFragment::<MultiBackend>::collect_binds(query, &mut collector, &mut (), &backend).ok()?;
        match collector {
            Collector::Mysql(collector) => {
                Some(super::binds::of_bytes(collector, super::mysql::driver::kind))
            }
            #[allow(unreachable_patterns, reason = "reached where another engine's feature is on")]
            _ => None,
        }
    }

    #[cfg(not(feature = "mysql"))]
    fn binds<T>(_: &T) -> Option<Vec<Bound>>
    where
        T: QueryFragment<MultiBackend>,
    {
        None
    }
}

impl RoutedConnection for AnyConnection {
    const ONE_DIALECT: bool = false;

    fn supports(engine: Engine) -> bool {
        match engine {
            Engine::Sqlite => cfg!(feature = "sqlite"),
            Engine::Postgres => cfg!(feature = "postgres"),
            Engine::Mysql => cfg!(feature = "mysql"),
        }
    }

    fn renders_for() -> Engine {
        if cfg!(feature = "sqlite") {
            Engine::Sqlite
        } else if cfg!(feature = "postgres") {
            Engine::Postgres
        } else {
            Engine::Mysql
        }
    }

    fn connect(engine: Engine, address: &str) -> ConnectionResult<Self> {
        match engine {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => SqliteConnection::connect(engine, address).map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            Engine::Postgres => PgConnection::connect(engine, address).map(Self::Postgres),
            #[cfg(feature = "mysql")]
            Engine::Mysql => MysqlConnection::connect(engine, address).map(Self::Mysql),
            #[allow(unreachable_patterns, reason = "reached where an engine's feature is off")]
            other => Err(ConnectionError::BadConnection(format!("this build has no support for {other}"))),
        }
    }

    fn render<T>(engine: Engine, query: &T) -> QueryResult<String>
    where
        T: QueryFragment<MultiBackend>,
    {
        let (mut builder, backend) = match engine {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => (Builder::Sqlite(Default::default()), MultiBackend::Sqlite(Default::default())),
            #[cfg(feature = "postgres")]
            Engine::Postgres => {
                (Builder::Postgres(Default::default()), MultiBackend::Postgres(Default::default()))
            }
            #[cfg(feature = "mysql")]
            Engine::Mysql => (Builder::Mysql(Default::default()), MultiBackend::Mysql(Default::default())),
            #[allow(unreachable_patterns, reason = "reached where an engine's feature is off")]
            _ => return Self::render(Self::renders_for(), query),
        };
        query.to_sql(&mut builder, &backend)?;
        Ok(builder.finish())
    }

    fn engine(&self) -> Engine {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Engine::Postgres,
            #[cfg(feature = "mysql")]
            Self::Mysql(_) => Engine::Mysql,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }
}

impl Ask for AnyConnection {
    fn run(&mut self, sql: &str) -> QueryResult<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => conn.run(sql),
            #[cfg(feature = "mysql")]
            Self::Mysql(conn) => conn.run(sql),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => conn.run(sql),
        }
    }

    fn begin(&mut self, sql: &str) -> QueryResult<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => conn.begin(sql),
            #[cfg(feature = "mysql")]
            Self::Mysql(conn) => conn.begin(sql),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => conn.begin(sql),
        }
    }

    fn texts(&mut self, sql: &str) -> QueryResult<Vec<Option<String>>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => conn.texts(sql),
            #[cfg(feature = "mysql")]
            Self::Mysql(conn) => conn.texts(sql),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => conn.texts(sql),
        }
    }
}
