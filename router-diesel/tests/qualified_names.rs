//! Tables that a statement names with their database: where they go, without a server.

use router_diesel::Routing;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;

fn routed(yaml: &str, dialect: Dialect, sql: &str) -> String {
    let routing = Routing::new(Config::from_yaml(yaml).unwrap()).unwrap();
    let explanation = routing.explain_sql(sql, dialect);
    match explanation.alias() {
        Ok(alias) => alias.to_string(),
        Err(error) => error.code().to_owned(),
    }
}

const MYSQL: &str = "
apps: { users: { tables: [users] }, blog: { tables: [posts, legacy.notes] }, shop: { tables: [orders] } }
databases:
  default: { url: 'mysql://u@h/main_8', apps: [users] }
  blog_db: { url: 'mysql://u@h/blog_8', apps: [blog], operations: [read] }
  blog_admin: { url: 'mysql://owner@h/blog_8', operations: [write, migrate] }
  shop_db: { url: 'mysql://u@h/shop_8', apps: [shop] }
  legacy_db: { url: 'mysql://u@h/legacy' }
  blog_replica: { replica_of: blog_db, url: 'mysql://u@replica/blog_8' }
";

#[test]
fn a_database_that_a_mysql_statement_names_is_where_it_goes() {
    for (sql, expected) in [
        ("SELECT * FROM shop_8.orders", "shop_db"),
        ("UPDATE shop_8.orders SET id = 1", "shop_db"),
        ("INSERT INTO `shop_8`.`anything` VALUES (1)", "shop_db"),
        ("SELECT * FROM shop_8.users", "shop_db"),
        ("SELECT * FROM SHOP_8.orders", "shop_db"),
        ("CREATE TABLE shop_8.more (id INT)", "shop_db"),
        ("SELECT * FROM shop_8.orders JOIN main_8.users USING (id)", "CrossDatabaseQuery"),
        ("SELECT * FROM shop_8.orders JOIN orders USING (id)", "shop_db"),
        // An app's own pattern goes first.
        ("SELECT * FROM legacy.notes", "blog_db"),
        ("SELECT * FROM legacy.other", "legacy_db"),
        // Of several names the one on which the app lives.
        ("SELECT * FROM blog_8.posts", "blog_db"),
        ("UPDATE blog_8.posts SET id = 1", "AmbiguousDatabase"),
        ("SELECT * FROM blog_8.anything", "AmbiguousDatabase"),
        // A name that no database of the file has.
        ("SELECT * FROM elsewhere.posts", "default"),
        ("SELECT * FROM information_schema.tables", "default"),
    ] {
        assert_eq!(routed(MYSQL, Dialect::Mysql, sql), expected, "{sql}");
    }
    let strict = format!("unrouted: error\n{MYSQL}");
    assert_eq!(routed(&strict, Dialect::Mysql, "SELECT * FROM elsewhere.posts"), "Unrouted");
    let read_only = MYSQL.replace("apps: [shop] }", "apps: [shop], operations: [read] }");
    assert_eq!(routed(&read_only, Dialect::Mysql, "UPDATE shop_8.orders SET id = 1"), "OperationNotAllowed");
    assert_eq!(routed(&read_only, Dialect::Mysql, "DELETE FROM shop_8.users"), "OperationNotAllowed");
}

#[test]
fn a_database_that_a_postgres_statement_names_is_where_it_goes() {
    let yaml = "
apps: { users: { tables: [users] }, blog: { tables: [posts, 'news.*'] } }
databases:
  default: { url: 'postgres://u@h/main_8', apps: [users] }
  blog_db: { url: 'postgres://u@h/blog_8', apps: [blog] }
  stats: { url: 'postgres://u@h/Stats' }
";
    for (sql, expected) in [
        ("SELECT * FROM blog_8.public.posts", "blog_db"),
        ("SELECT * FROM blog_8.private.anything", "blog_db"),
        ("UPDATE \"Stats\".public.visits SET id = 1", "stats"),
        ("UPDATE Stats.public.visits SET id = 1", "default"),
        ("SELECT * FROM main_8.news.items", "blog_db"),
        ("SELECT * FROM blog_8.visits", "default"),
    ] {
        assert_eq!(routed(yaml, Dialect::Postgres, sql), expected, "{sql}");
    }
}

#[test]
fn sqlite_calls_its_own_database_main() {
    let yaml = "
apps: { users: { tables: [users] }, blog: { tables: [posts] } }
databases:
  default: { url: 'sqlite://db/main.sqlite3', apps: [users] }
  blog_db: { url: 'sqlite://db/blog.sqlite3', apps: [blog] }
";
    for (sql, expected) in [
        ("SELECT * FROM main.posts", "blog_db"),
        ("SELECT * FROM blog.posts", "default"),
        ("SELECT * FROM extra.posts", "default"),
    ] {
        assert_eq!(routed(yaml, Dialect::Sqlite, sql), expected, "{sql}");
    }
    let strict = format!("unrouted: error\n{yaml}");
    assert_eq!(routed(&strict, Dialect::Sqlite, "SELECT * FROM extra.posts"), "Unrouted");
}
