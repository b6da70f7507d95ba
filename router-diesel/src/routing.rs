//! The second step: from a statement's tables to the alias of one database.
//!
//! [`Routing`] holds one file's rules and the project's own routers. It opens nothing, so a program can ask
//! it where a statement would go without a server.

use std::fmt;
use std::sync::Arc;

use router_core::{
    Alias, AppLabel, DatabaseRule, Decision, Hints, Model, Operation, Place, Reason, Role, Router,
    RouterChain, RuleRouter,
};
use rustc_hash::FxHashMap;

use crate::config::{Config, Engine, TableMap, Unrouted};
use crate::error::Error;
use crate::statement::{Classifier, Dialect, Reading, Statement, TableName};

/// The rules of one file and the routers of a project: all that is needed to say where a statement goes.
///
/// ```
/// use router_diesel::{Routing, config::Config};
/// use router_diesel::statement::Dialect;
///
/// let config = Config::loader()
///     .yaml("
/// apps: { blog: { tables: [posts] } }
/// databases:
///   default: { url: 'sqlite://default.sqlite3' }
///   blog_db: { url: 'sqlite://blog.sqlite3', apps: [blog] }
/// ", "databases.yml")
///     .load()?;
/// let explanation = Routing::new(config)?.explain_sql("SELECT * FROM posts", Dialect::Sqlite);
/// assert_eq!(explanation.alias().unwrap(), "blog_db");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Routing {
    config: Config,
    chain: RouterChain,
    rules: Arc<RuleRouter>,
    tables: TableMap,
    databases: FxHashMap<Alias, usize>,
    default: usize,
    /// Whether the rules are all there is, so that what they say of a table is always the same.
    rules_alone: bool,
}

/// A statement and the apps of its tables: what routing needs of it, learnt once.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) statement: Statement,
    models: Vec<PreparedModel>,
}

#[derive(Debug)]
struct PreparedModel {
    app: Option<AppLabel>,
    table: TableName,
    /// What the rules say, where they are all there is.
    fixed: Option<Sides>,
}

/// The databases where a table is read and written; `None` where nobody has an opinion.
#[derive(Debug, Clone, Copy)]
struct Sides {
    read: Option<usize>,
    write: Option<usize>,
}

impl PreparedModel {
    fn as_model(&self) -> Model<'_> {
        match &self.app {
            Some(app) => Model::of(app, Some(self.table.name())),
            None => Model::new("", self.table.name()),
        }
    }
}

/// What surrounds a statement and bears on where it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Circumstances<'a> {
    /// The database chosen by hand.
    pub(crate) using: Option<usize>,
    /// The open transaction, if any.
    pub(crate) transaction: Transaction,
    /// Whether this part of the program reads or writes.
    pub(crate) role: Option<Role>,
    /// Whether writes are refused.
    pub(crate) prevent_writes: bool,
    /// The only databases that may be touched, as their indices.
    pub(crate) only: Option<&'a [usize]>,
}

/// Whether a transaction is open, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Transaction {
    /// None is open.
    #[default]
    None,
    /// One is open, and its first statement has yet to choose its database.
    Pending,
    /// One is open on this database.
    On(usize),
}

impl Routing {
    /// Routes by the rules of a file alone.
    ///
    /// # Errors
    /// What [`with_routers`](Self::with_routers) says.
    pub fn new(config: Config) -> Result<Self, Error> {
        let routers = RouterChain::new(config.default.clone());
        Self::with_routers(config, routers)
    }

    /// Asks the project's own routers first, in their order, then the rules of the file.
    ///
    /// Where nobody decides, the file's default database counts, whatever the chain's own default is.
    ///
    /// # Errors
    /// The rules contradict each other. A [`Config`] that was loaded has been checked for that.
    pub fn with_routers(config: Config, routers: RouterChain) -> Result<Self, Error> {
        let rules = Arc::new(rules(&config)?);
        let databases: FxHashMap<Alias, usize> =
            config.databases.iter().enumerate().map(|(index, it)| (it.alias.clone(), index)).collect();
        let default = databases.get(&config.default).copied().unwrap_or_default();
        let rules_alone = routers.names().len() == 0;
        let routers = if *routers.default_alias() == config.default {
            routers
        } else {
            RouterChain::new(config.default.clone()).with_named("routers", routers)
        };
        let chain = routers.with_named("rules", Arc::clone(&rules)).with_aliases(databases.keys().cloned());
        Ok(Self { tables: config.table_map(), config, chain, rules, databases, default, rules_alone })
    }

