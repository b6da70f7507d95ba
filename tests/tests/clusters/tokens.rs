//! Tokens that are none, or are not of this cluster.

use diesel::prelude::*;
use router_diesel::cluster::{TokenKey, TokenKeys};
use router_diesel::{Databases, Error, ErrorKind};
use router_tests::postgres::PostgresCluster;
use router_tests::require;

use crate::world::{Conn, Engine, PRIMARY, QUIET, Servers, World, count, insert, warm_up};

crate::on_servers!(
    a_text_that_is_no_token_is_refused,
    a_token_of_another_cluster_means_the_primary,
    a_token_of_before_a_promotion_means_the_primary,
);

/// The token of a session that wrote a row.
fn token(databases: &Databases<Conn>, id: i32) -> String {
    let mut conn = databases.session();
    insert(&mut conn, id).unwrap();
    conn.token().unwrap()
}

/// A file over a primary alone, with a replica that is not there.
fn alone(world: &World) -> Databases<Conn> {
    let mut file = world.file().with(QUIET);
    let port = router_tests::free_port().unwrap();
    let (before, after) = file.primary.split_once("@127.0.0.1:").unwrap();
    let (_, name) = after.split_once('/').unwrap();
    file.replicas = vec![format!("{before}@127.0.0.1:{port}/{name}")];
    file.build()
}

#[track_caller]
fn refused(databases: &Databases<Conn>, text: &str) -> String {
    let Err(error) = databases.session_after(text) else { panic!("taken for a token: {text}") };
    assert_eq!(error.kind(), ErrorKind::Token, "{error}");
    let message = error.to_string();
    assert!(message.contains("token"), "{message}");
    assert!(text.len() < 8 || !message.contains(text), "{message}");
    message
}

