//! The guide's first file is one that the router takes.

use router_diesel::config::{Config, Policy, PrimaryReads};

const GUIDE: &str = include_str!("../../../docs/replicas.md");

#[test]
fn the_guides_file_is_read_as_its_comments_say() {
    let (_, rest) = GUIDE.split_once("```yaml\n").expect("the guide has a file");
    let (yaml, _) = rest.split_once("```").expect("the file ends");
    let config = Config::loader()
        .yaml(yaml, "config/databases.yml")
        .variables([("NONE", "")])
        .load()
        .unwrap_or_else(|error| panic!("{error}"));
    let primary = &config.databases[0];
    assert_eq!((primary.policy, primary.primary_reads), (Policy::default(), PrimaryReads::default()));
    assert!(primary.wait_for_replica.is_some());
    assert_eq!(config.replicas_of("default").count(), 2);

    // Without the lines that only repeat a default, it says the same.
    let short: String =
        yaml.lines().filter(|line| !line.contains("the default")).map(|line| format!("{line}\n")).collect();
    let short =
        Config::loader().yaml(short, "config/databases.yml").variables([("NONE", "")]).load().unwrap();
    assert_eq!(short.databases[0].policy, primary.policy);
    assert_eq!(short.databases[0].primary_reads, primary.primary_reads);
}
