//! The file model: what may be written, as it is written. Nothing here is checked against anything
//! else; `check` does that. The JSON Schema is generated from these types and their comments.

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::Policy;
use super::values::{Length, OneOrMany, OptionValue, Ordered, Secret, Setting, Word};
use crate::engine::words;

/// The name by which the reader knows the file's outermost section, where `x-…` keys are allowed.
pub(crate) const ROOT: &str = "File";

/// Which app lives in which database, and how to reach the databases.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of a file")]
pub(crate) struct File {
    /// The database of everything that no rule claims. By default `default`, else `primary`, else
    /// the first.
    pub(crate) default: Setting<String>,
    /// What becomes of a table that belongs to no app: `default` (it is looked for in the default
    /// database) or `error`.
    #[schemars(extend("enum" = ["default", "error"]))]
    pub(crate) unrouted: Setting<Word>,
    /// What the names of environment variables with URLs begin with: `SHOP` makes it
    /// `SHOP_BLOG_DB_DATABASE_URL` instead of `BLOG_DB_DATABASE_URL`.
    pub(crate) env_prefix: Setting<String>,
    /// Files with more apps and databases, relative to this one; names or globs.
    pub(crate) include: Setting<OneOrMany>,
    /// SQL functions that change data: a `SELECT` that calls one is a write.
    pub(crate) write_functions: Setting<OneOrMany>,
    /// SQL functions that leave something on their connection, such as a setting or a lock: the connection is closed
    /// when the session gives it back.
    pub(crate) state_functions: Setting<OneOrMany>,
    /// SQL functions that have no effect: a `SELECT` that calls one may run a second time after its connection was
    /// lost.
    pub(crate) read_functions: Setting<OneOrMany>,
    /// The apps: parts of the service whose tables live together.
    pub(crate) apps: Setting<Ordered<AppSection>>,
    /// The databases by their aliases.
    pub(crate) databases: Setting<Ordered<DatabaseSection>>,
    /// What is different in an environment, merged over the above. `DBROUTER_ENV` chooses, else
    /// `development`.
    pub(crate) environments: Setting<Ordered<EnvironmentSection>>,
}

/// What is different in one environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of an environment")]
pub(crate) struct EnvironmentSection {
    /// The database of everything that no rule claims.
    pub(crate) default: Setting<String>,
    /// What becomes of a table that belongs to no app.
    #[schemars(extend("enum" = ["default", "error"]))]
    pub(crate) unrouted: Setting<Word>,
    /// What the names of environment variables with URLs begin with.
    pub(crate) env_prefix: Setting<String>,
    /// SQL functions that change data.
    pub(crate) write_functions: Setting<OneOrMany>,
    /// SQL functions that leave something on their connection, such as a setting or a lock: the connection is closed
    /// when the session gives it back.
    pub(crate) state_functions: Setting<OneOrMany>,
    /// SQL functions that have no effect: a `SELECT` that calls one may run a second time after its connection was
    /// lost.
    pub(crate) read_functions: Setting<OneOrMany>,
    /// Apps, merged over those above.
    pub(crate) apps: Setting<Ordered<AppSection>>,
    /// Databases, merged over those above.
    pub(crate) databases: Setting<Ordered<DatabaseSection>>,
}

/// An app: a part of the service whose tables live together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of an app")]
pub(crate) struct AppSection {
    /// The app's tables: names or globs, `schema.table` too. By default `<app>_*` and `<app>.*`.
    pub(crate) tables: Setting<OneOrMany>,
    /// The app's SQL functions and procedures: names or globs, `schema.name` too. A statement that calls one goes to
    /// the app's database. By default none.
    pub(crate) functions: Setting<OneOrMany>,
    /// The folder with the app's migrations, relative to the current directory. By default
    /// `migrations/<app>`.
    pub(crate) migrations: Setting<String>,
    /// Whether the app's migrations are run. By default they are.
    pub(crate) managed: Setting<bool>,
}

