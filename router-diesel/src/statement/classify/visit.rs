//! The walk through a tree, with the common table expressions in sight at each place.

use std::ops::ControlFlow;
use std::ptr;

use router_core::Operation;
use sqlparser::ast::{
    BinaryOperator, Cte, Delete, Expr, FromTable, Function, FunctionArguments, Insert, LockType, ObjectName,
    Query, Select, SetExpr, Statement, TableFactor, TableObject, Update, Visitor,
};

use super::{Reader, Scope, is_word};
use crate::statement::Dialect;
use crate::statement::effects::Facts;
use crate::statement::table::fold;

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
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                self.function(name, false)
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(Function { name, args, .. }) => {
                let is_bare = matches!(args, FunctionArguments::List(list) if list.args.is_empty());
                self.function(name, is_bare);
            }
            // SQLite has no intervals, but may have a function of that name.
            Expr::Interval(_) if self.dialect() == Dialect::Sqlite => return ControlFlow::Break(()),
            // PostgreSQL names an argument so.
            Expr::BinaryOp { op: BinaryOperator::Assignment, .. } if self.dialect() == Dialect::Mysql => {
                self.draft.state("`:=` sets a variable")
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Reader<'_> {
    fn writes(&mut self, verb: &'static str) {
        let why = if self.cte_depth > 0 { "a CTE writes" } else { verb };
        self.draft.found(Operation::Write, why);
        self.draft.makes(Facts::CHANGED);
    }

    fn insert(&mut self, insert: &Insert) -> ControlFlow<()> {
        self.writes(if insert.replace_into { "REPLACE" } else { "INSERT" });
        self.draft.makes(Facts::INSERTED);
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
