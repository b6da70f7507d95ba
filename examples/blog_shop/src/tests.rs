//! The tour, twice in a folder of its own.

use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::config::Config;

use crate::schema::{comments, orders, posts, products, users};
use crate::{setup, tour};

/// Where each statement of the tour goes.
const EXPECTED: [(&str, &str); 17] = [
    ("read", "default"),
    ("read", "blog_db"),
    ("read", "blog_db"),
    ("read", "shop_db"),
    ("write", "blog_db"),
    ("write", "shop_db"),
    ("read", "shop_db"),
    ("write", "shop_db"),
    ("write", "shop_db"),
    ("read", "default"),
    ("read", "blog_db"),
    ("read", "reports"),
    ("write", "refused"),
    ("read", "refused"),
    ("write", "blog_db"),
    ("write", "refused"),
    ("write", "refused"),
];

#[test]
fn a_second_tour_goes_where_the_first_one_went() {
    let folder = tempfile::tempdir().unwrap();
    for run in 1..=2 {
        // As a new process would: opened anew, and filled only the first time.
        let databases = setup::open(folder.path()).unwrap();
        let report = tour(&databases).unwrap();

        let went: Vec<_> = report.rows().map(|row| (row.operation.as_str(), row.went_to.as_str())).collect();
        assert_eq!(went, EXPECTED, "run {run}");
        assert!(
            report.rows().all(|row| !row.result.is_empty()),
            "each statement shows what it gave\n{report}"
        );
        assert!(report.to_string().lines().all(|line| line.chars().count() <= 110), "{report}");
        rows_are_where_they_belong(&databases, run);
    }
}

/// Looks past all routing, through the pool of each database.
fn rows_are_where_they_belong(databases: &Databases<SqliteConnection>, run: i64) {
    let on = |alias: &str| databases.pool(alias).unwrap().get().unwrap();

    assert_eq!(users::table.count().get_result(&mut on("default")), Ok(60_i64));

    let mut blog = on("blog_db");
    assert_eq!(posts::table.count().get_result(&mut blog), Ok(120_i64));
    assert_eq!(comments::table.count().get_result(&mut blog), Ok(300 + run), "one remark a run");
    let first = posts::table.find(1).select(posts::title).get_result::<String>(&mut blog);
    assert_eq!(first.as_deref(), Ok("Three days along the Loire"), "the correction was rolled back");

    let mut shop = on("shop_db");
    assert_eq!(orders::table.count().get_result(&mut shop), Ok(150 + run), "one order a run");
    let map = products::table.filter(products::name.eq("River map, Elbe"));
    let price = map.select(products::price_cents).get_result(&mut shop);
    assert_eq!(price, Ok(1_200), "the discount was refused");

    // No database has the tables of another.
    assert!(posts::table.count().get_result::<i64>(&mut on("shop_db")).is_err());
    assert!(products::table.count().get_result::<i64>(&mut on("default")).is_err());
}

#[test]
fn two_first_runs_at_once_fill_the_databases_once() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| setup::open(folder.path()).unwrap());
        }
    });
    let mut conn = setup::open(folder.path()).unwrap().session();
    assert_eq!(users::table.count().get_result(&mut conn), Ok(60_i64));
    assert_eq!(orders::table.count().get_result(&mut conn), Ok(150_i64));
}

#[test]
fn what_is_built_in_is_what_the_folders_have() {
    let folder = tempfile::tempdir().unwrap();
    setup::open(folder.path()).unwrap();
    // The file's own folders, as `dbrouter status` reads them, wherever this test runs.
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/");
    let yaml = include_str!("../databases.yml").replace("examples/blog_shop/migrations/", migrations);
    let config = Config::loader()
        .yaml(yaml, "databases.yml")
        .variables([("BLOG_SHOP_DIR", folder.path().to_str().unwrap())])
        .load()
        .unwrap();
    let databases = Databases::<SqliteConnection>::builder(config).build().unwrap();

    let status = databases.migrator().status().unwrap();
    assert!(status.is_clean(), "{status:?}");
    let of = |alias: &str| status.database(alias).map_or(0, |database| database.migrations.len());
    assert_eq!(["default", "blog_db", "shop_db"].map(of), [1, 2, 2]);
    databases.migrator().lint().unwrap();
}
