//! The second step: from the tables of a statement to one database.

use router_core::{Alias, Hints, Operation, Role};

use super::RouteError;
use super::asked::{Marks, NoAnswerReason, in_words};
use super::asker::{Asker, Quiet};
use super::circumstances::{Circumstances, Transaction, hints};
use crate::config::Unrouted;
use crate::statement::Reading;
use crate::statement::effects::Facts;
use crate::topology::{DatabaseId, Prepared, PreparedModel, Routing};

/// The database of a statement, and why it is that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) database: DatabaseId,
    pub(crate) by: By,
    /// The one node that can answer, where the statement asks about earlier ones.
    pub(crate) node: Option<DatabaseId>,
}

impl Route {
    fn to(database: DatabaseId, by: By) -> Self {
        Self { database, by, node: None }
    }
}

/// What decided on a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The caller.
    Hand,
    /// The statement names no table, and a transaction is open there.
    OpenTransaction,
    /// The statement names no table, and asks about earlier statements on the connection there.
    Asked,
    /// The statement names no table.
    NoTable,
    /// The statement names the database itself, and no other has that name.
    Named,
    /// A router, or the default where no router decided. The routers were asked where the first table is read, or where it
    /// is written: this says which.
    Routers(Operation),
}

/// Finds the database of a statement. It asks the routers once for each table, allocates nothing and keeps no trace.
///
/// # Errors
/// Why the statement has no database, or may not go to it.
#[inline]
pub(crate) fn route(
    routing: &Routing,
    prepared: &Prepared,
    operation: Operation,
    circumstances: Circumstances<'_>,
) -> Result<Route, RouteError> {
    route_by(&mut Quiet, routing, prepared, operation, circumstances)
}

/// As [`route`], with what is to ask the routers.
///
/// # Errors
/// As [`route`].
pub(crate) fn route_by(
    asker: &mut impl Asker,
    routing: &Routing,
    prepared: &Prepared,
    operation: Operation,
    circumstances: Circumstances<'_>,
) -> Result<Route, RouteError> {
    if circumstances.prevent_writes && operation != Operation::Read {
        return Err(RouteError::WritesPrevented {
            what: format!("this statement writes: {}", prepared.statement.why()),
            tables: prepared.table_names(),
        });
    }
    let question = Question::new(routing, prepared, operation, circumstances);
    let route = question.answer(asker)?;
    routing.permit(route.database, operation)?;
    routing.expect(route.database, circumstances)?;
    Ok(route)
}

/// Says whether a read may go to its primary, where the routers chose a replica and the read needs the primary.
///
/// # Errors
/// Why the primary may not be read, or touched at all.
pub(super) fn permit_primary(
    routing: &Routing,
    routed: DatabaseId,
    primary: DatabaseId,
    circumstances: Circumstances<'_>,
) -> Result<(), RouteError> {
    if routed == primary {
        return Ok(());
    }
    routing.permit(primary, Operation::Read)?;
    routing.expect(primary, circumstances)
}

/// A statement whose database is sought.
struct Question<'q> {
    routing: &'q Routing,
    prepared: &'q Prepared,
    operation: Operation,
    circumstances: Circumstances<'q>,
    hints: Hints<'q>,
}

impl<'q> Question<'q> {
    #[inline]
    fn new(
        routing: &'q Routing,
        prepared: &'q Prepared,
        operation: Operation,
        circumstances: Circumstances<'q>,
    ) -> Self {
        Self { routing, prepared, operation, circumstances, hints: hints(circumstances) }
    }

    #[inline]
    fn answer(&self, asker: &mut impl Asker) -> Result<Route, RouteError> {
        let asks = self.prepared.statement.effects().asks;
        if !asks.is_empty() {
            return self.where_asked(asker, asks);
        }
        self.place(asker, None)
    }

    /// The database of a statement that asks about earlier ones: that of the connection on which they ran.
    #[cold]
    fn where_asked(&self, asker: &mut impl Asker, asks: Facts) -> Result<Route, RouteError> {
        let name = |database| self.routing.alias(database).clone();
        let no_answer = |why| Err(RouteError::NoAnswer { asked: in_words(asks), why });
        let effects = self.prepared.statement.effects();
        let node = self.circumstances.marks.unwrap_or(&Marks::default()).node(effects, name)?;
        let route = self.place(asker, node)?;
        let Some(node) = node else { return Ok(route) };
        let runs_on = match self.circumstances.transaction {
            Transaction::On { node, .. } => node,
            _ if self.routing.holds(route.database, node) || self.routing.holds(node, route.database) => node,
            _ => route.database,
        };
        if runs_on != node {
            return no_answer(NoAnswerReason::Elsewhere { on: name(node), goes_to: name(runs_on) });
        }
        let is_open = self.circumstances.transaction.database().is_some();
        if !is_open && self.routing.declared(node).is_behind_pooler() {
            return no_answer(NoAnswerReason::Pooler { on: name(node) });
        }
        Ok(Route { node: Some(node), ..route })
    }

