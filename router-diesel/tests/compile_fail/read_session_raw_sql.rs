//! Raw SQL on a session that reads.
use diesel::prelude::*;
use diesel::sql_types::Integer;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Integer)]
    #[expect(dead_code)]
    id: i32,
}

fn raw(session: &mut router_diesel::Session<SqliteConnection>) {
    let _ = diesel::sql_query("DELETE FROM posts RETURNING id").load::<Id>(&mut session.read());
}

fn main() {}
