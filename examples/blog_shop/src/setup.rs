//! Opens the databases, and makes and fills them at the first run.

use std::error::Error;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::config::Config;

use crate::seed;

/// Each app's migrations, oldest first.
const MIGRATIONS: [(&str, &[&str]); 3] = [
    ("users", &[include_str!("../migrations/users/2026-01-05-090000_create_users/up.sql")]),
    (
        "blog",
        &[
            include_str!("../migrations/blog/2026-01-05-091000_create_posts/up.sql"),
            include_str!("../migrations/blog/2026-01-05-091500_create_comments/up.sql"),
        ],
    ),
    (
        "shop",
        &[
            include_str!("../migrations/shop/2026-01-05-092000_create_products/up.sql"),
            include_str!("../migrations/shop/2026-01-05-092500_create_orders/up.sql"),
        ],
    ),
];

diesel::table! {
    /// SQLite's own list of what a database holds.
    sqlite_master (name) { name -> Text }
}

/// Opens the three databases in a folder.
///
/// A service would say `Databases::from_file("config/databases.yml")`. Here the file is built in and the folder is
/// given as a variable, so that the example runs from any directory and its test in a folder of its own.
pub(crate) fn open(folder: &Path) -> Result<Databases<SqliteConnection>, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
    let config = Config::loader()
        .yaml(include_str!("../databases.yml"), "databases.yml")
        .variables(std::env::vars().chain([("BLOG_SHOP_DIR".to_owned(), folder)]))
        .load()?;
    let databases = Databases::builder(config).build()?;
    for (app, migrations) in MIGRATIONS {
        prepare(&databases, app, migrations)?;
    }
    Ok(databases)
}

/// Makes and fills an app's tables, unless that was done before.
///
/// `routes` says on which databases the app's tables are; `pool` gives a plain connection, past all routing.
fn prepare(
    databases: &Databases<SqliteConnection>,
    app: &str,
    migrations: &[&str],
) -> Result<(), Box<dyn Error>> {
    let routes = databases.routing().routes();
    let targets = routes.iter().filter(|route| route.app == app).flat_map(|route| &route.migrate);
    for alias in targets {
        let mut conn = databases.pool(alias)?.get()?;
        // One transaction for both: a run that was interrupted leaves nothing half done. It is an immediate one,
        // so that of two first runs at once the second one waits.
        conn.immediate_transaction(|conn| {
            if sqlite_master::table.count().get_result::<i64>(conn)? > 0 {
                return QueryResult::Ok(());
            }
            for migration in migrations {
                conn.batch_execute(migration)?;
            }
            seed::fill(app, conn)
        })?;
    }
    Ok(())
}