    /// The database of a statement by its tables, or by what surrounds it.
    fn place(&self, asker: &mut impl Asker, asked: Option<DatabaseId>) -> Result<Route, RouteError> {
        let open = self.circumstances.transaction.database();
        if let Some(unknown) = self.circumstances.unknown {
            self.routing.find(unknown.as_str())?;
        }
        if self.prepared.statement.effects().copies {
            return Err(RouteError::CopyAsText);
        }
        if let Some(using) = self.circumstances.using {
            let using = self.mirrored(using)?;
            return match open {
                Some(open) if open != using => Err(self.crosses(open, using)),
                _ => Ok(Route::to(using, By::Hand)),
            };
        }
        if self.prepared.statement.moves_transaction(self.circumstances.transaction.is_open()) {
            return Err(RouteError::TransactionControl);
        }
        let Some((first, rest)) = self.prepared.models.split_first() else {
            return self.without_table(open, asked);
        };
        let route = self.of_table(asker, first)?;
        for model in rest {
            if self.of_table(asker, model)?.database != route.database {
                return Err(self.spans(asker));
            }
        }
        match open {
            Some(open) if !self.routing.holds(open, route.database) => {
                Err(self.crosses(open, route.database))
            }
            _ => Ok(route),
        }
    }

    /// Where a database by name is in a test transaction: a replica is a mirror of its primary there.
    fn mirrored(&self, using: DatabaseId) -> Result<DatabaseId, RouteError> {
        let primary = self.routing.declared(using).replica_of.as_ref();
        match primary.filter(|_| self.circumstances.in_test_transaction) {
            Some(primary) => {
                self.routing.permit(using, self.operation)?;
                self.routing.find(primary.as_str())
            }
            None => Ok(using),
        }
    }

    /// The database of a statement that names no table.
    fn without_table(
        &self,
        open: Option<DatabaseId>,
        asked: Option<DatabaseId>,
    ) -> Result<Route, RouteError> {
        let statement = &self.prepared.statement;
        if statement.effects().switches_database {
            return Err(RouteError::SwitchesDatabase);
        }
        if let Some(open) = open {
            return Ok(Route::to(open, By::OpenTransaction));
        }
        if let Some(asked) = asked {
            return Ok(Route::to(asked, By::Asked));
        }
        let is_in_test = self.circumstances.in_test_transaction && !self.circumstances.transaction.is_open();
        if statement.effects().setting.is_some() && (self.routing.has_several || !is_in_test) {
            let is_pending = self.circumstances.transaction.is_open();
            return Err(RouteError::BelongsToTransaction { is_pending });
        }
        // Where there is one database, its server says best what is wrong.
        if statement.reading() == Reading::Unreadable && self.routing.has_several {
            return Err(RouteError::Unreadable { why: statement.why().to_owned() });
        }
        if !statement.transaction_controls().is_empty() {
            return Err(RouteError::TransactionControl);
        }
        if statement.acts() && self.routing.has_several {
            let functions = statement.effects().functions.iter().map(ToString::to_string).collect();
            return Err(RouteError::NoDatabase { what: statement.why().to_owned(), functions });
        }
        Ok(Route::to(self.routing.default, By::NoTable))
    }

    /// The database of one table: the one that the statement names, else the one that the routers choose.
    #[inline]
    fn of_table(&self, asker: &mut impl Asker, model: &PreparedModel) -> Result<Route, RouteError> {
        match &*model.named {
            [] => self.of_routers(asker, model),
            [one] => Ok(Route::to(*one, By::Named)),
            several => match self.of_routers(asker, model) {
                Ok(route) if several.iter().any(|named| self.routing.holds(*named, route.database)) => {
                    Ok(route)
                }
                Err(missing @ RouteError::MissingHint { .. }) => Err(missing),
                _ => Err(RouteError::AmbiguousDatabase {
                    table: model.table.to_string(),
                    databases: several.iter().map(|database| self.routing.alias(*database).clone()).collect(),
                }),
            },
        }
    }

