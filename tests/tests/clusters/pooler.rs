//! PgBouncer in transaction mode before every node: each transaction may meet another connection to the server.

use diesel::prelude::*;
use router_diesel::Databases;
use router_diesel::cluster::Standing;
use router_tests::pgbouncer::PgBouncer;
use router_tests::postgres::Postgres;
use router_tests::require;

use crate::world::{Conn, Engine, Servers, World, count, eventually, insert, posts, standing, warm_up};

#[test]
fn a_cluster_works_behind_poolers() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let Servers::Postgres(cluster) = &world.servers else { unreachable!("it was asked for") };
    let one = [("default_pool_size", "1")];
    let Some(primary) = require(PgBouncer::start_with(cluster.primary(), &one)) else { return };
    let Some(replica) = require(PgBouncer::start(cluster.replica(0))) else { return };
    let pool = "pool: { prepared_statements: false }";
    let health = "health: { interval: 1s, timeout: 1s }";
    let mut file = world.file().with(&format!("{pool}, {health}")).replicas_with(pool);
    file.primary = primary.url_through(&file.primary);
    file.replicas[0] = replica.url_through(&file.replicas[0]);
    let databases = file.build();
    warm_up(&databases);

    // Two sessions in turn, whose statements all meet on one connection to the primary.
    let (mut one, mut two) = (databases.session(), databases.session());
    for id in 1..=40 {
        insert(&mut one, 2 * id).unwrap();
        two.transaction(|two| {
            insert(two, 2 * id + 1)?;
            assert_eq!(count(two)?, i64::from(2 * id));
            two.transaction(|two| insert(two, 2 * id)).unwrap_err();
            diesel::update(posts::table.find(2 * id)).set(posts::title.eq("changed")).execute(two)
        })
        .unwrap();
        for conn in [&mut one, &mut two] {
            let changed = posts::table.filter(posts::title.eq("changed"));
            assert_eq!(changed.count().get_result::<i64>(conn).unwrap(), i64::from(id));
        }
        let token = two.token().unwrap();
        assert_eq!(count(&mut databases.session_after(token).unwrap()).unwrap(), i64::from(2 * id));
    }
    // What the replica has, it shows. On a busy machine it may answer a probe late, and be passed over for a while.
    world.catch_up();
    eventually("the replica to be up", || standing(&databases, "replica_0") == Standing::Up);
    eventually("the replica to serve all reads", || {
        let marks = world.mark();
        for _ in 0..5 {
            assert_eq!(count(&mut databases.session()).unwrap(), 80);
            let snapshot: QueryResult<i64> =
                databases.session().read_only_transaction(|conn| conn.get_result(posts::table.count()));
            assert_eq!(snapshot.unwrap(), 80);
        }
        world.reads_since(&marks) == [0, 10]
    });

    // What anybody sets on a connection would be found by everybody else's statements: probes, which have little time
    // and only read, and readers.
    file.settings = format!("{pool}, health: {{ interval: 100ms, timeout: 100ms }}");
    file.more = format!(
        "  reports: {{ url: '{}', operations: [read], \
         pool: {{ prepared_statements: false, statement_timeout: 100ms }} }}\n",
        file.primary
    );
    let databases = file.build();
    let probes = world.mark();
    count(&mut databases.session()).unwrap();
    eventually("some probes", || world.since(&probes).iter().all(|statements| statements.len() > 4));
    assert_eq!(count(&mut databases.session().using("reports").unwrap()).unwrap(), 80);
    let slow = diesel::sql_query("UPDATE posts SET title = 'slow' FROM pg_sleep(0.3) WHERE id = 2");
    assert_eq!(slow.execute(&mut databases.session()).unwrap(), 1);
    insert(&mut databases.session(), 1_000).unwrap();
}

#[test]
fn migrations_go_round_the_pooler() {
    let Some(server) = require(Postgres::start()) else { return };
    let Some(pooler) = require(PgBouncer::start(&server)) else { return };
    let database = server.database("blog").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, sql: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, sql).unwrap();
    };
    write("1_posts/up.sql", "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)");
    write("1_posts/down.sql", "DROP TABLE posts");
    write("2_index/up.sql", "CREATE INDEX CONCURRENTLY by_title ON posts (title)");
    write("2_index/down.sql", "DROP INDEX by_title");
    write("2_index/metadata.toml", "run_in_transaction = false");
    let file = folder.path().join("databases.yml");
    let yaml = format!(
        "apps: {{ blog: {{ tables: [posts], migrations: '{}' }} }}
databases:
  default: {{ url: '{}', apps: [blog], migrate_to: direct, pool: {{ prepared_statements: false }} }}
  direct: {{ url: '{}' }}
",
        folder.path().display(),
        pooler.url_through(database.url()),
        database.url(),
    );
    std::fs::write(&file, yaml).unwrap();
    let databases = Databases::<Conn>::from_file(&file).unwrap_or_else(|error| panic!("{error}"));
    databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}"));
    let mut conn = databases.session();
    insert(&mut conn, 1).unwrap();
    assert_eq!(count(&mut conn).unwrap(), 1);
    databases.migrator().database("direct").rollback(2).unwrap_or_else(|error| panic!("{error}"));
    assert!(count(&mut conn).is_err());
    databases.migrator().migrate().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(count(&mut conn).unwrap(), 0);
}
