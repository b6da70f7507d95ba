//! Writes and reads as it is told, each time in a session of its own, until stdin ends: `pass_tokens FILE`.
//!
//! `write ID` is answered with the session's token. `read ID TOKEN` reads after that token, `read ID` after none; the
//! answer is `fresh` where the row is there, else `stale`.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
};

use diesel::prelude::*;
use router_diesel::{AnyConnection, Databases};
use schema::posts;

mod schema {
    diesel::table! { posts { id -> Integer, title -> Text } }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("usage: pass_tokens FILE")?;
    let databases = Databases::<AnyConnection>::from_file(file)?;
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["write", id] => write(&databases, id.parse()?)?,
            ["read", id] => read(&databases, id.parse()?, None)?.to_owned(),
            ["read", id, token] => read(&databases, id.parse()?, Some(token))?.to_owned(),
            _ => return Err(format!("what is `{line}`?").into()),
        };
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

fn write(databases: &Databases<AnyConnection>, id: i32) -> Result<String, Box<dyn Error>> {
    let mut conn = databases.session();
    diesel::insert_into(posts::table)
        .values((posts::id.eq(id), posts::title.eq("new")))
        .execute(&mut conn)?;
    Ok(conn.token()?)
}

fn read(
    databases: &Databases<AnyConnection>,
    id: i32,
    token: Option<&str>,
) -> Result<&'static str, Box<dyn Error>> {
    let mut conn = match token {
        Some(token) => databases.session_after(token)?,
        None => databases.session(),
    };
    let found = posts::table.filter(posts::id.eq(id)).count().get_result::<i64>(&mut conn)?;
    Ok(if found == 1 { "fresh" } else { "stale" })
}
