//! The README's first example says what the router says.

use router_diesel::Routing;
use router_diesel::config::Config;
use router_diesel::statement::Dialect;

const README: &str = include_str!("../../../README.md");

/// The first block of the README that begins so.
fn block(fence: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{fence}\n")).expect("the README has such a block");
    rest.split_once("```").expect("the block ends").0
}

#[test]
fn the_first_file_routes_as_the_first_answer_says() {
    let config = Config::loader()
        .yaml(block("yaml"), "config/databases.yml")
        .variables([("NONE", "")])
        .load()
        .unwrap_or_else(|error| panic!("{error}"));
    let explanation = Routing::new(config).unwrap().explain_sql("SELECT title FROM posts", Dialect::Sqlite);
    assert_eq!(block("text").trim_end(), explanation.to_string());
}
