//! A tour of the router: three SQLite files, one session, and ordinary Diesel.
//!
//! `databases.yml` says which app lives where. Each step notes a statement in the report, which asks the session
//! where it would go and why, and then runs it.
#![expect(clippy::print_stdout, reason = "to print is what the program is for")]

mod models;
mod report;
mod schema;
mod seed;
mod setup;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use router_diesel::{Databases, Error, Scope, Session};

use models::{NewOrder, Post, User};
use report::Report;
use schema::{comments, orders, posts, products, users};

type Conn = Session<SqliteConnection>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::var_os("BLOG_SHOP_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/blog_shop")),
        PathBuf::from,
    );
    let databases = setup::open(&folder)?;
    println!("{}\n", tour(&databases)?);
    println!("From the root of the workspace, the same rules on the command line:");
    for command in ["routes", "route blog.posts --write", "route --sql 'SELECT * FROM users, posts'"] {
        println!(
            "  cargo run -p router-cli --bin dbrouter -- --config examples/blog_shop/databases.yml {command}"
        );
    }
    Ok(())
}

/// Makes every stop of the tour, on one session, as one request of a service would.
fn tour(databases: &Databases<SqliteConnection>) -> Result<Report, Error> {
    let mut report = Report::default();
    let mut conn = databases.session();
    reads(&mut conn, &mut report)?;
    writes(&mut conn, &mut report)?;
    transaction(&mut conn, &mut report)?;
    association(&mut conn, &mut report)?;
    by_hand(&mut conn, &mut report)?;
    refusals(&mut conn, &mut report)?;
    Ok(report)
}

fn reads(conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    report.chapter("A read goes to the database of its tables");

    let how_many = users::table.count();
    report.statement(conn, &how_many)?;
    let count = how_many.get_result::<i64>(conn)?;
    report.result(format!("{count} users"));

    let newest = posts::table.select(posts::title).order(posts::published_on.desc()).limit(3);
    report.statement(conn, &newest)?;
    let titles = newest.load::<String>(conn)?;
    report.result(titles.join("; "));

    // A join is a join, as long as both tables are on one database.
    let discussed = posts::table
        .inner_join(comments::table)
        .group_by(posts::id)
        .select((posts::title, diesel::dsl::count(comments::id)))
        .order((diesel::dsl::count(comments::id).desc(), posts::id))
        .limit(2);
    report.statement(conn, &discussed)?;
    let discussed = discussed.load::<(String, i64)>(conn)?;
    report.result(list(&discussed, |(title, count)| format!("{title}: {count} comments")));

    let cheapest =
        products::table.select((products::name, products::price_cents)).order(products::price_cents).limit(2);
    report.statement(conn, &cheapest)?;
    let cheapest = cheapest.load::<(String, i32)>(conn)?;
    report.result(list(&cheapest, |(name, cents)| format!("{name}: {}", euros(*cents))));
    Ok(())
}

fn writes(conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    report.chapter("So does a write");

    let remark = diesel::insert_into(comments::table).values((
        comments::post_id.eq(1),
        comments::user_id.eq(7),
        comments::body.eq("The bakery at the bridge is open on Sundays now."),
    ));
    report.statement(conn, &remark)?;
    let added = remark.execute(conn)?;
    report.result(format!("{added} row"));

    let delivery = diesel::update(products::table.filter(products::name.like("River map, %")))
        .set(products::stock.eq(products::stock + 20));
    report.statement(conn, &delivery)?;
    let updated = delivery.execute(conn)?;
    report.result(format!("{updated} rows"));
    Ok(())
}

fn transaction(conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    report.chapter(
        "A transaction follows the route: BEGIN waits for the first statement and runs where that goes",
    );

    conn.transaction(|conn| {
        let map = products::table
            .filter(products::name.eq("River map, Elbe"))
            .select((products::id, products::stock));
        report.statement(conn, &map)?;
        let (product_id, stock) = map.get_result::<(i32, i32)>(conn)?;
        report.result(format!("{stock} in stock"));

        let order = NewOrder { user_id: 7, product_id, quantity: 1, ordered_on: "2026-02-11" };
        let order = diesel::insert_into(orders::table).values(order);
        report.statement(conn, &order)?;
        let added = order.execute(conn)?;
        report.result(format!("{added} row"));

        let taken =
            diesel::update(products::table.find(product_id)).set(products::stock.eq(products::stock - 1));
        report.statement(conn, &taken)?;
        let updated = taken.execute(conn)?;
        report.result(format!("{updated} row, then COMMIT"));
        Ok(())
    })
}

fn association(conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    report.chapter("An association over two databases is two statements, so it works without a join");

    let writers = users::table.select(User::as_select()).filter(users::id.le(3)).order(users::id);
    report.statement(conn, &writers)?;
    let writers = writers.load(conn)?;
    report.result(list(&writers, |writer| writer.name.clone()));

    let theirs = Post::belonging_to(&writers).select(Post::as_select()).order(posts::published_on);
    report.statement(conn, &theirs)?;
    let theirs = theirs.load(conn)?.grouped_by(&writers);
    let pairs: Vec<_> = writers.iter().zip(theirs).collect();
    report.result(list(&pairs, |(writer, posts)| {
        let first = posts.first().map_or("nothing yet", |post| &post.title);
        format!("{}: {} posts, first \"{first}\"", writer.name, posts.len())
    }));
    Ok(())
}

fn by_hand(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    report.chapter("A database chosen by hand, with `conn.using(\"reports\")`; its `operations` still hold");

    let mut reports = conn.using("reports")?;
    let longest = posts::table.select(posts::title).order(posts::title.desc()).limit(1);
    report.statement(&reports, &longest)?;
    let title = longest.get_result::<String>(&mut reports)?;
    report.result(title);

    let purge = diesel::delete(posts::table);
    report.statement(&reports, &purge)?;
    report.result(refused(purge.execute(&mut reports)));
    Ok(())
}

fn refusals(conn: &mut Conn, report: &mut Report) -> QueryResult<()> {
    report.chapter("What cannot be right is refused before anything runs");

    let join = users::table
        .inner_join(posts::table.on(posts::user_id.eq(users::id)))
        .select((users::name, posts::title));
    report.statement(conn, &join)?;
    report.result(refused(join.load::<(String, String)>(conn)));

    // The error leaves the closure, so the transaction on `blog_db` rolls back.
    let rolled_back = conn.transaction(|conn| {
        let correction =
            diesel::update(posts::table.find(1)).set(posts::title.eq("Four days along the Loire"));
        report.statement(conn, &correction)?;
        let updated = correction.execute(conn)?;
        report.result(format!("{updated} row, rolled back because of the next statement"));

        let discount =
            diesel::update(products::table).set(products::price_cents.eq(products::price_cents / 2));
        report.statement(conn, &discount)?;
        discount.execute(conn)
    });
    report.result(refused(rolled_back));

    conn.scoped(Scope::reading(), |conn| {
        let clear = diesel::delete(comments::table);
        report.statement(conn, &clear)?;
        report.result(refused(clear.execute(conn)));
        Ok(())
    })
}

/// The router's error, by which a program can tell it from the database's own.
fn refused<T: std::fmt::Debug>(result: QueryResult<T>) -> String {
    let error: DieselError = result.expect_err("this statement should have been refused");
    let kind = Error::from_diesel(&error).expect("the router refused it").kind();
    format!("ErrorKind::{kind:?}")
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join("; ")
}

fn euros(cents: i32) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}
