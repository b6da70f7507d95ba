//! Routes a few statements and says why each went where it went. With arguments, it is `dbrouter` with the router of
//! this project:
//!
//! ```text
//! cargo run -p custom_router
//! cargo run -p custom_router -- routes
//! cargo run -p custom_router -- route events.page_views --write
//! ```

mod router;

use std::error::Error;
use std::process::ExitCode;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use router_cli::Program;
use router_diesel::Databases;
use router_diesel::config::Config;

use crate::router::AnalyticsRouter;
use crate::schema::{customers, orders, page_views};

mod schema {
    diesel::table! { orders { id -> Integer, product -> Text } }
    diesel::table! { page_views { id -> Integer, path -> Text } }
    diesel::table! { customers { id -> Integer, name -> Text } }
}

/// The configuration of this example, wherever it is started from.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/databases.yml");

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::args().len() > 1 {
        return Ok(dbrouter().main());
    }
    demo()?;
    Ok(ExitCode::SUCCESS)
}

/// The commands of `dbrouter`, which ask the same routers as the service does.
fn dbrouter() -> Program {
    Program::new().router(AnalyticsRouter).config(CONFIG)
}

#[expect(clippy::print_stdout, reason = "an example is there to show what happens")]
fn demo() -> Result<(), Box<dyn Error>> {
    // Routers are asked in the order in which they are added, and the rules of the file after them.
    let databases =
        Databases::<SqliteConnection>::builder(Config::from_file(CONFIG)?).router(AnalyticsRouter).build()?;
    let mut conn = databases.session();

    // Ordinary Diesel: the table alone says where a statement goes, be it SQL or a query.
    conn.batch_execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, product TEXT NOT NULL)")?;
    let order = diesel::insert_into(orders::table).values(orders::product.eq("teapot"));
    println!("An order\n{}\n", databases.explain(&order)?);
    order.execute(&mut conn)?;

    conn.batch_execute("CREATE TABLE page_views (id INTEGER PRIMARY KEY, path TEXT NOT NULL)")?;
    let view = diesel::insert_into(page_views::table).values(page_views::path.eq("/teapots"));
    println!("A page view\n{}\n", databases.explain(&view)?);
    view.execute(&mut conn)?;

    // `managed: false`: another program makes the table of customers, and this connection stands for it.
    let mut crm = SqliteConnection::establish("file:custom_router_crm?mode=memory&cache=shared")?;
    crm.batch_execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")?;
    diesel::insert_into(customers::table).values(customers::name.eq("Ada")).execute(&mut crm)?;
    let names = customers::table.select(customers::name);
    println!("The customers\n{}\n", databases.explain(&names)?);
    assert_eq!(names.load::<String>(&mut conn)?, ["Ada"]);

    // No database has both, so this is refused before it reaches one.
    let both = diesel::sql_query("SELECT * FROM orders, customers");
    println!("Orders with customers\n{}", databases.explain(&both)?);
    assert!(both.execute(&mut conn).is_err());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_demo_runs() {
        super::demo().unwrap();
    }

    #[test]
    fn the_embedded_program_knows_the_router() {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit =
            super::dbrouter().run(["custom_router", "routes", "--format", "json"], &mut stdout, &mut stderr);
        let routes = concat!(
            r#"{"default":"default","routes":["#,
            r#"{"app":"shop","read":"default","write":"default","migrate":["default"]},"#,
            r#"{"app":"events","read":"analytics","write":"analytics","migrate":["analytics"]},"#,
            r#"{"app":"legacy","read":"crm","write":"crm","migrate":[]}]}"#,
        );
        assert_eq!(exit, router_cli::Exit::Fine);
        assert_eq!(String::from_utf8(stdout).unwrap().trim_end(), routes);
    }
}
