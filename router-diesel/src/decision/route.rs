//! The hot path: one question to the routers for each table, no allocation, no trace.

use router_core::{Alias, AppLabel, Hints, Model, Operation, Role, Router};

use super::RouteError;
use crate::config::Unrouted;
use crate::statement::{Classifier, Reading, Statement, TableName};
use crate::topology::Routing;

/// A statement and the apps of its tables: what routing needs of it, learnt once.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) statement: Statement,
    pub(crate) models: Vec<PreparedModel>,
}

#[derive(Debug)]
pub(crate) struct PreparedModel {
    pub(crate) app: Option<AppLabel>,
    pub(crate) table: TableName,
    /// What the rules say, where they are all there is.
    fixed: Option<Sides>,
}

/// The databases where a table is read and written; `None` where nobody has an opinion.
#[derive(Debug, Clone, Copy)]
struct Sides {
    read: Option<usize>,
    write: Option<usize>,
}

impl Prepared {
    /// Whether the statement names a table other than the catalogue's.
    pub(crate) fn names_a_table(&self) -> bool {
        !self.models.is_empty()
    }

    /// Whether a replica has all that the statement asks for: it is known to only read, and what it reads is in
    /// tables. One without a table asks for the session's own state, or for the server's.
    pub(crate) fn may_be_read_from_replicas(&self) -> bool {
        self.statement.operation() == Operation::Read
            && self.statement.reading() == Reading::Parsed
            && self.statement.transaction_controls().is_empty()
            && self.names_a_table()
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
    /// Reads a statement with the first classifier that parses it, and finds the apps of its tables.
    pub(crate) fn prepare(&self, sql: &str, classifiers: &[Classifier]) -> Prepared {
        let mut readings = classifiers.iter().map(|classifier| classifier.classify(sql));
        let first = readings.next().expect("a session has at least its own dialect");
        let parsed: Vec<_> = readings.filter(|other| other.reading() == Reading::Parsed).collect();
        let (mut statement, others) = match parsed.split_first() {
            Some((other, others)) if first.reading() != Reading::Parsed => (other.clone(), others),
            _ => (first, parsed.as_slice()),
        };
        // Which engine it reaches is not known yet, so what is a write to any of them is a write.
        for other in others {
            statement.strengthen(other);
        }
        self.prepare_statement(statement)
    }

    pub(crate) fn prepare_statement(&self, statement: Statement) -> Prepared {
        let models = statement
            .tables()
            .iter()
            .filter(|table| !self.is_catalogue(table))
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

    /// Whether a table is one of those that every database of an engine has, and no app claims it.
    fn is_catalogue(&self, table: &TableName) -> bool {
        let is_catalogue = crate::engine::system::is_system_table(table.schema(), table.name());
        is_catalogue && self.tables.app_of(table.schema(), table.name()).is_none()
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
                what: prepared.statement.why().to_owned(),
                tables: self.table_names(prepared),
            });
        }
        let database = self.target(prepared, operation, circumstances)?;
        self.check_allowed(database, operation)?;
        if let Some(only) = circumstances.only
            && !only.contains(&database)
        {
            return Err(RouteError::DatabaseNotExpected {
                alias: self.alias(database).clone(),
                expected: only.iter().map(|index| self.alias(*index).clone()).collect(),
            });
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
        if prepared.statement.moves_transaction(circumstances.transaction != Transaction::None) {
            return Err(RouteError::TransactionControl);
        }
        let Some((first, rest)) = prepared.models.split_first() else {
            return match open {
                Some(open) => Ok(open),
                None if prepared.statement.reading() == Reading::Unreadable => {
                    Err(RouteError::Unreadable { why: prepared.statement.why().to_owned() })
                }
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
    /// the app is written, unless nobody says where that is or nothing may be read there.
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
                if operation != Operation::Read || !open_elsewhere && self.allows(database, Operation::Read) {
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

    pub(crate) fn allows(&self, database: usize, operation: Operation) -> bool {
        self.config.databases[database].restriction(operation).is_none()
    }

    /// Whether an operation may be done on a database, whoever sends the statement.
    ///
    /// # Errors
    /// What keeps it from being done, or that no database has that name.
    pub fn permits(&self, alias: &Alias, operation: Operation) -> Result<(), RouteError> {
        self.check_allowed(self.find(alias.as_str())?, operation)
    }

    fn check_allowed(&self, database: usize, operation: Operation) -> Result<(), RouteError> {
        let declared = &self.config.databases[database];
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
        let of_no_app = prepared.models.iter().filter(|model| model.app.is_none());
        let unclaimed = of_no_app.map(|model| model.table.to_string()).collect();
        for model in &prepared.models {
            match self.target_of(model, operation, circumstances, hints) {
                Ok(database) => tables.push((model.table.to_string(), self.alias(database).clone())),
                Err(error) => return error,
            }
        }
        RouteError::CrossDatabaseQuery { tables, unclaimed }
    }
}
