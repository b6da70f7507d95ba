//! A statement and where its tables are: what a topology learns of a statement once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};
use router_core::{Alias, AppLabel, Hints, Model, Router};

use super::Routing;
use super::ids::DatabaseId;
use crate::engine::system::is_system_table;
use crate::engine::{Engine, RoutedConnection};
use crate::statement::cache::StatementCache;
use crate::statement::{Classifier, Reading, Statement, TableName};

/// A statement and the apps of its tables.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) statement: Arc<Statement>,
    pub(crate) models: Vec<PreparedModel>,
    /// Whether the log has said already that the statement leaves something on its connection.
    pub(crate) has_told: AtomicBool,
}

/// A table of a statement, or a function of an app that it calls.
#[derive(Debug)]
pub(crate) struct PreparedModel {
    pub(crate) app: Option<AppLabel>,
    pub(crate) table: TableName,
    /// What the rules say, where they are all there is.
    pub(crate) fixed: Option<Sides>,
    /// The databases that the statement itself names: they have this name on their servers. Empty where it names none, or
    /// where the file says which app has the table.
    pub(crate) named: Box<[DatabaseId]>,
}

/// The databases where a table is read and written; `None` where no rule says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    pub(crate) read: Option<DatabaseId>,
    pub(crate) write: Option<DatabaseId>,
}

impl Prepared {
    /// Whether the statement names a table other than the catalogue's.
    pub(crate) fn names_a_table(&self) -> bool {
        !self.models.is_empty()
    }

    /// A number by which the statement is known again for as long as its text is remembered.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        Arc::as_ptr(&self.statement).addr() as u64
    }

    /// The tables as the statement names them.
    pub(crate) fn table_names(&self) -> Vec<String> {
        self.models.iter().map(|model| model.table.to_string()).collect()
    }
}

impl PreparedModel {
    pub(crate) fn as_model(&self) -> Model<'_> {
        match &self.app {
            Some(app) => Model::of(app, Some(self.table.name())),
            None => Model::new("", self.table.name()),
        }
    }
}

impl Routing {
    /// Finds the apps of a statement's tables.
    pub(crate) fn prepare(&self, statement: Arc<Statement>) -> Prepared {
        let tables = statement.tables().iter().chain(&statement.effects().databases);
        let tables = tables.filter(|table| !self.is_catalogue(table));
        let tables = tables.map(|table| self.prepare_table(table));
        let of_app = |function: &TableName| {
            let app = self.functions.app_in(function.schema(), function.name(), function.case())?;
            Some(self.prepare_model(function, Some(app), Box::default()))
        };
        let functions = statement.effects().functions.iter().filter_map(of_app);
        let models = tables.chain(functions).collect();
        Prepared { statement, models, has_told: AtomicBool::new(false) }
    }

    /// A table's app is that which the file says. Else a database that the statement names is where it is, and its app the
    /// one that the table would have without that name.
    fn prepare_table(&self, table: &TableName) -> PreparedModel {
        let app = self.tables.app_in(table.schema(), table.name(), table.case());
        let named = match table.database().filter(|_| app.is_none()) {
            Some((engine, name)) => self.config.named(engine, name),
            None => &[],
        };
        let app = match named {
            [] => app,
            _ => self.tables.app_in(None, table.name(), table.case()),
        };
        self.prepare_model(table, app, named.iter().filter_map(|alias| self.id(alias.as_str())).collect())
    }

    fn prepare_model(
        &self,
        table: &TableName,
        app: Option<&AppLabel>,
        named: Box<[DatabaseId]>,
    ) -> PreparedModel {
        let app = app.cloned();
        let fixed = self.rules_alone.then(|| {
            let model = app.as_ref().map(|app| Model::of(app, None));
            let id = |alias: Option<Alias>| alias.and_then(|alias| self.id(alias.as_str()));
            let hints = Hints::default();
            Sides {
                read: id(model.and_then(|model| self.rules.db_for_read(&model, &hints))),
                write: id(model.and_then(|model| self.rules.db_for_write(&model, &hints))),
            }
        });
        PreparedModel { app, table: table.clone(), fixed, named }
    }

    /// Whether a table is one of those that every database of an engine has, and no app claims it.
    fn is_catalogue(&self, table: &TableName) -> bool {
        is_system_table(table.schema(), table.name())
            && self.tables.app_in(table.schema(), table.name(), table.case()).is_none()
    }
}

