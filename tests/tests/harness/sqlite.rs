use std::path::PathBuf;

use diesel::{prelude::*, sql_query};
use router_tests::sqlite::Sqlite;

#[test]
fn databases_are_files_of_their_own_which_go_with_the_last() {
    let sqlite = Sqlite::start().unwrap();
    let (blog, shop) = (sqlite.database("blog").unwrap(), sqlite.database("shop").unwrap());
    drop(sqlite);

    let mut blog_conn = SqliteConnection::establish(blog.url()).unwrap();
    let mut shop_conn = SqliteConnection::establish(shop.url()).unwrap();
    sql_query("CREATE TABLE posts (id INTEGER)").execute(&mut blog_conn).unwrap();
    sql_query("SELECT * FROM posts").execute(&mut SqliteConnection::establish(blog.url()).unwrap()).unwrap();
    sql_query("SELECT * FROM posts").execute(&mut shop_conn).unwrap_err();

    let file = PathBuf::from(blog.url().strip_prefix("sqlite://").unwrap());
    assert!(file.is_file());
    drop((blog, shop));
    assert!(!file.parent().unwrap().exists());
}