    /// The file's checked model.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every router in the order in which it is asked; the file's rules are the last.
    #[must_use]
    pub fn chain(&self) -> &RouterChain {
        &self.chain
    }

    /// The rules of the file.
    #[must_use]
    pub fn rules(&self) -> &RuleRouter {
        &self.rules
    }

    /// Says where a statement would go and why, and connects to nothing.
    #[must_use]
    pub fn explain_sql(&self, sql: &str, dialect: Dialect) -> Explanation {
        let prepared = self.prepare(sql, &[self.classifier(dialect)]);
        self.explain(&prepared, Circumstances::default())
    }

    /// Where the file's apps are read, written and migrated, in file order.
    ///
    /// A side is `None` where the answer is a database that may not be asked for it.
    #[must_use]
    pub fn routes(&self) -> Vec<AppRoute> {
        self.config
            .apps
            .iter()
            .map(|app| {
                let model = Model::app(app.label.as_str());
                let side = |operation| {
                    let alias = self.chain.route(operation, &model, &Hints::default()).alias().clone();
                    self.index(alias.as_str())
                        .is_some_and(|database| self.allows(database, operation))
                        .then_some(alias)
                };
                AppRoute {
                    app: app.label.clone(),
                    read: side(Operation::Read),
                    write: side(Operation::Write),
                    migrate: self
                        .config
                        .databases
                        .iter()
                        .filter(|database| {
                            database.replica_of.is_none()
                                && database.migrate
                                && database.operations.contains(Operation::Migrate)
                                && self.chain.migration_allowed(&database.alias, &model, &Hints::default())
                        })
                        .map(|database| database.alias.clone())
                        .collect(),
                }
            })
            .collect()
    }

    pub(crate) fn classifier(&self, dialect: Dialect) -> Classifier {
        Classifier::new(dialect).with_write_functions(self.config.write_functions.iter().cloned())
    }

