//! What operators and programs choose by hand.

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};
use router_diesel::cluster::Standing;
use router_diesel::{Databases, ErrorKind};
use router_tests::{require, sqlite::Sqlite};

use crate::world::{
    Conn, Engine, PRIMARY, QUIET, World, count, eventually, execute, explained, insert, kind, posts,
    standing, warm_up,
};

crate::on_servers!(who_serves_is_a_matter_of_the_file, a_replicas_server_refuses_writes);

/// How many reads each node serves of so many sessions with one read each.
fn reads(world: &World, databases: &Databases<Conn>, sessions: usize) -> Vec<usize> {
    let marks = world.mark();
    for _ in 0..sessions {
        assert_eq!(count(&mut databases.session()).unwrap(), 1);
    }
    world.reads_since(&marks)
}

fn who_serves_is_a_matter_of_the_file(engine: Engine) {
    let Some(world) = World::start(engine, 2) else { return };
    world.write(1);
    world.catch_up();
    let with = |settings: &str| world.file().with(&format!("{settings}, {QUIET}")).build();

    let always = with("primary_reads: always");
    warm_up(&always);
    let served = reads(&world, &always, 9);
    assert_eq!(served, [3, 3, 3]);

    for (primary_reads, serves) in [("fallback", true), ("never", false)] {
        let databases = with(&format!("primary_reads: {primary_reads}"));
        warm_up(&databases);
        assert_eq!(reads(&world, &databases, 4), [0, 2, 2]);
        databases.drain("replica_1").unwrap();
        assert_eq!(reads(&world, &databases, 4), [0, 4, 0]);
        databases.drain("replica_0").unwrap();
        assert_eq!(standing(&databases, "replica_0"), Standing::Drained);
        let text = explained(&databases.session());
        assert!(text.contains("replica_0 does not: drained"), "{text}");
        if serves {
            assert_eq!(reads(&world, &databases, 2), [2, 0, 0]);
        } else {
            let error = count(&mut databases.session()).unwrap_err();
            assert_eq!(kind(&error), Some(ErrorKind::NoNode), "{error}");
            let text = error.to_string();
            assert!(text.contains("`replica_0`: drained; `replica_1`: drained"), "{text}");
            // The operator's word on the primary holds for reads that go to replicas, and for no other.
            insert(&mut databases.session(), 2).unwrap();
            world.execute("DELETE FROM posts WHERE id = 2");
            world.catch_up();
        }
        databases.undrain("replica_1").unwrap();
        eventually("the replica to be back", || standing(&databases, "replica_1") == Standing::Up);
        assert_eq!(reads(&world, &databases, 4), [0, 0, 4]);
    }

    // Without any replica the primary serves, whatever else the file says.
    let databases = with("offline: replicas, primary_reads: never");
    assert_eq!(reads(&world, &databases, 3), [3, 0, 0]);
    assert_eq!(standing(&databases, "replica_0"), Standing::Offline);

    let databases = with("offline: primary");
    assert_eq!(reads(&world, &databases, 4), [0, 2, 2]);
    let error = insert(&mut databases.session(), 2).unwrap_err().to_string();
    assert!(error.contains("`default`") && error.contains("offline"), "{error}");
    databases.drain("replica_0").unwrap();
    databases.drain("replica_1").unwrap();
    let error = count(&mut databases.session()).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::NoNode), "{error}");

    let databases = with("read_only: true");
    assert_eq!(reads(&world, &databases, 4), [0, 2, 2]);
    let error = insert(&mut databases.session(), 2).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::OperationNotAllowed), "{error}");
    assert!(error.to_string().contains("`default`"), "{error}");

    // By hand: one replica, whoever is drained, and no write there.
    let databases = with("primary_reads: fallback");
    databases.drain("replica_1").unwrap();
    let mut conn = databases.session();
    let marks = world.mark();
    for _ in 0..3 {
        assert_eq!(count(&mut conn.using("replica_1").unwrap()).unwrap(), 1);
    }
    assert_eq!(world.reads_since(&marks), [0, 0, 3]);
    let error = insert(&mut conn.using("replica_1").unwrap(), 2).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::OperationNotAllowed), "{error}");
    assert!(error.to_string().contains("`replica_1`"), "{error}");
    // A role says where to read too.
    let marks = world.mark();
    conn.scoped(router_diesel::Scope::writing(), count).unwrap();
    assert_eq!(world.reads_since(&marks)[PRIMARY], 1);
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
}

