//! Opens the databases, migrates them, and fills them at the first run.

use std::error::Error;
use std::path::Path;

use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::config::Config;
use router_diesel::migrate::diesel_migrations::{self, EmbeddedMigrations, embed_migrations};

use crate::seed;

/// Each app's migrations, built into the program. Nothing here says which database they are for either.
const USERS: EmbeddedMigrations = embed_migrations!("migrations/users");
const BLOG: EmbeddedMigrations = embed_migrations!("migrations/blog");
const SHOP: EmbeddedMigrations = embed_migrations!("migrations/shop");

/// Opens the three databases in a folder.
///
/// A service would say `Databases::from_file("config/databases.yml")`. Here the file is built in and the folder is
/// given as a variable, so that the example runs from any directory and its test in a folder of its own. For the
/// same reason the migrations are built in; without `source`, the folders that the file names are read.
pub(crate) fn open(folder: &Path) -> Result<Databases<SqliteConnection>, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
    let config = Config::loader()
        .yaml(include_str!("../databases.yml"), "databases.yml")
        .variables(std::env::vars().chain([("BLOG_SHOP_DIR".to_owned(), folder)]))
        .load()?;
    let databases = Databases::builder(config).build()?;
    databases.migrator().source("users", USERS).source("blog", BLOG).source("shop", SHOP).migrate()?;
    for app in ["users", "blog", "shop"] {
        fill(&databases, app)?;
    }
    Ok(databases)
}

/// Fills an app's tables, unless that was done before.
///
/// `routes` says on which databases the app's tables are; `pool` gives a plain connection, past all routing.
fn fill(databases: &Databases<SqliteConnection>, app: &str) -> Result<(), Box<dyn Error>> {
    let routes = databases.routing().routes();
    let targets = routes.iter().filter(|route| route.app == app).flat_map(|route| &route.migrate);
    for alias in targets {
        let mut conn = databases.pool(alias)?.get()?;
        // An immediate transaction, so that of two first runs at once the second one waits.
        conn.immediate_transaction(|conn| seed::fill(app, conn))?;
    }
    Ok(())
}