    /// The engines of the file's databases, each once.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let mut engines = Vec::new();
        for database in &self.config.databases {
            let engine = database.url.engine();
            if !engines.contains(&engine) {
                engines.push(engine);
            }
        }
        engines
    }

    pub(crate) fn index(&self, alias: &str) -> Option<usize> {
        self.databases.get(alias).copied()
    }

    pub(crate) fn alias(&self, database: usize) -> &Alias {
        &self.config.databases[database].alias
    }

    /// Finds a database by name, or says which names there are.
    pub(crate) fn find(&self, alias: &str) -> Result<usize, RouteError> {
        self.index(alias).ok_or_else(|| RouteError::UnknownDatabase {
            alias: Alias::new(alias),
            router: None,
            suggestion: self.nearest(alias),
        })
    }

    fn nearest(&self, alias: &str) -> Option<Alias> {
        self.config
            .databases
            .iter()
            .map(|database| (strsim::damerau_levenshtein(alias, database.alias.as_str()), &database.alias))
            .filter(|(distance, _)| *distance <= alias.len().div_ceil(3))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, alias)| alias.clone())
    }

    /// Reads a statement with the first classifier that parses it, and finds the apps of its tables.
    pub(crate) fn prepare(&self, sql: &str, classifiers: &[Classifier]) -> Prepared {
        let mut readings = classifiers.iter().map(|classifier| classifier.classify(sql));
        let first = readings.next().expect("a session has at least its own dialect");
        let statement = if first.reading() == Reading::Parsed {
            first
        } else {
            readings.find(|other| other.reading() == Reading::Parsed).unwrap_or(first)
        };
        self.prepare_statement(statement)
    }

    pub(crate) fn prepare_statement(&self, statement: Statement) -> Prepared {
        let models = statement
            .tables()
            .iter()
            .map(|table| {
                let app = self.tables.app_of(table.schema(), table.name()).cloned();
                let fixed = self.rules_alone.then(|| {
                    let model = app.as_ref().map(|app| Model::of(app, None));
                    let index = |alias: Option<Alias>| alias.and_then(|alias| self.index(alias.as_str()));
                    let hints = Hints::default();
                    Sides {
                        read: index(model.and_then(|model| self.rules.db_for_read(&model, &hints))),
                        write: index(model.and_then(|model| self.rules.db_for_write(&model, &hints))),
                    }
                });
                PreparedModel { app, table: table.clone(), fixed }
            })
            .collect();
        Prepared { statement, models }
    }

    /// The database of a statement.
    ///
    /// This is the hot path: one question to the chain for each table, no allocation, no trace.
    pub(crate) fn route(
        &self,
        prepared: &Prepared,
        operation: Operation,
        circumstances: Circumstances<'_>,
    ) -> Result<usize, RouteError> {
        if circumstances.prevent_writes && operation != Operation::Read {
            return Err(RouteError::WritesPrevented {
                what: prepared.statement.why().to_string(),
                tables: self.table_names(prepared),
            });
        }
        let database = self.target(prepared, operation, circumstances)?;
        self.check_allowed(database, operation)?;
        if let Some(only) = circumstances.only {
            if !only.contains(&database) {
                return Err(RouteError::DatabaseNotExpected {
                    alias: self.alias(database).clone(),
                    expected: only.iter().map(|index| self.alias(*index).clone()).collect(),
                });
            }
        }
        Ok(database)
    }

    fn target(
        &self,
        prepared: &Prepared,
        operation: Operation,
        circumstances: Circumstances<'_>,
    ) -> Result<usize, RouteError> {
        let open = match circumstances.transaction {
            Transaction::On(open) => Some(open),
            Transaction::None | Transaction::Pending => None,
        };
        let refuse = |open: usize, asked: usize| RouteError::CrossDatabaseTransaction {
            open: self.alias(open).clone(),
            asked: self.alias(asked).clone(),
            tables: self.table_names(prepared),
        };
        if let Some(using) = circumstances.using {
            return match open {
                Some(open) if open != using => Err(refuse(open, using)),
                _ => Ok(using),
            };
        }
        let Some((first, rest)) = prepared.models.split_first() else {
            return match open {
                Some(open) => Ok(open),
                None if prepared.statement.reading() == Reading::Unreadable => Err(RouteError::Unreadable),
                None if !prepared.statement.transaction_controls().is_empty() => {
                    Err(RouteError::TransactionControl)
                }
                None => Ok(self.default),
            };
        };
        let hints = circumstances.role.map_or_else(Hints::default, |role| Hints::default().role(role));
        let target = self.target_of(first, operation, circumstances, &hints)?;
        for model in rest {
            if self.target_of(model, operation, circumstances, &hints)? != target {
                return Err(self.cross_database_query(prepared, operation, circumstances, &hints));
            }
        }
        match open {
            Some(open) if open != target => Err(refuse(open, target)),
            _ => Ok(target),
        }
    }

    /// The database of one table. Inside a transaction, and where the role is to write, a read goes where
    /// the app is written, unless nobody says where that is.
    fn target_of(
        &self,
        model: &PreparedModel,
        operation: Operation,
        circumstances: Circumstances<'_>,
        hints: &Hints<'_>,
    ) -> Result<usize, RouteError> {
        let writes = operation != Operation::Read
            || circumstances.transaction != Transaction::None
            || circumstances.role == Some(Role::Writing);
        if writes {
            if let Some(database) = self.ask(model, Operation::Write, hints)? {
                let open_elsewhere =
                    matches!(circumstances.transaction, Transaction::On(open) if open != database);
                if operation != Operation::Read || !open_elsewhere {
                    return Ok(database);
                }
            } else if operation != Operation::Read {
                return self.fallback(model);
            }
        }
        match self.ask(model, Operation::Read, hints)? {
            Some(database) => Ok(database),
            None => self.fallback(model),
        }
    }

    /// What the routers say of one table; `None` where nobody has an opinion.
    fn ask(
        &self,
        model: &PreparedModel,
        side: Operation,
        hints: &Hints<'_>,
    ) -> Result<Option<usize>, RouteError> {
        if let Some(fixed) = model.fixed {
            return Ok(if side == Operation::Read { fixed.read } else { fixed.write });
        }
        let asked = model.as_model();
        let answer = match side {
            Operation::Read => self.chain.db_for_read(&asked, hints),
            Operation::Write | Operation::Migrate => self.chain.db_for_write(&asked, hints),
        };
        answer.map(|alias| self.known(&alias, side, &asked, hints)).transpose()
    }

    fn fallback(&self, model: &PreparedModel) -> Result<usize, RouteError> {
        if model.app.is_none() && self.config.unrouted == Unrouted::Error {
            return Err(RouteError::Unrouted { table: model.table.to_string() });
        }
        Ok(self.default)
    }

    /// The index of an alias that a router gave, or an error that names the router.
    fn known(
        &self,
        alias: &Alias,
        side: Operation,
        model: &Model<'_>,
        hints: &Hints<'_>,
    ) -> Result<usize, RouteError> {
        self.index(alias.as_str()).ok_or_else(|| {
            let decision = self.chain.route(side, model, hints);
            RouteError::UnknownDatabase {
                alias: alias.clone(),
                router: Some(decision.reason().to_string()),
                suggestion: self.nearest(alias.as_str()),
            }
        })
    }

    fn allows(&self, database: usize, operation: Operation) -> bool {
        let operations = self.config.databases[database].operations;
        match operation {
            // A change of the schema runs as a write, and an owner's alias may have `migrate` alone.
            Operation::Migrate => {
                operations.contains(Operation::Migrate) || operations.contains(Operation::Write)
            }
            other => operations.contains(other),
        }
    }

    fn check_allowed(&self, database: usize, operation: Operation) -> Result<(), RouteError> {
        if self.allows(database, operation) {
            return Ok(());
        }
        let declared = &self.config.databases[database];
        Err(RouteError::OperationNotAllowed {
            alias: declared.alias.clone(),
            operation,
            place: Some(declared.place.clone()),
        })
    }

    fn table_names(&self, prepared: &Prepared) -> Vec<String> {
        prepared.models.iter().map(|model| model.table.to_string()).collect()
    }

    fn cross_database_query(
        &self,
        prepared: &Prepared,
        operation: Operation,
        circumstances: Circumstances<'_>,
        hints: &Hints<'_>,
    ) -> RouteError {
        let mut tables = Vec::with_capacity(prepared.models.len());
        for model in &prepared.models {
            match self.target_of(model, operation, circumstances, hints) {
                Ok(database) => tables.push((model.table.to_string(), self.alias(database).clone())),
                Err(error) => return error,
            }
        }
        RouteError::CrossDatabaseQuery { tables }
    }

    /// Routes a statement and says why, with what each router answered for each table.
    pub(crate) fn explain(&self, prepared: &Prepared, circumstances: Circumstances<'_>) -> Explanation {
        let operation = prepared.statement.operation();
        let side = if operation == Operation::Read { Operation::Read } else { Operation::Write };
        let hints = circumstances.role.map_or_else(Hints::default, |role| Hints::default().role(role));
        let outcome =
            self.route(prepared, operation, circumstances).map(|database| self.alias(database).clone());
        Explanation {
            operation,
            why: prepared.statement.why().to_string(),
            reading: prepared.statement.reading(),
            tables: prepared
                .models
                .iter()
                .map(|model| TableRoute {
                    table: model.table.to_string(),
                    app: model.app.clone(),
                    decision: self.chain.explain(side, &model.as_model(), &hints),
                })
                .collect(),
            reason: self.reason(prepared, circumstances, &outcome),
            outcome,
        }
    }

    fn reason(
        &self,
        prepared: &Prepared,
        circumstances: Circumstances<'_>,
        outcome: &Result<Alias, RouteError>,
    ) -> String {
        let operation = prepared.statement.operation();
        let alias = match outcome {
            Ok(alias) => alias,
            Err(error) => return error.to_string(),
        };
        if circumstances.using.is_some() {
            return format!("chosen by hand: using(`{alias}`)");
        }
        let Some(model) = prepared.models.first() else {
            return match circumstances.transaction {
                Transaction::On(_) => "no table; the open transaction is there".to_owned(),
                Transaction::None | Transaction::Pending => "no table; the default database".to_owned(),
            };
        };
        let hints = Hints::default();
        let write = self.chain.explain(Operation::Write, &model.as_model(), &hints);
        let read = self.chain.explain(Operation::Read, &model.as_model(), &hints);
        let decision = if operation != Operation::Read || read.alias() != alias { write } else { read };
        match (&model.app, decision.reason()) {
            (None, Reason::Default | Reason::Unclaimed { .. }) => {
                format!("no app has the table `{}`; the default database", model.table)
            }
            (_, reason) => reason.to_string(),
        }
    }
}

