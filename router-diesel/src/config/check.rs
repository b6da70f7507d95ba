//! From the file model to the checked model.

use router_core::{Alias, AppLabel, Operation, Operations, Place};
use rustc_hash::FxHashMap;

use super::file::{AppSection, DatabaseSection, File, PoolSection};
use super::model::{App, Config, Database, Engine, Offline, Policy, PoolSettings, PrimaryReads, Unrouted};
use super::problem::{Code, Problem};
use super::tables::TablePattern;
use super::url::{DatabaseUrl, Parts};

/// Checks a file.
pub(crate) fn check(file: File, name: &str, environment: String) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut config = Config {
        default: Alias::new("default"),
        unrouted: match file.unrouted {
            Some(word) if word.0 == "error" => Unrouted::Error,
            _ => Unrouted::Default,
        },
        env_prefix: file.env_prefix,
        environment,
        write_functions: file.write_functions.unwrap_or_default().0,
        apps: Vec::new(),
        databases: Vec::new(),
        notes: Vec::new(),
        files: vec![name.into()],
        database_index: FxHashMap::default(),
        app_index: FxHashMap::default(),
    };
    let place = Place::new(name, 1, 1);
    for (label, section) in file.apps.unwrap_or_default().0 {
        let app = app(AppLabel::new(&label), section, Some(place.clone()));
        config.app_index.insert(app.label.clone(), config.apps.len());
        config.apps.push(app);
    }
    for (alias, section) in file.databases.unwrap_or_default().0 {
        let alias = Alias::new(alias);
        match database(&alias, section, place.clone()) {
            Ok(database) => {
                config.database_index.insert(alias, config.databases.len());
                for label in &database.apps {
                    if !config.app_index.contains_key(label) {
                        config.app_index.insert(label.clone(), config.apps.len());
                        config.apps.push(app(label.clone(), AppSection::default(), None));
                    }
                }
                config.databases.push(database);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let first = config.databases.first().map(|database| database.alias.clone());
    let default = file.default.map(Alias::from).or_else(|| {
        ["default", "primary"].into_iter().find(|alias| config.database(alias).is_some()).map(Alias::from)
    });
    match default.or(first) {
        Some(default) => config.default = default,
        None => problems.push(Problem::new(Code::NoDatabases, "the file declares no database")),
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn app(label: AppLabel, section: AppSection, place: Option<Place>) -> App {
    App {
        tables: match section.tables {
            Some(tables) => tables.0.iter().filter_map(|text| TablePattern::new(text)).collect(),
            None => TablePattern::defaults(&label),
        },
        migrations: section.migrations.unwrap_or_else(|| format!("migrations/{label}")).into(),
        managed: section.managed.unwrap_or(true),
        label,
        place,
    }
}

fn database(alias: &Alias, section: DatabaseSection, place: Place) -> Result<Database, Problem> {
    let engine = section.engine.as_ref().and_then(|word| Engine::from_name(&word.0));
    let url = match section.url {
        Some(url) => DatabaseUrl::parse_for(&url.0, engine),
        None => DatabaseUrl::from_parts(
            engine.unwrap_or(Engine::Sqlite),
            &Parts {
                host: section.host,
                port: section.port,
                name: section.name,
                user: section.user,
                password: section.password.map(|password| password.0),
                options: section
                    .options
                    .unwrap_or_default()
                    .0
                    .into_iter()
                    .map(|(key, value)| (key, value.0))
                    .collect(),
            },
        ),
    };
    let url = url.map_err(|error| Problem::new(Code::BadUrl, error.to_string()))?;
    let replica_of = section.replica_of.map(Alias::from);
    let operations = match (section.operations, &replica_of) {
        (Some(names), _) => names.0.iter().filter_map(|name| name.parse().ok()).collect(),
        (None, Some(_)) => Operations::none().with(Operation::Read),
        (None, None) => Operations::all(),
    };
    Ok(Database {
        alias: alias.clone(),
        url,
        apps: section.apps.unwrap_or_default().0.iter().map(|label| AppLabel::new(label)).collect(),
        operations,
        migrate_to: section.migrate_to.map(Alias::from),
        migration_history: section.migration_history.map(Alias::from),
        migrate: section.migrate.unwrap_or(true),
        replica_of,
        weight: section.weight.unwrap_or(1),
        policy: match section.policy.as_ref().map(|word| word.0.as_str()) {
            Some("random") => Policy::Random,
            Some("weighted") => Policy::Weighted,
            Some("least_connections") => Policy::LeastConnections,
            _ => Policy::RoundRobin,
        },
        primary_reads: match section.primary_reads.as_ref().map(|word| word.0.as_str()) {
            Some("never") => PrimaryReads::Never,
            Some("always") => PrimaryReads::Always,
            _ => PrimaryReads::Fallback,
        },
        max_lag: section.max_lag.map(|length| length.0),
        wait_for_replica: section.wait_for_replica.map(|length| length.0),
        read_only: section.read_only.unwrap_or(false),
        offline: match section.offline.as_ref().map(|word| word.0.as_str()) {
            Some("primary") => Some(Offline::Primary),
            Some("replicas") => Some(Offline::Replicas),
            _ => None,
        },
        seeds: section.seeds.map(Into::into),
        pool: pool(&section.pool.unwrap_or_default()),
        place,
    })
}

fn pool(section: &PoolSection) -> PoolSettings {
    let default = PoolSettings::default();
    PoolSettings {
        max_size: section.max_size.unwrap_or(default.max_size),
        min_idle: section.min_idle.unwrap_or(default.min_idle),
        connection_timeout: section.connection_timeout.map_or(default.connection_timeout, |length| length.0),
        idle_timeout: section.idle_timeout.map(|length| length.0).or(default.idle_timeout),
        max_lifetime: section.max_lifetime.map(|length| length.0).or(default.max_lifetime),
        statement_timeout: section.statement_timeout.map(|length| length.0),
        validate_after: section.validate_after.map_or(default.validate_after, |length| length.0),
        prepared_statements: section.prepared_statements.unwrap_or(true),
    }
}
