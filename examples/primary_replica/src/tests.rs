//! The tour, on every cluster that this build can have.

use crate::sqlite;
use crate::tour::tour;

#[test]
fn three_files_show_what_is_read_where() {
    let report = tour(&mut sqlite::Files::new().unwrap()).unwrap();
    insta::assert_snapshot!(report, @r#"
    On three SQLite files, of which two are copies that are refreshed on demand

    1. Reads go to the replicas. A session keeps to one of them
       a session reads                                 replica_1   First
       the same session again                          replica_1   First
       another session                                 replica_2   First

    2. A write goes to the primary. Who wrote reads there, until a replica has it
       a session writes                                default     1 row: Second
       the session that wrote                          default     First, Second

    3. The next request may be anywhere. Its token says what it must see
       without the token: a stale read                 replica_2   First
       with the token                                  default     First, Second
       with a token that was cut off                   refused     the text is no token, or only part of one

    4. Once the replicas have it, they serve it
       the session that wrote                          replica_2   First, Second
       with the token                                  replica_1   First, Second
       without the token                               replica_2   First, Second

    5. A replica that is drained serves nothing: `databases.drain("replica_1")`
       a session reads                                 replica_2   First, Second
       another session                                 replica_2   First, Second
                                                       default     up
                                                       replica_1   drained
                                                       replica_2   up

    6. `databases.cluster("default")` counts the reads that fell back
       to the primary, as no replica might serve                   0
       to the primary, as no replica had caught up                 2
    "#);
}

#[test]
fn what_is_not_built_in_says_how_to_build_it() {
    let error = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        crate::stage(&arguments).err().expect("there is no such cluster").to_string()
    };
    assert_eq!(
        error(&["--oracle"]),
        "`--oracle` is not understood; usage: primary_replica [--postgres | --mariadb]"
    );
    #[cfg(not(feature = "postgres"))]
    assert_eq!(
        error(&["--postgres"]),
        "`--postgres` needs the feature `postgres`; \
         try `cargo run -p primary_replica --features postgres -- --postgres`"
    );
}

/// Real servers show the same as files do, and that a replica may die.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn shows_the_same_and_survives(cluster: &mut dyn crate::stage::Stage) {
    const BOTH: &str = "First, Second";
    let report = tour(cluster).unwrap();
    let rows: Vec<_> = report.rows().map(|row| (row.node.as_str(), row.result.as_str())).collect();
    let expected = [
        ("replica_1", "First"),
        ("replica_1", "First"),
        ("replica_2", "First"),
        ("default", "1 row: Second"),
        ("default", BOTH),
        ("replica_2", "First"),
        ("default", BOTH),
        ("refused", "the text is no token, or only part of one"),
        ("replica_2", BOTH),
        ("replica_1", BOTH),
        ("replica_2", BOTH),
        ("replica_2", BOTH),
        ("replica_2", BOTH),
        ("default", "up"),
        ("replica_1", "drained"),
        ("replica_2", "up"),
        ("replica_2", BOTH),
        ("replica_2", BOTH),
        ("replica_2", BOTH),
        ("default", "up"),
        ("replica_1", "banned"),
        ("replica_2", "up"),
        ("", "0"),
        ("", "2"),
    ];
    assert_eq!(rows, expected, "{report}");
}

#[cfg(feature = "postgres")]
#[test]
fn standbys_of_postgres_show_the_same() {
    let Some(mut cluster) = router_tests::require(crate::servers::Postgres::start()) else { return };
    shows_the_same_and_survives(&mut cluster);
}

#[cfg(feature = "mysql")]
#[test]
fn replicas_of_mariadb_show_the_same() {
    let Some(mut cluster) = router_tests::require(crate::servers::MariaDb::start()) else { return };
    shows_the_same_and_survives(&mut cluster);
}
