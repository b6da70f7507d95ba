//! The first reading: from the tree that `sqlparser` makes of a statement.
//!
//! Only kinds of statement that the tree holds in full are read here. For all others, as for what the grammar
//! refuses, the answer is "no", and the tokens are handed back for the second reading.

use std::ops::ControlFlow;
use std::ptr;

use router_core::Operation;
use sqlparser::ast::{
    AlterTableOperation, BinaryOperator, ColumnDef, ColumnOption, CopySource, CopyTarget, CreateTable,
    CreateTableLikeKind, CreateView, Cte, Delete, Expr, FromTable, Function, Insert, LockType, ObjectName,
    ObjectType, Query, Select, Set, SetExpr, Spanned, Statement, TableConstraint, TableFactor, TableObject,
    Truncate, Update, UtilityOption, Value, Visit, Visitor,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::draft::Draft;
use super::table::{TableName, fold};
use super::{Classifier, Dialect, TransactionControl};

/// How deeply expressions may nest. Diesel's boxed queries nest one level for each filter.
const DEPTH: usize = 200;

/// How many tokens are parsed. A chain of operators makes a tree as deep as it is long, and dropping a tree recurses.
const TOKENS: usize = 4_000;

/// Reads all statements from their tree, or gives the tokens back.
pub(super) fn read(classifier: &Classifier, tokens: Vec<TokenWithSpan>) -> Result<Draft, Vec<TokenWithSpan>> {
    if tokens.len() > TOKENS {
        return Err(tokens);
    }
    let grammar = classifier.dialect().grammar();
    let mut parser = Parser::new(grammar).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let mut draft = Draft::default();
    match read_each(classifier, &mut parser, &mut draft) {
        Ok(()) => Ok(draft),
        Err(NotHere) => Err(parser.into_tokens()),
    }
}

/// The tree does not hold what must be known; the tokens may.
struct NotHere;

/// Reads statement after statement. `Parser::parse_statements` would stop at a stray `END` and keep silent about
/// what follows.
fn read_each(classifier: &Classifier, parser: &mut Parser<'_>, draft: &mut Draft) -> Result<(), NotHere> {
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(());
        }
        let statement = parser.parse_statement().map_err(|_| NotHere)?;
        if !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
            return Err(NotHere);
        }
        draft.absorb(read_one(classifier, &statement)?);
    }
}

fn read_one(classifier: &Classifier, statement: &Statement) -> Result<Draft, NotHere> {
    if let Statement::Explain { analyze, statement, options, .. } = statement {
        let runs = *analyze || options.as_deref().is_some_and(analyzes);
        return Ok(read_one(classifier, statement)?.explained(runs));
    }
    let mut reader = Reader {
        classifier,
        draft: Draft::default(),
        tables: Vec::new(),
        scopes: Vec::new(),
        cte_depth: 0,
        set_apart: Vec::new(),
    };
    reader.statement(statement)?;
    if statement.visit(&mut reader).is_break() {
        return Err(NotHere);
    }
    reader.tables.sort_by_key(|(location, _)| *location);
    for (_, table) in reader.tables {
        reader.draft.table(table);
    }
    Ok(reader.draft)
}

/// Walks a tree and fills a draft.
struct Reader<'c> {
    classifier: &'c Classifier,
    draft: Draft,
    /// With their places: the tree is not in the order of the text.
    tables: Vec<(Location, TableName)>,
    scopes: Vec<Scope>,
    cte_depth: usize,
    /// Tables of the tree that were dealt with before the walk comes to them.
    set_apart: Vec<*const TableFactor>,
}

/// The common table expressions of one query.
struct Scope {
    visible: Vec<Box<str>>,
    /// Those that are not visible before their own end.
    coming: Vec<(*const Query, Box<str>)>,
    is_cte: bool,
}