/// The "replica" is the primary's own server, which could very well write: what refuses is the connection.
fn a_replicas_server_refuses_writes(engine: Engine) {
    let Some(world) = World::start(engine, 0) else { return };
    world.write(1);
    // The function writes elsewhere: MariaDB lets none write to a table that its statement reads.
    world.execute("CREATE TABLE sneaked (id INTEGER NOT NULL)");
    world.execute(match engine {
        Engine::Postgres => {
            "CREATE FUNCTION sneak() RETURNS integer LANGUAGE sql VOLATILE
             AS 'INSERT INTO sneaked VALUES (1) RETURNING id'"
        }
        Engine::MariaDb => {
            "CREATE FUNCTION sneak() RETURNS INTEGER DETERMINISTIC MODIFIES SQL DATA
             BEGIN INSERT INTO sneaked VALUES (1); RETURN 1; END"
        }
    });
    let mut file = world.file();
    file.replicas.push(file.primary.clone());
    let databases = file.build();
    let expected = match engine {
        Engine::Postgres => "read-only transaction",
        Engine::MariaDb => "READ ONLY transaction",
    };
    let sneak = "SELECT sneak() AS id FROM posts WHERE id = 1";
    let sneaked = || {
        let mut conn = databases.connection("default").unwrap();
        diesel::select(sql::<BigInt>("(SELECT count(*) FROM sneaked)")).get_result::<i64>(&mut conn).unwrap()
    };

    // Past all routing, and through a session where a replica may serve it, since it looks like a read.
    let error = databases.connection("replica_0").unwrap().batch_execute(sneak).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("standby"), "{error}");
    assert_eq!(sneaked(), 0);
    // As soon as the server is known to be no replica it serves no reads, so each try is that of a new process.
    let refused = |sneak: fn(&mut router_diesel::Session<Conn>) -> QueryResult<Vec<i32>>| {
        let error = (0..20).find_map(|_| sneak(&mut file.build().session()).err());
        error.expect("some first read to come before the first answer").to_string()
    };
    let error = refused(|conn| conn.prevent_writes(sneak_in));
    assert!(error.contains(expected), "{error}");
    let error = refused(sneak_in);
    assert!(error.contains(expected), "{error}");
    let before = sneaked();
    // The very same, where it may write.
    databases.connection("default").unwrap().batch_execute(sneak).unwrap();
    assert_eq!(sneaked(), before + 1);
}

fn sneak_in(conn: &mut router_diesel::Session<Conn>) -> QueryResult<Vec<i32>> {
    posts::table.filter(posts::id.eq(1)).select(sql::<Integer>("sneak()")).load(conn)
}

#[test]
fn sqlite_refuses_writes_on_a_replica() {
    let Some(sqlite) = require(Sqlite::start()) else { return };
    let database = sqlite.database("main").unwrap();
    execute(database.url(), "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)");
    let file = crate::world::File::of(database.url(), &[database.url()]);
    let databases = file.build();
    let write = "INSERT INTO posts (id, title) VALUES (1, 'new')";
    let error = databases.connection("replica_0").unwrap().batch_execute(write).unwrap_err().to_string();
    assert!(error.contains("readonly database"), "{error}");
    databases.connection("default").unwrap().batch_execute(write).unwrap();
    assert_eq!(count(&mut databases.session()).unwrap(), 1);
}