/// A database: how to reach it, and what is its to serve.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of a database")]
pub(crate) struct DatabaseSection {
    /// How to reach it: `sqlite://db/blog.sqlite3`, `postgres://user:password@host/name`,
    /// `mysql://…`. Either this or the parts; `~` takes away the one above an environment.
    #[schemars(extend("type" = ["string", "null"]))]
    pub(crate) url: Setting<Secret>,
    /// The kind of server, for a URL that is made of parts.
    #[schemars(extend("enum" = engine_words()))]
    pub(crate) engine: Setting<Word>,
    /// The server's host, or the folder of its Unix socket.
    pub(crate) host: Setting<String>,
    /// The server's port.
    #[schemars(range(min = 1))]
    pub(crate) port: Setting<u16>,
    /// The database's name on the server; for SQLite, its file.
    pub(crate) name: Setting<String>,
    /// The user.
    pub(crate) user: Setting<String>,
    /// The password, written as it is: special characters need no encoding.
    pub(crate) password: Setting<Secret>,
    /// A file with the password, relative to this one. It is read for each new connection, without the newline at its
    /// end. Not beside a password in `url` or `password`.
    pub(crate) password_file: Setting<String>,
    /// Parameters of the connection, such as `sslmode`.
    pub(crate) options: Setting<Ordered<OptionValue>>,
    /// The apps that live here.
    pub(crate) apps: Setting<OneOrMany>,
    /// What may be done here: `read`, `write`, `migrate`. By default all; on a replica `read`.
    #[schemars(extend("items" = {"enum": ["read", "write", "migrate"]}))]
    pub(crate) operations: Setting<OneOrMany>,
    /// The database where the migrations of the apps run instead: the same one, under another user
    /// or without a pooler.
    pub(crate) migrate_to: Setting<String>,
    /// The database that keeps the records of the migrations which run here.
    pub(crate) migration_history: Setting<String>,
    /// Whether migrations may run here. By default they may.
    pub(crate) migrate: Setting<bool>,
    /// The primary of which this is a replica.
    pub(crate) replica_of: Setting<String>,
    /// The share of reads under the policies `weighted` and `least_connections`. By default 1.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) weight: Setting<u32>,
    /// How a read chooses among the replicas of this database. By default `round_robin`.
    #[schemars(extend("enum" = choices(Policy::WORDS)))]
    pub(crate) policy: Setting<Word>,
    /// When the primary serves reads that its replicas could serve. By default `fallback`.
    #[schemars(extend("enum" = ["never", "fallback", "always"]))]
    pub(crate) primary_reads: Setting<Word>,
    /// How far a replica may lag behind and still serve reads. By default there is no limit.
    pub(crate) max_lag: Setting<Length>,
    /// How long a read waits for a replica to catch up with the session's own writes.
    pub(crate) wait_for_replica: Setting<Length>,
    /// How long after a write reads stay on the primary where the engine has no positions to compare, as SQLite. By
    /// default 2s.
    pub(crate) primary_window: Setting<Length>,
    /// How the nodes of the cluster are watched.
    pub(crate) health: Setting<HealthSection>,
    /// Whether writes are refused, for operators. By default they are not.
    pub(crate) read_only: Setting<bool>,
    /// What of the cluster is not to be used for now, for operators.
    #[schemars(extend("enum" = ["primary", "replicas"]))]
    pub(crate) offline: Setting<Word>,
    /// A file or folder with data for a new database, relative to the current directory.
    pub(crate) seeds: Setting<String>,
    /// The numbers of the connection pool.
    pub(crate) pool: Setting<PoolSection>,
}

/// How the nodes of a cluster are watched.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of the health checks")]
pub(crate) struct HealthSection {
    /// How often each node is asked how it is. By default 1s.
    pub(crate) interval: Setting<Length>,
    /// How long a node may take to answer. By default 500ms, or `interval` where that is shorter.
    pub(crate) timeout: Setting<Length>,
    /// How long a node that failed is left alone at least. By default 1s.
    pub(crate) ban: Setting<Length>,
}

/// The numbers of a connection pool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of a pool")]
pub(crate) struct PoolSection {
    /// How many connections at most. By default 10.
    #[schemars(range(min = 1))]
    pub(crate) max_size: Setting<u32>,
    /// How many idle connections are kept at least. By default 0.
    pub(crate) min_idle: Setting<u32>,
    /// How long a check-out waits. By default 5s.
    pub(crate) connection_timeout: Setting<Length>,
    /// After how long an idle connection is closed. By default 10m.
    pub(crate) idle_timeout: Setting<Length>,
    /// After how long any connection is closed. By default 30m.
    pub(crate) max_lifetime: Setting<Length>,
    /// How long a statement may run. By default the server decides.
    pub(crate) statement_timeout: Setting<Length>,
    /// After how long without use a connection is tested before it is handed out. By default 5s.
    pub(crate) validate_after: Setting<Length>,
    /// Whether statements are prepared on the server. By default they are; not so behind a pooler
    /// that shares connections between transactions.
    pub(crate) prepared_statements: Setting<bool>,
}

/// What `engine:` may say.
fn engine_words() -> Vec<&'static str> {
    words::all().map(|word| word.text).collect()
}

/// The words among which a setting chooses.
fn choices<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}
