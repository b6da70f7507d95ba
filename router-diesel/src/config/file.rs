//! The file model: what may be written, as it is written. Nothing here is checked against anything
//! else; `check` does that. The JSON Schema is generated from these types and their comments.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::duration;

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
    #[schemars(extend("enum" = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"]))]
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
    /// The share of reads under the policy `weighted`. By default 1.
    #[schemars(range(min = 1))]
    pub(crate) weight: Setting<u32>,
    /// How a read chooses among the replicas of this database. By default `round_robin`.
    #[schemars(extend("enum" = ["round_robin", "random", "weighted", "least_connections"]))]
    pub(crate) policy: Setting<Word>,
    /// When the primary serves reads that its replicas could serve. By default `fallback`.
    #[schemars(extend("enum" = ["never", "fallback", "always"]))]
    pub(crate) primary_reads: Setting<Word>,
    /// How far a replica may lag behind and still serve reads. By default there is no limit.
    pub(crate) max_lag: Setting<Length>,
    /// How long a read waits for a replica to catch up with the session's own writes.
    pub(crate) wait_for_replica: Setting<Length>,
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

/// The name by which the reader knows the file's outermost section, where `x-…` keys are allowed.
pub(crate) const ROOT: &str = "File";
/// The name by which the reader knows a duration.
pub(crate) const LENGTH: &str = "Length";

/// A setting: not given, wrong, or with a value.
///
/// To be wrong is no failure here, so that what stands beside it is read nevertheless; the reader has
/// told what is wrong.
#[derive(Debug, Clone, Default)]
pub(crate) enum Setting<T> {
    #[default]
    Absent,
    Wrong,
    Given(T),
}

impl<T> Setting<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    pub(crate) fn take(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(deserializer) {
            Ok(Some(value)) => Self::Given(value),
            Ok(None) => Self::Absent,
            Err(_) => Self::Wrong,
        })
    }
}

impl<T: JsonSchema> JsonSchema for Setting<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}

/// A word out of a few.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Word(pub(crate) String);

/// Text that nobody is shown.
#[derive(Clone, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::url::MASK)
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(pub(crate) std::time::Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;

        impl Visitor<'_> for LengthVisitor {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(duration::EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Length, E> {
                let unexpected = serde::de::Unexpected::Str(text);
                duration::parse(text).map(Length).ok_or_else(|| E::invalid_value(unexpected, &self))
            }
        }

        deserializer.deserialize_newtype_struct(LENGTH, LengthVisitor)
    }
}

impl JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": duration::EXPECTED,
            "pattern": r"^([0-9]+(ms|s|m|h)|.*\$\{.*)$",
        })
    }
}

/// One name, or a list of names.
#[derive(Debug, Clone, Default)]
pub(crate) struct OneOrMany(Vec<Setting<String>>);

impl OneOrMany {
    /// The names with their places in the list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().enumerate().filter_map(|(index, name)| Some((index, name.get()?.as_str())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![Setting::Given(name.to_owned())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany(names))
            }
        }

        deserializer.deserialize_any(NamesVisitor)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Names".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["array", "string"], "items": { "type": "string" } })
    }
}

/// The value of a connection's parameter: text, or what YAML takes for a number or for yes and no.
#[derive(Clone)]
pub(crate) struct OptionValue(pub(crate) String);

impl fmt::Debug for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::url::MASK)
    }
}

impl<'de> Deserialize<'de> for OptionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OptionVisitor;

        impl Visitor<'_> for OptionVisitor {
            type Value = OptionValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true or false")
            }

            fn visit_bool<E>(self, value: bool) -> Result<OptionValue, E> {
                Ok(OptionValue(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<OptionValue, E> {
                Ok(OptionValue(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<OptionValue, E> {
                Ok(OptionValue(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<OptionValue, E> {
                Ok(OptionValue(value.to_owned()))
            }
        }

        deserializer.deserialize_any(OptionVisitor)
    }
}

impl JsonSchema for OptionValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OptionValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A map that keeps the order of the file.
#[derive(Debug)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, Setting<T>)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OrderedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names, each with its settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Ordered<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let values = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": values })
    }
}
