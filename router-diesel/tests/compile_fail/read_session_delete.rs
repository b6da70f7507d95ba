//! A delete on a session that reads.
use diesel::prelude::*;

diesel::table! {
    posts { id -> Integer, title -> Text }
}

fn delete(session: &mut router_diesel::Session<SqliteConnection>) {
    let _ = diesel::delete(posts::table).execute(&mut session.read());
}

fn main() {}