fn a_text_that_is_no_token_is_refused(engine: Engine) {
    let Some(world) = World::start(engine, 0) else { return };
    let plain = alone(&world);
    let keys = |byte: u8| TokenKeys::new(TokenKey::new([byte; 32]).unwrap());
    let mut file = world.file().with(QUIET);
    file.replicas = vec![file.primary.clone()];
    let signed_with = |keys| file.builder().token_keys(keys).build().unwrap();
    let signing = signed_with(keys(1));

    for (databases, token) in [(&plain, token(&plain, 1)), (&signing, token(&signing, 2))] {
        assert!(databases.session_after(&token).is_ok());
        for length in 0..token.len() {
            refused(databases, &token[..length]);
            let (before, rest) = token.split_at(length);
            let other = if rest.starts_with('A') { 'B' } else { 'A' };
            refused(databases, &format!("{before}{other}{}", &rest[1..]));
            refused(databases, &format!("{before}\u{fc}{rest}"));
        }
        refused(databases, &format!("{token}A"));
        refused(databases, &token.repeat(200));
        assert!(refused(databases, &token.replacen("r1", "r9", 1)).contains("version 9"));
    }
    for text in ["", "r1.", "r1s.", ".", "null", "r1.AAAA", "r1s.AAAA", "r1.\0", "../../etc/passwd"] {
        refused(&plain, text);
        refused(&signing, text);
    }

    // Made up by somebody who has no key, or the wrong one.
    let unsigned = token(&plain, 3);
    let signed = token(&signing, 4);
    assert!(refused(&signing, &unsigned).contains("not signed"));
    assert!(refused(&plain, &signed).contains("signed"));
    assert!(refused(&signed_with(keys(2)), &signed).contains("none of the keys"));
    let both = signed_with(keys(2).or(TokenKey::new([1; 32]).unwrap()));
    assert!(both.session_after(&signed).is_ok());

    // What is not committed yet has no token.
    let mut conn = plain.session();
    let error = conn
        .transaction(|conn| {
            insert(conn, 5)?;
            let error = conn.token().unwrap_err();
            Err::<(), diesel::result::Error>(error.into())
        })
        .unwrap_err();
    let error = Error::from_diesel(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert!(error.to_string().contains("`default`"), "{error}");
}

/// Asserts that reads after a token show all that the primary has, by the primary, though replicas are late.
fn reads_from_the_primary(world: &World, databases: &Databases<Conn>, token: &str, node: usize) {
    let marks = world.mark();
    let mut conn = databases.session_after(token).unwrap();
    let (seen, all) = (count(&mut conn).unwrap(), count(&mut conn.using("default").unwrap()).unwrap());
    assert_eq!(seen, all);
    let served = world.reads_since(&marks);
    assert_eq!((served[node], served.iter().sum::<usize>()), (2, 2), "{served:?}");
    // Whoever goes on from there has a token of this cluster.
    let next = conn.token().unwrap();
    assert_eq!(count(&mut databases.session_after(next).unwrap()).unwrap(), all);
}

fn a_token_of_another_cluster_means_the_primary(engine: Engine) {
    let Some(world) = World::start(engine, 1) else { return };
    let other = match engine {
        Engine::Postgres => {
            let Some(unrelated) = require(PostgresCluster::start_unrelated(0)) else { return };
            World::over(Servers::Postgres(unrelated))
        }
        Engine::MariaDb => {
            let Some(other) = World::start(engine, 0) else { return };
            other
        }
    };
    let foreign = token(&alone(&other), 1);
    let databases = world.file().with(QUIET).build();
    let own = token(&databases, 1);
    world.catch_up();
    world.pause(0);
    world.write(2);
    assert_eq!(count(&mut databases.session()).unwrap(), 1, "the replica is late");
    reads_from_the_primary(&world, &databases, &foreign, PRIMARY);
    // The replica has what its own cluster's token names.
    assert_eq!(count(&mut databases.session_after(&own).unwrap()).unwrap(), 1);
    // A token of two clusters that this file does not have is no burden.
    let mut file = world.file().with(QUIET);
    file.more = "  elsewhere: { url: '".to_owned() + other.database.url() + "' }\n";
    assert_eq!(count(&mut file.build().session_after(&own).unwrap()).unwrap(), 1);
}

/// Two servers that began as copies of one: the one that went on longer names places that the other has not reached.
#[test]
fn a_token_from_the_future_means_the_primary() {
    let Some(world) = World::start(Engine::Postgres, 1) else { return };
    let Some(ahead) = World::start(Engine::Postgres, 0) else { return };
    for id in 10..13 {
        ahead.write(id);
        ahead.execute("SELECT pg_switch_wal()");
    }
    let future = token(&alone(&ahead), 1);
    for settings in ["", "wait_for_replica: 100ms, "] {
        let databases = world.file().with(&format!("{settings}{QUIET}")).build();
        warm_up(&databases);
        world.pause(0);
        world.write(if settings.is_empty() { 1 } else { 2 });
        reads_from_the_primary(&world, &databases, &future, PRIMARY);
        world.resume(0);
        world.catch_up();
    }
}

fn a_token_of_before_a_promotion_means_the_primary(engine: Engine) {
    let Some(mut world) = World::start(engine, 2) else { return };
    let before = world.file().with(QUIET).build();
    let kept = token(&before, 1);
    world.catch_up();
    world.promote(0);
    if let Servers::Postgres(cluster) = &mut world.servers {
        cluster.follow(1, 0).unwrap();
    }
    // Of what the old primary still writes, the new one will never know.
    let lost = token(&before, 2);
    drop(before);
    let mut file = world.file().with(QUIET);
    file.primary = world.database.replica_url(0).to_owned();
    file.replicas = vec![world.database.replica_url(1).to_owned()];
    let after = file.build();
    let fresh = token(&after, 3);
    for token in [&lost, &kept] {
        reads_from_the_primary(&world, &after, token, 1);
    }
    if engine == Engine::Postgres {
        world.catch_up();
        // The new history's own tokens are served by its replica.
        let marks = world.mark();
        assert_eq!(count(&mut after.session_after(&fresh).unwrap()).unwrap(), 2);
        assert_eq!(world.reads_since(&marks), [0, 0, 1]);
    }
    assert_eq!(count(&mut after.session_after(&fresh).unwrap()).unwrap(), 2);
}