/// The rules that a file declares.
fn rules(config: &Config) -> Result<RuleRouter, Error> {
    let rules = config.databases.iter().map(|database| {
        let mut rule = DatabaseRule::new(database.alias.clone())
            .operations(database.operations)
            .place(database.place.clone());
        for app in &database.apps {
            rule = rule.app(app.clone());
        }
        if let Some(target) = &database.migrate_to {
            rule = rule.migrate_to(target.clone());
        }
        if let Some(primary) = &database.replica_of {
            rule = rule.replica_of(primary.clone());
        }
        if database.migrate { rule } else { rule.without_migrations() }
    });
    let unmanaged = config.apps.iter().filter(|app| !app.managed).map(|app| app.label.clone());
    Ok(RuleRouter::compile(config.default.clone(), rules, unmanaged)?)
}

/// Where one app is read, written and migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppRoute {
    /// The app.
    pub app: AppLabel,
    /// The database that its reads go to; `None` where that database may not be read.
    pub read: Option<Alias>,
    /// The database that its writes go to; `None` where that database may not be written to.
    pub write: Option<Alias>,
    /// Every database where its migrations would run, in file order.
    pub migrate: Vec<Alias>,
}

/// Where a statement goes, and everything that led there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation {
    operation: Operation,
    why: String,
    reading: Reading,
    tables: Vec<TableRoute>,
    reason: String,
    outcome: Result<Alias, RouteError>,
}

