//! All that differs between engines, with a folder for each.
//!
//! [`Engine`] is the one list of engines. What an engine does in its own way is a method of [`Spec`], which the
//! engine's folder implements. Each topic of [`Spec`] is a trait in a file of its own here (`words`, `connection`, `diagnosis`
//! and so on), and a file of the same name in each engine's folder implements it.
//!
//! A `Spec` asks a connection through [`Ask`], so that it needs to know no type of Diesel's. Only `driver.rs` in an
//! engine's folder does.
//!
//! To add an engine: write its folder, and add a line to the list below, a variant to [`AnyConnection`], a Cargo
//! feature, and its SQL dialect in `statement/dialect.rs`.

pub(crate) mod absence;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod any;
mod ask;
pub(crate) mod binds;
mod calls;
pub(crate) mod catalogue;
pub(crate) mod client;
mod connection;
pub(crate) mod create;
mod credentials;
pub(crate) mod definitions;
pub(crate) mod diagnosis;
pub(crate) mod dump;
mod encryption;
mod hooks;
pub(crate) mod identity;
pub(crate) mod lock;
mod mariadb;
mod mysql;
pub(crate) mod observe;
mod opener;
pub(crate) mod position;
mod postgres;
mod product;
pub(crate) mod reach;
pub(crate) mod records;
pub(crate) mod settings;
mod sqlite;
pub(crate) mod system;
pub(crate) mod transaction;
pub(crate) mod url;
pub(crate) mod words;

use std::fmt;

use diesel::QueryResult;

pub(crate) use absence::Absence;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use any::{AnyConnection, MultiBackend, MultiField, MultiRawValue, MultiRow};
pub use ask::Ask;
pub use binds::{Binds, Bound};
pub(crate) use calls::Calls;
pub(crate) use catalogue::Catalogue;
pub(crate) use client::Clients;
pub use client::{ClientProgram, UnsafeSecret};
pub(crate) use connection::Connect;
pub use connection::{Access, ConnectSettings, Opened, RoutedConnection, Server};
pub(crate) use create::Places;
pub use credentials::Credentials;
pub(crate) use definitions::Definitions;
pub(crate) use diagnosis::{Diagnose, Verdict, is_lost, verdict, was_cancelled_by_replica};
pub(crate) use dump::Dumps;
pub(crate) use encryption::NotEncrypted;
pub use hooks::{Hooks, SetupError};
pub(crate) use identity::Identity;
pub(crate) use lock::Locks;
pub(crate) use observe::{Observe, Role};
pub use opener::ConnectFault;
pub(crate) use opener::{OpenError, Opener};
pub use product::Product;
pub(crate) use product::WrongProduct;
pub(crate) use reach::Reach;
pub(crate) use records::RecordTables;
pub(crate) use settings::Settings;
pub(crate) use system::SystemTables;
pub(crate) use transaction::Transactions;
pub(crate) use url::Urls;
pub use url::{DatabaseUrl, OptionProblem, UrlError};
pub(crate) use words::{EngineWord, Words};

/// Makes the list of engines, with its one `match`.
macro_rules! engines {
    ($($(#[$doc:meta])* $engine:ident => $spec:expr),+ $(,)?) => {
        /// A kind of database server. MySQL and MariaDB are one kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Engine {
            $($(#[$doc])* $engine),+
        }

        impl Engine {
            /// Every engine that this crate knows, whether or not the build can connect to it.
            pub const ALL: &'static [Self] = &[$(Self::$engine),+];

            /// What this engine does in its own way.
            pub(crate) fn spec(self) -> &'static dyn Spec {
                match self {
                    $(Self::$engine => &$spec),+
                }
            }
        }
    };
}

engines! {
    /// SQLite.
    Sqlite => sqlite::Sqlite,
    /// PostgreSQL.
    Postgres => postgres::Postgres,
    /// MySQL and MariaDB.
    Mysql => mysql::Mysql,
}

/// All that an engine does in its own way: the sum of its topics.
pub(crate) trait Spec:
    Words
    + Urls
    + Connect
    + Identity
    + Observe
    + Transactions
    + Settings
    + Diagnose
    + Reach
    + SystemTables
    + Absence
    + Locks
    + Catalogue
    + RecordTables
    + Definitions
    + Places
    + Dumps
    + Clients
    + fmt::Debug
    + Send
    + Sync
{
}

impl Engine {
    /// The name that a configuration file uses: `postgres`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.spec().name()
    }

    /// The name as it stands in sentences: `PostgreSQL`.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.spec().title()
    }

    /// Whether a server of this engine can say how far it has come, so that it can be told whether a replica has a
    /// write and how far it lags behind.
    #[must_use]
    pub fn has_positions(self) -> bool {
        self.spec().has_positions()
    }

    /// The version of a server of this engine, as the server itself writes it.
    ///
    /// # Errors
    /// What Diesel says of the query.
    pub fn version(self, conn: &mut dyn Ask) -> QueryResult<String> {
        self.spec().version(conn)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