impl Reader<'_> {
    fn dialect(&self) -> Dialect {
        self.classifier.dialect()
    }

    /// What the outermost statement does, and the tables that the walk does not come to.
    fn statement(&mut self, statement: &Statement) -> Result<(), NotHere> {
        match statement {
            Statement::Query(query) => self.draft.found(Operation::Read, verb_of(&query.body)),
            // The walk sees these, here and inside of common table expressions.
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => {}
            Statement::Truncate(truncate) => self.truncate(truncate),
            // What follows `COPY … FROM STDIN;` is taken for rows, be it rows or statements.
            Statement::Copy { target: CopyTarget::Stdin, .. } => return Err(NotHere),
            Statement::Copy { source, to, target, .. } => self.copy(source, *to, target),
            Statement::Call(function) => {
                self.draft.found(Operation::Write, "CALL");
                self.function(&function.name);
            }
            Statement::Set(set) => self.set(set),
            Statement::CreateTable(create) => return self.create_table(create),
            Statement::CreateView(create) => return self.create_view(create),
            Statement::CreateIndex(create) => {
                self.draft.found(Operation::Migrate, "CREATE INDEX");
                self.object(&create.table_name);
            }
            Statement::AlterTable(alter) => {
                self.draft.found(Operation::Migrate, "ALTER TABLE");
                self.object(&alter.name);
                return alter.operations.iter().try_for_each(|operation| self.alter(operation));
            }
            Statement::Drop { object_type, names, table, .. } => {
                self.drop(*object_type, names, table.as_ref())?
            }
            Statement::StartTransaction { statements, exception, has_end_keyword, .. } => {
                if !statements.is_empty() || exception.is_some() || *has_end_keyword {
                    return Err(NotHere);
                }
                self.draft.control(TransactionControl::Begin);
            }
            Statement::Commit { .. } => self.draft.control(TransactionControl::Commit),
            Statement::Rollback { savepoint: None, .. } => self.draft.control(TransactionControl::Rollback),
            Statement::Rollback { savepoint: Some(_), .. } => {
                self.draft.control(TransactionControl::RollbackTo)
            }
            Statement::Savepoint { .. } => self.draft.control(TransactionControl::Savepoint),
            Statement::ReleaseSavepoint { .. } => self.draft.control(TransactionControl::Release),
            _ => return Err(NotHere),
        }
        Ok(())
    }

    fn truncate(&mut self, truncate: &Truncate) {
        self.draft.found(Operation::Write, "TRUNCATE");
        for target in &truncate.table_names {
            self.object(&target.name);
        }
    }

    fn copy(&mut self, source: &CopySource, to: bool, target: &CopyTarget) {
        match (to, target) {
            (false, _) => self.draft.found(Operation::Write, "COPY FROM"),
            (true, CopyTarget::Program { .. }) => self.draft.found(Operation::Write, "COPY TO PROGRAM"),
            (true, _) => self.draft.found(Operation::Read, "COPY TO"),
        }
        if let CopySource::Table { table_name, .. } = source {
            self.object(table_name);
        }
    }

    fn set(&mut self, set: &Set) {
        match set {
            Set::SetTransaction { session: false, .. } => {
                self.draft.found(Operation::Write, "SET TRANSACTION")
            }
            _ => self.draft.state("SET"),
        }
    }

    fn create_table(&mut self, create: &CreateTable) -> Result<(), NotHere> {
        if create.clone.is_some() {
            return Err(NotHere);
        }
        self.draft.found(Operation::Migrate, "CREATE TABLE");
        self.draft.session_state |= create.temporary;
        self.object(&create.name);
        for column in &create.columns {
            self.column(column);
        }
        for constraint in &create.constraints {
            self.constraint(constraint);
        }
        if let Some(CreateTableLikeKind::Plain(like) | CreateTableLikeKind::Parenthesized(like)) =
            &create.like
        {
            self.object(&like.name);
        }
        for parent in create.inherits.iter().flatten().chain(&create.partition_of) {
            self.object(parent);
        }
        Ok(())
    }

    fn create_view(&mut self, create: &CreateView) -> Result<(), NotHere> {
        if create.to.is_some() || create.params.is_some() {
            return Err(NotHere);
        }
        self.draft.found(Operation::Migrate, "CREATE VIEW");
        self.draft.session_state |= create.temporary;
        self.object(&create.name);
        Ok(())
    }

    fn alter(&mut self, operation: &AlterTableOperation) -> Result<(), NotHere> {
        match operation {
            AlterTableOperation::AddConstraint { constraint, .. } => self.constraint(constraint),
            AlterTableOperation::AddColumn { column_def, .. } => self.column(column_def),
            AlterTableOperation::DropColumn { .. }
            | AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::RenameColumn { .. }
            | AlterTableOperation::RenameTable { .. }
            | AlterTableOperation::AlterColumn { .. } => {}
            _ => return Err(NotHere),
        }
        Ok(())
    }

    fn column(&mut self, column: &ColumnDef) {
        for option in &column.options {
            if let ColumnOption::ForeignKey(key) = &option.option {
                self.object(&key.foreign_table);
            }
        }
    }

    fn constraint(&mut self, constraint: &TableConstraint) {
        if let TableConstraint::ForeignKey(key) = constraint {
            self.object(&key.foreign_table);
        }
    }

    fn drop(
        &mut self,
        kind: ObjectType,
        names: &[ObjectName],
        on: Option<&ObjectName>,
    ) -> Result<(), NotHere> {
        let why = match kind {
            ObjectType::Table => "DROP TABLE",
            ObjectType::View | ObjectType::MaterializedView => "DROP VIEW",
            ObjectType::Index => "DROP INDEX",
            _ => return Err(NotHere),
        };
        self.draft.found(Operation::Migrate, why);
        let tables = if kind == ObjectType::Index { &[] } else { names };
        for table in tables.iter().chain(on) {
            self.object(table);
        }
        Ok(())
    }

    /// A table that is written to or defined, and so cannot be a common table expression.
    fn object(&mut self, name: &ObjectName) {
        if let Some(table) = TableName::from_object(self.dialect(), name) {
            self.tables.push((name.span().start, table));
        }
    }

    /// A table that is read, unless it is a common table expression in sight.
    fn source(&mut self, name: &ObjectName) {
        let dialect = self.dialect();
        let Some(table) = TableName::from_object(dialect, name) else { return };
        let is_dual = dialect == Dialect::Mysql && is_word(name, "dual");
        let mut in_sight = self.scopes.iter().flat_map(|scope| &scope.visible);
        if !is_dual && !in_sight.any(|cte| table.is_cte(dialect, cte)) {
            self.tables.push((name.span().start, table));
        }
    }

    /// A table of the tree that is written to.
    fn target(&mut self, factor: &TableFactor) {
        if let TableFactor::Table { name, .. } = factor {
            self.object(name);
            self.set_apart.push(ptr::from_ref(factor));
        }
    }

    fn function(&mut self, name: &ObjectName) {
        let mut parts = name.0.iter().rev().filter_map(|part| part.as_ident());
        let Some(function) = parts.next() else { return };
        let schema = parts.next().map(|schema| schema.value.as_str());
        if let Some(effect) = self.classifier.functions.effect(schema, &function.value) {
            self.draft.calls(&function.value, effect);
        }
    }

    fn writes(&mut self, verb: &'static str) {
        let why = if self.cte_depth > 0 { "a CTE writes" } else { verb };
        self.draft.found(Operation::Write, why);
    }

    fn insert(&mut self, insert: &Insert) -> ControlFlow<()> {
        self.writes(if insert.replace_into { "REPLACE" } else { "INSERT" });
        match &insert.table {
            TableObject::TableName(name) if insert.multi_table_insert_type.is_none() => self.object(name),
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn update(&mut self, update: &Update) {
        self.writes("UPDATE");
        // MySQL updates joins, where a common table expression may stand.
        if self.dialect() != Dialect::Mysql {
            self.target(&update.table.relation);
        }
    }

    fn delete(&mut self, delete: &Delete) {
        self.writes("DELETE");
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        match delete.using {
            // The targets are names or aliases of what stands after USING.
            Some(_) if self.dialect() == Dialect::Mysql => {
                self.set_apart.extend(from.iter().map(|table| ptr::from_ref(&table.relation)));
            }
            _ if delete.tables.is_empty() => {
                if let Some(table) = from.first() {
                    self.target(&table.relation);
                }
            }
            // `DELETE a FROM t AS a JOIN …`: the names before FROM are names or aliases of what follows it.
            _ => {}
        }
    }

    fn select_into(&mut self, select: &Select) -> ControlFlow<()> {
        let Some(into) = &select.into else { return ControlFlow::Continue(()) };
        self.draft.found(Operation::Write, "SELECT INTO");
        if self.dialect() == Dialect::Mysql {
            self.draft.session_state = true;
            return ControlFlow::Continue(());
        }
        self.draft.session_state |= into.temporary;
        for target in &into.targets {
            let parts = match target {
                Expr::Identifier(name) => std::slice::from_ref(name),
                Expr::CompoundIdentifier(parts) => parts.as_slice(),
                _ => return ControlFlow::Break(()),
            };
            self.object(&ObjectName::from(parts.to_vec()));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.insert(insert)?,
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => {
                self.writes("MERGE");
                self.target(&merge.table);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if names_bare_table(&query.body) {
            // The tree keeps no quotes here, and without them PostgreSQL's names cannot be folded.
            return ControlFlow::Break(());
        }
        for lock in &query.locks {
            let why = match lock.lock_type {
                LockType::Update => "`FOR UPDATE` locks rows",
                LockType::Share => "`FOR SHARE` locks rows",
            };
            self.draft.found(Operation::Write, why);
        }
        let is_cte =
            self.scopes.last().is_some_and(|outer| outer.coming.iter().any(|(at, _)| ptr::eq(*at, query)));
        self.cte_depth += usize::from(is_cte);

        let mut scope = Scope { visible: Vec::new(), coming: Vec::new(), is_cte };
        if let Some(with) = &query.with {
            let dialect = self.dialect();
            let name = |cte: &Cte| fold(dialect, &cte.alias.name.value, cte.alias.name.quote_style.is_some());
            // SQLite's common table expressions see each other with and without RECURSIVE.
            if with.recursive || dialect == Dialect::Sqlite {
                scope.visible.extend(with.cte_tables.iter().map(name));
            }
            scope.coming.extend(with.cte_tables.iter().map(|cte| (ptr::from_ref(&*cte.query), name(cte))));
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let left = self.scopes.pop();
        if left.is_some_and(|scope| scope.is_cte) {
            self.cte_depth -= 1;
            if let Some(outer) = self.scopes.last_mut() {
                let name =
                    outer.coming.iter().find(|(at, _)| ptr::eq(*at, query)).map(|(_, name)| name.clone());
                outer.visible.extend(name);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.select_into(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            // `ONLY posts` is taken for a table with an alias, and `ONLY (posts)` for a function.
            TableFactor::Table { name, .. }
                if self.dialect() == Dialect::Postgres && is_word(name, "only") =>
            {
                return ControlFlow::Break(());
            }
            TableFactor::Table { args: None, .. } if self.set_apart.contains(&ptr::from_ref(factor)) => {}
            TableFactor::Table { name, args: None, .. } => self.source(name),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => self.function(name),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(Function { name, .. }) => self.function(name),
            Expr::BinaryOp { op: BinaryOperator::Assignment, .. } => self.draft.state("`:=` sets a variable"),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn verb_of(body: &SetExpr) -> &'static str {
    match body {
        SetExpr::Values(_) => "VALUES",
        _ => "SELECT",
    }
}

/// Whether one arm of a set operation is `TABLE name`. A long UNION leans to the left, hence the loop.
fn names_bare_table(mut body: &SetExpr) -> bool {
    loop {
        match body {
            SetExpr::Table(_) => return true,
            SetExpr::SetOperation { left, right, .. } => {
                if names_bare_table(right) {
                    return true;
                }
                body = left;
            }
            _ => return false,
        }
    }
}

/// Whether a name is this one word without quotes.
fn is_word(name: &ObjectName, word: &str) -> bool {
    match name.0.as_slice() {
        [part] => part
            .as_ident()
            .is_some_and(|part| part.quote_style.is_none() && part.value.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether `EXPLAIN (…)` runs the statement. A value that is not plainly "no" is a yes.
fn analyzes(options: &[UtilityOption]) -> bool {
    options.iter().filter(|option| option.name.value.eq_ignore_ascii_case("analyze")).any(|option| {
        let no = match &option.arg {
            None => false,
            Some(Expr::Identifier(word)) => is_no(&word.value),
            Some(Expr::Value(value)) => match &value.value {
                Value::Boolean(yes) => !yes,
                Value::Number(number, _) => number == "0",
                Value::SingleQuotedString(word) => is_no(word),
                _ => false,
            },
            Some(_) => false,
        };
        !no
    })
}

fn is_no(word: &str) -> bool {
    ["false", "off", "0"].iter().any(|no| word.eq_ignore_ascii_case(no))
}