/// What the routers say of one table of a statement.
#[derive(Debug)]
#[non_exhaustive]
pub struct TableRoute {
    /// The table, as the statement names it.
    pub table: String,
    /// The app that has the table, if any.
    pub app: Option<AppLabel>,
    /// The decision, with what each router answered.
    pub decision: Decision,
}

impl Explanation {
    /// What the statement does.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why the statement counts as that operation.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// How the statement was understood.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// The tables in order of appearance, each with its decision.
    #[must_use]
    pub fn tables(&self) -> &[TableRoute] {
        &self.tables
    }

    /// Why the statement goes where it goes, or why it may not, in one line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The database.
    ///
    /// # Errors
    /// Why the statement would be refused.
    pub fn alias(&self) -> Result<&Alias, &RouteError> {
        self.outcome.as_ref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operation: {} ({})", self.operation, self.why)?;
        for TableRoute { table, app, decision } in &self.tables {
            match app {
                Some(app) => writeln!(f, "table:     {table}, app {app}")?,
                None => writeln!(f, "table:     {table}, of no app")?,
            }
            if let Some(trace) = decision.trace() {
                for line in trace.to_string().lines() {
                    writeln!(f, "           {line}")?;
                }
            }
        }
        match &self.outcome {
            Ok(alias) => write!(f, "goes to:   {alias}, because {}", self.reason),
            Err(error) => write!(f, "refused:   {error}"),
        }
    }
}

