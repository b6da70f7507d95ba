//! Ends while the nodes of its clusters are being asked, as a job that takes a moment does: `leave_early FILE read`
//! after a read, `leave_early FILE MILLISECONDS` so long after it began to watch them.

use std::{env, error::Error, thread, time::Duration};

use diesel::prelude::*;
use router_diesel::{AnyConnection, Databases};
use schema::posts;

mod schema {
    diesel::table! { posts { id -> Integer, title -> Text } }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(file), Some(when)) = (arguments.next(), arguments.next()) else {
        return Err("usage: leave_early FILE read|MILLISECONDS".into());
    };
    let databases = Databases::<AnyConnection>::from_file(file)?;
    if when == "read" {
        posts::table.count().get_result::<i64>(&mut databases.session())?;
    } else {
        databases.watch_clusters();
        thread::sleep(Duration::from_millis(when.parse()?));
    }
    Ok(())
}
