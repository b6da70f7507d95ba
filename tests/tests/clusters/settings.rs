//! Settings of transactions and of sessions, on a cluster: where they hold, and that nobody else finds them.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Nullable, Text};
use router_diesel::{AnyConnection, Databases, ErrorKind};
use router_tests::pgbouncer::PgBouncer;
use router_tests::require;

use crate::world::{Engine, QUIET, Servers, World, count, insert, kind, posts, warm_up};

type Session = router_diesel::Session<AnyConnection>;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

fn load(conn: &mut Session, sql: &str) -> QueryResult<Option<String>> {
    let rows = diesel::sql_query(sql).load::<Row>(conn)?;
    Ok(rows.into_iter().next().and_then(|row| row.value))
}

/// What a read of the table's node sees of a setting. It needs the table, so that it goes where reads of it go.
fn seen(conn: &mut Session, name: &str) -> QueryResult<Option<String>> {
    load(conn, &format!("SELECT current_setting('{name}', true) AS value FROM posts LIMIT 1"))
}

#[test]
fn a_setting_of_a_transaction_waits_and_goes_along() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    world.write(1);
    world.catch_up();
    let file = world.file().with(QUIET);
    let databases = file.build();
    warm_up(&databases);
    let mut conn = databases.session();

    // As the first statement it pins the transaction to nothing, and an inner rollback takes it back.
    conn.transaction::<_, DieselError, _>(|conn| {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")?;
        diesel::sql_query("SET LOCAL app.tenant = '1'").execute(conn)?;
        conn.transaction::<(), DieselError, _>(|conn| {
            conn.batch_execute("SET LOCAL app.tenant = '2'")?;
            Err(DieselError::RollbackTransaction)
        })
        .unwrap_err();
        conn.transaction::<_, DieselError, _>(|conn| {
            conn.set_local("app.inner", "kept").map_err(DieselError::from)
        })?;
        assert!(conn.connected().next().is_none(), "nothing was begun");
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("1"));
        assert_eq!(seen(conn, "app.inner")?.as_deref(), Some("kept"));
        assert_eq!(
            load(conn, "SELECT current_setting('transaction_isolation') AS value")?.as_deref(),
            Some("serializable")
        );
        conn.set_local("app.tenant", "it's \\ 3")?;
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("it's \\ 3"));
        conn.transaction::<(), DieselError, _>(|conn| {
            conn.set_local("app.tenant", "4")?;
            assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("4"));
            Err(DieselError::RollbackTransaction)
        })
        .unwrap_err();
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("it's \\ 3"));
        Ok(())
    })
    .unwrap();
    let left = conn.transaction(|conn| {
        insert(conn, 2)?;
        seen(conn, "app.tenant")
    });
    assert!(matches!(left.unwrap().as_deref(), None | Some("")), "it ended with its transaction");

    // It is no write: one snapshot of a replica has it too.
    let marks = world.mark();
    let on_replica = databases.session().read_only_transaction::<_, DieselError>(|conn| {
        conn.set_local("app.tenant", "5")?;
        conn.get_result::<_, String>(
            posts::table.select(diesel::dsl::sql::<Text>("current_setting('app.tenant')")).limit(1),
        )
    });
    assert_eq!(on_replica.as_deref(), Ok("5"));
    assert_eq!(world.reads_since(&marks), [0, 1]);
    conn.prevent_writes(|conn| {
        conn.transaction::<_, DieselError, _>(|conn| {
            conn.batch_execute("SET CONSTRAINTS ALL DEFERRED")?;
            diesel::sql_query("SELECT set_config('app.tenant', '6', true)").execute(conn)?;
            assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("6"));
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn a_setting_of_a_transaction_is_refused_where_it_cannot_be() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    let mut conn = databases.session();
    for sql in [
        "SET LOCAL app.tenant = '1'",
        "SET TRANSACTION READ ONLY",
        "SET CONSTRAINTS ALL DEFERRED",
        "SELECT set_config('app.tenant', '1', true)",
        "SELECT pg_catalog.set_config('a.b', 'c', 't') AS x, set_config('a.d', 'e', true);",
    ] {
        let error = conn.batch_execute(sql).unwrap_err();
        assert_eq!(kind(&error), Some(ErrorKind::Setting), "{sql}: {error}");
        assert!(error.to_string().contains("outside of one it has no effect"), "{error}");
    }
    let error = conn.set_local("app.tenant", "1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setting);

    // What would allow writes again.
    for sql in [
        "SET TRANSACTION READ WRITE",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE",
        "SET LOCAL transaction_read_only = off",
        "SET LOCAL default_transaction_read_only TO DEFAULT",
        "SET LOCAL ROLE postgres",
        "SET LOCAL SESSION AUTHORIZATION DEFAULT",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT set_config('role', 'none', true)",
    ] {
        conn.prevent_writes(|conn| {
            let refused = conn.transaction(|conn| conn.batch_execute(sql)).unwrap_err();
            assert_eq!(kind(&refused), Some(ErrorKind::WritesPrevented), "{sql}");
        });
        let refused = conn
            .transaction(|conn| {
                conn.batch_execute(sql)?;
                conn.using("replica_0")?.batch_execute("SELECT * FROM posts")
            })
            .unwrap_err();
        assert_eq!(kind(&refused), Some(ErrorKind::OperationNotAllowed), "{sql}: {refused}");
    }
    let error = conn
        .transaction(|conn| load(conn, "SELECT set_config('app.tenant', '1', true) AS value"))
        .unwrap_err();
    assert!(error.to_string().contains("set_local"), "{error}");

    // The statement that begins the transaction fails, and names it.
    let error = conn
        .transaction(|conn| {
            conn.batch_execute("SET LOCAL statement_timeout = 'never'")?;
            insert(conn, 9)
        })
        .unwrap_err();
    assert!(
        error.to_string().contains("`SET LOCAL statement_timeout…` could not be set on `default`"),
        "{error}"
    );
    assert_eq!(count(&mut conn), Ok(1));

    for (name, why) in [
        ("search_path", "set_unchecked"),
        ("role", "set_unchecked"),
        ("default_transaction_read_only", "the router decides that itself"),
        ("App.tenant", "not a valid name of a setting"),
        ("a b", "not a valid name of a setting"),
        ("", "not a valid name of a setting"),
    ] {
        let error = conn.set(name, "x").unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
    assert!(conn.set("app.tenant", "a\0b").unwrap_err().to_string().contains("NUL"));
}

#[test]
fn a_sessions_setting_is_on_all_its_connections_and_on_no_others() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    world.write(1);
    world.catch_up();
    let databases = world
        .file()
        .with("pool: { max_size: 1 }, health: { interval: 10m, timeout: 10s }")
        .replicas_with("pool: { max_size: 1 }")
        .build();
    warm_up(&databases);
    let mut conn = databases.session();
    conn.set("app.tenant", "7").unwrap();
    conn.set("statement_timeout", "54321").unwrap();
    let marks = world.mark();
    assert_eq!(seen(&mut conn, "app.tenant").unwrap().as_deref(), Some("7"));
    assert_eq!(world.reads_since(&marks), [0, 1], "the replica has it too");
    conn.set_unchecked("search_path", "public, pg_catalog").unwrap();
    conn.transaction::<(), DieselError, _>(|conn| {
        insert(conn, 2)?;
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("7"));
        assert_eq!(seen(conn, "search_path")?.as_deref(), Some("public, pg_catalog"));
        conn.set("app.tenant", "8")?;
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("8"));
        Err(DieselError::RollbackTransaction)
    })
    .unwrap_err();
    assert_eq!(
        load(&mut conn.using("default").unwrap(), "SELECT current_setting('app.tenant') AS value")
            .unwrap()
            .as_deref(),
        Some("8")
    );
    // What changes it by hand holds for one statement.
    conn.using("default").unwrap().batch_execute("SET app.tenant = '9'").unwrap();
    assert_eq!(
        load(&mut conn.using("default").unwrap(), "SELECT current_setting('app.tenant') AS value")
            .unwrap()
            .as_deref(),
        Some("8")
    );
    drop(conn);

    for alias in ["default", "replica_0"] {
        let mut conn = databases.session();
        let mut conn = conn.using(alias).unwrap();
        let sql =
            "SELECT current_setting('app.tenant', true) || current_setting('statement_timeout') AS value";
        assert!(matches!(load(&mut conn, sql).unwrap().as_deref(), None | Some("0")), "{alias}");
    }

    // Where it cannot be made, nothing runs.
    let mut conn = databases.session();
    conn.set("statement_timeout", "never").unwrap();
    let error = insert(&mut conn, 3).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Setting));
    assert!(error.to_string().contains("`statement_timeout`"), "{error}");
    assert_eq!(world.since(&marks)[0].iter().filter(|sql| sql.starts_with("INSERT")).count(), 1);
}

