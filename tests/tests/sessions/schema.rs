//! The tables of the test world and the types that load them.

use diesel::prelude::*;

diesel::table! {
    users { id -> Integer, name -> Text }
}
diesel::table! {
    posts { id -> Integer, user_id -> Integer, title -> Text }
}
diesel::table! {
    comments { id -> Integer, post_id -> Integer, body -> Text }
}
diesel::table! {
    products { id -> Integer, name -> Text }
}
diesel::table! {
    // Of no app.
    strays { id -> Integer }
}
diesel::allow_tables_to_appear_in_same_query!(users, posts, comments, products, strays);
diesel::joinable!(comments -> posts (post_id));

/// Portable to all three engines.
pub(crate) const TABLES: [(&str, &str); 5] = [
    ("default", "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL)"),
    ("default", "CREATE TABLE strays (id INTEGER PRIMARY KEY)"),
    (
        "blog_db",
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title VARCHAR(100) NOT NULL)",
    ),
    (
        "blog_db",
        "CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL, body VARCHAR(100) NOT NULL)",
    ),
    ("shop_db", "CREATE TABLE products (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL)"),
];

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable)]
#[diesel(table_name = users)]
pub(crate) struct User {
    pub(crate) id: i32,
    pub(crate) name: String,
}

#[derive(
    Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Insertable, Associations, AsChangeset,
)]
#[diesel(table_name = posts, belongs_to(User))]
pub(crate) struct Post {
    pub(crate) id: i32,
    pub(crate) user_id: i32,
    pub(crate) title: String,
}

impl Post {
    pub(crate) fn new(id: i32, user_id: i32, title: &str) -> Self {
        Self { id, user_id, title: title.to_owned() }
    }
}
