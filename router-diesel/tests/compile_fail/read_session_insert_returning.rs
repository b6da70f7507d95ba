//! An insert that returns rows, loaded on a session that reads.
use diesel::prelude::*;

diesel::table! {
    posts { id -> Integer, title -> Text }
}

fn insert(session: &mut router_diesel::Session<SqliteConnection>) {
    let _ = diesel::insert_into(posts::table)
        .values(posts::title.eq("new"))
        .get_result::<(i32, String)>(&mut session.read());
}

fn main() {}
