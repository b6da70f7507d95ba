//! `save_changes`: update a record and read it back from where it was written.

use diesel::associations::{HasTable, Identifiable};
use diesel::connection::Connection;
use diesel::dsl::{Find, Update};
use diesel::expression::{MixedAggregates, ValidGrouping, is_aggregate};
use diesel::query_builder::{AsChangeset, IntoUpdateTarget};
use diesel::query_dsl::methods::{ExecuteDsl, FindDsl, LoadQuery};
use diesel::query_dsl::{RunQueryDsl, UpdateAndFetchResults};
use diesel::{QueryResult, Table};

use super::{Scope, Session};
use crate::engine::RoutedConnection;

/// Two statements on every engine, an update and a read, so that one service can use several engines.
impl<'b, Changes, Output, C> UpdateAndFetchResults<Changes, Output> for Session<C>
where
    C: RoutedConnection,
    Changes: Copy + Identifiable,
    Changes: AsChangeset<Target = <Changes as HasTable>::Table> + IntoUpdateTarget,
    Changes::Table: FindDsl<Changes::Id>,
    Update<Changes, Changes>: ExecuteDsl<Self, <Self as Connection>::Backend>,
    Find<Changes::Table, Changes::Id>: LoadQuery<'b, Self, Output>,
    <Changes::Table as Table>::AllColumns: ValidGrouping<()>,
    <<Changes::Table as Table>::AllColumns as ValidGrouping<()>>::IsAggregate:
        MixedAggregates<is_aggregate::No, Output = is_aggregate::No>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.scoped(Scope::read_where_written(), |conn| {
            // Where the record cannot be read back, it is not written either.
            conn.transaction(|conn| {
                diesel::update(changeset).set(changeset).execute(conn)?;
                Changes::table().find(changeset.id()).get_result(conn)
            })
        })
    }
}
