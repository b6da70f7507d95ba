//! Tables whose names need quotes: how a file declares them, and that each engine's statements find them.

use router_diesel::Routing;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;

const FILE: &str = r#"
apps:
  blog: { tables: ['"Posts"', '`Order Items`', '[a.b]', '"My Schema"."My ""Table"""', '"My Schema".t_*', '"star*"'] }
  shop: { tables: [posts, 'star?'] }
databases:
  default: { url: ':memory:' }
  blog_db: { url: 'sqlite://blog', apps: [blog] }
  shop_db: { url: 'sqlite://shop', apps: [shop] }
"#;

#[test]
fn statements_of_each_engine_find_them() {
    let routing = Routing::new(Config::from_yaml(FILE).unwrap()).unwrap();
    use Dialect::{Mysql, Postgres, Sqlite};
    for (dialect, from, alias) in [
        (Postgres, r#""Posts""#, "blog_db"),
        (Postgres, "Posts", "shop_db"),
        (Postgres, r#""posts""#, "shop_db"),
        (Postgres, r#"public."Posts""#, "blog_db"),
        (Postgres, r#""Order Items""#, "blog_db"),
        (Postgres, r#""order items""#, "default"),
        (Postgres, r#""a.b""#, "blog_db"),
        (Postgres, "a.b", "default"),
        (Postgres, r#""My Schema"."My ""Table""""#, "blog_db"),
        (Postgres, r#""my schema"."My ""Table""""#, "default"),
        (Postgres, r#""My Schema".t_1"#, "blog_db"),
        (Postgres, r#""star*""#, "blog_db"),
        (Postgres, "stars", "shop_db"),
        (Postgres, "starry", "default"),
        (Mysql, "`Posts`", "blog_db"),
        (Mysql, "Posts", "blog_db"),
        (Mysql, "posts", "shop_db"),
        (Mysql, "`order items`", "blog_db"),
        (Mysql, "`a.b`", "blog_db"),
        (Mysql, "`My Schema`.`My \"Table\"`", "blog_db"),
        (Mysql, "`my schema`.T_1", "blog_db"),
        (Sqlite, "[Order Items]", "blog_db"),
        (Sqlite, "\"ORDER ITEMS\"", "blog_db"),
        (Sqlite, "POSTS", "shop_db"),
        (Sqlite, "Posts", "blog_db"),
        (Sqlite, "main.`a.b`", "blog_db"),
        (Sqlite, "\"star*\"", "blog_db"),
    ] {
        for sql in [
            format!("SELECT * FROM {from}"),
            format!("DELETE FROM {from} WHERE id = 1"),
            format!("INSERT INTO {from} (id) VALUES (1)"),
            format!("DROP TABLE {from}"),
        ] {
            let explanation = routing.explain_sql(&sql, dialect);
            assert_eq!(
                explanation.alias().map(ToString::to_string),
                Ok(alias.to_owned()),
                "{dialect}: {sql}"
            );
        }
    }
}

#[test]
fn what_is_refused_says_how_to_write_it() {
    let yaml = "unrouted: error\ndatabases: { default: { url: ':memory:' } }";
    let routing = Routing::new(Config::from_yaml(yaml).unwrap()).unwrap();
    for (dialect, from, pattern) in [
        (Dialect::Postgres, r#""Order ""5"" Items""#, r#"`"Order ""5"" Items"`"#),
        (Dialect::Postgres, r#"blog."Posts""#, r#"`blog."Posts"`"#),
        (Dialect::Postgres, "Posts", "`posts`"),
        (Dialect::Sqlite, "Posts", "`Posts`"),
        (Dialect::Mysql, "`a*`", r#"`"a*"`"#),
    ] {
        let explanation = routing.explain_sql(&format!("SELECT * FROM {from}"), dialect);
        let error = explanation.alias().unwrap_err().to_string();
        assert!(error.starts_with(&format!("no app has the table {pattern},")), "{error}");
    }
}

#[test]
fn patterns_that_cannot_match_are_errors_with_a_next_step() {
    for (pattern, help) in [
        ("", "write `posts`, `blog_*` or `schema.table`"),
        ("blog.", "write `posts`, `blog_*` or `schema.table`"),
        ("order items", "a name with such a character needs quotes of its own: `'\"order items\"'`"),
        ("it's", "a name with such a character needs quotes of its own: `'\"order items\"'`"),
        ("posts()", "a name with such a character needs quotes of its own: `'\"order items\"'`"),
        ("posts,comments", "write a list: `tables: [posts, comments]`"),
        ("\"posts", "close the quote; one that is part of the name is written twice: `'\"5\"\" disks\"'`"),
        ("[posts", "close the quote; one that is part of the name is written twice: `'\"5\"\" disks\"'`"),
        (
            "[pq]osts",
            "a name in quotes is exact and ends there; leave the quotes out for a glob, which has `*` and `?`",
        ),
        (
            "\"posts\"*",
            "a name in quotes is exact and ends there; leave the quotes out for a glob, which has `*` and `?`",
        ),
        ("shop.blog.posts", "leave out all but schema and table: `blog.posts`"),
        ("shop.\"b\".\"P\"", "leave out all but schema and table: `\"b\".\"P\"`"),
    ] {
        let yaml = serde_json::json!({
            "apps": { "blog": { "tables": [pattern] } },
            "databases": { "default": { "url": ":memory:" } },
        });
        let error = Config::from_yaml(&yaml.to_string()).unwrap_err();
        let told: Vec<_> =
            error.problems().iter().map(|problem| (problem.code().as_str(), problem.help())).collect();
        assert_eq!(told, [("R043", Some(help))], "{pattern}");
    }
}

#[test]
fn one_table_under_two_spellings_is_claimed_twice() {
    for (one, other, is_error) in [
        ("posts", "\"posts\"", true),
        ("POSTS", "`posts`", true),
        ("public.posts", "[posts]", true),
        ("\"Posts\"", "`Posts`", true),
        ("posts", "\"Posts\"", false),
        ("post*", "\"post*\"", false),
    ] {
        let yaml = serde_json::json!({
            "apps": { "blog": { "tables": [one] }, "news": { "tables": [other] } },
            "databases": { "default": { "url": ":memory:", "apps": ["blog", "news"] } },
        });
        let result = Config::from_yaml(&yaml.to_string());
        let told = result.err().map(|error| error.problems()[0].message().to_owned());
        let expected = is_error.then(|| format!("`{other}` belongs to both `blog` and `news`"));
        assert_eq!(told, expected);
    }
}