/// A test transaction is around everything, so what a transaction set for itself would live on in it.
#[test]
fn a_sessions_setting_is_back_after_a_transaction_in_a_test() {
    let Some(world) = World::start(Engine::Postgres, 0) else { return };
    world.write(1);
    let shared = world.file().builder().test_transactions().build().unwrap();
    let plain = world.file().build();
    let mut own = plain.session();
    own.begin_test_transaction().unwrap();
    for mut conn in [own, shared.session()] {
        conn.set("app.tenant", "7").unwrap();
        assert_eq!(seen(&mut conn, "app.tenant").unwrap().as_deref(), Some("7"));
        conn.transaction::<_, DieselError, _>(|conn| {
            conn.set_local("app.tenant", "9")?;
            assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("9"));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen(&mut conn, "app.tenant").unwrap().as_deref(), Some("7"));
        drop(conn);
        let left = seen(&mut shared.session(), "app.tenant").unwrap();
        assert!(matches!(left.as_deref(), None | Some("")), "{left:?}");
    }
}

#[test]
fn mariadb_carries_settings_and_variables() {
    let Some(world) = World::start(Engine::MariaDb, 1) else { return };
    world.write(1);
    world.catch_up();
    let databases = world
        .file()
        .with("pool: { max_size: 1 }, health: { interval: 10m, timeout: 10s }")
        .replicas_with("pool: { max_size: 1 }")
        .build();
    warm_up(&databases);
    let sql = "SELECT CONCAT(COALESCE(@tenant, '-'), @@session.time_zone, @@session.max_statement_time) AS value FROM posts LIMIT 1";
    let before = load(&mut databases.session(), sql).unwrap();
    let mut conn = databases.session();
    conn.set("@tenant", "it's \\ 7").unwrap();
    conn.set("time_zone", "+09:00").unwrap();
    conn.set("max_statement_time", "1.5").unwrap();
    assert_eq!(load(&mut conn, sql).unwrap().as_deref(), Some("it's \\ 7+09:001.500000"));
    insert(&mut conn, 2).unwrap();
    let same = load(&mut conn.using("default").unwrap(), sql).unwrap();
    assert_eq!(same.as_deref(), Some("it's \\ 7+09:001.500000"));
    assert!(
        conn.transaction(|conn| conn.set_local("time_zone", "+00:00").map_err(DieselError::from)).is_err()
    );
    drop(conn);
    assert_eq!(load(&mut databases.session(), sql).unwrap(), before);
    let mut conn = databases.session();
    assert_eq!(load(&mut conn.using("default").unwrap(), sql).unwrap(), before);

    // What reads as the present moment is not set to it afterwards.
    let clock = |conn: &mut Session| {
        load(&mut conn.using("default").unwrap(), "SELECT CAST(@@session.timestamp = 1000 AS CHAR) AS value")
            .unwrap()
    };
    let mut other = databases.session();
    conn.release();
    other.set("timestamp", "1000").unwrap();
    assert_eq!(clock(&mut other).as_deref(), Some("1"));
    other.release();
    let moment = "SELECT CAST(NOW(6) AS CHAR) AS value";
    let mut pooled = databases.pool("default").unwrap().get().unwrap();
    let mut now = || diesel::sql_query(moment).load::<Row>(&mut pooled).unwrap().remove(0).value;
    let first = now();
    assert!((0..1_000).any(|_| now() != first), "the clock stands still");
    drop(pooled);
    let error = databases.session().set("completion_type", "CHAIN").unwrap_err();
    assert!(error.to_string().contains("how transactions begin or end"), "{error}");

    // MySQL takes an isolation level before BEGIN alone.
    conn.transaction::<_, DieselError, _>(|conn| {
        conn.batch_execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")?;
        insert(conn, 3)?;
        let own = "SELECT trx_isolation_level AS value FROM information_schema.innodb_trx \
                   WHERE trx_mysql_thread_id = CONNECTION_ID()";
        assert_eq!(load(conn, own)?.as_deref(), Some("SERIALIZABLE"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn behind_a_pooler_a_setting_holds_within_transactions() {
    let Some(world) = World::start(Engine::Postgres, 0) else { return };
    let Servers::Postgres(cluster) = &world.servers else { unreachable!("it was asked for") };
    let one = [("default_pool_size", "1")];
    let Some(pooler) = require(PgBouncer::start_with(cluster.primary(), &one)) else { return };
    world.write(1);
    let mut file = world.file().with("pool: { prepared_statements: false }");
    file.primary = pooler.url_through(&file.primary);
    let databases = file.build();
    let (mut one, mut two) = (databases.session(), databases.session());
    one.set("app.tenant", "7").unwrap();
    let error = count(&mut one).unwrap_err();
    assert!(error.to_string().contains("behind a pooler"), "{error}");
    let read = |conn: &mut Session| {
        conn.transaction(|conn| {
            let first = seen(conn, "app.tenant")?;
            assert_eq!(seen(conn, "app.tenant")?, first);
            Ok::<_, DieselError>(first.filter(|tenant| !tenant.is_empty()))
        })
    };
    for _ in 0..3 {
        assert_eq!(read(&mut one).unwrap().as_deref(), Some("7"));
        assert_eq!(read(&mut two).unwrap(), None);
    }
    let last = "SELECT CAST(lastval() AS TEXT) AS value";
    insert(&mut two, 2).unwrap();
    assert_eq!(kind(&load(&mut two, last).unwrap_err()), Some(ErrorKind::NoAnswer));
}

#[test]
fn a_setting_goes_along_where_the_transaction_begins_on_another_node() {
    let Some(mut world) = World::start(Engine::Postgres, 2) else { return };
    world.write(1);
    world.catch_up();
    let databases = world.file().with(QUIET).build();
    warm_up(&databases);
    // Each has used a connection that is about to die.
    let mut sessions: Vec<_> = (0..4).map(|_| databases.session()).collect();
    for conn in &mut sessions {
        count(conn).unwrap();
    }
    world.kill_replica(0);
    for conn in &mut sessions {
        let read = conn.read_only_transaction::<_, DieselError>(|conn| {
            conn.set_local("app.tenant", "5")?;
            let setting = diesel::dsl::sql::<Text>("current_setting('app.tenant')");
            conn.get_result::<_, String>(posts::table.select(setting).limit(1))
        });
        assert_eq!(read.as_deref(), Ok("5"));
    }
    let replica = databases.cluster("default").unwrap().nodes.remove(1);
    assert_ne!(replica.standing, router_diesel::cluster::Standing::Up, "nobody met the dead replica");
}

/// A setting of a transaction and one of the session, of the same name, in a pool of one.
#[test]
fn what_a_transaction_sets_is_not_taken_for_what_was_before() {
    let Some(world) = World::start(Engine::Postgres, 0) else { return };
    world.write(1);
    let databases = world.file().with("pool: { max_size: 1 }").build();
    for (name, of_transaction, of_session) in [
        ("app.tenant", "8", "9"),
        ("statement_timeout", "8min", "9min"),
        ("timezone", "Asia/Tokyo", "Asia/Seoul"),
    ] {
        let before = seen(&mut databases.session(), name).unwrap();
        for commits in [true, false] {
            for by_statement in [true, false] {
                let mut conn = databases.session();
                let result = conn.transaction::<(), DieselError, _>(|conn| {
                    if by_statement {
                        conn.batch_execute(&format!("SET LOCAL {name} = '{of_transaction}'"))?;
                    } else {
                        conn.set_local(name, of_transaction)?;
                    }
                    assert_eq!(seen(conn, name)?.as_deref(), Some(of_transaction));
                    conn.set(name, of_session)?;
                    assert_eq!(seen(conn, name)?.as_deref(), Some(of_session));
                    conn.transaction::<(), DieselError, _>(|conn| {
                        conn.set_local(name, of_transaction)?;
                        assert_eq!(seen(conn, name)?.as_deref(), Some(of_transaction));
                        Err(DieselError::RollbackTransaction)
                    })
                    .unwrap_err();
                    assert_eq!(seen(conn, name)?.as_deref(), Some(of_session));
                    if commits { Ok(()) } else { Err(DieselError::RollbackTransaction) }
                });
                assert_eq!(result.is_ok(), commits);
                assert_eq!(
                    seen(&mut conn, name).unwrap().as_deref(),
                    Some(of_session),
                    "after the transaction"
                );
                drop(conn);
                let after = seen(&mut databases.session(), name).unwrap();
                assert_eq!(
                    after.unwrap_or_default(),
                    before.clone().unwrap_or_default(),
                    "{name}, the next user"
                );
            }
        }
    }
}

/// What says how one transaction is, and what changes what texts mean.
#[test]
fn a_session_carries_no_setting_of_a_transaction() {
    let Some(world) = World::start(Engine::Postgres, 0) else { return };
    world.write(1);
    let databases = world.file().build();
    let mut conn = databases.session();
    for name in ["transaction_isolation", "transaction_deferrable"] {
        let error = conn.set_unchecked(name, "on").unwrap_err();
        assert!(error.to_string().contains("begins with `default_`"), "{error}");
    }
    for name in ["standard_conforming_strings", "client_encoding", "session_replication_role"] {
        assert!(conn.set(name, "x").unwrap_err().to_string().contains("set_unchecked"), "{name}");
    }
    conn.set("default_transaction_isolation", "serializable").unwrap();
    let level = conn.transaction(|conn| seen(conn, "transaction_isolation")).unwrap();
    assert_eq!(level.as_deref(), Some("serializable"));
    // In a test transaction the level is that of the test transaction, and the settings hold.
    let mut conn = databases.session();
    conn.test_transaction::<_, DieselError, _>(|conn| {
        seen(conn, "app.tenant")?;
        conn.transaction(|conn| {
            conn.batch_execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")?;
            conn.set_local("app.tenant", "7")?;
            assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("7"));
            Ok(())
        })
    });
}

/// Of two settings of one name the later one holds, however each is made, and what shapes the transaction may come last.
#[test]
fn settings_that_wait_keep_their_order() {
    let Some(world) = World::start(Engine::Postgres, 0) else { return };
    world.write(1);
    let databases = world.file().build();
    let ways: [fn(&mut Session, &str) -> QueryResult<()>; 3] = [
        |conn, value| Ok(conn.set_local("app.tenant", value)?),
        |conn, value| conn.batch_execute(&format!("SET LOCAL app.tenant = '{value}'")),
        |conn, value| {
            diesel::sql_query(format!("SELECT set_config('app.tenant', '{value}', true)"))
                .execute(conn)
                .map(drop)
        },
    ];
    for first in ways {
        for second in ways {
            let mut conn = databases.session();
            conn.transaction::<_, DieselError, _>(|conn| {
                first(conn, "7")?;
                second(conn, "8")?;
                conn.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
                conn.set_local("transaction_isolation", "serializable")?;
                assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("8"));
                assert_eq!(seen(conn, "transaction_isolation")?.as_deref(), Some("serializable"));
                Ok(())
            })
            .unwrap();
        }
    }
}

diesel::define_sql_function! {
    fn set_config(name: Text, value: Text, is_local: diesel::sql_types::Bool) -> Text;
}

/// `set_config` in Diesel's own words has bound values, and they decide what it is.
#[test]
fn bound_values_make_a_setting_of_the_transaction() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    world.write(1);
    world.catch_up();
    let databases = world
        .file()
        .with("pool: { max_size: 1 }, health: { interval: 10m }")
        .replicas_with("pool: { max_size: 1 }")
        .build();
    warm_up(&databases);
    let pid = "SELECT CAST(pg_backend_pid() AS TEXT) AS value FROM posts LIMIT 1";
    let before = load(&mut databases.session(), pid).unwrap();
    let by_bind = |is_local: &str| format!("SELECT set_config('app.tenant', $1, {is_local})");

    let mut conn = databases.session();
    // As the first statement of a transaction each of them waits, and an inner rollback takes it back.
    conn.transaction::<_, DieselError, _>(|conn| {
        assert_eq!(diesel::select(set_config("app.tenant", "it's \\ 7", true)).execute(conn)?, 1);
        conn.transaction::<(), DieselError, _>(|conn| {
            diesel::sql_query(by_bind("TRUE")).bind::<Text, _>("8").execute(conn)?;
            Err(DieselError::RollbackTransaction)
        })
        .unwrap_err();
        assert!(conn.connected().next().is_none(), "nothing was begun");
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("it's \\ 7"));
        // Now that it is open, a query of it answers too.
        let query = diesel::sql_query(by_bind("'t'")).bind::<Text, _>("9");
        assert!(query.execute(conn).is_ok());
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("9"));
        let answer = diesel::select(set_config("app.tenant", "10", true)).get_result::<String>(conn)?;
        assert_eq!(answer, "10");
        assert_eq!(seen(conn, "app.tenant")?.as_deref(), Some("10"));
        Ok(())
    })
    .unwrap();
    // What is explained is what runs: it is no write, and waits for the database of the first statement.
    let explained = conn.explain(&diesel::select(set_config("app.tenant", "7", true))).unwrap();
    assert!(explained.reason().contains("ends with its transaction"), "{}", explained.reason());
    let explained = conn.explain(&diesel::select(set_config("app.tenant", "7", false))).unwrap();
    assert!(!explained.reason().contains("ends with its transaction"), "{}", explained.reason());
    // A query of it that wants its row cannot wait.
    let error = conn
        .transaction(|conn| diesel::select(set_config("app.tenant", "7", true)).get_result::<String>(conn))
        .unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Setting));
    assert!(error.to_string().contains("set_local"), "{error}");
    // Outside of a transaction it would have no effect.
    let error = diesel::select(set_config("app.tenant", "7", true)).execute(&mut conn).unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Setting), "{error}");
    // What may give back rights is refused where writes are.
    let refused = conn.prevent_writes(|conn| {
        conn.transaction(|conn| {
            diesel::select(set_config("transaction_read_only", "off", true)).execute(conn)
        })
    });
    assert_eq!(kind(&refused.unwrap_err()), Some(ErrorKind::WritesPrevented));
    drop(conn);
    assert_eq!(
        load(&mut databases.session(), pid).unwrap(),
        before,
        "nothing was left, so nothing was closed"
    );
    assert_eq!(seen(&mut databases.session(), "app.tenant").unwrap().unwrap_or_default(), "");

    // For the session it is what it was: something left behind.
    let mut conn = databases.session();
    assert_eq!(diesel::select(set_config("app.tenant", "7", false)).execute(&mut conn), Ok(1));
    drop(conn);
    assert_ne!(load(&mut databases.session().using("default").unwrap(), pid).unwrap(), None);
    assert_eq!(databases.cluster("default").unwrap().nodes[0].closed_for_state, 1);
}

