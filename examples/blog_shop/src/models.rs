//! The rows that the tour loads, as in any Diesel service.

use diesel::prelude::*;

use crate::schema::{orders, posts, users};

#[derive(Debug, Queryable, Selectable, Identifiable)]
#[diesel(table_name = users)]
pub(crate) struct User {
    pub(crate) id: i32,
    pub(crate) name: String,
}

/// A post belongs to a user although the two are on different databases.
#[derive(Debug, Queryable, Selectable, Identifiable, Associations)]
#[diesel(table_name = posts, belongs_to(User))]
pub(crate) struct Post {
    pub(crate) id: i32,
    pub(crate) user_id: i32,
    pub(crate) title: String,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = orders)]
pub(crate) struct NewOrder<'a> {
    pub(crate) user_id: i32,
    pub(crate) product_id: i32,
    pub(crate) quantity: i32,
    pub(crate) ordered_on: &'a str,
}