    /// What the routers say of one table. Inside a transaction, and where the role is to write, a read goes where
    /// the app is written, unless nobody says where that is or nothing may be read there.
    fn of_routers(&self, asker: &mut impl Asker, model: &PreparedModel) -> Result<Route, RouteError> {
        let Self { routing, operation, circumstances, .. } = *self;
        let reads = operation == Operation::Read;
        let where_written =
            !reads || circumstances.transaction.is_open() || circumstances.role == Some(Role::Writing);
        if where_written {
            let by = By::Routers(Operation::Write);
            match asker.ask(routing, model, Operation::Write, &self.hints)? {
                Some(database) if !reads || self.may_read_where_written(database) => {
                    return Ok(Route::to(database, by));
                }
                None if !reads => return Ok(Route::to(self.fallback(model)?, by)),
                _ => {}
            }
        }
        let database = match asker.ask(routing, model, Operation::Read, &self.hints)? {
            Some(database) => database,
            None => self.fallback(model)?,
        };
        Ok(Route::to(database, By::Routers(Operation::Read)))
    }

    fn may_read_where_written(&self, database: DatabaseId) -> bool {
        let open = self.circumstances.transaction.database();
        open.is_none_or(|open| open == database)
            && self.routing.declared(database).restriction(Operation::Read).is_none()
    }

    /// Where a table is of which no router says anything.
    fn fallback(&self, model: &PreparedModel) -> Result<DatabaseId, RouteError> {
        if model.app.is_none() && self.routing.config.unrouted == Unrouted::Error {
            return Err(RouteError::Unrouted { table: model.table.as_pattern() });
        }
        Ok(self.routing.default)
    }

    fn crosses(&self, open: DatabaseId, asked: DatabaseId) -> RouteError {
        RouteError::CrossDatabaseTransaction {
            open: self.routing.alias(open).clone(),
            asked: self.routing.alias(asked).clone(),
            tables: self.prepared.table_names(),
        }
    }

    fn spans(&self, asker: &mut impl Asker) -> RouteError {
        let models = &self.prepared.models;
        let of_no_app = models.iter().filter(|model| model.app.is_none());
        let unclaimed = of_no_app.map(|model| model.table.to_string()).collect();
        let mut tables = Vec::with_capacity(models.len());
        for model in models {
            match self.of_table(asker, model) {
                Ok(route) => {
                    tables.push((model.table.to_string(), self.routing.alias(route.database).clone()))
                }
                Err(error) => return error,
            }
        }
        RouteError::CrossDatabaseQuery { tables, unclaimed }
    }
}

impl Routing {
    /// Finds a database by name.
    ///
    /// # Errors
    /// No database has that name.
    pub(crate) fn find(&self, alias: &str) -> Result<DatabaseId, RouteError> {
        self.id(alias).ok_or_else(|| RouteError::UnknownDatabase {
            alias: Alias::new(alias),
            router: None,
            suggestion: self.nearest(alias),
        })
    }

    /// Whether an operation may be done on a database, whoever sends the statement.
    ///
    /// # Errors
    /// What keeps it from being done, or that no database has that name.
    pub fn permits(&self, alias: &Alias, operation: Operation) -> Result<(), RouteError> {
        self.permit(self.find(alias.as_str())?, operation)
    }

    #[inline]
    pub(crate) fn permit(&self, database: DatabaseId, operation: Operation) -> Result<(), RouteError> {
        let declared = self.declared(database);
        match declared.restriction(operation) {
            None => Ok(()),
            Some(restriction) => Err(RouteError::OperationNotAllowed {
                alias: declared.alias.clone(),
                operation,
                restriction,
                place: Some(declared.place.clone()),
            }),
        }
    }

    /// Whether a database is one of those that may be touched, where a test named them.
    fn expect(&self, database: DatabaseId, circumstances: Circumstances<'_>) -> Result<(), RouteError> {
        match circumstances.only {
            Some(only) if !only.contains(&database) => Err(RouteError::DatabaseNotExpected {
                alias: self.alias(database).clone(),
                expected: only.iter().map(|database| self.alias(*database).clone()).collect(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether a transaction that is open on a database serves statements for another: for that database itself, and for
    /// its replicas, of which it is the primary.
    fn holds(&self, open: DatabaseId, asked: DatabaseId) -> bool {
        let primary_of_asked = || self.declared(asked).replica_of.as_ref();
        open == asked || primary_of_asked() == Some(self.alias(open))
    }
}
