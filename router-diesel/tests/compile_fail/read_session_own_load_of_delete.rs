//! A delete that returns rows, through the session's own `load`.
use diesel::prelude::*;

diesel::table! {
    posts { id -> Integer, title -> Text }
}

fn delete(session: &mut router_diesel::Session<SqliteConnection>) {
    let _ = session.read().load::<_, i32>(diesel::delete(posts::table).returning(posts::id));
}

fn main() {}
