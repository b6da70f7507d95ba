//! Servers that are not what the file says they are.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use router_diesel::cluster::Standing;
use router_tests::postgres::PostgresCluster;
use router_tests::{PASSWORD, require};

use crate::world::{
    Engine, LIVELY, Servers, World, count, eventually, execute, insert, posts, standing, warm_up,
};

crate::on_servers!(a_primary_that_is_a_standby_says_so);

#[test]
fn a_replica_that_was_promoted_serves_nothing() {
    let Some(mut world) = World::start(Engine::Postgres, 2) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(LIVELY).build();
    warm_up(&databases);
    world.promote(0);
    execute(world.database.replica_url(0), "INSERT INTO posts (id, title) VALUES (2, 'its own')");
    eventually("the promotion to be noticed", || standing(&databases, "replica_0") == Standing::NotAReplica);
    assert_eq!(standing(&databases, "replica_0").to_string(), "is a primary, not a replica");
    let marks = world.mark();
    for _ in 0..10 {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
    assert_eq!(world.reads_since(&marks), [0, 0, 10]);
    // Not even as the last resort.
    databases.drain("replica_1").unwrap();
    let marks = world.mark();
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    assert_eq!(world.reads_since(&marks), [1, 0, 0]);
}

fn a_primary_that_is_a_standby_says_so(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    world.write(1);
    let mut file = world.file().with(LIVELY);
    if engine == Engine::MariaDb {
        // `read_only` does not bind the harness's own user.
        world.execute(&format!("CREATE USER app@127.0.0.1 IDENTIFIED BY '{PASSWORD}'"));
        world.execute(&format!("GRANT ALL ON {}.* TO app@127.0.0.1", world.database.name()));
        for url in std::iter::once(&mut file.primary).chain(&mut file.replicas) {
            let (_, rest) = url.split_once('@').unwrap();
            *url = format!("mysql://app:{PASSWORD}@{rest}");
        }
    }
    world.catch_up();
    std::mem::swap(&mut file.primary, &mut file.replicas[0]);
    let databases = file.build();

    let says_so = |error: DieselError| {
        let text = error.to_string();
        assert!(
            text.contains("`default`") && text.contains("it takes no writes: is it a standby?"),
            "{text}"
        );
        match error {
            DieselError::DatabaseError(kind, _) if engine == Engine::Postgres => {
                assert!(matches!(kind, DatabaseErrorKind::ReadOnlyTransaction), "{text}");
            }
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, _) => {}
            other => panic!("{other:?}"),
        }
    };
    let mut conn = databases.session();
    says_so(insert(&mut conn, 2).unwrap_err());
    says_so(conn.transaction(|conn| insert(conn, 2)).unwrap_err());
    // Reads go on, on what can only be a replica.
    assert_eq!(count(&mut conn).unwrap(), 1);
    eventually("both to be known for what they are", || {
        standing(&databases, "default") == Standing::NotAPrimary
            && standing(&databases, "replica_0") == Standing::NotAReplica
    });
    let marks = world.mark();
    assert_eq!(count(&mut conn).unwrap(), 1);
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    assert_eq!(world.reads_since(&marks), [0, 2]);

    // Where we said that a transaction only reads, the server's refusal is no news of the server.
    if engine == Engine::Postgres {
        world.execute(
            "CREATE FUNCTION sneak() RETURNS integer LANGUAGE sql VOLATILE
             AS 'INSERT INTO posts (id, title) VALUES (3, '''') RETURNING id'",
        );
        let databases = world.file().build();
        let mut conn = databases.session();
        let sneak = posts::table.select(diesel::dsl::sql::<diesel::sql_types::Integer>("sneak()"));
        let outcome: QueryResult<Vec<i32>> = conn.read_only_transaction(|conn| {
            let _: i64 = conn.using("default").unwrap().get_result(posts::table.count())?;
            conn.using("default").unwrap().load(sneak)
        });
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("read-only transaction") && !text.contains("standby"), "{text}");
        insert(&mut conn, 2).unwrap();
    }
}

#[test]
fn a_standby_of_another_cluster_serves_nothing() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let Some(unrelated) = require(PostgresCluster::start_unrelated(1)) else { return };
    let unrelated = World::over(Servers::Postgres(unrelated));
    world.write(1);
    (1..=3).for_each(|id| unrelated.write(id));
    world.catch_up();
    unrelated.catch_up();
    let mut file = world.file().with(LIVELY);
    file.replicas.push(unrelated.database.replica_url(0).to_owned());
    let databases = file.build();
    databases.watch_clusters();
    eventually("the standby to be known for what it is", || {
        standing(&databases, "replica_1") == Standing::OtherCluster
            && standing(&databases, "replica_0") == Standing::Up
    });
    let other = unrelated.mark();
    for _ in 0..10 {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
    // Not even as the last resort.
    databases.drain("replica_0").unwrap();
    let marks = world.mark();
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
    assert_eq!(world.reads_since(&marks), [1, 0]);
    assert_eq!(unrelated.reads_since(&other), [0, 0]);
}