/// Why a statement has no database that it may go to. Nothing was run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// No database has this name.
    UnknownDatabase {
        /// The name.
        alias: Alias,
        /// What named it, if it was a router.
        router: Option<String>,
        /// A name like it.
        suggestion: Option<Alias>,
    },
    /// The statement's tables are on more than one database.
    CrossDatabaseQuery {
        /// Each table with its database.
        tables: Vec<(String, Alias)>,
    },
    /// The statement is for another database than the open transaction.
    CrossDatabaseTransaction {
        /// Where the transaction is open.
        open: Alias,
        /// Where the statement would go.
        asked: Alias,
        /// The statement's tables.
        tables: Vec<String>,
    },
    /// The database may not be asked for that.
    OperationNotAllowed {
        /// The database.
        alias: Alias,
        /// What was asked.
        operation: Operation,
        /// Where the file says what is allowed.
        place: Option<Place>,
    },
    /// Writes are refused here.
    WritesPrevented {
        /// What makes the statement a write.
        what: String,
        /// Its tables.
        tables: Vec<String>,
    },
    /// The table belongs to no app, and the file says `unrouted: error`.
    Unrouted {
        /// The table.
        table: String,
    },
    /// The statement cannot be read, so nobody can tell which tables it touches.
    Unreadable,
    /// The statement controls a transaction by hand, on a connection that the session chose.
    TransactionControl,
    /// A test allowed other databases only.
    DatabaseNotExpected {
        /// The database.
        alias: Alias,
        /// Those that are allowed.
        expected: Vec<Alias>,
    },
}

impl RouteError {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownDatabase { .. } => "UnknownDatabase",
            Self::CrossDatabaseQuery { .. } => "CrossDatabaseQuery",
            Self::CrossDatabaseTransaction { .. } => "CrossDatabaseTransaction",
            Self::OperationNotAllowed { .. } => "OperationNotAllowed",
            Self::WritesPrevented { .. } => "WritesPrevented",
            Self::Unrouted { .. } => "Unrouted",
            Self::Unreadable => "Unreadable",
            Self::TransactionControl => "TransactionControl",
            Self::DatabaseNotExpected { .. } => "DatabaseNotExpected",
        }
    }
}

/// Names in backticks with commas between them.
fn list<T: fmt::Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDatabase { alias, router, suggestion } => {
                write!(f, "no database is called `{alias}`")?;
                if let Some(router) = router {
                    write!(f, ", which was answered because {router}")?;
                }
                match suggestion {
                    Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
                    None => write!(f, "; declare it under `databases`"),
                }
            }
            Self::CrossDatabaseQuery { tables } => {
                f.write_str("one statement cannot reach two databases: ")?;
                for (index, (table, alias)) in tables.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}`{table}` is on `{alias}`")?;
                }
                f.write_str("; make one statement for each, as `belonging_to` does")
            }
            Self::CrossDatabaseTransaction { open, asked, tables } => {
                write!(f, "a transaction is open on `{open}`, and ")?;
                if tables.is_empty() {
                    write!(f, "this statement is for `{asked}`")?;
                } else {
                    write!(f, "{} would go to `{asked}`", list(tables))?;
                }
                f.write_str("; a transaction cannot span two databases, so end it first or use two sessions")
            }
            Self::OperationNotAllowed { alias, operation, place } => {
                write!(f, "database `{alias}` does not allow {operation}")?;
                if let Some(place) = place {
                    write!(f, " ({place})")?;
                }
                write!(f, "; add `{operation}` to its `operations`, or route elsewhere")
            }
            Self::WritesPrevented { what, tables } => {
                write!(f, "writes are prevented here, and this statement writes: {what}")?;
                if !tables.is_empty() {
                    write!(f, " on {}", list(tables))?;
                }
                f.write_str("; make it outside of the scope that reads")
            }
            Self::Unrouted { table } => write!(
                f,
                "no app has the table `{table}`, and the file says `unrouted: error`; add it to the `tables` of \
                 an app, or name the database with `using`"
            ),
            Self::Unreadable => f.write_str(
                "this statement cannot be read, so nobody can tell which tables it touches; name the database \
                 with `using`",
            ),
            Self::TransactionControl => f.write_str(
                "this statement opens or ends a transaction by hand, on a connection that the session chose; use \
                 `transaction`, or name the database with `using`",
            ),
            Self::DatabaseNotExpected { alias, expected } => {
                write!(f, "this statement would go to `{alias}`, and only {} may be touched", list(expected))
            }
        }
    }
}

impl std::error::Error for RouteError {}
