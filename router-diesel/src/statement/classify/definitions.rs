//! Definitions, as far as the tree holds all their tables.

use router_core::Operation;
use sqlparser::ast::{
    AlterTableOperation, ColumnDef, ColumnOption, CreateTable, CreateTableLikeKind, CreateView, ObjectName,
    ObjectType, TableConstraint,
};

use super::{NotHere, Reader};

impl Reader<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Result<(), NotHere> {
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

    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<(), NotHere> {
        if create.to.is_some() || create.params.is_some() {
            return Err(NotHere);
        }
        self.draft.found(Operation::Migrate, "CREATE VIEW");
        self.draft.session_state |= create.temporary;
        self.object(&create.name);
        Ok(())
    }

    pub(super) fn alter(&mut self, operation: &AlterTableOperation) -> Result<(), NotHere> {
        match operation {
            AlterTableOperation::AddConstraint { constraint, .. } => self.constraint(constraint),
            AlterTableOperation::AddColumn { column_def, .. } => self.column(column_def),
            AlterTableOperation::DropColumn { .. }
            | AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::RenameColumn { .. }
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

    pub(super) fn drop(
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
}