/// What MariaDB takes before BEGIN holds for the next transaction of the connection, whoever begins it.
#[test]
fn what_was_sent_for_a_transaction_that_never_began_ends_with_its_connection() {
    let Some(world) = World::start(Engine::MariaDb, 0) else { return };
    let databases = world.file().with("pool: { max_size: 1 }").build();
    let mut conn = databases.session();
    let error = conn
        .transaction::<usize, DieselError, _>(|conn| {
            conn.batch_execute("SET TRANSACTION READ ONLY")?;
            conn.batch_execute("SET TRANSACTION ISOLATION LEVEL NONSENSE")?;
            insert(conn, 1)
        })
        .unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Setting));
    conn.transaction(|conn| insert(conn, 1)).expect("the same session's next transaction may write");
    drop(conn);
    databases.session().transaction(|conn| insert(conn, 2)).expect("the next user's transaction may write");
}

/// Row-level security by a session's setting, with replicas and tokens: whatever ends a request, the next one sees its
/// own rows alone.
#[test]
fn no_row_of_another_tenant_is_ever_seen() {
    const SEQUENCES: usize = 1_000;
    const TENANTS: u64 = 5;
    let Some(world) = World::start(Engine::Postgres, 2) else { return };
    world.execute(
        "CREATE TABLE orders (id BIGSERIAL PRIMARY KEY, tenant TEXT NOT NULL);
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON orders USING (tenant = current_setting('app.tenant', true));
         CREATE ROLE clerk LOGIN PASSWORD 'clerk';
         GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk;",
    );
    for tenant in 0..TENANTS {
        world.execute(&format!("INSERT INTO orders (tenant) SELECT '{tenant}' FROM generate_series(1, 3)"));
    }
    world.catch_up();
    let as_clerk = |url: &str| {
        let (_, rest) = url.split_once('@').unwrap();
        format!("postgres://clerk:clerk@{rest}")
    };
    let mut file = world.file().with("pool: { max_size: 2 }").replicas_with("pool: { max_size: 2 }");
    file.primary = as_clerk(&file.primary);
    file.replicas = file.replicas.iter().map(|url| as_clerk(url)).collect();
    let yaml = file.yaml().replace("tables: [posts]", "tables: [posts, orders]");
    let config = router_diesel::config::Config::loader().yaml(yaml, "databases.yml").load().unwrap();
    let databases = Databases::<AnyConnection>::builder(config).build().unwrap();
    let seen = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|panic| {
        if !panic.to_string().contains("on purpose") {
            eprintln!("{panic}");
        }
    }));
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let (databases, seen) = (&databases, &seen);
            scope.spawn(move || {
                let mut random = Random(thread * 7 + 1);
                let mut tokens = vec![None; TENANTS as usize];
                for _ in 0..SEQUENCES / 2 {
                    let tenant = random.below(TENANTS);
                    sequence(databases, &mut random, tenant, &mut tokens[tenant as usize], seen);
                }
            });
        }
    });
    let seen = seen.into_inner();
    assert!(seen > SEQUENCES, "only {seen} rows were seen");
}

