//! Transactions that only read, on a replica.

use diesel::prelude::*;
use router_diesel::ReadSession;
use router_tests::proxy::Proxy;

use crate::world::{Conn, Engine, QUIET, World, count, posts, warm_up};

crate::on_servers!(a_read_only_transaction_is_one_snapshot_of_one_replica);

fn counted(conn: &mut ReadSession<'_, Conn>) -> QueryResult<i64> {
    conn.get_result(posts::table.count())
}

fn a_read_only_transaction_is_one_snapshot_of_one_replica(engine: Engine) {
    let Some(world) = World::start(engine, 2) else { return };
    world.write(1);
    world.catch_up();
    let proxy = Proxy::to(world.port(0)).unwrap();
    let mut file = world.file().with(QUIET);
    file.replicas[0] = proxy.url_through(&file.replicas[0]);
    let databases = file.build();
    warm_up(&databases);
    // Connections to both, so that the statement logs have no more than what is read.
    for _ in 0..2 {
        count(&mut databases.session()).unwrap();
    }

    let marks = world.mark();
    let mut conn = databases.session();
    conn.read_only_transaction(|conn| {
        assert_eq!(counted(conn)?, 1);
        world.write(2);
        world.catch_up();
        assert_eq!(counted(conn)?, 1);
        QueryResult::Ok(())
    })
    .unwrap();
    assert_eq!(count(&mut conn).unwrap(), 2);
    let [primary, one, other] = <[Vec<String>; 3]>::try_from(world.since(&marks)).unwrap();
    assert!(primary.iter().all(|sql| sql.starts_with("INSERT") || sql.starts_with("SET")), "{primary:?}");
    let (replica, idle) = if one.is_empty() { (other, one) } else { (one, other) };
    assert!(idle.is_empty(), "{idle:?}");
    let kinds: Vec<&str> = replica.iter().map(|sql| sql.split(' ').next().unwrap()).collect();
    match engine {
        Engine::Postgres => assert_eq!(kinds, ["BEGIN", "SELECT", "SELECT", "ROLLBACK", "SELECT"]),
        Engine::MariaDb => assert_eq!(kinds, ["SET", "BEGIN", "SELECT", "SELECT", "ROLLBACK", "SELECT"]),
    }
    assert!(replica.iter().any(|sql| sql.contains("READ ONLY")), "{replica:?}");

    // Inside, nothing is tried elsewhere: that would be another snapshot.
    databases.drain("replica_1").unwrap();
    let mut conn = databases.session();
    let mut error = None;
    let marks = world.mark();
    let outcome: QueryResult<()> = conn.read_only_transaction(|conn| {
        assert_eq!(counted(conn)?, 2);
        databases.undrain("replica_1").unwrap();
        proxy.cut();
        let lost = counted(conn).unwrap_err();
        assert!(lost.to_string().contains("`replica_0`"), "{lost}");
        error = Some(lost);
        counted(conn).map(|_| ())
    });
    assert!(outcome.is_err());
    assert!(error.is_some());
    assert_eq!(world.reads_since(&marks), [0, 1, 0]);

    // Where nothing was read yet, it may begin elsewhere.
    let again = conn.read_only_transaction(counted);
    assert_eq!(again.unwrap(), 2);
    assert_eq!(world.reads_since(&marks), [0, 1, 1]);
}