/// Reads statements, each once. What a statement says holds for every topology whose file asks for the same reading.
pub(crate) struct Readings {
    /// The engine for which queries are written. The first classifier reads its dialect.
    pub(super) renders_for: Engine,
    classifiers: Vec<Classifier>,
    statements: StatementCache<Statement>,
}

impl Readings {
    /// `classifiers` begin with that of the engine for which queries are written.
    pub(crate) fn new(renders_for: Engine, classifiers: Vec<Classifier>) -> Self {
        Self { renders_for, classifiers, statements: StatementCache::new() }
    }

    /// Whether these read as `classifiers` do.
    pub(crate) fn are_by(&self, classifiers: &[Classifier]) -> bool {
        self.classifiers == classifiers
    }

    /// Reads a statement in each dialect.
    fn read(&self, sql: &str) -> Statement {
        let mut readings: Vec<_> =
            self.classifiers.iter().map(|classifier| classifier.classify(sql)).collect();
        match readings.len() {
            1 => readings.swap_remove(0),
            _ => strictest(readings),
        }
    }
}

/// The first of several readings that parsed a text, else the first that read its tokens, with what the others make of it.
/// Which engine it reaches is not known yet, so what is a write to any of them is a write.
fn strictest(mut readings: Vec<Statement>) -> Statement {
    // Only the words of an engine that has them make a setting of a transaction; the node that gets it is asked again.
    if let Some(setting) = readings.iter().position(|reading| reading.effects().setting.is_some()) {
        return readings.swap_remove(setting);
    }
    let by = |wanted| readings.iter().position(move |reading: &Statement| reading.reading() == wanted);
    let best = by(Reading::Parsed).or_else(|| by(Reading::Tokens)).unwrap_or(0);
    let mut statement = readings.remove(best);
    for other in &readings {
        if other.reading() == statement.reading() {
            statement.strengthen(other);
        }
        // What an engine reads from the words alone counts too: `SHOW WARNINGS` is parsed as no more than a SHOW.
        if other.reading() == Reading::Tokens {
            statement.also_asks(other);
        }
        if other.sets_session_state() {
            statement.also_leaves_state();
        }
    }
    let set_config =
        statement.set_config().or_else(|| readings.iter().find_map(Statement::set_config)).cloned();
    statement.with_set_config(set_config)
}

/// What one topology knows of statements: what they say, and where their tables are.
pub(crate) struct Statements {
    readings: Arc<Readings>,
    prepared: StatementCache<Prepared>,
}

impl Statements {
    pub(crate) fn new(readings: Arc<Readings>) -> Self {
        Self { readings, prepared: StatementCache::new() }
    }

    pub(crate) fn readings(&self) -> &Arc<Readings> {
        &self.readings
    }

    /// What is known of a query: found by its id, else by its text, else learnt now.
    ///
    /// # Errors
    /// What Diesel says of a query that cannot be built.
    #[inline]
    pub(crate) fn of_query<C, T>(&self, routing: &Routing, query: &T) -> QueryResult<Arc<Prepared>>
    where
        C: RoutedConnection,
        T: QueryFragment<C::Backend> + QueryId,
    {
        let Some(id) = T::query_id() else {
            return Ok(self.of_text(routing, &C::render(self.readings.renders_for, query)?));
        };
        if let Some(prepared) = self.prepared.by_id(id) {
            return Ok(prepared);
        }
        let statement = match self.readings.statements.by_id(id) {
            Some(statement) => statement,
            None => {
                let statement = Arc::new(self.readings.read(&C::render(self.readings.renders_for, query)?));
                self.readings.statements.insert_id(id, &statement);
                statement
            }
        };
        let prepared = Arc::new(routing.prepare(statement));
        self.prepared.insert_id(id, &prepared);
        Ok(prepared)
    }

    /// What is known of a text, found by it, else learnt now.
    pub(crate) fn of_text(&self, routing: &Routing, sql: &str) -> Arc<Prepared> {
        if let Some(prepared) = self.prepared.by_text(sql) {
            return prepared;
        }
        let statement = self.readings.statements.by_text(sql).unwrap_or_else(|| {
            let statement = Arc::new(self.readings.read(sql));
            self.readings.statements.insert_text(sql, &statement);
            statement
        });
        let prepared = Arc::new(routing.prepare(statement));
        self.prepared.insert_text(sql, &prepared);
        prepared
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prepared.fmt(f)
    }
}