/// Numbers that look like chance, the same in each run: xorshift64 of Marsaglia.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn tenants(conn: &mut Session) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Order {
        #[diesel(sql_type = Text)]
        tenant: String,
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let orders = diesel::sql_query("SELECT tenant, id FROM orders").load::<Order>(conn)?;
    assert!(orders.iter().all(|order| order.id > 0));
    Ok(orders.into_iter().map(|order| order.tenant).collect())
}

/// One request of a tenant, or of nobody.
fn sequence(
    databases: &Databases<AnyConnection>,
    random: &mut Random,
    tenant: u64,
    token: &mut Option<String>,
    seen: &AtomicUsize,
) {
    let mut conn = match token.take() {
        Some(token) => databases.session_after(token).unwrap(),
        None => databases.session(),
    };
    if random.below(8) == 0 {
        assert_eq!(tenants(&mut conn).unwrap(), [""; 0], "nobody's session");
        return;
    }
    let mut tenant = tenant.to_string();
    let first = tenant.clone();
    conn.set("app.tenant", &tenant).unwrap();
    let own = |conn: &mut Session, tenant: &str| -> QueryResult<()> {
        let found = tenants(conn)?;
        assert!(found.iter().all(|other| other == tenant), "{tenant} sees {found:?}");
        assert!(found.len() >= 3, "{tenant} sees {} rows", found.len());
        seen.fetch_add(found.len(), Ordering::Relaxed);
        Ok(())
    };
    let write = |conn: &mut Session, tenant: &str| {
        diesel::sql_query(format!("INSERT INTO orders (tenant) VALUES ('{tenant}')")).execute(conn)
    };
    for _ in 0..1 + random.below(6) {
        match random.below(12) {
            0 | 1 => own(&mut conn, &tenant).unwrap(),
            2 => assert_eq!(write(&mut conn, &tenant), Ok(1)),
            3 => conn
                .transaction(|conn| {
                    own(conn, &tenant)?;
                    write(conn, &tenant)?;
                    own(conn, &tenant)
                })
                .unwrap(),
            4 => {
                let other = random.below(5).to_string();
                conn.transaction::<(), DieselError, _>(|conn| {
                    own(conn, &tenant)?;
                    conn.set("app.tenant", &other)?;
                    own(conn, &other)?;
                    Err(DieselError::RollbackTransaction)
                })
                .unwrap_err();
                tenant = other;
            }
            5 => {
                let other = random.below(5).to_string();
                conn.transaction::<_, DieselError, _>(|conn| {
                    conn.set_local("app.tenant", &other)?;
                    own(conn, &other)?;
                    conn.transaction::<(), DieselError, _>(|conn| {
                        conn.set_local("app.tenant", &tenant)?;
                        own(conn, &tenant)?;
                        Err(DieselError::RollbackTransaction)
                    })
                    .unwrap_err();
                    own(conn, &other)
                })
                .unwrap();
            }
            6 => {
                let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    conn.transaction::<(), DieselError, _>(|conn| {
                        write(conn, &tenant)?;
                        panic!("on purpose");
                    })
                }));
                assert!(panicked.is_err());
            }
            7 => {
                let mut on_primary = conn.using("default").unwrap();
                on_primary.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())").unwrap_err();
                drop(on_primary);
                own(&mut conn, &tenant).unwrap();
            }
            8 => conn.release(),
            // The two kinds of setting, one over the other, in each order, and each end of a transaction.
            end => {
                let (local, carried) = (random.below(5).to_string(), random.below(5).to_string());
                let is_carried_first = random.below(2) == 0;
                let mixed = AssertUnwindSafe(|| {
                    conn.transaction::<_, DieselError, _>(|conn| {
                        let now = if is_carried_first {
                            conn.set("app.tenant", &carried)?;
                            own(conn, &carried)?;
                            conn.batch_execute(&format!("SET LOCAL app.tenant = '{local}'"))?;
                            &local
                        } else {
                            conn.set_local("app.tenant", &local)?;
                            own(conn, &local)?;
                            conn.set("app.tenant", &carried)?;
                            &carried
                        };
                        own(conn, now)?;
                        match end {
                            9 => Ok(()),
                            10 => Err(DieselError::RollbackTransaction),
                            _ => panic!("on purpose"),
                        }
                    })
                });
                let ended = std::panic::catch_unwind(mixed);
                assert!(matches!((end, ended), (9, Ok(Ok(()))) | (10, Ok(Err(_))) | (11, Err(_))), "{end}");
                tenant = carried;
            }
        }
        own(&mut conn, &tenant).unwrap();
    }
    if tenant == first {
        *token = Some(conn.token().unwrap());
    }
}
